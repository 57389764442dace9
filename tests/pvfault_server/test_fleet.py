"""Sums of the fleet and the states of dates, beside sums by hand that the command line tells."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.tables import DEVICE_DAYS, MADE_OF
from pvfault_api.lake import read_lake
from pvfault_api.states import states_of
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_api.lake import Plant, days


@pytest.fixture
def fleet(settings):
    make_table(
        settings,
        [day_of("INV0000001", 1, "none"), day_of("INV0000002", 1, "arc_fault", hour=9, hours=2, lost=1.5)],
        [
            day_of("INV0000001", 2, "arc_fault", hour=9, hours=2, lost=2.0),
            day_of("INV0000002", 2, "arc_fault", hour=6, hours=6, lost=None),
            {**day_of("INV0000003", 2), "completeness": 0.25},
        ],
    )
    sites = "INV0000001,500,10,Nord\nINV0000002,500,10,Ost\nINV0000003,500,10,\n"
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site\n{sites}")
    return settings


def test_a_date_is_summed_up(fleet, client):
    first, second = client.get("/fleet").json()["rows"]
    assert (first["date"], first["devices"], first["faulty"], first["lost_kwh"]) == ("2024-06-01", 2, 1, 1.5)
    assert second == {
        "date": "2024-06-02", "devices": 3, "faulty": 2, "energy_kwh": 3.0, "lost_kwh": 2.0, "completeness": 0.75,
        "faults": {"none": 0, "line_line": 0, "line_ground": 0, "open_circuit": 0, "partial_shading": 0,
                   "arc_fault": 2, "unsure": 0, "unknown": 1},
    }  # fmt: skip


def test_a_site_is_summed_up_and_devices_without_one_together(fleet, client):
    rows = client.get("/fleet?by=site&first=2024-06-02").json()["rows"]
    assert [(row["site"], row["devices"], row["faulty"], row["lost_kwh"]) for row in rows] == [
        ("Nord", 1, 1, 2.0),
        ("Ost", 1, 1, None),
        (None, 1, 0, None),
    ]


def test_a_whole_fleet_comes_by_columns(fleet, client):
    fleet.registry.write_text(
        "deviceID,rated_voltage,rated_current,site,latitude,longitude\n"
        "INV0000001,500,10,Nord,54.3,10.1\nINV0000003,250,8,,,\n"
    )
    assert client.get("/fleet/devices").json() == {
        "date": "2024-06-02",
        "columns": {
            "deviceID": ["INV0000001", "INV0000002", "INV0000003"],
            "name": ["INV0000001", "INV0000002", "INV0000003"],
            "site": ["Nord", None, None],
            "fault": ["arc_fault", "arc_fault", None],
            "candidates": [None, None, None],
            "onset": ["2024-06-02T09:00:00Z", "2024-06-02T06:00:00Z", None],
            "faulty_hours": [2, 6, 0],
            "confidence": pytest.approx([0.9, 0.9, 0.9]),
            "energy_kwh": [1.0, 1.0, 1.0],
            "lost_kwh": [2.0, None, None],
            "completeness": [1.0, 1.0, 0.25],
            "rated_kw": [5.0, None, 2.0],
            "specific_yield_kwh_per_kw": [0.2, None, 0.5],
            "latitude": [54.3, None, None],
            "longitude": [10.1, None, None],
        },
    }
    assert client.get("/fleet/devices?date=2024-06-01").json()["columns"]["deviceID"] == ["INV0000001", "INV0000002"]
    assert client.get("/fleet/devices?date=2024-06-03").json()["code"] == "not_made"


def test_the_verdicts_of_dates_are_places_among_the_faults(fleet, client):
    found = client.get("/fleet/days").json()
    assert (found["dates"], found["devices"]) == (["2024-06-01", "2024-06-02"], [f"INV000000{n}" for n in (1, 2, 3)])
    named = [[verdict if verdict is None else found["faults"][verdict] for verdict in row] for row in found["verdict"]]
    assert named == [["none", "arc_fault"], ["arc_fault", "arc_fault"], [None, None]]


def test_what_a_page_has_to_know_is_told_before_and_after_the_first_date(settings, client):
    before = client.get("/about")
    assert before.status_code == 503  # there are no tables, as for every other question
    make_table(settings)
    assert client.get("/about").json()["newest_date"] is None
    began = datetime.now(UTC).replace(microsecond=0)
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri()) as catalog:
        rows = pa.Table.from_pylist([day_of("INV0000001", 2, "none")], DEVICE_DAYS.schema)
        catalog.load_table("pvfault.device_days").append(rows)
    settings.registry.write_text(
        "deviceID,rated_voltage,rated_current,site,timezone\nINV0000001,500,10,Nord,Europe/Berlin\nINV0000002,500,10,,\n"
    )
    found = client.get("/about").json()
    assert found["newest_date"] == "2024-06-02"
    assert found["time_zones"] == {"Nord": "Europe/Berlin"}
    made, now = (datetime.fromisoformat(found[name]) for name in ("made_at", "now"))
    assert began <= made <= now <= datetime.now(UTC)


def test_a_date_says_how_complete_it_is_where_its_verdicts_are_there(settings, client):
    Plant(settings).make(*days(1, 2))
    rows = client.get("/dates").json()["rows"]
    found = [(row["date"], row["table"], row["completeness"]) for row in rows if row["completeness"] is not None]
    assert found == [("2024-06-01", "device_days", 0.0), ("2024-06-02", "device_days", 0.0)]


def test_states_of_dates_are_those_of_the_tables(settings, client):
    plant = Plant(settings)
    plant.make(*days(1, 3))
    plant.make(*days(2, 1), tables=("readings",))
    plant.make_empty(days(4, 1)[0])
    expected = [
        (day.isoformat(), table, state.what, state.reason)
        for day, tables in states_of(read_lake(settings), *(days(1, 4)[n] for n in (0, -1))).items()
        for table, state in tables.items()
    ]
    answer = client.get("/dates?first=2024-06-01&last=2024-06-04")
    assert [tuple(row.values())[:4] for row in answer.json()["rows"]] == expected
    assert {state for _, _, state, _ in expected} >= {"made", "stale", "empty"}
    assert len(expected) == 4 * len(MADE_OF)
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/dates?first=2024-06-01&last=2024-06-04", headers=known).status_code == 304
    plant.change_network(b"other weights")
    assert client.get("/dates?first=2024-06-01&last=2024-06-04", headers=known).status_code == 200


def test_long_answers_are_compressed_for_who_takes_them(fleet, client):
    answer = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(answer.content)["info"]["title"] == "pvfault"
    assert "content-encoding" not in client.get("/openapi.json", headers={"Accept-Encoding": "identity"}).headers
