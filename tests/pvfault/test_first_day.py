"""Data sheets corrected by a registered device's first day."""

import numpy as np
import pytest

from pvfault.first_day import rate_first_days
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT

SHEET = np.array([[600.0, 10.0]])
SECOND = np.arange(0, 86_400, 60)


def day(voltage=1.0, current=1.0):
    """Readings of a clear day of an array that gives these shares of its data sheet."""
    light = np.clip(1000 * np.sin(np.pi * (SECOND / 3600 - 6) / 12), 0, None)
    heat = 20 + light / 40
    at_heat = 600 * (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (heat - 25))
    # 0.96: what a healthy array's current is of its data sheet, dirt and reflection taken off.
    return np.column_stack([voltage * at_heat, current * 0.96 * 10 * light / 1000, heat, light])


def rated(readings, first=True):
    """Ratings of one device, as shares of its sheet."""
    found = rate_first_days(np.array([first]), np.zeros(len(SECOND), int), SECOND, readings, SHEET)
    return found[0] / SHEET[0]


AFTERNOON = np.where(SECOND < 12 * 3600, 1.0, 2 / 3)


@pytest.mark.parametrize("strings", [1.0, AFTERNOON], ids=["healthy", "a string of three open from noon on"])
def test_the_days_healthy_hours_take_the_sheets_place(strings):
    """With the sheet, an open string of an array with 1 % more voltage was called a shadow."""
    np.testing.assert_allclose(rated(day(1.015, 1.04 * strings)), [1.015, 1.04], atol=0.012)


def test_a_fault_that_was_there_all_day_does_not():
    assert rated(day(current=2 / 3))[1] == 1
    assert rated(day(voltage=11 / 12))[0] == 1
    # The other one of the two is corrected all the same.
    assert rated(day(1.02, 2 / 3))[0] == pytest.approx(1.02, abs=0.012)


def test_other_devices_and_days_without_light_stay_as_they_are():
    assert rated(day(1.02, 1.04), first=False).tolist() == [1, 1]
    assert rated(day() * [1, 1, 1, 0.05]).tolist() == [1, 1]
    assert rated(np.full((len(SECOND), 4), np.nan)).tolist() == [1, 1]
