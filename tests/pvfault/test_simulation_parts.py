"""Simulated windows that are kept: read again as long as they are what is asked for."""

from functools import partial

import numpy as np
import pytest

from pvfault.errors import PvfaultError
from pvfault.simulation import parts
from pvfault.simulation.labelling import TRAINING, simulate_windows


@pytest.fixture
def simulate():
    """A simulation that counts how often it is asked."""
    calls = []

    def simulated():
        calls.append(1)
        return windows

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
    monkeypatch.setattr(parts, "_MAKERS", ("windows.py",))
    keep({"devices": 3, "cadences": (20, 60)})
    assert len(calls) == 3


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
    for name in parts.PARTS:
        parts.keep_windows(tmp_path / name, {"devices": 2 if name == "training" else 3}, simulate[1])
    with pytest.raises(PvfaultError, match="materialise training_windows first"):
        parts.kept_devices(tmp_path)
    parts.keep_windows(tmp_path / "training", {"devices": 3}, simulate[1])
    assert parts.kept_devices(tmp_path) == 3
