"""Simulated windows that are kept: read again as long as they are what is asked for."""

import ast
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from pvfault.errors import PvfaultError
from pvfault_workshop.simulation import parts
from pvfault_workshop.simulation.labelling import FLEET, simulate_windows
from pvfault_workshop.simulation.literature_array import is_reference_size
from pvfault_workshop.simulation.splits import PARTS, TRAINING, plan_part
from tests.conftest import PROJECT


@pytest.fixture
def simulate():
    """A simulation that counts how often it is asked."""
    calls = []

    def simulated():
        calls.append(1)
        return [windows]

    windows = simulate_windows(TRAINING, 2)
    return calls, simulated


def test_windows_are_simulated_once_for_each_thing_that_is_asked_for(simulate, tmp_path, monkeypatch):
    """Neither windows of other devices nor those of older code may be taken for what was asked for."""
    calls, simulated = simulate
    keep = partial(parts.keep_windows, tmp_path / "kept", simulate=simulated)
    first, again = keep({"devices": 2, "cadences": (20, 60)}), keep({"devices": 2, "cadences": (20, 60)})
    assert len(calls) == 1
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, vars(again)[name])
    assert keep({"devices": 2, "cadences": (20, 60)}, images=False).images.shape == (len(first), 0)
    keep({"devices": 3, "cadences": (20, 60)})
    assert len(calls) == 2
    monkeypatch.setattr(parts, "MAKERS", ("pvfault/windows.py",))
    keep({"devices": 3, "cadences": (20, 60)})
    assert len(calls) == 3


def test_all_code_that_windows_are_made_by_is_looked_at():
    """Windows of older code, and a ceiling that was found with it, would pass for those of now; as they did once."""
    made_by, to_read = set(), sorted((PROJECT / "pvfault_workshop" / "simulation").glob("*.py"))
    while to_read:
        path = to_read.pop()
        made_by.add(str(path.relative_to(PROJECT)))
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                module = PROJECT / f"{name.replace('.', '/')}.py"
                if module.is_file() and str(module.relative_to(PROJECT)) not in made_by:
                    to_read.append(module)
    looked_at = {str(path.relative_to(PROJECT)) for pattern in parts.MAKERS for path in PROJECT.glob(pattern)}
    # Sentences of errors, where a file lies, names of columns and versions: none of it is in a window.
    beside = {"pvfault/errors.py", "pvfault/locations.py", "pvfault/tables.py", "pvfault/versions.py"}
    assert made_by - beside == looked_at


def test_images_that_are_still_looked_at_outlive_those_that_take_their_place(tmp_path):
    windows = simulate_windows(TRAINING, 2)
    others = replace(windows, images=255 - windows.images).select(slice(1))
    first = parts.keep_windows(tmp_path / "kept", {"devices": 2}, lambda: [windows])
    second = parts.keep_windows(tmp_path / "kept", {"devices": 3}, lambda: [others])
    np.testing.assert_array_equal(second.images, others.images)
    np.testing.assert_array_equal(first.images, windows.images)


def test_an_interrupted_simulation_leaves_nothing_that_is_taken_for_windows(simulate, tmp_path):
    calls, simulated = simulate

    def interrupted():
        raise KeyboardInterrupt

    parts.keep_windows(tmp_path / "kept", {"devices": 2}, simulated)
    with pytest.raises(KeyboardInterrupt):
        parts.keep_windows(tmp_path / "kept", {"devices": 3}, interrupted)
    parts.keep_windows(tmp_path / "kept", {"devices": 2}, simulated)
    assert len(calls) == 2


def test_a_folder_without_all_parts_holds_no_training_windows(simulate, tmp_path):
    with pytest.raises(PvfaultError, match="materialise training_windows first"):
        parts.kept_devices(tmp_path)
    for name in PARTS:
        parts.keep_windows(tmp_path / name, {"devices": 2 if name == "training" else 3}, simulate[1])
    with pytest.raises(PvfaultError, match="materialise training_windows first"):
        parts.kept_devices(tmp_path)
    parts.keep_windows(tmp_path / "training", {"devices": 3}, simulate[1])
    assert parts.kept_devices(tmp_path) == 3


def test_training_has_fleets_and_more_arrays_of_the_literature_at_sites_of_no_other_part(tmp_path):
    """Each device and device-day has a number of its own, and progress counts all of them."""
    reported = []
    made = parts.prepare_parts(50, tmp_path, images=False, report=lambda *progress: reported.append(progress))
    training = made[TRAINING.name]
    added = training.device >= 50
    # A device of which no hour is left has no window.
    assert len(np.unique(training.device)) > 100
    assert training.device.max() == 109
    for device in np.unique(training.device):
        assert len(np.unique(training.site[training.device == device])) == 1
        assert len(np.unique(training.device_day[training.device == device])) <= 2
    assert is_reference_size(training.modules, training.strings)[added].all()
    assert not is_reference_size(training.modules, training.strings)[~added].all()
    for day in np.unique(training.device_day):
        assert len(np.unique(training.device[training.device_day == day])) == 1
    assert [progress for progress in reported if progress[0] == TRAINING.name][-1] == (TRAINING.name, 110, 110)
    for name in set(made) - {TRAINING.name}:
        assert not set(training.site) & set(made[name].site)


def test_more_training_goes_on_from_the_training_fleets_piece_by_piece_and_after_an_interruption(tmp_path, monkeypatch):
    devices, done = FLEET + 2, []
    fleets, _, options = plan_part(TRAINING.name, devices)[0]
    whole = simulate_windows(fleets, 2 * devices, images=False, **options)
    monkeypatch.setattr(parts, "PIECE", FLEET)
    training = parts.prepare_parts(devices, tmp_path, names=(TRAINING.name,), images=False)[TRAINING.name]
    prepare = partial(parts.prepare_more_training, training, devices, 2, tmp_path, report=done.append)

    def interrupt(count):
        raise KeyboardInterrupt(count)

    with pytest.raises(KeyboardInterrupt):
        prepare(report=interrupt)
    (first,) = tmp_path.glob("*/*.npz")
    assert first.stem == f"from {FLEET:06d}"
    written = first.stat().st_mtime_ns
    found = prepare()
    assert done == [2 * FLEET, 2 * devices]
    assert first.stat().st_mtime_ns == written
    for name, values in vars(whole).items():
        if name != "device_day":
            np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)
    same_day = [np.unique(windows.device_day, return_inverse=True)[1] for windows in (found, whole)]
    np.testing.assert_array_equal(*same_day)
