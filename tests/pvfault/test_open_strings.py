"""Hours that show open strings, made from an array whose current is counted by hand."""

import numpy as np
import pytest

from pvfault import reference, scalogram
from pvfault.faults import FAULTS
from pvfault.open_strings import SHARES, shows_open_strings, weigh_in
from pvfault.windows import SLOTS

RATINGS = np.array([[600.0, 40.0]])
HOUR = 11
NOON = 12.0


def shown(current=1.0, voltage=1.0, strings=4.0):
    """Whether an hour shows open strings whose current and voltage are these shares of a healthy array's."""
    references = reference.typical_references(RATINGS)
    references[:, -1] = NOON
    light = 800 + 20 * np.sin(np.arange(SLOTS) / 9)
    conditions = np.full(SLOTS, 45.0), light
    clock = HOUR + np.arange(SLOTS) / SLOTS
    healthy = reference.expect(references, *(each[None] for each in (*conditions, clock)))
    values = np.stack([voltage * healthy[0][0], current * healthy[1][0], *conditions], axis=-1)[None]
    means = np.full((1, 24, 4), np.nan)
    means[0, HOUR] = values[0].mean(axis=0)
    before = np.full((1, len(reference.HISTORY), 2), np.nan)
    owner, hour = np.array([0]), np.array([HOUR])
    layout = np.array([[12.0, strings]])
    background = reference.background_of(owner, hour, means, before, references, RATINGS, layout)
    return bool(shows_open_strings(scalogram.known_of(values, owner, hour, background)[-1])[0])


@pytest.mark.parametrize(("lost", "strings"), [(1, 2), (1, 3), (2, 3), (1, 4), (3, 8), (3, 12)])
def test_a_whole_number_of_strings_that_is_missing_is_shown(lost, strings):
    assert shown(current=1 - lost / strings, strings=strings)
    assert shown(current=1 - lost / strings, voltage=1.01, strings=strings)


@pytest.mark.parametrize(
    "hour",
    [
        {},
        {"current": 0.6},  # 1.6 of four strings: a shadow
        {"current": 0.75, "voltage": 1.04},  # the inverter limits, or a shadow
        {"current": 0.75, "voltage": 0.9},  # a module as well
        {"current": 0.0},  # all of them: the array, or its inverter
        {"current": 7 / 8, "strings": 8},  # a sensor that sees more light than the array
        {"current": 0.75, "strings": np.nan},  # nobody knows how many there are
        {"current": 0.75 + 0.2 * np.sin(np.arange(SLOTS) / 3)},  # a loose contact
    ],
)
def test_what_may_be_something_else_is_not_shown(hour):
    assert not shown(**hour)


def test_whether_anything_is_wrong_stays_the_networks_answer():
    rng = np.random.default_rng(1)
    answers = rng.dirichlet(np.ones(len(FAULTS)), 50).astype(np.float32)
    is_shown = np.arange(50) % 2 == 0
    combined = weigh_in(answers, is_shown)
    np.testing.assert_array_equal(combined[~is_shown], answers[~is_shown])
    np.testing.assert_array_equal(combined[:, 0], answers[:, 0])
    np.testing.assert_allclose(combined.sum(axis=1), 1, atol=1e-6)
    assert combined.dtype == answers.dtype
    np.testing.assert_allclose(weigh_in(answers, is_shown, weight=0.0), answers, atol=1e-7)
    assert abs(SHARES.sum() - 1) < 1e-9
