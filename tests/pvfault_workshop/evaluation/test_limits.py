"""What limits the scores, from windows of which everything is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from pvfault_workshop.evaluation.comparison import Answers
from pvfault_workshop.evaluation.limits import LEAST_EFFECTS, find_limits, overlap
from pvfault_workshop.simulation.surroundings import DEVIATIONS


def some_windows():
    """Twenty healthy hours, off by 0 to 19 %, and ten of an open circuit that change 2, 4, … 20 %."""
    deviations = np.zeros((30, len(DEVIATIONS)), np.float32)
    off = np.concatenate([np.arange(20) / 100, np.full(10, 0.5)])
    deviations[:, DEVIATIONS.index("voltage_mean")] = -off / 2
    deviations[:, DEVIATIONS.index("current_mean")] = off / 2
    label = np.repeat([0, 3], [20, 10])
    effect = np.concatenate([np.zeros(20), np.arange(2, 21, 2) / 100])
    return SimpleNamespace(deviations=deviations, label=label, effect=effect)


def test_the_overlap_is_what_faults_change_less_than_healthy_hours_are_off():
    usual, hidden = overlap(some_windows())
    assert usual == pytest.approx(np.quantile(np.arange(20) / 100, 0.95), abs=1e-6)
    assert hidden == 0.9  # 2 to 18 %, of which 20 % is the tenth


def test_faults_that_change_little_are_left_out_and_large_arrays_stand_alone():
    """A judge that sees 10 % and more is right about these, and finds half of the faults in arrays of one string."""
    windows = some_windows()
    found = np.where(windows.effect >= 0.1, 3, 0)
    days = SimpleNamespace(
        strings=np.array([1, 1, 8, 5]), truth=np.array([3, 3, 3, 0]), severity=np.full(4, 0.5),
        onset=np.array([8.0, 8.0, 8.0, np.nan]), lit=np.ones((4, 24), bool),
    )  # fmt: skip
    fleet = SimpleNamespace(windows=windows, days=days, answers=[Answers("model", np.eye(6)[found], None)])
    limits = find_limits(fleet, {"model": np.array([1.0, 5.0, np.inf])})
    by_effect = {least: (n, *scores["model"]) for least, n, scores in limits.by_least_effect}
    assert list(by_effect) == list(LEAST_EFFECTS)
    assert by_effect[0.02] == (10, pytest.approx(2 * 6 / (2 * 6 + 4)), pytest.approx((20 / 22 + 0.75) / 2))
    assert by_effect[0.1] == (6, 1.0, 1.0)
    assert limits.soon_by_strings == [("1", 2, {"model": 0.5}), ("7 to 12", 1, {"model": 0.0})]
