"""Aliases of devices and the registry's names: the same everywhere, and never two devices in one."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvfault.device_names import device_id_of, refuse_shared_ids
from pvfault.errors import PvfaultError
from pvfault.places import read_sites
from pvfault.registry import RegistryError, read_registry
from pvfault_files.names import device_ids_of


@given(st.text(min_size=1).filter(str.strip))
def test_an_alias_is_ten_letters_and_digits_and_a_deviceid_is_its_own(name):
    alias = device_id_of(name)
    assert len(alias) == 10
    assert set(alias) <= set(string.ascii_letters + string.digits)
    assert device_id_of(alias) == alias


def test_an_alias_never_changes():
    """It is the key of Kafka and of every table: another one would be another device."""
    assert device_id_of("WR 1 Süd") == "E4Z7J3YWBG"


def test_two_names_of_one_alias_are_refused():
    with pytest.raises(PvfaultError, match=r"'A' and 'B' have one deviceID, INV0000001"):
        device_ids_of(["A", "B"], {"A": "INV0000001", "B": "INV0000001"})
    with pytest.raises(PvfaultError, match="have one deviceID"):
        refuse_shared_ids([("x", "INV0000001"), ("INV0000001", "INV0000001")])


def test_a_registry_says_what_its_devices_are_called(tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text(
        "name,deviceID,rated_voltage,rated_current,site\nWR 1,INV0000001,600,10,Süd\n,INV0000002,500,9,\nWR "
        "3,,500,9,Ost\n"
    )
    registry = read_registry(path)
    alias = device_id_of("WR 3")
    assert registry.device_ids == {"WR 1": "INV0000001", "INV0000002": "INV0000002", "WR 3": alias}
    assert registry.ratings(["INV0000001", alias]).tolist() == [[600, 10], [500, 9]]
    assert read_sites(path) == {"INV0000001": "Süd", alias: "Ost"}


def test_a_registry_of_names_alone_has_aliases(tmp_path):
    path = tmp_path / "devices.csv"
    for header in ("name", "deviceID"):
        path.write_text(f"{header},rated_voltage,rated_current\nWR 1,600,10\n")
        assert read_registry(path).device_ids == {"WR 1": device_id_of("WR 1")}
    path.write_text("deviceID,name,rated_voltage,rated_current\nINV0000001,WR 1,600,10\nINV0000002,WR 1,600,10\n")
    with pytest.raises(RegistryError, match=r"more than once \(WR 1\)"):
        read_registry(path)
