"""A network is audited before it takes the place of another, and a worse one is kept beside it."""

import re
import shutil
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
from sklearn.metrics import f1_score

from pvfault import lenet
from pvfault.errors import PvfaultError
from pvfault.scores import read_scores, write_scores
from pvfault.tensorflow_start import start_deterministically
from pvfault_workshop import audit
from pvfault_workshop.evaluation.scores import group_shorts
from pvfault_workshop.model_making import put_in_place
from pvfault_workshop.publishing import card_of, version_named
from pvfault_workshop.simulation.labelling import simulate_windows
from pvfault_workshop.simulation.parts import keep_windows
from pvfault_workshop.simulation.splits import TEST
from tests.conftest import PROJECT

RELEASED = PROJECT / "models" / "lenet5.h5"
LEAST = (np.full(6, 0.2), np.full(6, 0.3))
SCORES = {"macro_f1_windows": 0.5}


@pytest.fixture(scope="module")
def test_windows(tmp_path_factory):
    """Windows of some devices, and the path that they are kept under."""
    path = tmp_path_factory.mktemp("windows") / "test"
    return keep_windows(path, {}, lambda: [simulate_windows(TEST, 48, faulty=0.5, twins=False)]), path


@pytest.fixture(scope="module")
def released():
    return lenet.load_network(RELEASED)


@pytest.fixture(scope="module")
def untrained():
    start_deterministically(1)
    return lenet.build_network()


@pytest.fixture
def output(tmp_path):
    return tmp_path / "models" / "lenet5.h5"


def card_for(version):
    return f"# Model card: version {version}\n"


def called(network, windows):
    """What a network calls windows, both shorts as one, by what Keras itself gives."""
    healthy, line, ground, *others = network.predict(windows.images, verbose=0).T
    return np.stack([healthy, line + ground, *others]).argmax(axis=0)


def put(network, output, windows, tell=lambda _line: None):
    put_in_place(network, SCORES, card_for, output, test=windows, least=LEAST, tell=tell)


def test_a_better_network_takes_the_place_of_a_worse_one_and_says_by_how_much(
    test_windows, released, untrained, output
):
    windows, _ = test_windows
    put(untrained, output, windows)
    before, lines = lenet.read_version(output), []
    put(released, output, windows, lines.append)
    assert lenet.read_version(output) != before
    assert version_named(card_of(output)) == lenet.read_version(output)
    assert read_scores(output) == SCORES
    faulty = f1_score(windows.label > 0, called(lenet.load_network(output), windows) > 0)
    (line,) = (line for line in lines if "F1, faulty against healthy, by window" in line)
    assert float(re.search(r"window: ([\d.]+) instead of", line)[1]) == pytest.approx(faulty, abs=6e-4)


def test_a_worse_network_is_kept_beside_the_present_one_and_refused(test_windows, released, untrained, output):
    """One careless `pvfault train --devices 100` must not decide what a plant is told tomorrow."""
    windows, _ = test_windows
    put(released, output, windows)
    present, card = output.read_bytes(), output.with_suffix(".md").read_text()
    with pytest.raises(PvfaultError, match="stays as it is: the new network is worse than it beyond chance") as refused:
        put(untrained, output, windows)
    assert (output.read_bytes(), output.with_suffix(".md").read_text()) == (present, card)
    (kept,) = (path for path in output.parent.glob("*.h5") if path != output)
    assert kept.name == f"lenet5-{lenet.read_version(kept)}.h5"
    assert card_of(kept).read_text() == card_for(lenet.read_version(kept))
    message = str(refused.value)
    assert f"point PVFAULT_MODEL at it, or move {kept.name} to lenet5.h5" in message
    stated = re.search(r"macro-F1, shorts as one, by window: ([\d.]+) instead of ([\d.]+)", message)
    for network, score in zip((untrained, released), stated.groups(), strict=True):
        expected = f1_score(group_shorts(windows.label), called(network, windows), average="macro", zero_division=0)
        assert float(score) == pytest.approx(expected, abs=6e-4)


def test_a_network_that_is_as_good_takes_the_place(test_windows, released, output):
    """Chance must not refuse what makes the same mistakes: other scores in the file are another version."""
    windows, _ = test_windows
    put(released, output, windows)
    before = lenet.read_version(output)
    put_in_place(released, SCORES | {"seed": 2}, card_for, output, test=windows, least=LEAST)
    assert lenet.read_version(output) != before


def test_false_alarms_alone_make_a_network_worse(test_windows, released):
    """A plant's people stop reading a list of healthy devices, whatever the mean of F1 scores says."""
    windows, _ = test_windows
    windows = windows.select(np.arange(len(windows)))
    present = lenet.Classifier(released, "present")

    class Nervous:
        """The same network, but that it calls every window of healthy devices an arc."""

        def predict(self, images):
            answers = present.predict(images).copy()
            faulty = np.isin(windows.device_day, windows.device_day[windows.label > 0])
            answers[~faulty] = [0, 0, 0, 0, 0, 1]
            return answers

    worse = {each.name for each in audit.compare_networks(Nervous(), present, windows) if each.worse}
    assert {"healthy ones called healthy, by window:", "healthy ones called healthy, by device-day:"} <= worse
    assert not any(each.worse for each in audit.compare_networks(present, present, windows))


def test_a_broken_file_in_the_place_is_no_hindrance(test_windows, untrained, output):
    windows, _ = test_windows
    output.parent.mkdir()
    output.write_bytes(b"half of a net")
    lines = []
    put(untrained, output, windows, lines.append)
    assert "no readable HDF5 file" in lines[0]
    assert lenet.load_classifier(output).version == lenet.read_version(output)


def test_a_file_that_holds_another_network_is_not_published(test_windows, released, untrained, output):
    """As a full or failing disk leaves one; the network in memory is right, and nobody will ever see it again."""
    windows, _ = test_windows
    lenet.save_network(untrained, output)
    write_scores(output, SCORES)
    audit.read_back(output, untrained, windows.images)
    with pytest.raises(PvfaultError, match="gives other probabilities than the network"):
        audit.read_back(output, released, windows.images)
    with h5py.File(output, "r+") as file:
        del file.attrs["scores"]
    with pytest.raises(PvfaultError, match="tells no scores"):
        audit.read_back(output, untrained, windows.images)


# Puts the network of a file in the place of another in a process of its own, which kills itself before its n-th rename.
PUT = """
import os, signal, sys
import numpy as np
from pathlib import Path
from pvfault import lenet
from pvfault.scores import read_scores, write_scores
from pvfault_workshop.model_making import put_in_place
from pvfault_workshop.simulation.parts import keep_windows
output, network, windows, fatal = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
test = keep_windows(windows, {}, None)
network = lenet.load_network(network)
renames = 0
def watch(event, arguments):
    global renames
    if event == "os.rename" and str(output.parent) in str(arguments):
        renames += 1
        if renames == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
least = (np.ones(6), np.ones(6))
put_in_place(network, {"new": 1}, lambda version: f"# Card: version {version}\\n", output, test=test, least=least)
"""


@pytest.mark.parametrize("fatal", [1, 2, 3], ids=["while it is written", "before it is published", "in the middle"])
def test_a_killed_training_leaves_a_network_with_its_card(test_windows, tmp_path, fatal):
    """The whole of it, from writing to publishing, with a real network beside a real one."""
    output = tmp_path / "lenet5.h5"
    shutil.copy(RELEASED, output)
    shutil.copy(RELEASED.with_suffix(".md"), output.with_suffix(".md"))
    done = subprocess.run(
        [sys.executable, "-c", PUT, str(output), str(RELEASED), str(test_windows[1]), str(fatal)],
        cwd=PROJECT, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    published = fatal == 3
    assert (output.read_bytes() != RELEASED.read_bytes()) == published
    assert lenet.load_classifier(output).version == version_named(card_of(output))
    assert read_scores(output) == ({"new": 1} if published else read_scores(RELEASED))
