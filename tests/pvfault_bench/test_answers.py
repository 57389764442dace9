"""The measurement of the server asks what it says it asks, and counts what it says it counts."""

import asyncio
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from pvfault.tables import DEVICE_DAYS, PREDICTIONS
from pvfault_api.published import read_dates
from pvfault_bench.answers import FIRST, Load, _at_rate, measure_answers
from pvfault_bench.report import api_rows
from pvfault_server.app import make_app


@pytest.fixture(scope="module")
def measured(make_settings, tmp_path_factory):
    """A small fleet, its server asked for a moment."""
    settings = make_settings(tmp_path_factory.mktemp("answers"))
    return settings, measure_answers(settings, Load(devices=40, dates=3, rate=20.0, seconds=1.0))


def test_everything_is_measured_and_nothing_fails(measured):
    _, found = measured
    assert (found["devices"], found["dates"]) == (40, 3)
    assert found["load"]["requests"] == 20
    assert found["load"]["failed"] == found["new_snapshot"]["failed"] == 0
    assert found["peak_mib"] > 50  # Python with PyArrow alone
    for name in ("plain_scan", "device_day", "device_month", "fleet", "fleet_by_site", "page_of_devices", "load"):
        asked = found[name]
        assert 0 < asked["p50_ms"] <= asked["p95_ms"] <= asked["longest_ms"]
        assert asked["cpu_ms"] > 0
    questions, others = api_rows(found)
    assert questions[0][0] == "a device's day, plain scan by PyIceberg"
    assert dict(others)["of them not answered"] == "0 of 20"


def test_the_tables_are_a_fleets_and_the_server_says_what_stands_in_them(measured):
    """What is measured on tables that no plant has, or on empty answers, is no figure."""
    settings, _ = measured
    days = [FIRST + timedelta(days=n) for n in range(4)]  # the last one was published while others asked
    hours, verdicts = read_dates(settings, PREDICTIONS, days), read_dates(settings, DEVICE_DAYS, days)
    assert (len(hours), len(verdicts)) == (4 * 40 * 24, 4 * 40)
    own = [
        row for row in hours.to_pylist() if row["deviceID"] == "BENCH00007" and row["window_start"].date() == days[3]
    ]
    with TestClient(make_app(settings), "http://localhost") as client:
        rows = client.get(f"/devices/BENCH00007/predictions?first={days[3]}&last={days[3]}").json()["rows"]
    assert [row["confidence"] for row in rows] == [row["confidence"] for row in own]
    assert len(rows) == 24


def test_a_request_that_is_not_answered_counts_as_failed(closed_port):
    found = asyncio.run(_at_rate(closed_port, lambda: "/", 100.0, lambda number: number == 5))
    assert (len(found.taken), found.failed) == (5, 5)
