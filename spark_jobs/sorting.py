"""A task's readings of one date: held compactly, sorted, each once.

The order of the `readings` table, and which duplicate stays.
"""

import tempfile
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from pvfault.dates import DAY_MS, midnight_ms
from pvfault.readings import DEVICE_ID_LENGTH, MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE

# Readings that a task holds in memory, 200 MB; what comes beyond goes to the disk and is sorted in parts of this size.
HELD = 8_000_000
ROWS_AT_ONCE = 50_000

_HELD_READING = np.dtype([("device", np.int32), ("ms", np.int32), ("measurements", np.float32, len(MEASUREMENTS))])
_BITS_OF_DAY = 27  # 2**27 ms are 37 h
_HOUR_MS = 3_600_000


class ReadingSorter:
    """Takes readings of a date in any order and gives them sorted by deviceID and timestamp, each pair once.

    Of duplicates, the one that was added first stays.

    Parameters
    ----------
    day : date

    Attributes
    ----------
    hours : dict of str to ndarray of int, shape (24,)
        Readings that were given in each hour, by deviceID; whole once all have been given.
    """

    def __init__(self, day: date):
        self._midnight_ms = midnight_ms(day)
        self._codes: dict[bytes, int] = {}
        self._parts: list[np.ndarray] = []
        self._on_disk: list[np.ndarray] = []
        self._held = 0
        self._folder = tempfile.TemporaryDirectory(prefix="pvfault-")
        self.hours: dict[str, np.ndarray] = {}

    def __enter__(self) -> "ReadingSorter":
        return self

    def __exit__(self, *error) -> None:
        self._folder.cleanup()

    def add(
        self, devices: list[bytes], device: np.ndarray, time_ms: np.ndarray, measurements: np.ndarray
    ) -> np.ndarray:
        """Add those readings that are of the date.

        Parameters
        ----------
        devices, device, time_ms, measurements
            As `spark_jobs.decode.Readings` has them.

        Returns
        -------
        ndarray of float32, shape (n, 4)
            Their measurements.
        """
        ms = time_ms - self._midnight_ms
        of_day = (ms >= 0) & (ms < DAY_MS)
        if not of_day.all():
            device, ms, measurements = device[of_day], ms[of_day], measurements[of_day]
        part = np.empty(len(ms), _HELD_READING)
        codes = np.array([self._codes.setdefault(name, len(self._codes)) for name in devices], np.int32)
        part["device"], part["ms"], part["measurements"] = codes[device], ms, measurements
        self._parts.append(part)
        self._held += len(part)
        if self._held >= HELD:
            self._to_disk()
        return measurements

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All that was added, in order, as batches of `READING_SCHEMA`."""
        runs = [*self._on_disk, np.concatenate(self._parts) if self._parts else np.empty(0, _HELD_READING)]
        self._parts = []
        names = sorted(self._codes)
        rank = np.empty(len(names), np.int32)
        rank[[self._codes[name] for name in names]] = np.arange(len(names))
        total = sum(len(run) for run in runs)
        # Runs are of all devices, so each part of the devices is looked for in all of them.
        n_parts = max(1, -(-total // HELD))
        edges = np.linspace(0, len(names), n_parts + 1).astype(int)
        for first, end in pairwise(edges):
            yield from self._batches_of(names[first:end], [_select(run, rank, first, end) for run in runs])

    def _batches_of(self, names, runs):
        """Sorted batches of some devices, whose positions in `names` the runs have."""
        run = runs[0] if len(runs) == 1 else np.concatenate(runs)
        order = _order(run["device"], run["ms"])
        device, ms = run["device"][order], run["ms"][order]
        hours = np.bincount(device * 24 + ms // _HOUR_MS, minlength=24 * len(names)).reshape(-1, 24)
        self.hours |= {name.decode(): counts for name, counts in zip(names, hours, strict=True) if counts.any()}
        bytes_of = np.frombuffer(b"".join(names), f"V{DEVICE_ID_LENGTH}")
        for first in range(0, len(order), ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            measurements = run["measurements"][order[rows]]
            time = (self._midnight_ms + ms[rows].astype(np.int64)) * 1000
            columns = [_strings(bytes_of[device[rows]]), pa.array(time).cast(TIMESTAMP_TYPE)]
            columns += [pa.array(np.ascontiguousarray(column)) for column in measurements.T]
            yield pa.record_batch(columns, schema=READING_SCHEMA)

    def _to_disk(self):
        """Write what is held in memory to a file of its own, and read it from there from now on."""
        path = Path(self._folder.name) / f"{len(self._on_disk)}.npy"
        np.save(path, np.concatenate(self._parts))
        self._on_disk.append(np.load(path, mmap_mode="r"))
        self._parts, self._held = [], 0


def _select(run, rank, first, end):
    """Readings of the devices from one rank to another, with ranks from `first` on instead of codes."""
    device = rank[run["device"]]
    if first > 0 or end < len(rank):
        inside = (device >= first) & (device < end)
        run, device = run[inside], device[inside]
    run = np.array(run)
    run["device"] = device - first
    return run


def _order(device, ms):
    """Rows in the order of device and time, the first of each pair."""
    # Stable, and by counting for numbers of 16 bits. A device's readings nearly always come in order.
    narrow = device.astype(np.uint16) if device.max(initial=0) < 2**16 else device
    order = np.argsort(narrow, kind="stable")
    key = device[order].astype(np.int64) << _BITS_OF_DAY | ms[order]
    if (np.diff(key) > 0).all():
        return order
    again = np.argsort(key, kind="stable")
    return order[again][np.diff(key[again], prepend=-1) > 0]


def _strings(rows):
    """Rows of `DEVICE_ID_LENGTH` bytes as strings."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * DEVICE_ID_LENGTH
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(rows.tobytes()))
