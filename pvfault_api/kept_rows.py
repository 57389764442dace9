"""Rows of Parquet files, read as little as a question needs, with what was learned of a file kept for the next one.

A table's files never change, so all that is kept is named by a file's place: its footer; where in a row group which
device's rows are; and the rows of `device_days`, which are few, in memory as long as there is room. Not here: which
files there are (`plans.py`).
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pvfault.data_files import opened
from pvfault.date_ranges import days_between
from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS, Table
from pvfault_api.plans import Plan, PlannedFile

_FIELD_ID = b"PARQUET:field_id"
# A footer of `predictions` with 13 row groups takes some 100 kB in memory, and a month of 8 files a date has 240.
_FOOTERS = 512
# Row groups of which it is known where a device's rows are; a hundred devices take 2 kB.
_GROUPS = 8192
# Beyond, rows are not together by device, and to keep where each one is would take more than it saves.
_MOST_RUNS = 5000
# All of `device_days` of 10,000 devices and a month take some 35 MB, with the texts that repeat as numbers.
_ROOM = 128 * 2**20


def read_rows(
    plan: Plan, table: Table, dates: Sequence[date], columns: Sequence[str], *, device: str | None = None
) -> pa.Table:
    """Rows of some dates.

    Parameters
    ----------
    plan : Plan
    table : Table
    dates : sequence of date
    columns : sequence of str
    device : str, optional
        Whose rows alone are read; row groups without any are skipped.

    Returns
    -------
    pa.Table
        Of these columns as the table's contract has them, in the order of the files.

    Raises
    ------
    FileError
        If a file is not there or damaged.
    TransientError
        If S3 does not answer now.
    """
    found = (_read_file(file, plan, table, dates, columns, device) for file in plan.files(list(dates)))
    parts = [part for part in found if part is not None]
    if not parts:
        return pa.schema([table.schema.field(name) for name in columns]).empty_table()
    return pa.concat_tables(parts)


def _read_file(file: PlannedFile, plan: Plan, table: Table, dates, columns, device: str | None) -> pa.Table | None:
    """Rows of a file; None if it has none of the device."""
    is_of_others = not {*days_between(file.first, file.last)} <= {*dates}
    names = list(dict.fromkeys([*columns, table.day_of])) if is_of_others else list(columns)
    if table == DEVICE_DAYS and (device is None or file.location in _KEPT):
        rows = _kept_rows(file.location, plan, table)
        rows = rows if device is None else rows.filter(pc.equal(rows[DEVICE_ID], device))
        rows = rows.select(names).cast(pa.schema([table.schema.field(name) for name in names]))
    elif device is None:
        rows = _read_whole(file.location, plan, table, names)
    else:
        rows = _read_device(file.location, plan, table, names, device)
    if rows is not None and is_of_others:
        is_asked_for = pc.is_in(rows[table.day_of].cast(pa.date32()), pa.array(sorted({*dates}), pa.date32()))
        rows = rows.filter(is_asked_for).select(columns)
    return rows


def _read_whole(location: str, plan: Plan, table: Table, names: Sequence[str]) -> pa.Table:
    footer = _footer(location)
    with opened(location, metadata=footer.metadata) as file:
        rows = file.read(columns=footer.columns(plan, names), use_threads=False)
    return _named(rows, footer, plan, table, names)


def _read_device(location: str, plan: Plan, table: Table, names: Sequence[str], device: str) -> pa.Table | None:
    footer = _footer(location)
    column = footer.name_of(plan, DEVICE_ID)
    parts = []
    for group in footer.groups_with(column, device):
        runs = _runs(location, group, column)
        if runs is not None and not (found := runs.of(device)):
            continue
        with opened(location, metadata=footer.metadata) as file:
            asked = footer.columns(plan, dict.fromkeys([*names, DEVICE_ID]))
            read = file.read_row_groups([group], columns=asked, use_threads=False)
        if runs is None:
            read = read.filter(pc.equal(read[column], device))
        else:
            read = pa.concat_tables([read.slice(start, length) for start, length in found])
        parts.append(_named(read, footer, plan, table, names))
    return pa.concat_tables(parts) if parts else None


def _named(rows: pa.Table, footer: "_Footer", plan: Plan, table: Table, names: Sequence[str]) -> pa.Table:
    """Columns of a file as the table's contract has them; one that is younger than the file is null."""
    fields = [table.schema.field(name) for name in names]
    there = [footer.name_of(plan, name) for name in names]
    columns = [
        pa.nulls(len(rows), field.type) if name is None else _as_type(rows[name], field.type)
        for field, name in zip(fields, there, strict=True)
    ]
    return pa.table(columns, schema=pa.schema(fields))


def _as_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


@dataclass(frozen=True)
class _Footer:
    """What a file says of itself.

    Attributes
    ----------
    metadata : pq.FileMetaData
    by_id : dict of int to str
        Names of its columns by Iceberg's number; empty in a file that was written without.
    names : frozenset of str
    bounds : dict of str to list of tuple of str or None
        The least and the greatest value of each column of texts in each row group; None where they are not told.
    """

    metadata: pq.FileMetaData
    by_id: dict[int, str]
    names: frozenset[str]
    bounds: dict[str, list[tuple[str, str] | None]]

    def name_of(self, plan: Plan, name: str) -> str | None:
        """What a column of the table is called in the file; None if file or table is older than the column."""
        if self.by_id:
            return self.by_id.get(plan.fields.get(name))
        return name if name in self.names else None

    def columns(self, plan: Plan, names) -> list[str]:
        """Those of some columns that the file has."""
        return [there for name in names if (there := self.name_of(plan, name)) is not None]

    def groups_with(self, column: str, device: str) -> list[int]:
        """Row groups that may have rows of a device, by the least and the greatest name in them."""
        bounds = self.bounds[column]
        return [group for group, edges in enumerate(bounds) if edges is None or edges[0] <= device <= edges[1]]


@lru_cache(maxsize=_FOOTERS)
def _footer(location: str) -> _Footer:
    with opened(location) as file:
        numbers = {(field.metadata or {}).get(_FIELD_ID): field.name for field in file.schema_arrow}
        by_id = {int(number): name for number, name in numbers.items() if number is not None}
        texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        bounds = {name: _bounds_of(file.metadata, name) for name in texts}
        return _Footer(file.metadata, by_id, frozenset(file.schema_arrow.names), bounds)


def _bounds_of(metadata: pq.FileMetaData, name: str) -> list[tuple[str, str] | None]:
    column = metadata.schema.names.index(name)
    groups = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    return [(found.min, found.max) if found is not None and found.has_min_max else None for found in groups]


@dataclass(frozen=True)
class _Runs:
    """Where in a row group the rows of each device are, which stand together.

    Attributes
    ----------
    devices : ndarray of bytes, shape (n,)
    starts : ndarray of int, shape (n + 1,)
    """

    devices: np.ndarray
    starts: np.ndarray

    def of(self, device: str) -> list[tuple[int, int]]:
        """First row and number of rows of each run of a device."""
        if "\0" in device:  # which NumPy takes for the end of a text
            return []
        found = np.flatnonzero(self.devices == device.encode())
        return [(int(self.starts[k]), int(self.starts[k + 1] - self.starts[k])) for k in found]


@lru_cache(maxsize=_GROUPS)
def _runs(location: str, group: int, column: str) -> _Runs | None:
    """None if rows are not together by device."""
    with opened(location, metadata=_footer(location).metadata, read_dictionary=[column]) as file:
        devices = file.read_row_groups([group], columns=[column], use_threads=False)[column]
    encoded = devices.combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    if len(starts) > _MOST_RUNS:
        return None
    names = encoded.dictionary.cast(pa.binary()).take(pa.array(codes[starts]))
    return _Runs(np.array(names.to_pylist()), np.append(starts, len(codes)).astype(np.int32))


class _KeptTables:
    """Tables in memory, by the file that they are of; the one that was asked for longest ago makes room."""

    def __init__(self, room: int):
        self._room, self._used = room, 0
        self._tables: OrderedDict[str, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, location: str) -> bool:
        return location in self._tables

    def get(self, location: str) -> pa.Table | None:
        """A table that is kept."""
        with self._lock:
            if location in self._tables:
                self._tables.move_to_end(location)
            return self._tables.get(location)

    def put(self, location: str, rows: pa.Table) -> None:
        """Keep a table, if it leaves room for others."""
        if rows.nbytes > self._room // 4:
            return
        with self._lock:
            if location in self._tables:
                return
            self._tables[location] = rows
            self._used += rows.nbytes
            while self._used > self._room:
                _, oldest = self._tables.popitem(last=False)
                self._used -= oldest.nbytes


_KEPT = _KeptTables(_ROOM)


def _kept_rows(location: str, plan: Plan, table: Table) -> pa.Table:
    """All rows of a file; texts that repeat are numbers of a dictionary."""
    rows = _KEPT.get(location)
    if rows is None:
        rows = _read_whole(location, plan, table, table.schema.names).combine_chunks()
        for number, field in enumerate(rows.schema):
            if pa.types.is_string(field.type) and field.name != DEVICE_ID:
                rows = rows.set_column(number, field.name, rows[number].dictionary_encode())
        _KEPT.put(location, rows)
    return rows
