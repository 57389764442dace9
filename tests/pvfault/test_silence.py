"""Zeros, placeholders and repeated values: what a device says that says nothing, and what only looks so."""

import numpy as np
import pytest

from pvfault.silence import is_repeated, is_silent
from tests.pvfault.single_diode import Array, a_day


def silent_in(second, measurements):
    return is_silent(np.zeros(len(second), int), second, measurements)


def of(day):
    return np.round(day.hour * 3600, 3), day.measurements


@pytest.mark.parametrize("cadence", [20, 60, 300, 900])
@pytest.mark.parametrize(("start", "end"), [(6, 7), (9, 10), (12, 13), (12, 16), (17, 18), (11.2, 11.8)])
@pytest.mark.parametrize("sky", ["clear", "broken", "overcast"])
def test_zeros_in_the_light_are_silence_if_power_comes_back(cadence, start, end, sky):
    second, readings = of(a_day(cadence=cadence, sky=sky, light_hours=15))
    assert not silent_in(second, readings).any()
    gone = (second >= start * 3600) & (second < end * 3600)
    readings[gone, :2] = 0
    lit = readings[:, 3] > 50
    np.testing.assert_array_equal(silent_in(second, readings), gone & lit)


def test_a_voltage_that_collapses_until_the_evening_is_not_silence():
    """A fuse or a switch of the whole array does that, and somebody has to see it."""
    second, readings = of(a_day())
    readings[second >= 11 * 3600, :2] = 0
    assert not silent_in(second, readings).any()


def test_an_open_string_and_an_open_array_keep_their_voltage_and_are_not_silent():
    second, readings = of(a_day())
    readings[(second > 36_000) & (second < 46_800), 1] = 0
    assert not silent_in(second, readings).any()


def test_an_inverter_that_sleeps_in_the_morning_is_not_silent():
    second, readings = of(a_day(cadence=60))
    dim = (readings[:, 3] < 140) & (second < 43_200)
    readings[dim, :2] = 0
    assert not silent_in(second, readings).any()


@pytest.mark.parametrize(
    "values", [(-1, -1), (-999, -999), (655.35, 655.35), (6553.5, 65.535), (-1, 30.0), (520.0, -1), (655.35, 9.1)]
)
@pytest.mark.parametrize("cadence", [20, 300])
def test_placeholders_are_silent_or_cannot_have_been_measured(values, cadence):
    second, readings = of(a_day(Array(parallel=1), cadence=cadence))
    gone = (second >= 39_600) & (second < 43_200)
    readings[gone, :2] = values
    found = silent_in(second, readings)
    assert not found[~gone].any()
    assert found[gone].all() or values == (-999, -999)


@pytest.mark.parametrize(("column", "value"), [(2, 85.0), (2, -1.0), (2, 0.0), (3, -1.0)])
def test_placeholders_of_the_weather_are_silent_in_the_light_alone(column, value):
    second, readings = of(a_day())
    gone = (second >= 39_600) & (second < 43_200)
    readings[gone, column] = value
    readings[readings[:, 3] == 0, 3] = -1  # an offset by night
    np.testing.assert_array_equal(silent_in(second, readings), gone)


@pytest.mark.parametrize("air", [-1.0, 0.0, -10.0])
def test_a_cold_day_is_not_full_of_placeholders(air):
    day = a_day(air=air, top=400, light_hours=8)
    second, readings = of(day)
    readings[:, 2] = np.round(readings[:, 2])
    assert not silent_in(second, readings).any()


# --- filled forward ---


def repeated_in(second, measurements):
    return is_repeated(np.zeros(len(second), int), second, measurements)


@pytest.mark.parametrize("cadence", [20, 60])
@pytest.mark.parametrize("times", [2, 3, 5, 15])
@pytest.mark.parametrize("columns", [2, 4], ids=["voltage and current", "all four"])
@pytest.mark.parametrize("sky", ["clear", "broken"])
def test_of_values_that_fill_the_time_the_first_is_kept(cadence, times, columns, sky):
    second, readings = of(a_day(cadence=cadence, sky=sky))
    held = readings.copy()
    held[:, :columns] = readings[np.arange(len(readings)) // times * times, :columns]
    found = repeated_in(second, held)
    lit = (held[:, 3] > 50) & (held[:, 1] > 0)
    first = np.arange(len(readings)) % times == 0
    # A change that is no larger than a digit does not show.
    assert found[first].mean() < 0.005
    assert found[lit & ~first].mean() > 0.98


@pytest.mark.parametrize("cadence", [20, 60, 300])
@pytest.mark.parametrize("digits", [(0.1, 0.01), (1.0, 0.1), (1.0, 1.0), (5.0, 1.0)])
@pytest.mark.parametrize("parallel", [1, 6])
@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_a_coarse_logger_keeps_no_rhythm(cadence, digits, parallel, noise):
    day = a_day(Array(parallel=parallel), cadence=cadence)
    second, readings = of(day)
    if not noise:
        voltage, current = day.array.at_maximum(day.irradiance, day.temperature)
        readings[:, 0], readings[:, 1] = np.where(day.irradiance > 15, voltage, 0), current
    readings[:, :2] = np.round(readings[:, :2] / digits) * digits
    assert not repeated_in(second, readings).any()


def test_devices_stand_for_themselves():
    second, readings = of(a_day(cadence=60))
    filled = readings[np.arange(len(readings)) // 3 * 3]
    gone = readings.copy()
    gone[720:780, :2] = 0
    device = np.repeat([0, 1, 2, 3], len(second))
    both = np.concatenate([readings, filled, gone, readings])
    times = np.tile(second, 4)
    for find, own in ((is_repeated, 1), (is_silent, 2)):
        found = find(device, times, both).reshape(4, -1)
        assert found[own].any()
        assert not np.delete(found, own, axis=0).any()
        np.testing.assert_array_equal(found[own], find(np.zeros(len(second), int), second, both[device == own]))
