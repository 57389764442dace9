"""Marks: against SciPy, against loops over the hours of a day, and what they may hang on."""

import math

import numpy as np
import pytest
from scipy.stats import linregress

from pvfault.marks import BOUND, MARKS, measure_marks
from pvfault.reference import COURSE, HISTORY, Background, typical_references

REFERENCE = typical_references(np.array([[570.0, 10.0]]))[0]


def background(n, course=np.nan, surplus=np.nan, layout=np.nan):
    shapes = {"course": (n, COURSE, 2), "surplus": (n, 2), "layout": (n, 2)}
    given = {"course": course, "surplus": surplus, "layout": layout}
    return Background(
        np.tile(REFERENCE, (n, 1)), *(np.broadcast_to(np.asarray(given[k], float), s) for k, s in shapes.items())
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


def as_deviation(number, unit):
    return np.clip(np.arcsinh(np.asarray(number) / unit) / 2, -BOUND, BOUND)


def as_size(number):
    return np.clip((np.log(np.asarray(number) + 0.0005) + 4.7) / 1.3, -BOUND, BOUND)


def test_marks_are_90_of_different_names():
    assert len(MARKS) == len(set(MARKS)) == 90


def test_marks_say_how_the_signals_go_together():
    """Against SciPy's regression, and the window's own extremes and steps."""
    values, deviations, hour = day()
    deviations[2, 40:46, 0] = -0.5
    values[2, 100:118, 1] = 0
    found = named(values, deviations, hour)
    voltage, current = deviations[2].T
    light, per_light = values[2, :, 3] / 1000, values[2, :, 1] / REFERENCE[4]
    fit = linregress(light, per_light)
    beside = np.std(per_light - fit.intercept - fit.slope * light)
    assert found["current_on_irradiance"][2] == pytest.approx(as_deviation(fit.slope - 1, 0.015), abs=1e-6)
    assert found["current_off_irradiance"][2] == pytest.approx(as_size(beside), abs=1e-6)
    on_temperature = linregress(values[2, :, 2], 1 + voltage).slope
    assert found["voltage_on_temperature"][2] == pytest.approx(as_deviation(on_temperature, 0.0005), abs=1e-6)
    assert found["without_current"][2] == pytest.approx(3 * (18 / 180 - 0.5), abs=1e-6)
    assert found["jumps"][2] == pytest.approx(as_size(2 / 179), abs=1e-6)
    power = (1 + voltage) * (1 + current) - 1
    assert found["power_min"][2] == pytest.approx(as_deviation(power.min(), 0.008), abs=1e-6)
    assert found["power_q50"][2] == pytest.approx(as_deviation(np.median(power), 0.008), abs=1e-6)
    assert found["voltage_min"][2] == -BOUND
    assert found["voltage_step_max"][2] == pytest.approx(as_size(np.abs(np.diff(voltage)).max()), abs=1e-6)
    assert found["current_q10"][2] == pytest.approx(as_deviation(np.percentile(current, 10), 0.008), abs=1e-6)
    assert found["current_drift"][2] == pytest.approx(
        as_deviation(current[90:].mean() - current[:90].mean(), 0.008), abs=1e-6
    )
    assert found["irradiance"][2] == pytest.approx((math.log(light.mean()) + 0.8) / 0.8, abs=1e-6)
    assert found["from_noon"][2] == pytest.approx((9.5 - 12) / 3, abs=1e-6)


def test_an_open_string_looks_alike_in_arrays_of_any_size():
    values, deviations, hour = day()
    found = named(values, deviations, hour, surplus=[0.0, -1.0], layout=[20, 4])
    np.testing.assert_allclose(found["modules_surplus"], 0, atol=1e-9)
    np.testing.assert_allclose(found["strings_surplus"], -0.75)
    np.testing.assert_allclose(found["modules"], (math.log(20) - 2.5) / 0.5)
    np.testing.assert_allclose(found["strings"], (math.log(4) - 1) / 0.7)
    unknown = named(values, deviations, hour)
    for name in ("modules_surplus", "strings_surplus", "modules", "strings"):
        assert np.isnan(unknown[name]).all()


@pytest.mark.parametrize(("surplus", "shown"), [(-40.0, -BOUND), (9.0, BOUND)])
def test_a_surplus_beyond_all_bounds_is_shown_at_the_bound(surplus, shown):
    assert (named(*day(), surplus=surplus)["modules_surplus"] == shown).all()


def test_marks_of_the_date_are_those_of_the_hours_up_to_now():
    """Hour by hour in a loop; 6, 7, 9, 10, 11 and 15 h have windows."""
    values, deviations, hour = day()
    found = named(values, deviations, hour)
    mean = deviations.mean(axis=1)
    spread = deviations.std(axis=1)
    for position, now in enumerate(hour):
        earlier = np.flatnonzero(hour < now)
        before = np.flatnonzero(hour == now - 1)
        if len(earlier):
            change = mean[position, 1] - mean[earlier, 1].mean()
            assert found["current_mean_against_earlier"][position] == pytest.approx(
                as_deviation(change, 0.008), abs=1e-6
            )
            change = spread[position, 0] - spread[earlier, 0].mean()
            assert found["voltage_std_against_earlier"][position] == pytest.approx(
                as_deviation(change, 0.003), abs=1e-6
            )
        else:
            assert np.isnan(found["current_mean_against_earlier"][position])
        if len(before):
            assert found["voltage_std_hour_before"][position] == pytest.approx(as_size(spread[before[0], 0]), abs=1e-6)
        else:
            assert np.isnan(found["voltage_std_hour_before"][position])
        so_far = mean[hour <= now, 0]
        assert found["voltage_mean_range"][position] == pytest.approx(as_size(np.ptp(so_far)), abs=1e-6)


def test_the_evening_before_is_not_part_of_a_day():
    """In the east of Asia and in America a date of UTC holds parts of two days: here noon is at 1 h."""
    values, deviations, hour = day((0, 8, 20, 21))
    known = background(4)
    known.references[:, -1] = 1.0
    found = dict(zip(MARKS, measure_marks(values, deviations, np.zeros(4, int), hour, known).T, strict=True))
    assert np.isfinite(found["voltage_mean_against_earlier"]).tolist() == [False, True, False, True]
    mean = deviations.mean(axis=1)[:, 0]
    change = mean[3] - mean[2]
    assert found["voltage_mean_against_earlier"][3] == pytest.approx(as_deviation(change, 0.003), abs=1e-6)
    assert found["voltage_mean_range"][3] == pytest.approx(as_size(abs(change)), abs=1e-6)


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
    assert found["voltage_1_days_ago"][0] == pytest.approx(as_deviation(-0.001, 0.01))
    assert found["voltage_14_days_ago"][0] == pytest.approx(as_deviation(-0.014, 0.01))
    assert found["voltage_21_to_42_days_ago"][0] == pytest.approx(as_deviation(-np.mean([21, 28, 35, 42]) / 1000, 0.01))
    far = [56, 70, 84, 98, 112, 126, 140]
    assert found["voltage_56_to_154_days_ago"][0] == pytest.approx(as_deviation(-np.mean(far) / 1000, 0.01))
    assert found["current_6_hours_ago"][0] == pytest.approx(as_deviation(0.06, 0.01))
    assert found["current_1_hours_ago"][0] == pytest.approx(as_deviation(0.01, 0.01))
    assert np.isnan(found["current_1_days_ago"][0])
    assert np.isnan(found["voltage_1_hours_ago"][0])


def test_no_windows_have_no_marks():
    nothing = np.empty(0, int)
    assert measure_marks(np.empty((0, 180, 4)), np.empty((0, 180, 2)), nothing, nothing, background(0)).shape == (0, 90)
