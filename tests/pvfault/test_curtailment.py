"""What an inverter limits, and what it does not, on days by pvlib's single-diode model."""

from dataclasses import replace

import numpy as np
import pytest

from pvfault.curtailment import is_curtailed
from pvfault.reference import SIZE
from tests.pvfault.single_diode import NAMES, Array, a_day

ARRAYS = (Array(), Array(NAMES[1], 20, 1))
UNKNOWN = np.full((1, SIZE), np.nan)


def curtailed_in(day, known=True):
    """Of the device's ratings, or of what its day tells."""
    ratings = np.array([day.array.rated]) if known else np.full((1, 2), np.nan)
    return is_curtailed(np.zeros(len(day.hour), int), day.hour * 3600, day.measurements, UNKNOWN, ratings)


def limited(day, start, end, share):
    """The inverter takes a share of the power that there is."""
    now = (day.hour >= start) & (day.hour < end) & (day.irradiance > 15)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = day.array.limited(day.irradiance[now], day.temperature[now], share)
    return replace(day, voltage=voltage, current=current), now


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("cadence", [20, 60, 300])
@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
@pytest.mark.parametrize(("start", "end"), [(8, 9), (11, 13), (14.5, 16)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_an_array_that_may_not_give_its_power_is_limited_then_and_not_otherwise(
    array, cadence, known, start, end, share
):
    day = a_day(array, cadence=cadence)
    assert not curtailed_in(day, known).any()
    of_order, now = limited(day, start, end, share)
    found = curtailed_in(of_order, known)
    assert not found[~now].any()
    assert found[now].mean() > 0.95


@pytest.mark.parametrize("sky", ["broken", "overcast"])
@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
def test_weather_is_no_limit(sky, known):
    for seed in range(5):
        assert not curtailed_in(a_day(cadence=60, sky=sky, seed=seed), known).any()


def test_a_string_that_opens_leaves_the_voltage_and_is_no_limit():
    day = a_day()
    for count in range(1, 6):
        opened = replace(day, current=day.current * np.where(day.hour >= 11, count / 6, 1))
        assert not curtailed_in(opened).any()
        assert not curtailed_in(opened, known=False).any()


@pytest.mark.parametrize("lost", [0.05, 0.2, 0.5])
def test_modules_that_are_shorted_take_voltage_and_are_no_limit(lost):
    day = a_day()
    assert not curtailed_in(replace(day, voltage=day.voltage * np.where(day.hour > 10, 1 - lost, 1))).any()


@pytest.mark.parametrize("shaded", [0.1, 0.3])
@pytest.mark.parametrize("light", [0.3, 0.5])
def test_a_shadow_on_each_string_that_the_tracker_does_not_leave_is_below_the_curve(shaded, light):
    """The current is that of the shaded modules, which stand at their own maximum; the others stand above theirs."""
    day = a_day()
    now = (day.hour > 10) & (day.hour < 14)
    low, dim = day.array.at_maximum(day.irradiance[now] * light, day.temperature[now])
    high = day.array.voltage_at(day.irradiance[now], day.temperature[now], dim)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = shaded * low + (1 - shaded) * high, dim
    assert not curtailed_in(replace(day, voltage=voltage, current=current)).any()


def test_an_array_that_stays_open_until_the_evening_is_judged():
    """At the voltage of the open circuit, as one that is switched off; but nobody switches it on again."""
    for known in (True, False):
        day, now = limited(a_day(), 11, 24, 0.0)
        assert now.sum() > 50
        assert not curtailed_in(day, known).any()


def test_a_contact_that_opens_again_and_again_is_no_inverter():
    day = a_day(cadence=60)
    voltage, _ = day.array.limited(np.maximum(day.irradiance, 1), day.temperature, 0.0)
    often = (day.hour * 60 % 40 < 15) & (day.hour > 9) & (day.hour < 16)
    loose = replace(day, voltage=np.where(often, voltage, day.voltage), current=np.where(often, 0, day.current))
    assert not curtailed_in(loose).any()


def test_a_spark_of_a_minute_is_no_order():
    day, _ = limited(a_day(cadence=20), 11, 11.1, 0.0)
    assert not curtailed_in(day).any()


def test_a_limit_at_three_quarters_and_more_is_judged_as_the_network_knows_it():
    """Inverters clip at noon on every clear day, and the network was trained beside that."""
    day, _ = limited(a_day(), 10, 14, 0.92)
    assert not curtailed_in(day).any()


def test_devices_stand_for_themselves():
    plain = a_day()
    order, now = limited(plain, 11, 13, 0.0)
    both = np.concatenate([plain.measurements, order.measurements, plain.measurements])
    device = np.repeat([0, 1, 2], len(plain.hour))
    ratings = np.array([plain.array.rated, (np.nan, np.nan), plain.array.rated])
    found = is_curtailed(device, np.tile(plain.hour * 3600, 3), both, np.full((3, SIZE), np.nan), ratings)
    np.testing.assert_array_equal(found.reshape(3, -1), [now * False, now, now * False])
    nothing = is_curtailed(
        np.empty(0, int), np.empty(0), np.empty((0, 4), np.float32), np.empty((0, SIZE)), np.empty((0, 2))
    )
    assert len(nothing) == 0
