"""Scores in columns, and their intervals."""

import numpy as np
import pytest
from sklearn import metrics

from pvfault.faults import FAULTS
from pvfault_workshop.evaluation.comparison import (
    FOUND,
    GROUPED,
    SIX,
    compare,
    compare_sets,
    confused_pairs,
)
from pvfault_workshop.evaluation.scores import group_shorts


@pytest.fixture
def answers():
    """Windows of 200 devices, right three times out of four."""
    rng = np.random.default_rng(0)
    device = np.repeat(np.arange(200), 5)
    truth = np.repeat(rng.integers(0, 6, 200), 5)
    found = np.where(rng.random(1000) < 0.75, truth, rng.integers(0, 6, 1000))
    return device, truth, found


def test_scores_are_those_of_scikit_learn(answers):
    device, truth, found = answers
    column = compare("all", "all", "windows", device, truth, {"model": found})
    expected = {
        SIX.name: metrics.f1_score(truth, found, average="macro"),
        GROUPED.name: metrics.f1_score(group_shorts(truth), group_shorts(found), average="macro"),
        FOUND.name: metrics.f1_score(truth > 0, found > 0),
    }
    for metric, value in expected.items():
        estimate = column.scores[metric]["model"]
        assert estimate.value == pytest.approx(value)
        assert estimate.low < value < estimate.high


def test_an_interval_is_over_devices_and_not_over_windows(answers):
    """Hours of one device are alike: counting each of them ten times must not make a score surer."""
    device, truth, found = answers

    def width(*windows):
        estimate = compare("all", "all", "windows", *windows[:2], {"model": windows[2]}).scores[SIX.name]["model"]
        return estimate.high - estimate.low

    once = width(device, truth, found)
    assert width(*(np.repeat(values, 10) for values in answers)) == pytest.approx(once)
    four_times = width(np.concatenate([device + 200 * k for k in range(4)]), np.tile(truth, 4), np.tile(found, 4))
    assert four_times == pytest.approx(once / 2, rel=0.15)


def test_a_difference_is_surer_than_the_scores_it_is_of(answers):
    """Both judges see the same devices, so what is hard for both cancels out."""
    device, truth, found = answers
    better = np.where(np.arange(1000) % 10 == 0, truth, found)
    column = compare("all", "all", "windows", device, truth, {"model": found, "other": better})
    difference = column.differences[SIX.name]["other"]
    scores = column.scores[SIX.name]
    assert difference.value == pytest.approx(scores["model"].value - scores["other"].value)
    assert difference.high < 0
    assert difference.high - difference.low < 0.7 * (scores["model"].high - scores["model"].low)


def test_a_class_that_is_not_there_is_not_averaged():
    device, truth = np.arange(40), np.repeat([0, FAULTS.index("open_circuit")], 20)
    column = compare("severity", "some", "windows", device, truth, {"model": truth})
    assert column.scores[GROUPED.name]["model"].value == 1


def test_the_same_devices_read_less_often_are_compared_device_by_device(answers):
    device, truth, found = answers
    score, gain = compare_sets(SIX, [(device, truth, found), (device, truth, found)], 200)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)
    assert score.value == pytest.approx(metrics.f1_score(truth, found, average="macro"))


def test_confused_pairs_are_ordered_by_how_often_they_carry_each_others_name():
    confusion = np.diag([100] * 6)
    confusion[1, 2], confusion[2, 1], confusion[0, 5] = 100, 100, 50
    (first, second, share), (third, fourth, less), *_ = confused_pairs(confusion)
    assert (first, second, share) == ("line_line", "line_ground", 0.5)
    assert (third, fourth, less) == ("none", "arc_fault", pytest.approx(1 / 6))
