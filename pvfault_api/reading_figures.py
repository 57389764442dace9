"""What the published readings of a date are like, device by device, from its files.

A fleet's day is tens of millions of rows, so they are looked at a row group at a time, in as many threads as there are
cores. What is judged of the figures is in `pvfault.checks.readings`.
"""

import os
from collections.abc import Iterable, Iterator
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
    """Cut row groups anew, so that each table has whole devices, whose numbers are in the order of the rows."""
    held = None
    for group in groups:
        table = pa.concat_tables([held, group]) if held is not None else group
        table = table.unify_dictionaries().combine_chunks()
        codes = table[DEVICE_ID].chunk(0).indices.to_numpy()
        first_of_last = int(np.argmax(codes == codes[-1]))
        if first_of_last:
            yield table.slice(0, first_of_last).combine_chunks()
        held = table.slice(first_of_last)
    if held is not None:
        yield held.combine_chunks()


def _count(readings: pa.Table, day: date, registry: Registry) -> ReadingFigures:
    devices, counts = _devices(readings[DEVICE_ID])
    device = np.repeat(np.arange(len(devices)), counts)
    time_us = readings[TIMESTAMP].cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() - midnight_ms(day) * 1000
    columns = [readings[name].to_numpy() for name in MEASUREMENTS]
    is_same, later = device[1:] == device[:-1], np.diff(time_us)
    if (is_same & (later < 0)).any():
        raise _NotInOrderError
    place = device * WINDOWS_PER_DAY + time_us // (WINDOW_S * 1_000_000)
    hours = np.bincount(place, minlength=len(devices) * WINDOWS_PER_DAY).reshape(-1, WINDOWS_PER_DAY)
    twice = np.bincount(device[1:][is_same & (later == 0)], minlength=len(devices))
    return ReadingFigures(
        rows=len(device),
        hours=dict(zip(devices, hours, strict=True)),
        implausible=np.array([_implausible(*each) for each in zip(columns, MEASUREMENTS, strict=True)]),
        twice={devices[place]: int(twice[place]) for place in np.flatnonzero(twice)},
        doubts=_doubts(devices, counts, device, time_us / 1e6, columns, registry),
    )


def _implausible(values: np.ndarray, measurement: str) -> int:
    low, high = np.array(PLAUSIBLE[measurement], np.float32)
    # Nearly always all are; a value that is not finite makes its extremes so.
    if low <= values.min() and values.max() <= high:
        return 0
    return int(np.count_nonzero(~((values >= low) & (values <= high))))


def _devices(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The devices in the order in which they come, and how many rows each has."""
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    codes = encoded.indices.to_numpy()
    begins = np.flatnonzero(np.diff(codes, prepend=-1))
    devices = encoded.dictionary.take(pa.array(codes[begins])).to_pylist()
    if len(set(devices)) < len(devices):
        raise _NotInOrderError
    return devices, np.diff(begins, append=len(codes))


def _doubts(devices, counts, device, second, columns, registry) -> list[Doubt]:
    ratings = registry.ratings(devices)
    suspects = may_be_unsound(counts, *columns[:2], ratings)
    if not len(suspects):
        return []
    rows = np.isin(device, suspects)
    own = np.searchsorted(suspects, device[rows])
    measurements = np.column_stack([values[rows] for values in columns])
    unsound = find_unsound(own, second[rows], measurements, ratings[suspects])
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
