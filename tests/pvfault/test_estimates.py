"""What a device without a registry gives when nothing is wrong: days of pvlib's arrays, whose truth is known."""

from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from pvfault.classify import classify_readings, distinct_readings
from pvfault.estimates import HIDDEN_FAULT, estimate_day, healthy_hours
from pvfault.faults import NONE
from pvfault.lenet import load_classifier
from pvfault.readings import MEASUREMENTS
from pvfault.reference import N_VOLTAGE, TYPICAL
from pvfault.registry import EMPTY_REGISTRY, Registry
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import UNSURE
from tests.conftest import PROJECT
from tests.pvfault.single_diode_plant import FIRST, plant


@pytest.fixture(scope="module")
def network():
    return load_classifier(PROJECT / "models" / "lenet5.h5")


def estimated(**array):
    readings = plant("A000000000", **array)
    midnight = readings["timestamp"][0].as_py().timestamp()
    second = readings["timestamp"].cast(pa.int64()).to_numpy() / 1e6 - midnight
    return estimate_day(second, np.column_stack([readings[name].to_numpy() for name in MEASUREMENTS]))


@pytest.mark.parametrize(("step_s", "cloudy"), [(60, False), (60, True), (300, True), (900, False)])
@pytest.mark.parametrize("strings", range(2, 13))
def test_a_string_that_opens_within_the_day_does_not_become_the_rating(strings, step_s, cloudy):
    """It opened at 11:00, the day's brightest hours were those without it, and every hour was called healthy."""
    from_hour = 9.5 + (strings * 37 + step_s / 20) % 5.5
    day = {"strings": strings, "step_s": step_s, "cloudy": cloudy, "seed": strings}
    faulty, healthy = estimated(**day, opened=1, from_hour=from_hour), estimated(**day)
    assert not faulty.reason
    assert not healthy.below.any()
    if cloudy and strings > 8 and not faulty.below.any():
        return  # under clouds, a step of 8 to 11 % may not stand out
    assert faulty.ratings == pytest.approx(healthy.ratings, rel=0.02)
    lit = np.arange(24) >= np.ceil(from_hour)
    assert faulty.below[lit, 1].max() == pytest.approx(1 / strings, abs=0.03)
    assert not faulty.below[: int(from_hour)].any()


@pytest.mark.parametrize(("from_hour", "missed"), [(6.5, "raised"), (16, "nothing")])
def test_a_step_near_an_end_of_the_day_is_told_or_takes_little(from_hour, missed):
    """Too short a time to be taken for the healthy level: a sensor in the morning's shade looks like it."""
    faulty, healthy = estimated(opened=1, from_hour=from_hour), estimated()
    if missed == "raised":
        assert faulty.raised[1] == pytest.approx(1 / 3, abs=0.04)
        assert faulty.ratings[1] == pytest.approx(0.75 * healthy.ratings[1], rel=0.02)
    else:
        assert faulty.ratings == pytest.approx(healthy.ratings, rel=0.01)


@pytest.mark.parametrize("cloudy", [False, True])
@pytest.mark.parametrize("shorted", range(1, 7))
def test_shorted_modules_show_as_a_step_of_the_voltage(shorted, cloudy):
    day = {"strings": 1, "cloudy": cloudy, "seed": shorted, "step_s": 60}
    faulty, healthy = estimated(**day, shorted=shorted, from_hour=8.4 + shorted), estimated(**day)
    assert faulty.ratings == pytest.approx(healthy.ratings, rel=0.02)
    assert faulty.below[:, 0].max() == pytest.approx(shorted / 18, rel=0.1, abs=0.015)


@pytest.mark.parametrize(("month", "cloudy", "step_s"), list(product([3, 6, 12], [False, True], [60, 900])))
def test_a_healthy_day_has_one_level(month, cloudy, step_s):
    found = estimated(month=month, cloudy=cloudy, step_s=step_s, seed=month)
    assert not found.below.any()
    assert not found.reason
    # The module's own maximum at standard conditions, of which a healthy array in the field gives 96 % in the median.
    assert found.ratings[1] * 0.96 == pytest.approx(4 * 8.85, rel=0.04)


def test_a_sensor_in_the_shade_is_no_higher_level_of_the_array():
    """The current over what a shaded sensor sees is a multiple of the usual one, and the array gives no more."""
    second = np.arange(0, 86_400, 60)
    light = np.clip(1000 * np.sin(np.pi * (second / 3600 - 5) / 14), 0, None)
    seen = np.where((second > 7.5 * 3600) & (second < 9.2 * 3600), 0.6 * light, light)
    day = np.column_stack([600 + 0 * light, light / 100, 25 + 0 * light, seen])
    found = estimate_day(second, day)
    assert found.ratings[1] * 0.96 == pytest.approx(10, rel=0.02)
    assert not found.below.any()


def test_hours_that_an_inverter_limits_are_no_fault():
    second = np.arange(0, 86_400, 60)
    light = np.clip(1000 * np.sin(np.pi * (second / 3600 - 5) / 14), 0, None)
    limited = (second > 11 * 3600) & (second < 14 * 3600)
    voltage, current = np.where(limited, 660, 600), np.where(limited, 0.7, 1) * light / 100
    found = estimate_day(second, np.column_stack([voltage, current, 25 + 0 * light, light]))
    assert found.ratings * [1, 0.96] == pytest.approx([600, 10], rel=0.02)
    assert not found.below.any()


@pytest.mark.parametrize(
    ("light", "share", "words"),
    [(120.0, 1.0, "0 min of readings above 150 W/m²"), (800.0, 0.0, "hardly any power in the light")],
)
def test_readings_that_tell_nothing_say_why(light, share, words):
    second = np.arange(6 * 3600, 18 * 3600, 300)
    day = np.tile([600.0, share * light / 100, 25.0, light], (len(second), 1))
    assert words in estimate_day(second, day).reason


def test_of_some_dates_the_higher_level_is_the_healthy_one():
    """A fault from 11:00 of the first date on: of four dates, six hours are healthy."""
    days = [estimated(opened=1, from_hour=11)] + [estimated(opened=1, from_hour=0, seed=n) for n in range(3)]
    healthy, ratings = healthy_hours(days)
    assert ratings[1] == pytest.approx(estimated().ratings[1], rel=0.01)
    assert healthy[0, 5:11].all()
    assert not healthy[0, 11:18].any()
    assert not healthy[1:].any()


def test_one_odd_date_among_many_is_not_what_the_others_are_held_against():
    days = [estimated(seed=n) for n in range(9)]
    odd = days[0]._replace(ratings=days[0].ratings * [1, 1.2])
    _, ratings = healthy_hours([*days, odd])
    assert ratings == pytest.approx(days[0].ratings, rel=0.01)


FAULTY = [
    *({"strings": n, "opened": 1, "from_hour": 7.3 + n / 2} for n in (2, 3, 6, 9, 12)),
    *({"strings": n, "opened": 1, "from_hour": 15 - n / 2, "cloudy": True, "step_s": 60} for n in (2, 4, 8, 12)),
    *({"strings": 1, "shorted": k, "from_hour": 8 + k, "cloudy": k % 2 == 0} for k in range(1, 7)),
    *({"strings": n, "opened": 1, "from_hour": hour, "days": 3} for n in (3, 12) for hour in (11, 24, 35, 58)),
]  # fmt: skip


@pytest.fixture(scope="module")
def judged(network):
    """Hours of each of `FAULTY` as rows, with the hour since the first midnight."""
    tables = [plant(f"F{number:09d}", **array, seed=number) for number, array in enumerate(FAULTY)]
    rows = classify_readings(pa.concat_tables(tables), EMPTY_REGISTRY, network).to_pylist()
    return [
        ((row["window_start"] - FIRST).total_seconds() / 3600, row)
        for row in sorted(rows, key=lambda row: row["deviceID"])
        if row["fault"] is not None
    ]


@pytest.mark.parametrize("number", range(len(FAULTY)), ids=lambda number: str(FAULTY[number]))
def test_no_hour_with_a_fault_is_called_healthy_and_no_other_one_faulty(judged, number):
    """An hour before the fault may be unsure: what is short at the day's begin may be a sensor's error."""
    array = FAULTY[number]
    own = [(hour, row) for hour, row in judged if row["deviceID"] == f"F{number:09d}"]
    assert {row["fault"] for hour, row in own if hour + 1 <= array["from_hour"]} <= {NONE, UNSURE}
    with_fault = [row for hour, row in own if hour >= array["from_hour"]]
    assert with_fault
    assert NONE not in {row["fault"] for row in with_fault}
    for row in with_fault:
        assert (row["fault"] == UNSURE) == (row["unsure_because"] is not None) == (row["confidence"] is None)


def test_a_fault_of_all_dates_is_not_seen_and_nobody_is_sure_that_there_is_none(network):
    rows = classify_readings(plant("A000000000", opened=1, from_hour=0), EMPTY_REGISTRY, network).to_pylist()
    found = [row for row in rows if row["fault"] is not None]
    assert {row["fault"] for row in found} == {NONE}
    assert max(row["confidence"] for row in found) <= 1 - HIDDEN_FAULT
    assert max(row["probabilities"][NONE] for row in found) > 0.9


def test_a_registered_device_has_nothing_of_this(network):
    array = {"opened": 1, "from_hour": 11}
    registry = Registry(("R000000000",), np.array([545.0]), np.array([36.0]), np.array([[18.0, 4.0]]))
    both = pa.concat_tables([plant("R000000000", **array), plant("A000000000", **array)])
    alone, beside = (
        scalogram_rows(distinct_readings(readings), FIRST.date(), registry) for readings in (both.slice(0, 288), both)
    )
    beside = beside.slice(24)  # A000000000 stands before it
    assert alone.combine_chunks().equals(beside.combine_chunks())
    assert {*alone["hidden_fault"].to_pylist(), *alone["unsure_because"].to_pylist()} == {None}
    for row in prediction_rows(alone, network).to_pylist():
        assert row["fault"] is None or row["confidence"] == row["probabilities"][row["fault"]]


SECOND = np.linspace(6 * 3600, 18 * 3600, 2000)


def healthy_day(v_mp=600.0, i_mp=10.0, seed=0):
    """A day of an array with known ratings: V linear in temperature, I in proportion to light, and noisy sensors."""
    random = np.random.default_rng(seed)
    irradiance = 950 * np.sin(np.pi * np.linspace(0, 1, 2000)) * random.uniform(0.6, 1, 2000)
    temperature = 15 + 0.03 * irradiance
    voltage = v_mp * (1 - 0.0035 * (temperature - 25)) * random.normal(1, 0.005, 2000)
    current = i_mp * irradiance / 1000 * random.normal(1, 0.005, 2000)
    return np.column_stack([voltage, current, temperature, irradiance]).astype(np.float32)


def test_ratings_are_found_from_a_healthy_day():
    voltage, current = estimate_day(SECOND, healthy_day()).ratings
    assert voltage == pytest.approx(600, rel=0.01)
    # An array gives 0.96 of its rated current, so that one which gives 10 A is rated at more.
    assert TYPICAL[N_VOLTAGE] * current == pytest.approx(10, rel=0.01)


def test_broken_readings_do_not_move_the_estimate():
    day = healthy_day()
    broken = np.float32([[500, 3e38, 40, 900], [np.nan, 7, 40, 900], [500, 7, -127, 1900], [500, 7, 40, np.inf]])
    second = np.concatenate([SECOND, np.tile(SECOND[::10], len(broken))])
    order = np.argsort(second, kind="stable")
    beside = estimate_day(second[order], np.concatenate([day, np.tile(broken, (200, 1))])[order])
    assert tuple(beside.ratings) == tuple(estimate_day(SECOND, day).ratings)


@pytest.mark.parametrize(
    "readings",
    [np.empty((0, 4)), np.full((10, 4), np.nan), np.tile([0, 0, 10, 0], (10, 1)), np.tile([0, 0, 40, 900], (10, 1))],
    ids=["no readings", "none usable", "night", "no voltage and no current"],
)
def test_where_nothing_can_be_estimated_a_rating_is_one_and_can_be_divided_by(readings):
    second = 36_000 + 600.0 * np.arange(len(readings))
    assert tuple(estimate_day(second, readings.astype(np.float32)).ratings) == (1.0, 1.0)


def test_the_noise_around_zero_current_does_not_become_a_signal():
    """Divided by a rating of a few mA, the noise of an open circuit looked like many times the rated current."""
    day = healthy_day()
    day[:, 1] = np.random.default_rng(1).normal(0.002, 0.01, len(day))
    _, current = estimate_day(SECOND, day).ratings
    assert np.abs(day[:, 1] / current).max() < 0.1
