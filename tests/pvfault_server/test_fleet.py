"""Sums of the fleet and the states of dates, beside sums by hand that the command line tells."""

import json

import pytest

from pvfault.tables import MADE_OF
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
                   "arc_fault": 2, "unknown": 1},
    }  # fmt: skip


def test_a_site_is_summed_up_and_devices_without_one_together(fleet, client):
    rows = client.get("/fleet?by=site&first=2024-06-02").json()["rows"]
    assert [(row["site"], row["devices"], row["faulty"], row["lost_kwh"]) for row in rows] == [
        ("Nord", 1, 1, 2.0),
        ("Ost", 1, 1, None),
        (None, 1, 0, None),
    ]


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
    assert [tuple(row.values()) for row in answer.json()["rows"]] == expected
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
