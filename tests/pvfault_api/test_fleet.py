"""Faulty devices among the verdicts of several days."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from pvfault.tables import DEVICE_DAYS
from pvfault_api.fleet import FaultyDevice, find_faulty_devices


def day_of(device, day, fault=None, hour=None, hours=0, confidence=0.9, lost=None):
    """A row of device_days."""
    onset = None if hour is None else datetime(2024, 6, day, hour, tzinfo=UTC)
    return {"deviceID": device, "date": date(2024, 6, day), "fault": fault, "onset": onset, "faulty_hours": hours,
            "usable_hours": 14, "confidence": confidence, "energy_kwh": 1.0, "lost_kwh": lost, "completeness": 1.0}  # fmt: skip # noqa: E501


def find(*rows):
    return find_faulty_devices(pa.Table.from_pylist(list(rows), schema=DEVICE_DAYS.schema))


def test_devices_that_are_healthy_or_unknown_are_not_faulty():
    assert find(day_of("INV0000001", 1, "none"), day_of("INV0000002", 1)) == []


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


def test_devices_come_sorted():
    days = [day_of(device, 1, "arc_fault", hour=9, hours=3) for device in ("INV0000002", "INV0000001")]
    assert [found.device for found in find(*days)] == ["INV0000001", "INV0000002"]
