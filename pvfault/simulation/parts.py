"""The parts that a network is made with: training, validation and test windows, simulated once and kept.

Here: how many devices each part has, the files that parts are kept in, and whether these are still what would be
simulated now. Not here: the windows themselves (`labelled.py`), what is done with them (`pvfault/model_making.py`,
`pvfault/evaluation`).
"""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import pvfault
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.simulation.labelled import TEST, TRAINING, VALIDATION, LabelledWindows, simulate_windows

LEAST_DEVICES = 48
PARTS = {split.name: split for split in (TRAINING, VALIDATION, TEST)}
# What the windows are made by; whatever else changes, they stay the same.
_MAKERS = ("simulation/*.py", "hourly_statistics.py", "readings.py", "reference.py", "scalogram.py", "windows.py")
_CONTENT = "content.json"

Report = Callable[[str, int, int], None]
"""Called with the name of a part, how many devices it has, and how many of them are done."""


def _quietly(_name, _count, _done):
    """Report nothing."""


def plan_part(name: str, devices: int) -> tuple[int, dict]:
    """How many devices a part has, and how they are simulated.

    Parameters
    ----------
    name : str
        Of `PARTS`.
    devices : int
        Faulty devices for training.

    Returns
    -------
    int
    dict
        Options of `simulate_windows`.
    """
    return {
        TRAINING.name: (devices, {"thinned": True}),
        VALIDATION.name: (max(devices // 10, LEAST_DEVICES), {}),
        # Fewer faulty devices than healthy ones, as in life: false alarms need many healthy days to be counted.
        TEST.name: (max(devices // 4, LEAST_DEVICES), {"faulty": 0.5, "twins": False}),
    }[name]


def simulate_part(name: str, devices: int, *, images=True, workers=1, report: Report = _quietly) -> LabelledWindows:
    """Simulate one part.

    Parameters
    ----------
    name : str
        Of `PARTS`.
    devices : int
        Faulty devices for training.
    images : bool
    workers : int
    report : callable

    Returns
    -------
    LabelledWindows
    """
    count, options = plan_part(name, devices)
    return simulate_windows(
        PARTS[name], count, images=images, workers=workers, report=partial(report, name, count), **options
    )


def prepare_parts(devices: int, folder: Path, *, workers=1, report: Report = _quietly) -> dict[str, LabelledWindows]:
    """Read the parts that a folder keeps; if these are others, simulate them and keep them there.

    Parameters
    ----------
    devices : int
        Faulty devices for training.
    folder : Path
        2 GB for 7,000 devices.
    workers : int
    report : callable

    Returns
    -------
    dict of str to LabelledWindows
        By name of the part.
    """
    if kept_devices(folder) != devices:
        simulate_parts(devices, folder, workers=workers, report=report)
    return read_parts(folder)


def simulate_parts(devices: int, folder: Path, *, workers=1, report: Report = _quietly) -> None:
    """Simulate all parts, and keep them in a folder.

    Parameters
    ----------
    devices : int
        Faulty devices for training.
    folder : Path
    workers : int
    report : callable
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _CONTENT).unlink(missing_ok=True)
    for name in PARTS:
        windows = simulate_part(name, devices, workers=workers, report=report)
        np.savez(folder / f"{name}.npz", **vars(windows))
    # Last: without it, the folder holds nothing.
    (folder / _CONTENT).write_text(json.dumps(_content(devices)))


def read_parts(folder: Path, *, images=True) -> dict[str, LabelledWindows]:
    """Read the parts that a folder keeps.

    Parameters
    ----------
    folder : Path
    images : bool
        Whether the images, which are most of the bytes, are read too.

    Returns
    -------
    dict of str to LabelledWindows

    Raises
    ------
    PvfaultError
        If the folder does not hold them.
    """
    if kept_devices(folder) is None:
        raise PvfaultError(f"{folder} holds no training windows of this version; materialise training_windows first")
    parts = {}
    for name in PARTS:
        with np.load(folder / f"{name}.npz") as file:
            fields = {field: file[field] for field in file.files if images or field != "images"}
        fields.setdefault("images", np.empty((len(fields["label"]), 0), np.uint8))
        parts[name] = LabelledWindows(**fields)
    return parts


def kept_devices(folder: Path) -> int | None:
    """For how many training devices a folder keeps parts as this version makes them; None if it does not."""
    path = folder / _CONTENT
    if not path.is_file():
        return None
    content = json.loads(path.read_text())
    return content["devices"] if content == _content(content["devices"]) else None


def name_parts(parts: dict[str, LabelledWindows]) -> str:
    """Name parts by what they hold: the first 12 hexadecimal digits of a SHA-256 of images and labels."""
    digest = hashlib.sha256()
    for windows in parts.values():
        digest.update(np.ascontiguousarray(windows.images))
        digest.update(np.ascontiguousarray(windows.label))
    return digest.hexdigest()[:12]


def count_windows(parts: dict[str, LabelledWindows]) -> list[dict]:
    """Count the windows of each fault in each part: one row a part, for people."""
    return [
        {"part": name, "device_days": len(np.unique(windows.device_day))}
        | dict(zip(FAULTS, np.bincount(windows.label, minlength=len(FAULTS)).tolist(), strict=True))
        for name, windows in parts.items()
    ]


def _content(devices):
    """What a folder keeps: how much, and by which code it was made."""
    room = Path(pvfault.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _MAKERS for path in room.glob(pattern)):
        digest.update(path.read_bytes())
    return {"devices": devices, "code": digest.hexdigest()}
