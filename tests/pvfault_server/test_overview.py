"""A whole fleet by columns, beside rows that were written by hand."""

from datetime import datetime

import pytest

from pvfault.faults import FAULTS
from pvfault.tables import DEVICE_DAYS
from pvfault_api.published import open_table
from pvfault_server import examples
from tests.pvfault_api.helpers import day_of, make_table

HEADER = "deviceID,rated_voltage,rated_current,site,latitude,longitude,timezone\n"


@pytest.fixture
def fleet(settings):
    make_table(
        settings,
        [day_of("INV0000001", 1, "none"), day_of("INV0000002", 1, "arc_fault", hour=9, hours=2, lost=1.5)],
        [{**day_of("INV0000001", 2, "none"), "energy_kwh": 20.0}, day_of("INV0000003", 2)],
    )
    settings.registry.write_text(
        f"{HEADER}INV0000001,500,10,Nord,54.3,10.1,Europe/Berlin\nINV0000002,500,10,Nord,,,Europe/Berlin\n"
    )
    return settings


def test_all_devices_of_the_newest_date_stand_with_what_the_registry_says(fleet, client):
    answer = client.get("/fleet/devices").json()
    columns = answer["columns"]
    assert answer["date"] == "2024-06-02"
    assert columns["deviceID"] == ["INV0000001", "INV0000003"]
    assert columns["site"] == ["Nord", None]
    assert columns["fault"] == ["none", None]
    assert columns["rated_kw"] == [5.0, None]  # 500 V × 10 A
    assert columns["specific_yield_kwh_per_kw"] == [4.0, None]
    assert (columns["latitude"], columns["longitude"]) == ([54.3, None], [10.1, None])


def test_verdicts_by_device_and_date_are_places_among_the_faults(fleet, client):
    answer = client.get("/fleet/days?first=2024-05-31&last=2024-06-02").json()
    assert answer["dates"] == ["2024-06-01", "2024-06-02"]
    assert answer["faults"] == list(FAULTS)
    assert dict(zip(answer["devices"], answer["verdict"], strict=True)) == {
        "INV0000001": [0, 0], "INV0000002": [FAULTS.index("arc_fault"), None], "INV0000003": [None, None],
    }  # fmt: skip


def test_what_is_there_is_told_with_the_zone_of_each_site(fleet, client):
    about = client.get("/about").json()
    with open_table(fleet, DEVICE_DAYS) as table:
        written_ms = table.current_snapshot().timestamp_ms
    assert about.keys() == examples.ABOUT.keys()
    assert about["newest_date"] == "2024-06-02"
    assert about["time_zones"] == {"Nord": "Europe/Berlin"}
    assert abs(_ms(about["made_at"]) - written_ms) < 1000
    assert _ms(about["now"]) >= written_ms - 1000


@pytest.mark.parametrize("path", ["/fleet/devices?date=2024-06-05", "/fleet/days?first=2024-06-05&last=2024-06-06"])
def test_a_date_that_is_not_made_is_told_from_a_healthy_fleet(fleet, client, path):
    problem = client.get(path)
    assert (problem.status_code, problem.json()["code"]) == (404, "not_made")


@pytest.mark.parametrize("path", ["/about", "/fleet/devices", "/fleet/days"])
def test_without_tables_there_is_nothing_to_show(client, path):
    assert client.get(path).json()["code"] in {"not_made", "tables_not_readable"}


def test_the_same_question_of_the_same_tables_is_answered_once(fleet, client):
    tag = client.get("/fleet/devices").headers["etag"]
    assert client.get("/fleet/devices", headers={"If-None-Match": tag}).status_code == 304


def _ms(text):
    return datetime.fromisoformat(text).timestamp() * 1000
