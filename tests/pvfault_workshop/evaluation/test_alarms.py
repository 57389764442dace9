"""False alarms, and delays until a fault is found."""

import numpy as np
import pytest
from scipy.stats import poisson

from pvfault.faults import FAULTS
from pvfault_workshop.evaluation.alarms import (
    alarms_by_confuser,
    count_false_alarms,
    detection_delay,
    must_be_found_soon,
)
from pvfault_workshop.evaluation.comparison import Days
from pvfault_workshop.evaluation.day_rules import judge_by_count
from pvfault_workshop.simulation.devices import CONFUSERS


@pytest.mark.parametrize("count", [0, 3])
def test_the_bound_of_false_alarms_is_the_rate_at_which_so_few_are_a_surprise(count):
    truth, verdict = np.zeros(2000, int), np.zeros(2000, int)
    verdict[:count] = 1
    alarms = count_false_alarms(np.concatenate([truth, [1, 2]]), np.concatenate([verdict, [1, 0]]))
    assert (alarms.count, alarms.days) == (count, 2000)
    assert poisson.cdf(count, alarms.at_most * 2000 / 365) == pytest.approx(0.05)


def test_delay_is_daylight_from_the_onset_to_the_end_of_the_hour_that_tells():
    """Light from 8 to 16; the judge needs two faulty hours."""
    lit = np.zeros((4, 24), bool)
    lit[:, 8:16] = True
    arranged = np.full((4, 24, 6), np.nan)
    arranged[lit] = np.eye(6)[0]
    arranged[0, 10:16] = np.eye(6)[3]  # begins at 9:30, seen from 10 on: told at 12, 2.5 h later
    arranged[1, 8:16] = np.eye(6)[3]  # there since yesterday: told at 10, after 2 h of light
    days = Days(
        truth=np.array([3, 3, 3, 0]), device=np.arange(4), severity=np.array([0.3, 0.3, 0.3, 0]),
        onset=np.array([9.5, -20.0, 9.5, np.nan]), noise=np.zeros(4), modules=np.full(4, 10), strings=np.ones(4, int),
        confusers=np.zeros(4, int), lit=lit,
    )  # fmt: skip
    delay = detection_delay(days, arranged, lambda so_far: judge_by_count(so_far, 2))
    np.testing.assert_array_equal(delay, [2.5, 2.0, np.inf, np.nan])


def test_what_must_be_found_soon_is_large_enough_and_has_two_hours_of_light():
    lit = np.zeros((5, 24), bool)
    lit[:, 8:16] = True
    short, opened, shaded = (FAULTS.index(name) for name in ("line_line", "open_circuit", "partial_shading"))
    days = Days(
        truth=np.array([short, short, opened, opened, shaded]), device=np.arange(5),
        severity=np.array([0.05, 0.05, 0.05, 0.5, 0.5]), onset=np.array([10, 10, 10, 14.5, 10]), noise=np.zeros(5),
        modules=np.full(5, 10), strings=np.array([1, 4, 1, 1, 1]), confusers=np.zeros(5, int), lit=lit,
    )  # fmt: skip
    assert must_be_found_soon(days).tolist() == [False, True, True, False, False]


def test_false_alarms_are_told_by_what_the_healthy_day_shows():
    fog, snow = (1 << CONFUSERS.index(name) for name in ("fog", "snow"))
    days = Days(
        truth=np.array([0, 0, 0, 1]), device=np.arange(4), severity=np.zeros(4), onset=np.full(4, np.nan),
        noise=np.zeros(4), modules=np.full(4, 10), strings=np.ones(4, int),
        confusers=np.array([0, fog, fog | snow, snow]), lit=np.ones((4, 24), bool),
    )  # fmt: skip
    found = {
        name: (n, alarms["model"]) for name, n, alarms in alarms_by_confuser(days, {"model": np.array([0, 0, 3, 1])})
    }
    assert (found["nothing"], found["fog"], found["snow"], found["dust"]) == ((1, 0), (2, 1), (1, 1), (0, 0))
