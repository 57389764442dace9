"""The baselines and the ceiling."""

from dataclasses import replace

import numpy as np
import pytest

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.hourly_statistics import STATISTICS
from pvfault_workshop.evaluation.contenders import (
    IMAGE_BOOSTING,
    STRONG_BOOSTING,
    day_features,
    find_temperature,
    fit_boosting,
    fit_rule,
    fit_strong,
    grouped_macro_f1,
    image_features,
    soften,
)
from pvfault_workshop.simulation.labelling import simulate_windows
from pvfault_workshop.simulation.splits import TRAINING


@pytest.fixture(scope="module")
def windows():
    return simulate_windows(TRAINING, 48, images=False)


def test_the_rule_names_what_falls_short(windows):
    """Power, current and voltage of made-up hours at 800 W/m² and 25 °C."""
    judge = fit_rule(windows)
    made_up = windows.select(np.arange(5))
    statistics = np.zeros_like(made_up.statistics)
    for name, values in {
        "irradiance_mean": [0.8] * 5,
        "temperature_mean": [25.0] * 5,
        "current_mean": [0.8, 0.4, 0.8, 0.4, 0.0],
        "voltage_mean": [1.0, 1.0, 0.5, 0.5, 1.2],
    }.items():
        statistics[:, STATISTICS.index(name)] = values
    power = statistics[:, STATISTICS.index("current_mean")] * statistics[:, STATISTICS.index("voltage_mean")]
    statistics[:, STATISTICS.index("power_mean")] = power
    found = judge(replace(made_up, statistics=statistics)).argmax(axis=1)
    named = ["none", "open_circuit", "line_line", "partial_shading", "open_circuit"]
    assert [FAULTS[fault] for fault in found] == named


def test_boosting_and_ceiling_learn_what_they_are_shown(windows):
    """On their own windows they must be nearly right, and their probabilities must be probabilities."""
    boosting = fit_boosting(windows, windows, seed=1)(windows)
    scores, judges = fit_strong(windows, windows, seed=1)
    ceiling = {name: judge(windows) for name, judge in judges.items()}
    assert scores == {name: grouped_macro_f1(found, windows.label) for name, found in ceiling.items()}
    for probabilities in (boosting, ceiling[STRONG_BOOSTING], ceiling[IMAGE_BOOSTING]):
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert grouped_macro_f1(probabilities, windows.label) > 0.95


def test_an_image_shows_no_later_hour_and_no_neighbour(windows):
    """Columns of `day_statistics`: the hour before, the hours before, the whole day and its range."""
    later = windows.day_statistics.copy()
    later[:, later.shape[1] // 2 :] += 1
    other = replace(windows, day_statistics=later, neighbours=windows.neighbours + 1)
    np.testing.assert_array_equal(image_features(other), image_features(windows))
    assert (day_features(other) != day_features(windows)).any()


def test_a_training_set_without_a_class_is_refused(windows):
    without = windows.select(windows.label != FAULTS.index("arc_fault"))
    for fit in (fit_boosting, fit_strong):
        with pytest.raises(PvfaultError, match="none of them arc_fault; simulate more devices"):
            fit(without, windows, seed=1)


def test_the_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    honest = rng.dirichlet(np.ones(6), 20_000)
    label = (honest.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    overconfident = soften(honest, 0.5)
    assert find_temperature(overconfident, label) == pytest.approx(2, rel=0.05)
