"""The tables' Parquet files, as whoever reads them finds them: whole, damaged or gone.

Here: how a file is opened so that its damage is told, and what is said of it. Not here: which rows of it a job reads
and writes (`spark_jobs/files.py`), which files a table has (`spark_jobs/scans.py`, `pvfault_api/published.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from pvfault.errors import PvfaultError
from pvfault.locations import NotThereError, explain, is_of_s3, open_to_read
from pvfault.tables import DEVICE_DAYS, LEDGER, PREDICTIONS, QUARANTINE, READINGS, SCALOGRAMS, Table

_MAKE_AGAIN = {
    READINGS.name: "make `readings` of {day} again from the topic",
    QUARANTINE.name: "make `readings` of {day} again from the topic, and `quarantine` with it",
    LEDGER.name: "put the file back from a backup; without one, take the rows of {day} out of `ledger` with Spark and "
    "make `readings` of {day} again from the topic",
    SCALOGRAMS.name: "make `scalograms` of {day} again from `readings`",
    PREDICTIONS.name: "make `predictions` of {day} again from `scalograms`",
    DEVICE_DAYS.name: "make `device_days` of {day} again from `predictions`",
}


class FileError(PvfaultError):
    """A table's file cannot be used."""


@contextmanager
def opened(location: str, **options) -> Iterator[pq.ParquetFile]:
    """A Parquet file to be read, whose damage is told as such.

    Parameters
    ----------
    location : str
        As Iceberg names it.
    **options
        Of `pyarrow.parquet.ParquetFile`.

    Raises
    ------
    FileError
        If the file is not there or damaged.
    TransientError
        If S3 does not answer now.
    """
    with (
        telling_damage(location),
        open_to_read(location) as source,
        # Noise inside a page may well decode, to wrong values; its checksum tells.
        pq.ParquetFile(source, page_checksum_verification=True, **options) as file,
    ):
        yield file


@contextmanager
def telling_damage(location: str) -> Iterator[None]:
    """Tell of what reading a file meets as `opened` does."""
    try:
        yield
    except (NotThereError, FileNotFoundError) as error:
        raise FileError(f"the file {location} is not there") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        if is_of_s3(error):
            raise explain(location, error) from error
        (reason, *_) = str(error).splitlines() or [type(error).__name__]
        raise FileError(f"the file {location} is damaged ({reason})") from error


def verify(location: str, names: Sequence[str] | None = None, *, rows: int | None = None) -> None:
    """Read columns of a file from its first row to its last, as far as it has them.

    Parameters
    ----------
    location : str
        As Iceberg names it.
    names : sequence of str, optional
        All columns by default.
    rows : int, optional
        That the file has by the table's metadata.

    Raises
    ------
    FileError
        If the file is not there or damaged, or has another number of rows.
    TransientError
        If S3 does not answer now.
    """
    found = 0
    with opened(location) as file:
        columns = None if names is None else [name for name in names if name in file.schema_arrow.names]
        for group in range(file.metadata.num_row_groups):  # so that no more than one is in memory
            for batch in file.iter_batches(row_groups=[group], columns=columns, use_threads=False):
                found += batch.num_rows
    if rows is not None and found != rows:
        raise FileError(f"the file {location} has {found} rows, and the table's metadata say {rows}")


@contextmanager
def saying_what_to_do(table: Table, day: date) -> Iterator[None]:
    """Say of which date a file is that cannot be used, and how it comes to another one."""
    try:
        yield
    except FileError as error:
        again = _MAKE_AGAIN[table.name].format(day=day)
        raise FileError(f"`{table.name}` of {day}: {error}; {again}") from error
