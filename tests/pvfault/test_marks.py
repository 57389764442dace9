"""Marks: against SciPy, against loops over the hours of a day, and what they may hang on."""

import numpy as np
import pytest
from scipy.stats import linregress

from pvfault.marks import BOUND, MARKS, measure_marks
from pvfault.reference import COURSE, HISTORY, Background, typical_references

RATINGS = np.array([570.0, 10.0])
REFERENCE = typical_references(RATINGS[None])[0]


def background(n, course=np.nan, surplus=np.nan, layout=np.nan):
    shapes = {"course": (n, COURSE, 2), "surplus": (n, 2), "layout": (n, 2)}
    given = {"course": course, "surplus": surplus, "layout": layout}
    return Background(
        references=np.tile(REFERENCE, (n, 1)),
        ratings=np.tile(RATINGS, (n, 1)),
        **{name: np.broadcast_to(np.asarray(given[name], float), shape) for name, shape in shapes.items()},
    )


def day(hours=(6, 7, 9, 10, 11, 15), seed=0):
    """Readings and deviations of some hours of one device."""
    rng = np.random.default_rng(seed)
    hour = np.array(hours)
    light = rng.uniform(200, 900, (len(hour), 1)) + np.cumsum(rng.normal(0, 15, (len(hour), 180)), axis=1)
    temperature = 25 + light / 50 + rng.normal(0, 0.2, light.shape)
    deviations = 0.05 * rng.normal(size=(len(hour), 1, 2)) + 0.01 * rng.normal(size=(len(hour), 180, 2))
    voltage, current = 550 * (1 + deviations[..., 0]), light / 100 * (1 + deviations[..., 1])
    return np.stack([voltage, current, temperature, light], axis=-1), deviations, hour


def named(values, deviations, hour, owner=None, **known):
    """Marks by their names."""
    owner = np.zeros(len(hour), int) if owner is None else owner
    return dict(
        zip(MARKS, measure_marks(values, deviations, owner, hour, background(len(hour), **known)).T, strict=True)
    )


def as_change(number, middle, unit):
    return np.clip(np.arcsinh((np.asarray(number) - middle) / unit) / 1.6, -BOUND, BOUND)


def as_size(number, middle, spread):
    return np.clip((np.log(np.asarray(number) + 0.001) - middle) / spread, -BOUND, BOUND)


def test_marks_are_90_of_different_names():
    assert len(MARKS) == len(set(MARKS)) == 90


def test_marks_say_how_the_signals_go_together():
    """Against SciPy's regression, and the window's own extremes, steps and ratios."""
    values, deviations, hour = day()
    deviations[2, 40:46, 0] = -0.5
    values[2, 100:118, 1] = 0
    found = named(values, deviations, hour)
    voltage, current = deviations[2].T
    light, per_light = values[2, :, 3] / 1000, values[2, :, 1] / REFERENCE[4]
    fit = linregress(light, per_light)
    beside = np.std(per_light - fit.intercept - fit.slope * light)
    power = (1 + voltage) * (1 + current) - 1
    rated_current = values[2, :, 1] / 10
    expected = {
        "current_off_irradiance": as_size(beside, -5, 1.1),
        "voltage_on_temperature": as_change(linregress(values[2, :, 2], 1 + voltage).slope, 0.00011, 0.0016),
        "without_current": as_size(18 / 180, -1.8, 1.3),
        "power_min": as_change(power.min(), -0.19, 0.16),
        "power_q50": as_change(np.median(power), -0.065, 0.066),
        "voltage_min": as_change(voltage.min(), -0.033, 0.026),
        "voltage_step_max": as_size(np.abs(np.diff(voltage)).max(), -4.2, 1.4),
        "current_q10": as_change(np.percentile(current, 10), -0.059, 0.051),
        "rated_voltage_max": as_change(values[2, :, 0].max() / 570, 0.96, 0.058),
        "rated_current_step_max": as_size(np.abs(np.diff(rated_current)).max(), -4.1, 1.4),
        "current_ratio_q75": as_change(np.percentile(rated_current / light, 75), 0.94, 0.05),
        "temperature_std": as_size(values[2, :, 2].std(), 0.5, 0.75),
        "irradiance_mean": as_size(light.mean(), -0.84, 0.79),
        "from_noon": as_change(9.5 - 12, 0, 2.6),
    }
    assert {name: found[name][2] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_an_open_string_looks_alike_in_arrays_of_any_size():
    values, deviations, hour = day()
    found = named(values, deviations, hour, surplus=[0.0, -0.9], layout=[20, 4])
    np.testing.assert_allclose(found["modules_surplus"], 0, atol=1e-9)
    np.testing.assert_allclose(found["strings_surplus"], as_change(-0.9, 0, 0.12))
    np.testing.assert_allclose(found["strings_remainder"], as_size(0.1, -2.5, 1.4))
    np.testing.assert_allclose(found["modules"], as_size(20, 2.2, 0.5))
    np.testing.assert_allclose(found["strings"], as_size(4, 1.1, 0.73))
    unknown = named(values, deviations, hour)
    for name in ("modules_surplus", "strings_surplus", "modules_remainder", "modules", "strings"):
        assert np.isnan(unknown[name]).all()


@pytest.mark.parametrize(("surplus", "shown"), [(-40.0, -BOUND), (9.0, BOUND)])
def test_a_surplus_beyond_all_bounds_is_shown_at_the_bound(surplus, shown):
    assert (named(*day(), surplus=surplus)["modules_surplus"] == shown).all()


def test_marks_of_the_date_are_those_of_the_hours_up_to_now():
    """Hour by hour in a loop; 6, 7, 9, 10, 11 and 15 h have windows."""
    values, deviations, hour = day()
    found = named(values, deviations, hour)
    mean, spread = deviations.mean(axis=1), deviations.std(axis=1)
    steps = np.abs(np.diff(deviations[..., 1], axis=1)).mean(axis=1)
    for position, now in enumerate(hour):
        earlier = np.flatnonzero(hour < now)
        before = np.flatnonzero(hour == now - 1)
        expected = {
            "current_std_against_earlier": as_change(
                spread[position, 1] - spread[earlier, 1].mean() if len(earlier) else np.nan, -0.003, 0.011
            ),
            "current_step_mean_earlier": as_size(steps[earlier].mean() if len(earlier) else np.nan, -4.7, 0.96),
            "voltage_mean_hour_before": as_change(mean[before[0], 0] if len(before) else np.nan, -0.0025, 0.0081),
            "voltage_mean_range": as_size(np.ptp(mean[hour <= now, 0]), -3.6, 1.3),
        }
        shown = {name: found[name][position] for name in expected}
        assert shown == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_the_evening_before_is_not_part_of_a_day():
    """In the east of Asia and in America a date of UTC holds parts of two days: here noon is at 1 h."""
    values, deviations, hour = day((0, 8, 20, 21))
    known = background(4)
    known.references[:, -1] = 1.0
    found = dict(zip(MARKS, measure_marks(values, deviations, np.zeros(4, int), hour, known).T, strict=True))
    assert np.isfinite(found["current_std_against_earlier"]).tolist() == [False, True, False, True]
    spread, mean = deviations[..., 1].std(axis=1), deviations[..., 0].mean(axis=1)
    change = as_change(spread[3] - spread[2], -0.003, 0.011)
    assert found["current_std_against_earlier"][3] == pytest.approx(change, abs=1e-6)
    assert found["voltage_mean_range"][3] == pytest.approx(as_size(abs(mean[3] - mean[2]), -3.6, 1.3), abs=1e-6)


def test_marks_hang_on_no_later_hour_and_on_no_other_device():
    values, deviations, hour = day()
    own = measure_marks(values, deviations, np.zeros(6, int), hour, background(6))
    up_to_10 = hour <= 10
    so_far = measure_marks(values[up_to_10], deviations[up_to_10], np.zeros(4, int), hour[up_to_10], background(4))
    np.testing.assert_array_equal(own[up_to_10], so_far)
    others = [day(seed=seed) for seed in (1, 2)]
    joined = [np.concatenate(parts) for parts in zip(others[0], (values, deviations, hour), others[1], strict=True)]
    together = measure_marks(*joined[:2], np.repeat([0, 1, 2], 6), joined[2], background(18))
    np.testing.assert_array_equal(together[6:12], own)


def test_the_course_is_single_dates_and_hours_and_means_of_those_far_back():
    """Each step of the course has a level of its own; what is not known is left out of means."""
    level = {back: 1 - back / 1000 for back in HISTORY}
    course = np.full((COURSE, 2), np.nan)
    course[: len(HISTORY), 0] = [level[back] for back in HISTORY[::-1]]
    course[len(HISTORY) : -1, 1] = [1 + ago / 100 for ago in range(10, 0, -1)]
    course[list(HISTORY[::-1]).index(154), 0] = np.nan
    found = named(*day((12,)), course=course)
    far = 1 - np.mean([56, 70, 84, 98, 112, 126, 140]) / 1000
    expected = {
        "voltage_1_days_ago": as_change(0.999, 0.98, 0.012),
        "voltage_3_days_ago": as_change(0.997, 0.98, 0.012),
        "voltage_56_to_154_days_ago": as_change(far, 0.99, 0.0087),
        "current_1_hours_ago": as_change(1.01, 0.97, 0.052),
    }
    assert {name: found[name][0] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found["current_1_days_ago"][0])
    assert np.isnan(found["voltage_1_hours_ago"][0])


def test_no_windows_have_no_marks():
    nothing = np.empty(0, int)
    assert measure_marks(np.empty((0, 180, 4)), np.empty((0, 180, 2)), nothing, nothing, background(0)).shape == (0, 90)
