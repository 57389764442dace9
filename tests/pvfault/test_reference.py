"""What a device gives when nothing is wrong: known arrays recovered, also from a history with faults in it."""

import numpy as np
import pytest

from pvfault.reference import TYPICAL, expect, learn_references, or_typical, ratings_of, typical_references

RATINGS = np.array([[600.0, 10.0]])


def a_history(days=14, seed=0, voltage=lambda *_: 1.0, current=lambda *_: 1.0):
    """Hourly means of days of changing light, as shares of 600 V and of 10 A at 1000 W/m²; noon at 12."""
    random = np.random.default_rng(seed)
    history = np.full((1, days, 24, 4), np.nan)
    for day in range(days):
        for hour in range(6, 18):
            light = 950 * np.cos(np.pi * (hour + 0.5 - 12) / 13) * random.uniform(0.3, 1)
            heat = random.uniform(5, 25) + light / 30
            history[0, day, hour] = (
                600 * voltage(heat, light), 10 * light / 1000 * current(heat, light, hour + 0.5 - 12), heat, light
            )  # fmt: skip
    return history


def expected(reference, temperature, irradiance, hour=12.0):
    voltage, current = expect(reference, *(np.array([[value]]) for value in (temperature, irradiance, hour)))
    return voltage[0, 0], current[0, 0]


def test_coefficients_of_an_array_are_found_again():
    """0.4 % a degree, 2 % an e-fold of light, and a quarter of a per cent an hour: not those of a typical array."""
    history = a_history(
        voltage=lambda t, g: 0.97 * (1 - 0.004 * (t - 25) + 0.02 * np.log(g / 800)),
        current=lambda _t, _g, h: 0.93 * (1 + 0.0025 * h - 0.002 * h * h),
    )
    found = learn_references(history, RATINGS)
    for temperature, irradiance, hour in ((50, 900, 12.0), (20, 300, 9.0), (35, 500, 15.0)):
        voltage, current = expected(found, temperature, irradiance, hour)
        assert voltage == pytest.approx(
            582 * (1 - 0.004 * (temperature - 25) + 0.02 * np.log(irradiance / 800)), rel=3e-3
        )
        late = hour - 12
        assert current == pytest.approx(9.3 * irradiance / 1000 * (1 + 0.0025 * late - 0.002 * late**2), rel=5e-3)


def test_a_fault_of_the_last_days_hardly_pulls_the_expectation_down():
    history = a_history()
    history[:, -4:, :, 0] *= 0.9
    voltage, current = expected(learn_references(history, RATINGS), 25, 800)
    assert voltage == pytest.approx(600, rel=8e-3)
    assert current == pytest.approx(8, rel=4e-3)


def test_days_before_that_were_dead_are_no_example():
    """An array that has been open for a fortnight would otherwise be what it should be."""
    history = a_history()
    history[..., 1] = 0.0
    voltage, current = expected(learn_references(history, RATINGS), 25, 800)
    assert voltage == pytest.approx(600, rel=6e-3)
    assert current == pytest.approx(0.85 * 0.96 * 8, rel=1e-6)


def test_without_history_the_ratings_tell():
    found = or_typical(learn_references(np.full((2, 14, 24, 4), np.nan), RATINGS.repeat(2, axis=0)), RATINGS)
    np.testing.assert_array_equal(found, typical_references(RATINGS.repeat(2, axis=0)))
    assert expected(found[:1], 25, 800) == pytest.approx((600, 7.68))
    np.testing.assert_allclose(ratings_of(found), [[600, 10]] * 2)


def test_an_hour_of_history_does_not_bend_the_expectation():
    """One hour cannot tell what light and temperature do; what is typical does until there are more."""
    history = a_history(days=1)
    history[:, :, 10:] = np.nan
    found = learn_references(history, RATINGS)
    for temperature, irradiance, hour in ((60, 1000, 12.0), (5, 100, 17.0)):
        usual = expected(typical_references(RATINGS), temperature, irradiance, hour)
        np.testing.assert_allclose(expected(found, temperature, irradiance, hour), usual, rtol=0.1)


def test_a_reference_is_the_same_alone_and_beside_others():
    histories = np.concatenate([a_history(seed=seed) for seed in range(7)])
    ratings = RATINGS.repeat(7, axis=0)
    together = learn_references(histories, ratings)
    for device in range(7):
        alone = learn_references(histories[device : device + 1], ratings[:1])
        np.testing.assert_array_equal(alone[0], together[device])


def test_the_rating_of_an_unregistered_device_is_read_from_its_history():
    found = learn_references(a_history(), np.full((1, 2), np.nan))
    assert expected(found, 25, 800) == pytest.approx((600, 8), rel=5e-3)


def test_noon_is_where_the_light_is():
    """A plant in Brisbane has its noon at 2 o'clock UTC: the same array, ten hours earlier."""
    history = a_history(current=lambda _t, _g, h: 1 + 0.01 * h)
    moved = np.roll(history, -10, axis=2)
    one, other = learn_references(history, RATINGS), learn_references(moved, RATINGS)
    assert one[0, -1] - other[0, -1] == pytest.approx(10, abs=2e-3)
    np.testing.assert_allclose(expected(one, 30, 600, 15.0), expected(other, 30, 600, 5.0), rtol=1e-4)


def test_what_is_expected_is_never_below_a_tenth():
    """At dusk a quadratic of the hour can go anywhere; a ratio to nothing would be an image of nothing."""
    wild = np.tile(TYPICAL, (1, 1))
    wild[0, 3] = -5.0
    voltage, current = expected(wild, 25, 20)
    assert voltage == pytest.approx(0.1)
    assert current > 0
