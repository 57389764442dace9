"""Verdicts: Bayes' rule by enumeration, and powers worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from pvfault.faults import FAULTS
from pvfault.verdicts import combine_windows, name_windows

NONE, LINE_LINE, LINE_GROUND, OPEN_CIRCUIT, PARTIAL_SHADING, ARC_FAULT = range(6)


def sure_of(fault, p=0.95):
    """Probabilities of one window that the network is sure of."""
    return np.where(np.arange(6) == fault, p, (1 - p) / 5)


def day_of(hours):
    """Probabilities of one device's day from {hour: probabilities}."""
    day = np.full((1, 24, 6), np.nan)
    for hour, probabilities in hours.items():
        day[0, hour] = probabilities
    return day


def enumerate_days(day):
    """The posterior of every day that could have been: {(fault, hour from which on)}, healthy as (0, 0)."""
    usable = [hour for hour in range(24) if not math.isnan(day[hour][0])]
    p = {hour: [0.98 * value + 0.02 / 6 for value in day[hour]] for hour in usable}

    def in_one_hour(hour, fault, onset):
        if hour < onset or fault == NONE:
            return p[hour][NONE]
        if fault in (LINE_LINE, LINE_GROUND):
            return p[hour][LINE_LINE] + p[hour][LINE_GROUND]
        if fault in (PARTIAL_SHADING, ARC_FAULT):
            return 0.5 * p[hour][fault] + 0.5 * p[hour][NONE]
        return p[hour][fault]

    weight = {(NONE, 0): 0.8, **dict.fromkeys(itertools.product(range(1, 6), range(24)), 0.2 / 5 / 24)}
    for fault, onset in weight:
        weight[fault, onset] *= math.prod(in_one_hour(hour, fault, onset) for hour in usable)
        if fault in (LINE_LINE, LINE_GROUND):
            kinds = [
                math.prod(
                    p[hour][kind] / (p[hour][LINE_LINE] + p[hour][LINE_GROUND]) for hour in usable if hour >= onset
                )
                for kind in (LINE_LINE, LINE_GROUND)
            ]
            weight[fault, onset] *= 2 * kinds[fault - LINE_LINE] / sum(kinds)
    total = math.fsum(weight.values())
    return {day: value / total for day, value in weight.items()}


def test_a_window_is_called_a_short_if_the_two_shorts_together_are_most_probable():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(6, 0.5), 2000)
    fault, confidence = name_windows(probabilities)
    for p, found, share in zip(probabilities, fault, confidence, strict=True):
        short = p[LINE_LINE] + p[LINE_GROUND]
        others = {kind: p[kind] for kind in (NONE, OPEN_CIRCUIT, PARTIAL_SHADING, ARC_FAULT)}
        expected = (
            LINE_LINE + (p[LINE_GROUND] > p[LINE_LINE]) if short > max(others.values()) else max(others, key=others.get)
        )
        assert (found, share) == (expected, p[expected])
    assert (fault != probabilities.argmax(axis=1)).mean() > 0.05


@pytest.mark.parametrize("seed", range(5))
def test_verdicts_equal_bayes_rule_by_enumeration(seed):
    random = np.random.default_rng(seed)
    days = random.dirichlet(np.full(6, 0.3), (40, 24))
    days[10:, :, NONE] += random.uniform(0, 2, (30, 24))
    days /= days.sum(axis=2, keepdims=True)
    days[random.random((40, 24)) < random.uniform(0, 1, (40, 1))] = np.nan
    verdicts = combine_windows(days)
    for device, day in enumerate(days):
        usable = np.flatnonzero(np.isfinite(day[:, 0]))
        if not len(usable):
            assert verdicts.fault[device] == -1
            continue
        posterior = enumerate_days(day.tolist())
        by_fault = [math.fsum(value for (fault, _), value in posterior.items() if fault == f) for f in range(6)]
        shorts = by_fault[LINE_LINE] + by_fault[LINE_GROUND]
        weight = [shorts if f in (LINE_LINE, LINE_GROUND) else by_fault[f] for f in range(6)]
        fault, second = sorted(range(6), key=lambda f: (weight[f], by_fault[f]), reverse=True)[:2]
        assert verdicts.fault[device] == fault
        assert verdicts.confidence[device] == pytest.approx(by_fault[fault])
        assert verdicts.runner_up[device] == second
        assert verdicts.runner_up_probability[device] == pytest.approx(by_fault[second])
        if fault == NONE:
            assert verdicts.onset[device] == -1
            assert not verdicts.faulty[device].any()
            continue
        # Onsets between the same two usable windows are alike but for rounding: take the first.
        best = max(posterior[fault, k] for k in range(24))
        onset = min(k for k in range(24) if posterior[fault, k] > best * (1 - 1e-9))
        faulty = [hour for hour in usable if hour >= onset and day[hour, NONE] < 0.5]
        assert np.flatnonzero(verdicts.faulty[device]).tolist() == faulty
        assert verdicts.onset[device] == faulty[0]


@pytest.mark.parametrize("fault", range(1, 6))
def test_a_fault_from_an_hour_on_is_found_and_dated(fault):
    hours = {hour: sure_of(NONE) for hour in range(7, 12)} | {hour: sure_of(fault) for hour in range(12, 18)}
    verdicts = combine_windows(day_of(hours))
    assert verdicts.fault.tolist() == [fault]
    assert verdicts.onset.tolist() == [12]
    assert np.flatnonzero(verdicts.faulty[0]).tolist() == list(range(12, 18))
    assert verdicts.confidence[0] > 0.9


def test_a_fault_of_the_whole_day_begins_with_the_first_window_that_can_be_judged():
    """At night nothing tells when it began: midnight would be an invention."""
    verdicts = combine_windows(day_of({hour: sure_of(LINE_LINE) for hour in range(8, 16)}))
    assert verdicts.onset.tolist() == [8]


@pytest.mark.parametrize("p_none", [0.5, 0.6, 0.9])
def test_windows_that_are_all_more_probably_healthy_do_not_add_up_to_a_fault(p_none):
    doubtful = np.where(np.arange(6) == NONE, p_none, (1 - p_none) * (np.arange(6) == PARTIAL_SHADING))
    assert combine_windows(day_of(dict.fromkeys(range(24), doubtful))).fault.tolist() == [NONE]


@pytest.mark.parametrize("seed", range(3))
def test_every_fault_has_a_faulty_window_and_begins_with_it(seed):
    random = np.random.default_rng(seed)
    days = random.dirichlet(np.full(6, 0.5), (2000, 24))
    begun = np.arange(24) >= random.integers(0, 24, (2000, 1))
    truth = np.where(begun, random.integers(0, 6, (2000, 1)), NONE)
    strength = random.uniform(0, 1, (2000, 1, 1))
    days = (1 - strength) * days + strength * np.eye(6)[truth]
    days[random.random((2000, 24)) < 0.5] = np.nan
    verdicts = combine_windows(days)
    faulty = verdicts.fault > 0
    assert 100 < faulty.sum() < 2000
    assert (verdicts.faulty.any(axis=1) == faulty).all()
    assert (verdicts.onset[faulty] == verdicts.faulty[faulty].argmax(axis=1)).all()
    assert np.isfinite(days[verdicts.faulty]).all()


def test_one_wrong_window_does_not_decide_a_day():
    hours = {hour: sure_of(NONE) for hour in range(6, 18)} | {11: sure_of(OPEN_CIRCUIT, 1.0)}
    verdicts = combine_windows(day_of(hours))
    assert verdicts.fault.tolist() == [NONE]
    assert verdicts.onset.tolist() == [-1]


def test_a_network_that_is_wrong_for_certain_leaves_a_number():
    """A probability of exactly zero must not turn into a logarithm of zero."""
    hours = {hour: np.eye(6)[NONE] for hour in range(6, 12)} | {hour: np.eye(6)[OPEN_CIRCUIT] for hour in range(12, 18)}
    verdicts = combine_windows(day_of(hours))
    assert verdicts.fault.tolist() == [OPEN_CIRCUIT]
    assert 0.9 < verdicts.confidence[0] <= 1


def test_shading_may_come_and_go_but_an_open_circuit_stays():
    def every_second(fault):
        return day_of({hour: sure_of(fault if hour % 2 else NONE) for hour in range(6, 18)})

    assert combine_windows(every_second(PARTIAL_SHADING)).fault.tolist() == [PARTIAL_SHADING]
    assert combine_windows(every_second(ARC_FAULT)).fault.tolist() == [ARC_FAULT]
    assert combine_windows(every_second(OPEN_CIRCUIT)).fault.tolist() != [OPEN_CIRCUIT]


def test_a_short_of_either_name_does_not_lose_to_a_third_fault():
    """Nobody can tell the two shorts apart; 30 % and 28 % of them are more than 40 % of an open string."""
    doubtful = np.array([0.01, 0.3, 0.28, 0.4, 0.005, 0.005])
    verdicts = combine_windows(day_of(dict.fromkeys(range(9, 15), doubtful)))
    assert verdicts.fault.tolist() == [LINE_LINE]
    assert verdicts.runner_up.tolist() == [LINE_GROUND]


def test_a_day_without_a_window_is_unknown_and_not_healthy():
    verdicts = combine_windows(np.full((2, 24, 6), np.nan))
    assert verdicts.fault.tolist() == [-1, -1]
    assert verdicts.onset.tolist() == [-1, -1]
    assert np.isnan(verdicts.confidence).all()
    assert verdicts.runner_up.tolist() == [-1, -1]
    assert np.isnan(verdicts.runner_up_probability).all()
    assert not verdicts.faulty.any()


def test_devices_do_not_change_each_other():
    days = np.random.default_rng(0).dirichlet(np.full(6, 0.3), (20, 24))
    together = combine_windows(days)
    for device in range(20):
        alone = combine_windows(days[device : device + 1])
        assert alone.fault[0] == together.fault[device]
        assert alone.onset[0] == together.onset[device]
        assert alone.confidence[0] == together.confidence[device]


def test_no_devices_have_no_verdicts():
    verdicts = combine_windows(np.empty((0, 24, 6)))
    assert verdicts.fault.shape == verdicts.onset.shape == verdicts.confidence.shape == (0,)
    assert verdicts.faulty.shape == (0, 24)


def test_names_stand_where_these_tests_count_on_them():
    assert FAULTS == ("none", "line_line", "line_ground", "open_circuit", "partial_shading", "arc_fault")
