"""Simulated windows that are kept, because they take longer than what is done with them.

Here: files of windows, and whether these are still what would be simulated now. Not here: which parts there are and
what they are simulated of (`splits.py`), the windows themselves (`labelled.py`), what is done with them
(`pvfault_workshop/model_making.py`, `pvfault_workshop/evaluation`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

import pvfault
from pvfault import scalogram
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault_workshop.simulation.labelled import LabelledWindows, join_windows
from pvfault_workshop.simulation.labelling import FLEET, simulate_fleets
from pvfault_workshop.simulation.splits import PARTS, TRAINING, plan_part

PIECE = 96 * FLEET  # devices; a minute on two cores
# What windows are made by; whatever else changes, they stay the same.
MAKERS = (
    "pvfault/dates.py",
    "pvfault/device_names.py",
    "pvfault/expected_power.py",
    "pvfault/faults.py",
    "pvfault/hourly_statistics.py",
    "pvfault/marks.py",
    "pvfault/readings.py",
    "pvfault/reference.py",
    "pvfault/registry.py",
    "pvfault/scalogram.py",
    "pvfault/windows.py",
    "pvfault_workshop/simulation/*.py",
)

Report = Callable[[str, int, int], None]
"""Called with the name of a part, how many devices it has, and how many of them are done."""


def _quietly(_name, _count, _done):
    """Report nothing."""


def prepare_parts(
    devices: int, folder: Path, *, names=PARTS, images=True, workers=1, report: Report = _quietly
) -> dict[str, LabelledWindows]:
    """Parts of the data that a network is made with: those that a folder keeps, or else simulated and kept there.

    Parameters
    ----------
    devices : int
        Faulty devices of the fleets for training.
    folder : Path
        All parts take 10.7 GB for 20,480 devices.
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
    """Fleets of all that a part is simulated of, with devices and device-days numbered through."""
    plan = plan_part(name, devices)
    total, before = sum(count for _, count, _ in plan), 0
    for split, count, options in plan:
        tell = partial(_tell, report, name, total, before)
        for fleet in simulate_fleets(split, count, workers=workers, report=tell, **options):
            # A device has at most two device-days, its own and its twin's.
            yield replace(fleet, device=fleet.device + before, device_day=fleet.device_day + 2 * before)
        before += count


def _tell(report, name, total, before, done):
    """Report the devices of a part that are done."""
    report(name, total, before + done)


def prepare_more_training(
    training: LabelledWindows, devices: int, times: int, folder: Path, *, workers: int = 1,
    report: Callable[[int], None] = lambda _done: None,
) -> LabelledWindows:  # fmt: skip
    """Windows of the fleets of many more devices for training, without images, kept piece by piece.

    They take hours, and so that an interruption costs minutes, a folder keeps each `PIECE` of them.

    Parameters
    ----------
    training : LabelledWindows
        The training part of `prepare_parts`. Its fleets, without the additional arrays of the literature, are the first
        here, and not simulated again.
    devices : int
        Of these fleets.
    times : int
        How many times as many devices are wanted.
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
    begun = devices // FLEET * FLEET  # whole fleets; a smaller one would be another fleet
    known = training.select(training.device < begun)
    pieces = [replace(known, marks=np.empty((len(known), 0), np.float32))]
    for first in range(begun, devices * times, PIECE):
        count = min(PIECE, devices * times - first)
        simulate = partial(
            simulate_fleets, split, count, first_fleet=first // FLEET, images=False, workers=workers, **options
        )
        path = folder / "more training" / f"from {first:06d}"
        piece = keep_windows(path, {"devices": count}, simulate, images=False)
        # A device has at most two device-days, its own and its twin's.
        pieces.append(replace(piece, device_day=piece.device_day + 2 * first))
        report(first + count)
    return join_windows(pieces)


def keep_windows(
    path: Path, what: dict, simulate: Callable[[], Iterable[LabelledWindows]], *, images: bool = True
) -> LabelledWindows:
    """Read windows from files, or simulate them and keep them there.

    Parameters
    ----------
    path : Path
        Without suffix: images are in a .images, byte after byte, the rest of the windows in a .npz, what they are in a
        .json.
    what : dict
        What is asked for, in a form that JSON knows. Windows of something else, or made by other code, are replaced.
    simulate : callable
        Returns the windows fleet by fleet; no more images than these are held in memory at once.
    images : bool
        Whether images are wanted; they are kept in any case.

    Returns
    -------
    LabelledWindows
        Images are read from the disk when they are looked at.
    """
    if _content(path) != _described(what):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        _write(path, simulate())
        # Last: without it there is nothing, also after an interruption.
        path.with_suffix(".json").write_text(json.dumps(_described(what)), encoding="utf-8")
    return _read(path, images)


def _write(path, fleets):
    """Write windows, each fleet's images as soon as they are there."""
    rest, pixels = [], path.with_suffix(".images")
    # Whoever still looks at the images of before keeps them: a file that is mapped must not be cut short.
    pixels.unlink(missing_ok=True)
    with pixels.open("wb") as file:
        for windows in fleets:
            file.write(np.ascontiguousarray(windows.images))
            rest.append(windows.without_images())
    np.savez(path.with_suffix(".npz"), **vars(join_windows(rest)))


def _read(path, images):
    """Windows as `_write` wrote them."""
    with np.load(path.with_suffix(".npz")) as file:
        windows = LabelledWindows(**file)
    if not images:
        return windows
    shape = (len(windows), *scalogram.SHAPE)
    return replace(windows, images=np.memmap(path.with_suffix(".images"), np.uint8, "r", shape=shape))


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
    return json.loads(json.dumps(what | {"code": hash_code()}))  # as it is read: tuples become lists


def hash_code() -> str:
    """SHA-256 of the code that windows are made by, in hexadecimal digits: under another one they may be others."""
    rooms = Path(pvfault.__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in MAKERS for path in rooms.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
