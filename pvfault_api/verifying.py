"""Whether the files of dates are whole: each is read to its end, page by page, and its rows are counted.

Only what readers see is looked at. Damage is told with its date and with what that is made again from; nothing is
mended here.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

from pyiceberg.manifest import DataFile

from pvfault.data_files import FileError, saying_what_to_do, verify
from pvfault.errors import PvfaultError
from pvfault.iceberg_files import DamagedTableError
from pvfault.settings import Settings
from pvfault.tables import TABLES, Table
from pvfault_api.published import NoTableError, dates_of_file, scan_dates


@dataclass(frozen=True)
class Damage:
    """What is wrong with a file.

    Attributes
    ----------
    table : str
    day : date or None
        None if it is the table's own list of files, which is of all dates.
    found : str
        The file, what is wrong with it, and what to do.
    """

    table: str
    day: date | None
    found: str


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is wrong with it.

    Attributes
    ----------
    files, bytes : int
    damages : list of Damage
        By table, then by date.
    """

    files: int
    bytes: int
    damages: list[Damage]


def verify_dates(
    settings: Settings, dates: Sequence[date] = (), on_file: Callable[[int], None] = lambda _bytes: None
) -> Verified:
    """Read every file of some dates in all tables.

    Parameters
    ----------
    settings : Settings
    dates : sequence of date
        All that there are if none is given.
    on_file : callable
        Called with the bytes of each file as soon as it is read.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or no file of these dates.
    TransientError
        If S3 does not answer now.
    """
    n_files = n_bytes = 0
    damages: list[Damage] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for table in TABLES:
            try:
                found = _files_of(settings, table, dates)
            except NoTableError:
                continue
            except DamagedTableError as error:
                damages.append(Damage(table.name, None, str(error)))
                continue
            # A file at a time in each thread, no more than a row group of it in memory.
            for (_, file), damage in zip(found, threads.map(partial(_look, table), found), strict=True):
                n_files, n_bytes = n_files + 1, n_bytes + file.file_size_in_bytes
                damages += [damage] if damage else []
                on_file(file.file_size_in_bytes)
    if not n_files and not damages:
        raise PvfaultError(
            "the tables have no file of these dates, so there is nothing to verify; `pvfault tables` lists the dates "
            "that there are"
        )
    return Verified(n_files, n_bytes, damages)


def _files_of(settings: Settings, table: Table, dates: Sequence[date]) -> list[tuple[date, DataFile]]:
    """The files of some dates, by date; of a file of several dates, which only another tool writes, the first."""
    with scan_dates(settings, table, dates) as scan:
        schema = scan.table_metadata.schema()
        found = {
            file.file_path: (dates_of_file(table, schema, task.file)[0], file)
            for task in scan.plan_files()
            for file in (task.file, *task.delete_files)  # these say which of its rows are deleted
        }
    return [found[path] for path in sorted(found, key=lambda path: (found[path][0], path))]


def _look(table: Table, of_day: tuple[date, DataFile]) -> Damage | None:
    day, file = of_day
    try:
        with saying_what_to_do(table, day):
            verify(file.file_path, rows=file.record_count)
    except FileError as error:
        return Damage(table.name, day, str(error))
    return None
