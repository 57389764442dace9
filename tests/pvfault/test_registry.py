"""The registry: what is refused and with which words, and ratings estimated from readings."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from pvfault.registry import (
    EMPTY_REGISTRY,
    REGISTRY_SCHEMA,
    Registry,
    RegistryError,
    read_registry,
    write_registry,
)

HEADER = "deviceID,rated_voltage,rated_current\n"


@pytest.fixture
def write(tmp_path):
    """Write a registry file by hand."""

    def write(content):
        path = tmp_path / "devices.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "INV0000001,600,10\nINV0000002,550.5,1e1\n",
        HEADER.replace("\n", "\r\n") + "INV0000001,600,10\r\nINV0000002,550.5,10\r\n",
        b"\xef\xbb\xbf" + (HEADER + "INV0000001,600,10\nINV0000002,550.5,10\n").encode(),
        HEADER + '\n"INV0000001", 600 ,10\n\nINV0000002,550.5,10',
        "site,owner,rated_current,deviceID,rated_voltage\nNA,Zoë,10,INV0000001,600\n,,10,INV0000002,550.5\n",
        "deviceID,rated_voltage,rated_current,latitude,modules_in_series\nINV0000001,600,10,,\nINV0000002,550.5,10,48.1,20\n",
    ],
    ids=["plain", "windows", "byte-order-mark", "blank-lines-and-spaces", "other-order-and-columns", "optional-absent"],
)
def test_a_registry_is_read_however_a_spreadsheet_wrote_it(write, content):
    registry = read_registry(write(content))
    assert registry.devices == ("INV0000001", "INV0000002")
    assert registry.rated_voltage.tolist() == [600.0, 550.5]
    assert registry.rated_current.tolist() == [10.0, 10.0]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("INV0000001,600,10\nINV0000002,600,10\nINV0000001,600,10\n", r"more than once \(INV0000001\).*keep one row"),
        ("INV0000001,600,\n", "1 of 1 rows have no rated_current"),
        ("INV0000001,NaN,10\n", "no rated_voltage"),
        ("INV0000001,600,10\nINV0000002,-600,10\n", "1 of 2 rows have no rated_voltage .*row 2, deviceID 'INV0000002'"),
        ("INV0000001,600,0\n", "no rated_current"),
        ("INV0000001,inf,10\n", "no rated_voltage"),
        ("INV0000001,1e-300,10\n", "no rated_voltage"),
        ("INV0000001,600,5e58\n", "no rated_current between 0.1 and 10000"),
        (",600,10\n", "no deviceID and no name .*None"),
        ("INV0000001,six hundred,10\n", "not a CSV of devices .*six hundred"),
        ("INV0000001,600\n", "not a CSV of devices .*Expected 3 columns"),
    ],
)
def test_a_wrong_row_is_refused_by_what_was_found_and_what_to_do(write, rows, words):
    with pytest.raises(RegistryError, match=words):
        read_registry(write(HEADER + rows))


def test_an_array_without_strings_is_refused_and_one_whose_strings_are_not_known_is_not(write):
    header = HEADER.rstrip() + ",modules_in_series,strings_in_parallel\n"
    rows = "INV0000001,600,10,20,\nINV0000002,600,10,20,0\n"
    with pytest.raises(RegistryError, match=r"1 of 2 rows have strings_in_parallel below 1.*INV0000002"):
        read_registry(write(header + rows))
    layouts = read_registry(write(header + rows.replace(",0", ",2"))).layouts(["INV0000001", "INV0000002"])
    np.testing.assert_array_equal(layouts, [[20, np.nan], [20, 2]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not a CSV of devices .*expected a header with at least deviceID,rated_voltage,rated_current"),
        ("\n\n", "not a CSV of devices"),
        (bytes(range(256)) * 20, "not a CSV of devices"),
        ((HEADER + "INV0000001,600,10\n").encode("utf-16"), "not a CSV of devices"),
        (
            "deviceID,rated_voltage,rated_current,Straße\nINV0000001,600,10,x\n".encode("latin-1"),
            "not a CSV of devices",
        ),
        ("deviceID,rated_voltage\nINV0000001,600\n", "rated_current missing .*deviceID, rated_voltage"),
        ("deviceID;rated_voltage;rated_current\nINV0000001;600;10\n", "deviceID, rated_voltage, rated_current missing"),
        ("deviceID,deviceID,rated_voltage,rated_current\nINV0000001,x,600,10\n", "deviceID missing or more than once"),
    ],
    ids=["empty", "blank", "binary", "utf-16", "latin-1", "column-missing", "semicolons", "column-twice"],
)
def test_a_file_that_is_no_registry_is_refused(write, content, words):
    """Each of these ended in a traceback or in wrong ratings in one draft or another."""
    with pytest.raises(RegistryError, match=words):
        read_registry(write(content))


def test_an_absent_registry_is_refused_by_name(tmp_path):
    with pytest.raises(RegistryError, match=r"devices\.csv: no such file.*PVFAULT_REGISTRY"):
        read_registry(tmp_path / "devices.csv")


def test_a_registry_without_devices_is_a_fleet_of_zero(write):
    registry = read_registry(write(HEADER))
    assert registry.devices == ()
    assert registry.ratings([]).shape == (0, 2)
    assert np.isnan(registry.ratings(["INV0000001"])).all()


def test_what_was_written_is_read_back(tmp_path):
    table = pa.table(
        {
            "deviceID": ["INV0000001", "INV0000002"],
            "rated_voltage": [600.1, 1 / 3],
            "rated_current": [10.0, 9.87654321],
            "site": ["a, b", None],
            "latitude": [48.0, None],
            "longitude": [11.0, None],
            "timezone": ["Europe/Berlin", None],
            "modules_in_series": [20, None],
            "strings_in_parallel": [2, None],
        },
        schema=REGISTRY_SCHEMA,
    )
    path = tmp_path / "new" / "devices.csv"
    write_registry(table, path)
    registry = read_registry(path)
    assert registry.devices == ("INV0000001", "INV0000002")
    assert registry.rated_voltage.tolist() == [600.1, 1 / 3]
    assert registry.rated_current.tolist() == [10.0, 9.87654321]


def test_ratings_come_in_the_order_asked_for_and_are_unknown_for_a_stranger():
    registry = Registry(("B000000000", "A000000000"), np.array([600.0, 500.0]), np.array([10.0, 9.0]))
    ratings = registry.ratings(["A000000000", "Z000000000", "B000000000", "A000000000"])
    np.testing.assert_array_equal(ratings, [[500, 9], [np.nan, np.nan], [600, 10], [500, 9]])


def test_a_registry_cannot_be_changed_by_the_way():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EMPTY_REGISTRY.devices = ("INV0000001",)
