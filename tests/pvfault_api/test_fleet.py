"""Faulty devices among the verdicts of several days."""

from datetime import UTC, date, datetime
from itertools import permutations

import pyarrow as pa
import pytest

from pvfault.tables import DEVICE_DAYS
from pvfault_api.fleet import FaultyDevice, Fleet, read_fleet, summarise_fleet
from tests.pvfault_api.helpers import day_of, make_table


def find(*rows):
    return summarise_fleet(pa.Table.from_pylist(list(rows), schema=DEVICE_DAYS.schema).to_batches(1)).faulty


def test_devices_are_counted_once_whatever_the_number_of_dates(make_settings, tmp_path):
    """Healthy ones and those without a verdict too, of the dates that are asked for alone."""
    settings = make_settings(tmp_path)
    rows = [
        *(day_of("INV0000001", day, "none") for day in (1, 2, 3)),
        *(day_of("INV0000002", day, "open_circuit", hour=7, hours=9, lost=1.5) for day in (1, 2, 3)),
        *(day_of("INV0000003", day) for day in (1, 3)),
        day_of("INV0000004", 2),
    ]
    make_table(settings, *([row for row in rows if row["date"].day == day] for day in (1, 2, 3)))
    found = read_fleet(settings, [date(2024, 6, 3), date(2024, 6, 1)])
    onset = datetime(2024, 6, 1, 7, tzinfo=UTC)
    assert found == Fleet(
        3, 1, [FaultyDevice("INV0000002", "open_circuit", onset, 18, pytest.approx(0.9), pytest.approx(3.0))]
    )
    assert read_fleet(settings, [date(2024, 7, 1)]) == Fleet(0, 0, [])


def test_a_fault_of_several_days_is_one_with_its_first_onset_and_all_its_hours():
    days = (
        day_of("INV0000001", 2, "open_circuit", hour=5, hours=14, confidence=0.99, lost=5.5),
        day_of("INV0000001", 1, "open_circuit", hour=11, hours=7, confidence=0.8),
    )
    (found,) = find(*days)
    assert (found.fault, found.onset, found.hours) == ("open_circuit", datetime(2024, 6, 1, 11, tzinfo=UTC), 21)
    assert found.confidence == pytest.approx(0.99)
    assert found.lost_kwh == 5.5, "a day of which it is not known adds nothing"


def test_of_two_faults_the_one_of_more_hours_is_named_with_its_own_onset():
    days = (
        day_of("INV0000001", 1, "line_ground", hour=15, hours=2),
        day_of("INV0000001", 2, "line_line", hour=6, hours=12),
    )
    assert find(*days) == [
        FaultyDevice("INV0000001", "line_line", datetime(2024, 6, 2, 6, tzinfo=UTC), 12, pytest.approx(0.9), 0.0)
    ]


def test_of_equally_long_days_the_first_one_says_how_sure_it_is_whatever_their_order():
    """Files of the table come in any order."""
    days = [
        day_of("INV0000001", day, "arc_fault", hour=9, hours=hours, confidence=confidence)
        for day, hours, confidence in ((1, 2, 0.6), (2, 5, 0.7), (3, 5, 0.8))
    ]
    for order in permutations(days):
        (found,) = find(*order)
        assert (found.onset.day, found.confidence) == (1, pytest.approx(0.7))


def test_devices_come_sorted():
    days = [day_of(device, 1, "arc_fault", hour=9, hours=3) for device in ("INV0000002", "INV0000001")]
    assert [found.device for found in find(*days)] == ["INV0000001", "INV0000002"]


def test_what_a_device_can_be_is_said_by_the_day_that_says_how_sure_it_is():
    days = [
        {**day_of("INV0000001", 1, "line_line", hour=9, hours=2), "candidates": ["line_line", "open_circuit"]},
        {**day_of("INV0000001", 2, "line_line", hour=6, hours=8), "candidates": ["line_line", "line_ground"]},
    ]
    (found,) = find(*days)
    assert found.candidates == ("line_line", "line_ground")
    (unknown,) = find(day_of("INV0000001", 1, "arc_fault", hour=9, hours=3))
    assert unknown.candidates == (), "rows of before this column have none"
