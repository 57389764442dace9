"""Simulated windows that are kept, because they take longer than what is done with them.

Here: the parts that a network is made with (training, validation, test) and how many devices each has; files of
windows, and whether these are still what would be simulated now. Not here: the windows themselves (`labelled.py`), what
is done with them (`pvfault/model_making.py`, `pvfault/evaluation`).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import pvfault
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.simulation.labelled import LabelledWindows, join_windows
from pvfault.simulation.labelling import (
    FLEET,
    LITERATURE,
    LITERATURE_ARRAYS,
    TEST,
    TRAINED_ARRAYS,
    TRAINED_CADENCES,
    TRAINED_HISTORIES,
    TRAINING,
    UNKNOWN_LAYOUTS,
    VALIDATION,
    Split,
    simulate_windows,
)

LEAST_DEVICES = 48
PIECE = 96 * FLEET  # devices; a minute on two cores
TESTED_DEVICES = 1200
# For every device of the training fleets; see `LITERATURE`.
LITERATURE_SHARE = 0.6
PARTS = (TRAINING.name, VALIDATION.name, TEST.name)
# What windows are made by; whatever else changes, they stay the same.
_MAKERS = (
    "simulation/*.py",
    "hourly_statistics.py",
    "marks.py",
    "readings.py",
    "reference.py",
    "registry.py",
    "scalogram.py",
    "windows.py",
)

Report = Callable[[str, int, int], None]
"""Called with the name of a part, how many devices it has, and how many of them are done."""


def _quietly(_name, _count, _done):
    """Report nothing."""


def literature_devices(devices: int) -> int:
    """How many arrays of the literature are added to the devices of the training fleets."""
    return round(devices * LITERATURE_SHARE)


def plan_part(name: str, devices: int) -> list[tuple[Split, int, dict]]:
    """What a part is simulated of.

    Parameters
    ----------
    name : str
        Of `PARTS`.
    devices : int
        Faulty devices of the fleets for training.

    Returns
    -------
    list of (Split, int, dict)
        Where and when, how many devices, and the options of `simulate_windows`.
    """
    trained = {"cadences": TRAINED_CADENCES, "histories": TRAINED_HISTORIES, "unknown_layouts": UNKNOWN_LAYOUTS}
    thinned = trained | {"thinned": True}
    return {
        TRAINING.name: [
            (TRAINING, devices, thinned | {"arrays": TRAINED_ARRAYS}),
            (LITERATURE, literature_devices(devices), thinned | {"arrays": LITERATURE_ARRAYS}),
        ],
        VALIDATION.name: [(VALIDATION, max(devices // 10, LEAST_DEVICES), trained)],
        # Fewer faulty devices than healthy ones, as in life: false alarms need many healthy days to be counted.
        TEST.name: [
            (TEST, min(max(devices // 4, LEAST_DEVICES), TESTED_DEVICES), {"faulty": 0.5, "twins": False}),
        ],
    }[name]


def prepare_parts(
    devices: int, folder: Path, *, names=PARTS, images=True, workers=1, report: Report = _quietly
) -> dict[str, LabelledWindows]:
    """Parts of the data that a network is made with: those that a folder keeps, or else simulated and kept there.

    Parameters
    ----------
    devices : int
        Faulty devices of the fleets for training.
    folder : Path
        All parts take 2.6 GB for 7,000 devices.
    names : sequence of str
        Of the parts.
    images : bool
        Whether the images, which are most of the bytes, are wanted too.
    workers : int
        Processes.
    report : callable

    Returns
    -------
    dict of str to LabelledWindows
    """
    parts = {}
    for name in names:
        simulate = partial(_simulate_part, name, devices, workers, report)
        parts[name] = keep_windows(folder / name, {"devices": devices}, simulate, images=images)
    return parts


def _simulate_part(name, devices, workers, report):
    """Windows of all that a part is simulated of, with devices and device-days numbered through."""
    plan = plan_part(name, devices)
    total, done, parts = sum(count for _, count, _ in plan), 0, []
    for split, count, options in plan:
        windows = simulate_windows(
            split, count, workers=workers, report=lambda now, before=done: report(name, total, before + now), **options
        )
        # A device has at most two device-days, its own and its twin's.
        parts.append(replace(windows, device=windows.device + done, device_day=windows.device_day + 2 * done))
        done += count
    return join_windows(parts)


def prepare_more_training(
    devices: int, folder: Path, *, workers: int = 1, report: Callable[[int], None] = lambda _done: None
) -> LabelledWindows:
    """Windows of the fleets of many more devices for training, without images, kept piece by piece.

    They take hours, and so that an interruption costs minutes, a folder keeps each `PIECE` of them.

    Parameters
    ----------
    devices : int
        The first of them are those of `prepare_parts`, but for its additional arrays of the literature.
    folder : Path
        10,000 devices take 0.13 GB.
    workers : int
        Processes.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    LabelledWindows
    """
    split, _, options = plan_part(TRAINING.name, devices)[0]
    pieces = []
    for first in range(0, devices, PIECE):
        count = min(PIECE, devices - first)
        simulate = partial(
            simulate_windows, split, count, first_fleet=first // FLEET, images=False, workers=workers, **options
        )
        piece = keep_windows(folder / "more training" / f"from {first:06d}", {"devices": count}, simulate)
        # A device has at most two device-days, its own and its twin's.
        pieces.append(replace(piece, device_day=piece.device_day + 2 * first))
        report(first + count)
    return join_windows(pieces)


def keep_windows(
    path: Path, what: dict, simulate: Callable[[], LabelledWindows], *, images: bool = True
) -> LabelledWindows:
    """Read windows from a file, or simulate them and keep them there.

    Parameters
    ----------
    path : Path
        Without suffix: the windows are in a .npz, what they are in a .json.
    what : dict
        What is asked for, in a form that JSON knows. Windows of something else, or made by other code, are replaced.
    simulate : callable
    images : bool
        Whether images are wanted; they are kept in any case.

    Returns
    -------
    LabelledWindows
    """
    if _content(path) != _described(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        np.savez(path.with_suffix(".npz"), **vars(simulate()))
        # Last: without it there is nothing, also after an interruption.
        path.with_suffix(".json").write_text(json.dumps(_described(what)), encoding="utf-8")
    with np.load(path.with_suffix(".npz")) as file:
        fields = {field: file[field] for field in file.files if images or field != "images"}
    fields.setdefault("images", np.empty((len(fields["label"]), 0), np.uint8))
    return LabelledWindows(**fields)


def kept_devices(folder: Path) -> int:
    """For how many training devices a folder keeps all parts.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    int

    Raises
    ------
    PvfaultError
        If it keeps none, or parts that this version would make otherwise.
    """
    contents = [_content(folder / name) for name in PARTS]
    devices = {content.get("devices") for content in contents}
    if len(devices) != 1 or contents != [_described({"devices": d}) for d in devices for _ in PARTS]:
        raise PvfaultError(f"{folder} holds no training windows of this version; materialise training_windows first")
    return devices.pop()


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


def _content(path):
    """What a file of windows says that it holds; empty if there is none."""
    description = path.with_suffix(".json")
    return json.loads(description.read_text(encoding="utf-8")) if description.is_file() else {}


def _described(what):
    """What is asked for, with the code that makes it."""
    room = Path(pvfault.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _MAKERS for path in room.glob(pattern)):
        digest.update(path.read_bytes())
    return json.loads(json.dumps(what | {"code": digest.hexdigest()}))  # as it is read: tuples become lists
