"""Counts by device, which intervals are drawn from."""

import numpy as np

from pvfault.evaluation.intervals import count_by_device


def test_devices_without_a_window_count_as_nothing():
    counts = count_by_device(np.array([0, 2, 2]), np.array([1, 2, 2]), np.array([1, 2, 0]), 4)
    assert counts.sum(axis=(1, 2)).tolist() == [1, 0, 2, 0]
    assert (counts[0, 1, 1], counts[2, 2, 2], counts[2, 2, 0]) == (1, 1, 1)
