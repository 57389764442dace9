"""Data sheets corrected by a registered device's first day, hour by hour."""

import numpy as np
import pytest

from pvfault.first_day import rate_hours
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT

SHEET = np.array([[600.0, 10.0]])
HOURS = np.arange(24)


def levels(voltage=1.0, current=1.0, dimmed=1.0):
    """Ratings by the hour, as shares of the sheet, of an array that gives these shares of it on a clear day."""
    light = dimmed * np.clip(1000 * np.sin(np.pi * (HOURS + 0.5 - 6) / 12), 0, None)
    heat = 20 + light / 40
    at_heat = 600 * (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (heat - 25))
    # 0.96: what a healthy array's current is of its data sheet, dirt and reflection taken off.
    means = np.column_stack([voltage * at_heat, current * 0.96 * 10 * light / 1000, heat, light])
    return (rate_hours(means[None], SHEET) / SHEET[:, None])[0]


@pytest.mark.parametrize(
    "strings", [np.ones(24), np.where(HOURS < 12, 1.0, 2 / 3)], ids=["healthy", "open from noon on"]
)
def test_the_hours_so_far_take_the_sheets_place(strings):
    """With the sheet, an open string of an array with 1 % more voltage was called a shadow."""
    found = levels(1.015, 1.04 * strings)
    assert found[:6].tolist() == [[1, 1]] * 6
    np.testing.assert_allclose(found[8:], [[1.015, 1.04]] * 16, atol=0.012)


def test_a_fault_that_was_there_all_day_does_not():
    assert (levels(current=2 / 3)[:, 1] == 1).all()
    assert (levels(voltage=11 / 12)[:, 0] == 1).all()
    # The other one of the two is corrected all the same.
    assert levels(1.02, 2 / 3)[12, 0] == pytest.approx(1.02, abs=0.012)


def test_later_hours_and_dim_light_tell_nothing():
    changed = np.where(HOURS < 13, 1.0, 1.06)
    np.testing.assert_array_equal(levels(current=changed)[:13], levels()[:13])
    assert (levels(1.02, 1.04, dimmed=0.1) == 1).all()
    assert (rate_hours(np.full((1, 24, 4), np.nan), SHEET) == SHEET).all()
