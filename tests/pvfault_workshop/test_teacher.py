"""What boosted trees teach the network."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from pvfault.faults import FAULTS
from pvfault_workshop.evaluation.contenders import day_features
from pvfault_workshop.simulation.labelling import simulate_windows
from pvfault_workshop.simulation.splits import TRAINING
from pvfault_workshop.teacher import SHARE, rank_statistics, teach


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


def test_an_array_of_the_literature_is_taught_by_its_labels_alone(windows):
    literature = windows.device < 4
    mixed = replace(
        windows, modules=np.where(literature, 5, windows.modules + 6), strings=np.where(literature, 3, windows.strings)
    )
    target, labels = teach(mixed, seed=1), np.eye(len(FAULTS))[windows.label]
    np.testing.assert_array_equal(target[literature], labels[literature])
    assert (target[~literature].max(axis=1) < 1).all()


def test_statistics_are_told_by_their_ranks(windows):
    """Of a statistic without ties: the quantile of the normal distribution at its rank."""
    ranks, features = rank_statistics(windows), day_features(windows)
    assert ranks.shape == features.shape
    assert np.isfinite(ranks).all()
    column = np.argmax([len(np.unique(values)) if np.isfinite(values).all() else 0 for values in features.T])
    share = (rankdata(features[:, column]) - 1) / (len(windows) - 1)
    np.testing.assert_allclose(ranks[:, column], np.clip(norm.ppf(share), -3, 3), atol=0.02)
    unknown = np.isnan(features)
    assert unknown.any()
    for ranks_of_one, unknown_of_one in zip(ranks.T, unknown.T, strict=True):
        assert len(np.unique(ranks_of_one[unknown_of_one])) <= 1
