"""Sets of candidates hold the truth as often as they say: draws whose law is known, and textbook quantiles."""

import math

import numpy as np
import pytest

from pvfault.candidates import members, read_candidate_sets
from pvfault.lenet import load_classifier, read_version
from pvfault.scores import read_scores
from pvfault_workshop.candidates import BY_NAME, least_probabilities, put_candidates
from pvfault_workshop.evaluation.candidate_sets import FAULTY, score_sets
from pvfault_workshop.publishing import card_of, version_named
from tests.conftest import PROJECT

RELEASED = PROJECT / "models" / "lenet5.h5"


def devices_of(random, n_devices, most_windows):
    """Windows of devices of which some are harder than others: probabilities, names, truth and device."""
    counts = random.integers(1, most_windows + 1, n_devices)
    device = np.repeat(np.arange(n_devices), counts)
    truth = random.integers(1, 6, n_devices)[device]
    hardness = random.normal(size=n_devices)[device] + random.normal(size=len(device))
    logits = random.normal(size=(len(device), 6))
    logits[np.arange(len(device)), truth] += 1.0 - hardness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, probabilities.argmax(axis=1), truth, device


def test_one_window_a_device_gives_the_quantile_of_the_textbook():
    """Of K devices of a class, the ceil(0.9 (K + 1))-th from the top.

    A. N. Angelopoulos and S. Bates, "Conformal prediction: a gentle introduction", 2023, section 1.
    """
    probabilities, _, truth, device = devices_of(np.random.default_rng(1), 700, 1)
    named_healthy = np.zeros_like(truth)  # so that the name covers nothing
    found = least_probabilities(probabilities, named_healthy, truth, device)
    for position in range(1, 6):
        own = np.sort(probabilities[truth == position, position])[::-1]
        assert found[position] == own[math.ceil((len(own) + 1) * 0.9) - 1]


def test_a_class_of_too_few_devices_is_in_every_set_and_one_that_is_always_named_only_by_name():
    """Eight devices cannot vouch for nine tenths."""
    probabilities, fault, truth, device = devices_of(np.random.default_rng(2), 8, 3)
    assert (least_probabilities(probabilities, np.zeros_like(fault), truth, device) == 0).all()
    always = least_probabilities(np.full((40, 6), 1 / 6), np.full(40, 3), np.full(40, 3), np.arange(40))
    assert always[3] == BY_NAME


def test_new_devices_are_covered_as_often_as_is_asked_for_and_hardly_more_often():
    """Of exchangeable devices the law is known: 0.9 of the draws or more, by the weight of a device or two at most."""
    random, covered = np.random.default_rng(3), []
    for _ in range(300):
        probabilities, _, truth, device = devices_of(random, 400, 20)
        fault, known = np.zeros_like(truth), device < 300
        least = least_probabilities(*(each[known] for each in (probabilities, fault, truth, device)))
        inside = members(probabilities, fault, least)[np.arange(len(truth)), truth]
        new = np.flatnonzero(~known)
        covered.append(inside[new[np.unique(device[new], return_index=True)[1]]].mean())
    error = np.std(covered) / math.sqrt(len(covered))
    assert 0.9 - 3 * error < np.mean(covered) < 0.9 + 2 / 60 + 3 * error  # 60 known devices a class


def test_a_device_with_many_windows_weighs_as_one():
    """Or one that is always in the light would speak for a fleet."""
    probabilities, fault, truth, device = devices_of(np.random.default_rng(4), 300, 1)
    repeated = np.append(np.arange(300), np.full(5000, np.flatnonzero(truth == 2)[0]))
    once = least_probabilities(probabilities, fault, truth, device)
    often = least_probabilities(*(each[repeated] for each in (probabilities, fault, truth, device)))
    np.testing.assert_array_equal(once, often)


def test_scores_are_counted_by_hand():
    inside = np.array([[1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]], bool)
    scores = {
        s.name: s for s in score_sets(inside, np.array([0, 2, 1, 0]), np.array([0, 1, 2, 3]), np.array([7, 8, 9, 9]))
    }
    faulty = scores[FAULTY]
    assert (faulty.n, faulty.coverage.value, faulty.by_device) == (3, pytest.approx(1 / 3), 1 / 2)
    assert (faulty.size, faulty.circuits) == (pytest.approx(5 / 3), pytest.approx(4 / 3))
    assert (faulty.named, faulty.named_group) == (0, pytest.approx(2 / 3))
    assert scores["line_line"].coverage.value == 1
    assert "arc_fault" not in scores


def test_weights_that_are_there_get_sets_and_stay_the_same_network(tmp_path):
    weights = tmp_path / "lenet5.h5"
    weights.write_bytes(RELEASED.read_bytes())
    before = read_version(weights)
    weights.with_suffix(".md").write_text(f"# Card, version {before}\n\n## Evaluation\n\nOf version {before}.\n")
    least, truth = (np.linspace(0.1, 0.6, 6), np.full(6, 0.5)), np.arange(6)
    scores = {"windows": score_sets(np.eye(6, dtype=bool), truth, truth, truth)}
    version = put_candidates(weights, least, scores)
    assert version == read_version(weights) == version_named(card_of(weights)) != before
    card = card_of(weights).read_text()
    assert f"Of version {version}." in card
    assert "| faulty | 5 | 1.000 (1.000 to 1.000) | 1.000 | 1.00 | 1.00 |" in card
    np.testing.assert_array_equal(read_candidate_sets(weights).windows, least[0])
    assert read_scores(weights) == read_scores(RELEASED)
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 4), np.uint8)
    np.testing.assert_array_equal(load_classifier(weights).predict(images), load_classifier(RELEASED).predict(images))
    put_candidates(weights, least, scores)
    assert card_of(weights).read_text().count("| sets of windows |") == 1, "in the place of the first ones"
