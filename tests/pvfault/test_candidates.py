"""Sets of candidates: what is in them, how they stand in a column, and that they go where the weights go."""

import shutil

import numpy as np
import pytest

from pvfault.candidates import members, read_candidate_sets, strongest, write_candidate_sets
from pvfault.faults import FAULTS
from pvfault.forward import read_classifier
from pvfault.lenet import load_classifier, read_version
from pvfault.rows.candidates import candidates_column
from tests.conftest import PROJECT

RELEASED = PROJECT / "models" / "lenet5.h5"


def test_a_set_holds_its_name_and_whatever_else_is_probable_enough():
    """One by one, by what the rule says in words."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(6, 0.5), 500)
    fault, least = random.integers(-1, 6, 500), random.random(6) / 3
    found = members(probabilities, fault, least)
    for row in range(500):
        expected = {k for k in range(6) if probabilities[row, k] >= least[k]} | ({int(fault[row])} - {-1})
        assert set(np.flatnonzero(found[row]).tolist()) == expected


def test_what_was_not_judged_has_no_candidates():
    """A set of nothing would say that it is nothing."""
    assert not members(np.full((1, 6), np.nan), np.array([-1]), np.zeros(6)).any()
    column = candidates_column(np.ones((2, 6), bool), np.full((2, 6), 1 / 6), np.array([0, 0]), np.array([False, True]))
    assert column[0].as_py() is None
    assert sorted(column[1].as_py()) == sorted(FAULTS)


def test_the_name_comes_first_and_the_more_probable_before_the_less():
    probabilities = np.array([[0.05, 0.2, 0.3, 0.35, 0.1, 0.0]])
    inside = np.array([[True, True, True, True, False, True]])
    column = candidates_column(inside, probabilities, np.array([2]), np.array([True]))
    assert column[0].as_py() == ["line_ground", "open_circuit", "line_line", "none", "arc_fault"]


def test_a_day_is_as_probable_of_each_class_as_its_most_probable_hour():
    day = np.full((2, 24, 6), np.nan)
    day[0, 9], day[0, 10] = [0.6, 0.1, 0.0, 0.3, 0.0, 0.0], [0.2, 0.2, 0.1, 0.1, 0.4, 0.0]
    np.testing.assert_array_equal(strongest(day)[0], [0.6, 0.2, 0.1, 0.3, 0.4, 0.0])
    assert np.isnan(strongest(day)[1]).all()


@pytest.mark.parametrize("load", [load_classifier, read_classifier], ids=["TensorFlow", "NumPy"])
def test_sets_go_with_the_weights_and_make_them_another_version(tmp_path, load):
    """Verdicts with candidates must be told from those without, by the version that they name."""
    weights = tmp_path / "lenet5.h5"
    shutil.copy(RELEASED, weights)
    windows, days = np.linspace(0, 2, 6), np.full(6, 1 / 3)
    write_candidate_sets(weights, windows, days)
    sets = load(weights).sets
    assert sets.version == read_version(weights) != read_version(RELEASED)
    np.testing.assert_array_equal(sets.windows, windows)
    np.testing.assert_array_equal(sets.days, days)


def test_in_the_sets_of_the_released_network_the_shorts_stand_together():
    """An hour that is as much the one as the other must not come out as a coin's toss."""
    sets = read_candidate_sets(RELEASED)
    coin, named = np.array([[0.02, 0.46, 0.46, 0.02, 0.02, 0.02]]), np.array([FAULTS.index("line_line")])
    for inside in (sets.of_windows(coin, named), sets.of_days(coin, named)):
        assert {"line_line", "line_ground"} <= {FAULTS[k] for k in np.flatnonzero(inside[0])}
