"""How sure scores are."""

import numpy as np
import pytest
from scipy.stats import binomtest

from pvfault_workshop.evaluation.intervals import count_by_device, estimate_calibration_error, estimate_share
from pvfault_workshop.evaluation.scores import calibration_error


def test_devices_without_a_window_count_as_nothing():
    counts = count_by_device(np.array([0, 2, 2]), np.array([1, 2, 2]), np.array([1, 2, 0]), 4)
    assert counts.sum(axis=(1, 2)).tolist() == [1, 0, 2, 0]
    assert (counts[0, 1, 1], counts[2, 2, 2], counts[2, 2, 0]) == (1, 1, 1)


def test_the_interval_of_a_share_is_that_of_a_binomial_count():
    share = estimate_share(np.arange(400) < 272)
    exact = binomtest(272, 400).proportion_ci(method="wilson")
    assert share.value == 0.68
    assert (share.low, share.high) == pytest.approx(tuple(exact), abs=0.01)


def test_the_calibration_error_of_windows_that_are_alike_is_as_unsure_as_that_of_their_devices():
    rng = np.random.default_rng(5)
    confidence, device = rng.uniform(0.5, 1, 300), np.arange(300)
    probabilities = np.column_stack([confidence, 1 - confidence, *np.zeros((4, 300))])
    truth = (rng.random(300) > confidence - 0.1).astype(int)
    once = estimate_calibration_error(device, probabilities, truth)
    assert once.value == pytest.approx(calibration_error(probabilities, truth))
    assert once.low < once.value < once.high
    often = estimate_calibration_error(*(np.repeat(part, 12, axis=0) for part in (device, probabilities, truth)))
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))
