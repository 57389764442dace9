"""The tables' Parquet files, as a task reads and writes them.

Here: which rows of a file a task reads, and the one file that it writes. Rows that go through the virtual machine to
be read or written take several times as long, so Spark plans and workers read and write. Not here: what is said of a
damaged file (`pvfault.data_files`), which files a table has, and how new ones become part of it (`publishing.py`).
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pvfault.data_files import FileError, opened
from pvfault.locations import create

# Where Parquet's Arrow schemas have the numbers by which Iceberg knows columns.
FIELD_ID = b"PARQUET:field_id"
# A row group is closed at this size, before compression: what a task holds to write, and a reader to read. [B]
_ROW_GROUP = 8 * 2**20
# Gold tables are asked for a device at a time, and a reader has to decode a whole row group for it: the hours of a
# hundred devices.
ROWS_OF_GOLD = 2400


@dataclass(frozen=True)
class FileRange:
    """A range of a data file: its row groups whose middle is inside, as Parquet's readers take it.

    Attributes
    ----------
    location : str
        As Iceberg names it.
    start, length : int
        [B]
    """

    location: str
    start: int
    length: int


@dataclass(frozen=True)
class Target:
    """Where a task's rows go, and as what.

    Attributes
    ----------
    folder : str
        As Iceberg names it.
    making : str
        Of the date: 32 hexadecimal digits, with which the names of its files begin.
    schema : pa.Schema
        The table's columns, each with its `FIELD_ID`.
    day_of : str
        The timestamp or date column by which the rows are of one day.
    start, end : date or datetime
        The day's first value of that column, and the next day's.
    group_rows : int, optional
        The most rows of a row group, for a table that is asked for a device at a time; by default its size alone
        counts.
    """

    folder: str
    making: str
    schema: pa.Schema
    day_of: str
    start: date
    end: date
    group_rows: int | None = None


@dataclass(frozen=True)
class Written:
    """A file that a task has written.

    Attributes
    ----------
    location : str
    bytes, rows : int
    starts : tuple of int
        Where its row groups start. [B]
    """

    location: str
    bytes: int
    rows: int
    starts: tuple[int, ...]


def read(part: FileRange, schema: pa.Schema, rows_at_once: int) -> Iterator[pa.RecordBatch]:
    """Rows of a part of a file, in the file's order, no more than one row group of it in memory.

    Parameters
    ----------
    part : FileRange
    schema : pa.Schema
        The columns to read, found by their `FIELD_ID`, whatever they are called in the file. A column that is younger
        than the file is null.
    rows_at_once : int
        The most rows of a batch.

    Raises
    ------
    FileError
        If the file is not there or damaged, or lacks a column that cannot be null.
    TransientError
        If S3 does not answer now.
    """
    with opened(part.location) as file:
        by_id = {(field.metadata or {}).get(FIELD_ID): field.name for field in file.schema_arrow}
        names = [by_id.get(field.metadata[FIELD_ID]) for field in schema]
        absent = [field.name for field, name in zip(schema, names, strict=True) if name is None and not field.nullable]
        if absent:
            raise FileError(
                f"the file {part.location} has no column {', '.join(absent)}, which each row of the table needs"
            )
        present = [name for name in names if name is not None]
        for group in _row_groups_of(part, file.metadata):
            for batch in file.iter_batches(rows_at_once, row_groups=[group], columns=present, use_threads=False):
                columns = [
                    pa.nulls(batch.num_rows, field.type) if name is None else batch.column(name).cast(field.type)
                    for field, name in zip(schema, names, strict=True)
                ]
                yield pa.record_batch(columns, schema=schema)


def write(batches: Iterable[pa.RecordBatch], target: Target) -> Written | None:
    """Write a task's rows into a file of its own.

    What a task leaves that fails, or that is run twice, is a file that no table knows, as Spark's own writer may leave
    it; Iceberg's `remove_orphan_files` removes such files.

    Returns
    -------
    Written or None
        None, and no file, if there were no rows.

    Raises
    ------
    ValueError
        If a row is of another day: Iceberg looks for it in that day's files.
    """
    groups = _grouped(batches, target)
    first = next(groups, None)
    if first is None:
        return None
    location = f"{target.folder}/{target.making}-{uuid.uuid4()}.parquet"
    with create(location) as sink:
        with pq.ParquetWriter(sink, target.schema, **_options(target)) as writer:
            for group in chain([first], groups):
                writer.write_table(group, row_group_size=target.group_rows or group.num_rows)
        size = sink.tell()
    metadata = writer.writer.metadata
    starts = tuple(_start(metadata.row_group(group)) for group in range(metadata.num_row_groups))
    return Written(location, size, metadata.num_rows, starts)


def _grouped(batches: Iterable[pa.RecordBatch], target: Target) -> Iterator[pa.Table]:
    """The rows in tables of a row group each."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        _require_day(batch, target)
        held.append(pa.RecordBatch.from_arrays(batch.columns, schema=target.schema))
        if sum(one.nbytes for one in held) >= _ROW_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _require_day(batch: pa.RecordBatch, target: Target) -> None:
    found = pc.min_max(batch.column(target.day_of))
    least, most = found["min"].as_py(), found["max"].as_py()
    if not target.start <= least <= most < target.end:
        raise ValueError(f"rows of {least} to {most}, expected {target.start} up to {target.end}")


def _options(target: Target) -> dict:
    """How Parquet is written: the least work, since measurements and images are hardly smaller by more of it."""
    few_values = [
        field.name for field in target.schema if not pa.types.is_floating(field.type) and field.name != "scalogram"
    ]
    # Pages of a small row group are so short that zstd takes as long to begin as to decompress: of 2,400 rows, all
    # columns are read in 1.2 ms, with snappy in 0.7, and files are 7 % larger.
    compression = {"compression": "snappy"} if target.group_rows else {"compression": "zstd", "compression_level": 1}
    return {
        **compression,
        "use_dictionary": few_values,
        "dictionary_pagesize_limit": 2**16,
        # Iceberg's schema is the one that counts, and other readers take Arrow's for it.
        "store_schema": False,
        "write_page_checksum": True,
    }


def _row_groups_of(part: FileRange, metadata: pq.FileMetaData) -> Iterator[int]:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
        if part.start <= _start(group) + size // 2 < part.start + part.length:
            yield number


def _start(group: pq.RowGroupMetaData) -> int:
    """The byte of the file at which a row group starts."""
    first = group.column(0)
    return first.dictionary_page_offset if first.has_dictionary_page else first.data_page_offset
