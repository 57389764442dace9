"""What was found of a file: its form, its columns and what each was taken for; and what several files gave together."""

from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class ColumnForm:
    """A column of a file.

    Attributes
    ----------
    name : str
        As the file has it.
    taken_for : str
        The reading's column that it goes into; empty if it was not used.
    unit : str
        Unit that it was read in; empty if none is known.
    why : str
        Where the unit comes from, or why the column is not used; empty where that is plain.
    low, high : float or None
        Range of its values, in the reading's unit; None for what is no number, or not used.
    """

    name: str
    taken_for: str = ""
    unit: str = ""
    why: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class FileForm:
    """How a file was read.

    Attributes
    ----------
    name : str
        Of the file; of one in an archive, with the archive's.
    kind : str
        `CSV`, `Parquet` or `workbook`.
    encoding, delimiter, decimal : str
        Of a CSV; else empty.
    header_line : int
        Line that names the columns, from 1; 0 where the names stand in no line.
    columns : tuple of ColumnForm
    layout : str
        What a row is, in words; empty for one row a device and time.
    rows : int
    sampling_s : float or None
        Median of the steps between a device's times. [s]
    gaps : int
        Steps of more than twice the sampling.
    zone, zone_why : str
        Zone of the times, and where that comes from.
    first, last : str
        First and last time (UTC), as text.
    first_rows : tuple of tuple of str
        The first rows as the file has them.
    """

    name: str
    kind: str
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    header_line: int = 0
    columns: tuple[ColumnForm, ...] = ()
    layout: str = ""
    rows: int = 0
    sampling_s: float | None = None
    gaps: int = 0
    zone: str = ""
    zone_why: str = ""
    first: str = ""
    last: str = ""
    first_rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ReadFiles:
    """Readings of one or several files.

    Attributes
    ----------
    table : pa.Table
        Of `READING_SCHEMA`, sorted by (timestamp, deviceID), each pair once; at least one row.
    names : dict of str to str
        The user's own name by deviceID, of all devices of the table; a deviceID without another name is its own.
    rows_without_time : int
        Rows that cannot be readings, because their timestamp is empty; they are not in the table.
    duplicates : int
        Rows that repeat another one, value by value; they are in the table once.
    remarks : tuple of str
        What was found by itself and could surprise: a sentence each.
    forms : tuple of FileForm
        Of each file.
    """

    table: pa.Table
    names: dict[str, str]
    rows_without_time: int = 0
    duplicates: int = 0
    remarks: tuple[str, ...] = ()
    forms: tuple[FileForm, ...] = field(default=())
