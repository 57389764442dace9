"""What a device gives when nothing is wrong: known arrays recovered, also from a history with faults in it."""

import numpy as np
import pytest

from pvfault.reference import (
    COURSE,
    HISTORY,
    HOURS_BEFORE,
    TYPICAL,
    background_of,
    deviate,
    expect,
    learn_references,
    measure_levels,
    or_typical,
    ratings_of,
    typical_references,
)

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


def test_levels_are_energies_over_expected_energies():
    """Of two days, one with nine tenths of the current from noon on; and of a day in the dark, which tells nothing."""
    history = a_history(days=3)
    history[:, 1, 12:, 1] *= 0.9
    history[:, 2, :, 3] = 0.0
    known = np.concatenate([[1.0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0], [12.0]])[None] * [*[600] * 4, *[10] * 6, 1]
    levels = measure_levels(history, known)[0]
    light = history[0, 1, 6:18, 3]
    light = np.where(light > 80, light, 0)
    assert levels[0] == pytest.approx((1, 1))
    assert levels[1] == pytest.approx((1, 1 - 0.1 * light[6:].sum() / light.sum()))
    assert np.isnan(levels[2]).all()


def test_the_course_runs_from_long_ago_to_the_hour_itself():
    """Two devices, of which the second has lost 2 of its 20 modules a month ago and, at noon, one of its 4 strings."""
    references = or_typical(np.full((2, 11), np.nan), ratings := RATINGS.repeat(2, axis=0) * [[1, 1], [0.5, 1]])
    voltage, current = expect(
        references, np.full((2, 24), 25.0), np.full((2, 24), 800.0), np.tile(np.arange(24.5)[:24], (2, 1))
    )
    means = np.stack([voltage, current, np.full((2, 24), 25.0), np.full((2, 24), 800.0)], axis=-1)
    means[1, :, 0] *= 0.9
    means[1, 12:, 1] *= 0.75
    means[:, :6, 3] = 0.0
    before = np.ones((2, len(HISTORY), 2))
    before[1, np.array(HISTORY) <= 28, 0] = 0.9
    layouts = np.array([[20.0, 4.0]] * 2)
    found = background_of(np.array([0, 1, 1]), np.array([13, 13, 8]), means, before, references, ratings, layouts)
    assert found.course.shape == (3, COURSE, 2)
    np.testing.assert_array_equal(found.references, references[[0, 1, 1]])
    np.testing.assert_allclose(found.surplus, [[0, 0], [-2, -1], [-2, 0]], atol=0.05)
    known = HOURS_BEFORE - (13 - 6)  # hours before six are dark
    np.testing.assert_allclose(
        np.delete(found.course[0], range(len(HISTORY), len(HISTORY) + known), axis=0), 1, atol=3e-3
    )
    assert np.isnan(found.course[0, len(HISTORY) : len(HISTORY) + known]).all()
    far = len(HISTORY) - sum(back <= 28 for back in HISTORY)
    np.testing.assert_allclose(found.course[1, :far, 0], 1)
    np.testing.assert_allclose(found.course[1, far : len(HISTORY), 0], 0.9)
    np.testing.assert_allclose(found.course[1, -3:, 1], [1, 0.75, 0.75], atol=3e-3)
    np.testing.assert_allclose(found.course[2, -1], [0.9, 1], atol=3e-3)


def test_the_course_is_relative_to_the_ratings_and_the_surplus_is_not():
    """A device that has always been 5 % better than its data sheet has nothing to lose by it."""
    references = typical_references(RATINGS) * [*[1.05] * 4, *[1.05] * 6, 1]
    voltage, current = expect(references, np.full((1, 24), 25.0), np.full((1, 24), 800.0), np.arange(0.5, 24)[None])
    means = np.stack([voltage, current, np.full((1, 24), 25.0), np.full((1, 24), 800.0)], axis=-1)
    here = np.array([0]), np.array([12])
    unknown = np.full((1, len(HISTORY), 2), np.nan)
    found = background_of(*here, means, unknown, references, RATINGS, np.array([[20.0, np.nan]]))
    np.testing.assert_allclose(found.course[0, -1], 1.05)
    assert found.surplus[0, 0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.surplus[0, 1])


def test_deviations_are_shares_of_what_is_expected_and_small_in_dim_light():
    """10 % less voltage and half the current; of the current, what 50 W/m² more would give is the whole."""
    references = np.repeat(typical_references(RATINGS), 2, axis=0)
    light = np.array([[800.0], [50.0]]) * np.ones(180)
    hour = np.array([12, 7])
    voltage, current = expect(references, np.full((2, 180), 40.0), light, hour[:, None] + np.arange(180) / 180)
    values = np.stack([0.9 * voltage, 0.5 * current, np.full((2, 180), 40.0), light], axis=-1)
    found = deviate(values, hour, references)
    assert found.shape == (2, 180, 2)
    np.testing.assert_allclose(found[..., 0], -0.1)
    np.testing.assert_allclose(found[..., 1], [[-0.5 * 800 / 850] * 180, [-0.5 * 50 / 100] * 180])


def test_an_irradiance_sensor_in_the_evening_shade_does_not_raise_the_ratings_of_an_unregistered_device():
    """In a third of its hours, all of them dim, the sensor shows a third of the light that the array gets."""
    history = a_history(10)
    shaded = (np.arange(24) >= 14)[None, None] & (history[..., 3] > 0)
    history[..., 3] = np.where(shaded, history[..., 3] / 3, history[..., 3])
    learned = learn_references(history, np.full((1, 2), np.nan))
    clean = learn_references(a_history(10), np.full((1, 2), np.nan))
    at_noon = [expected(own, 45.0, 800.0)[1] for own in (learned, clean)]
    assert at_noon[0] == pytest.approx(at_noon[1], rel=0.05)
