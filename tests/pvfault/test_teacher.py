"""What boosted trees teach the network."""

from dataclasses import replace

import numpy as np
import pytest

from pvfault.faults import FAULTS
from pvfault.simulation.labelled import TRAINING, simulate_windows
from pvfault.teacher import SHARE, teach


@pytest.fixture(scope="module")
def windows():
    return simulate_windows(TRAINING, 24, images=False, thinned=True)


def test_a_device_is_judged_by_trees_that_have_not_seen_it(windows):
    """Its own labels, wrong ones too, change nothing of what the trees take it for."""
    own = windows.device == windows.device[0]
    wrong = replace(windows, label=np.where(own, (windows.label + 1) % len(FAULTS), windows.label))
    first, second = (
        teach(each, seed=1) - (1 - SHARE) * np.eye(len(FAULTS), dtype=np.float32)[each.label]
        for each in (windows, wrong)
    )
    np.testing.assert_allclose(first[own], second[own], atol=1e-6)
    assert not np.allclose(first[~own], second[~own], atol=1e-3)


def test_targets_are_probabilities_that_lean_towards_the_label(windows):
    target = teach(windows, seed=1)
    np.testing.assert_allclose(target.sum(axis=1), 1, atol=1e-5)
    assert (target >= 0).all()
    assert (target[np.arange(len(windows)), windows.label] >= 1 - SHARE - 1e-6).all()
    np.testing.assert_array_equal(target, teach(windows, seed=1))
