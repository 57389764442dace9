"""What the published readings of a date are like, device by device, from its files.

A fleet's day is tens of millions of rows, so they are looked at a row group at a time, in as many threads as there are
cores. What is judged of the figures is in `pvfault.checks.readings`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
from pyiceberg.table import FileScanTask

from pvfault.data_files import opened, saying_what_to_do
from pvfault.dates import midnight_ms
from pvfault.readings import DEVICE_ID, MEASUREMENTS, PLAUSIBLE, READING_SCHEMA, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.settings import Settings
from pvfault.soundness import Doubt, doubts_of, find_unsound, may_be_unsound
from pvfault.tables import READINGS
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY
from pvfault_api.published import read_dates, scan_dates


@dataclass
class ReadingFigures:
    """What some readings of a date are like.

    Attributes
    ----------
    rows : int
    hours : dict of str to ndarray of int, shape (24,)
        Readings in each hour, by device.
    implausible : ndarray of int, shape (4,)
        Readings with a value that cannot have been measured, in the order of `MEASUREMENTS`.
    twice : dict of str to int
        Readings with the timestamp of another one, of the devices that have some.
    doubts : list of Doubt
        Of the devices with readings that do not tell of the array.
    """

    rows: int = 0
    hours: dict[str, np.ndarray] = field(default_factory=dict)
    implausible: np.ndarray = field(default_factory=lambda: np.zeros(len(MEASUREMENTS), np.int64))
    twice: dict[str, int] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)


class _NotInOrderError(Exception):
    """A device's readings do not stand together, sorted by time."""


def count_readings(settings: Settings, day: date, registry: Registry) -> ReadingFigures:
    """Look at all published readings of a date.

    Parameters
    ----------
    settings : Settings
    day : date
    registry : Registry
        Whose ratings say what a device can give.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or a file of the date cannot be used.
    """
    with scan_dates(settings, READINGS, [day]) as scan:
        files = list(scan.plan_files())
    try:
        if any(file.delete_files for file in files):
            raise _NotInOrderError
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            parts = list(threads.map(lambda file: _count_file(file, day, registry), files))
        return _sum_up(parts)
    except _NotInOrderError:
        # Somebody else has arranged the table: all at once, which takes the memory that it takes.
        return _count(read_dates(settings, READINGS, [day]).combine_chunks(), day, registry)


def _count_file(file: FileScanTask, day: date, registry: Registry) -> ReadingFigures:
    with saying_what_to_do(READINGS, day):
        return _sum_up(_count(devices, day, registry) for devices in _whole_devices(_row_groups(file)))


def _row_groups(file: FileScanTask) -> Iterator[pa.Table]:
    with opened(file.file.file_path, read_dictionary=[DEVICE_ID]) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            yield parquet.read_row_group(group, columns=READING_SCHEMA.names, use_threads=False)


def _whole_devices(groups: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut row groups anew, so that each table has whole devices. Only what stood in several groups is copied."""
    held: list[pa.Table] = []  # the last device so far
    for group in groups:
        table = group.unify_dictionaries().combine_chunks()
        codes = table[DEVICE_ID].chunk(0).indices.to_numpy()
        first_of_next = 0
        if held and table[DEVICE_ID][0].as_py() == held[0][DEVICE_ID][0].as_py():
            first_of_next = int(np.argmax(codes != codes[0])) or len(codes)
            held.append(table.slice(0, first_of_next))
            if first_of_next == len(codes):
                continue
        if held:
            yield _joined(held)
        first_of_last = int(np.argmax(codes == codes[-1]))
        if first_of_last > first_of_next:
            yield table.slice(first_of_next, first_of_last - first_of_next)
        held = [table.slice(first_of_last)]
    if held:
        yield _joined(held)


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _count(readings: pa.Table, day: date, registry: Registry) -> ReadingFigures:
    devices, counts = _devices(_array(readings[DEVICE_ID]))
    time_us = _array(readings[TIMESTAMP]).cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy()
    columns = [_array(readings[name]).to_numpy(zero_copy_only=False) for name in MEASUREMENTS]
    first = np.cumsum(counts) - counts
    step = np.diff(time_us)
    step[first[1:] - 1] = 1  # from one device to the next time may go back
    least = step.min(initial=1)
    if least < 0:
        raise _NotInOrderError
    twice = np.bincount(_device_of(np.flatnonzero(step == 0), first), minlength=len(devices)) if not least else []
    return ReadingFigures(
        rows=len(time_us),
        hours=dict(zip(devices, _by_hour(time_us, first, counts, day), strict=True)),
        implausible=np.array([_implausible(*each) for each in zip(columns, MEASUREMENTS, strict=True)]),
        twice={devices[place]: int(twice[place]) for place in np.flatnonzero(twice)},
        doubts=_doubts(devices, counts, time_us, columns, registry, day),
    )


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, which is a copy only where it has to be."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _device_of(rows: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The devices of some rows, from the first row of each device."""
    return np.searchsorted(first, rows, side="right") - 1


def _by_hour(time_us: np.ndarray, first: np.ndarray, counts: np.ndarray, day: date) -> np.ndarray:
    """Readings in each hour, of times that are sorted within each device: shape (n_devices, 24)."""
    edges = (midnight_ms(day) + np.arange(WINDOWS_PER_DAY + 1) * WINDOW_S * 1000) * 1000
    # A few steps for each edge, where a look at each reading would be one for each.
    before = [np.searchsorted(time_us[begin : begin + n], edges) for begin, n in zip(first, counts, strict=True)]
    return np.diff(before, axis=1)


def _implausible(values: np.ndarray, measurement: str) -> int:
    low, high = np.array(PLAUSIBLE[measurement], np.float32)
    # Nearly always all are; a value that is not finite makes its extremes so.
    if low <= values.min() and values.max() <= high:
        return 0
    return int(np.count_nonzero(~((values >= low) & (values <= high))))


def _devices(column: pa.Array) -> tuple[list[str], np.ndarray]:
    """The devices in the order in which they come, and how many rows each has."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.to_numpy()
    begins = np.append(0, np.flatnonzero(codes[1:] != codes[:-1]) + 1)
    devices = encoded.dictionary.take(pa.array(codes[begins])).to_pylist()
    if len(set(devices)) < len(devices):
        raise _NotInOrderError
    return devices, np.diff(begins, append=len(codes))


def _doubts(devices, counts, time_us, columns, registry, day) -> list[Doubt]:
    ratings = registry.ratings(devices)
    suspects = may_be_unsound(counts, *columns[:2], ratings)
    if not len(suspects):
        return []
    rows = np.repeat(np.isin(np.arange(len(devices)), suspects), counts)
    own = np.repeat(np.arange(len(suspects)), counts[suspects])
    second = (time_us[rows] - midnight_ms(day) * 1000) / 1e6
    measurements = np.column_stack([values[rows] for values in columns])
    unsound = find_unsound(own, second, measurements, ratings[suspects])
    return doubts_of([devices[suspect] for suspect in suspects], own, unsound)


def _sum_up(parts: Iterable[ReadingFigures]) -> ReadingFigures:
    total = ReadingFigures()
    for part in parts:
        if not total.hours.keys().isdisjoint(part.hours):
            raise _NotInOrderError
        total.rows += part.rows
        total.hours |= part.hours
        total.implausible += part.implausible
        total.twice |= part.twice
        total.doubts += part.doubts
    return total
