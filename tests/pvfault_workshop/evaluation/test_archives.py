"""Simulated days as archives keep them, and what the network that is shipped makes of them."""

import numpy as np
import pytest

from pvfault.lenet import load_classifier
from pvfault.readings import MEASUREMENTS
from pvfault_workshop.evaluation.archives import MEANS, as_means, measure_means, simulate_archives
from pvfault_workshop.evaluation.comparison import FOUND
from pvfault_workshop.evaluation.plan import MODEL
from pvfault_workshop.simulation.splits import TEST
from tests.pvfault_cli.test_main import PROJECT


@pytest.fixture(scope="module")
def archive():
    (archive,) = simulate_archives(24, TEST)
    return archive


def test_means_are_those_that_pandas_finds(archive):
    table = archive.readings.to_pandas().set_index("timestamp")
    expected = table.groupby("deviceID")[list(MEASUREMENTS)].resample("15min").mean().dropna().reset_index()
    found = as_means(archive.readings, 900).to_pandas()
    assert found[["deviceID", "timestamp"]].equals(expected[["deviceID", "timestamp"]].astype(found.dtypes[:2]))
    np.testing.assert_allclose(found[list(MEASUREMENTS)], expected[list(MEASUREMENTS)], rtol=1e-4, atol=1e-3)


def test_the_truth_of_each_hour_is_of_the_fault_of_its_device(archive):
    """Half of the devices are faulty; of a fault that begins in the afternoon, the morning is healthy."""
    labels = archive.labels.to_pandas()
    by_device = labels.groupby("deviceID")["fault"].agg(set)
    assert len(labels) == 24 * 24
    assert all(len(faults - {"none"}) <= 1 for faults in by_device)
    assert 8 <= sum(faults != {"none"} for faults in by_device) <= 12
    assert labels["mean_irradiance"].between(0, 1500).all()


def test_quarter_hours_are_judged_and_lose_the_arcs(archive):
    done = []
    found = {each.name: each for each in measure_means(
        load_classifier(PROJECT / "models" / "lenet5.h5"), 96, report=done.append)}  # fmt: skip
    assert done == [24, 48, 72, 96]
    assert list(found) == list(MEANS)
    quick, slow = found["readings every 20 s"], found["means of 15 min"]
    assert slow.unjudged_days == quick.unjudged_days
    assert slow.windows.n >= 0.99 * quick.windows.n
    # Whether anything is wrong holds up, and no healthy day is called faulty for the want of readings.
    assert slow.windows.scores[FOUND.name][MODEL].value > 0.8
    assert slow.false_alarms.count <= quick.false_alarms.count + 1
    arcs = [each.windows.scores["arc_fault"][MODEL].value for each in (quick, slow)]
    assert arcs[1] < 0.5 < arcs[0]
