"""What there is of each table: its size, its files and snapshots, and the dates that it has.

From the tables' metadata alone: no row is read. Whether the files are whole is asked in `verifying.py`.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pyiceberg.table import Table as IcebergTable

from pvfault.date_ranges import days_between
from pvfault.settings import Settings
from pvfault.tables import TABLES, Table
from pvfault_api.published import NoTableError, data_files, dates_of_file, open_table


@dataclass(frozen=True)
class TableState:
    """What there is of a table.

    Attributes
    ----------
    name : str
    bytes, rows, files : int
        Of the data files that readers see.
    snapshots : int
        All that are kept, those that were never published as well. The files of the older ones take room too.
    goes_back_to : datetime or None
        When the oldest of them was made (UTC): a date can be had back as it was then.
    first_date, last_date : date or None
        None in a table without rows.
    dates : int
        That have rows.
    """

    name: str
    bytes: int
    rows: int
    files: int
    snapshots: int
    goes_back_to: datetime | None
    first_date: date | None
    last_date: date | None
    dates: int


def list_tables(settings: Settings) -> list[TableState]:
    """What there is of each table, in the order in which they are made of each other.

    Raises
    ------
    PvfaultError
        If there are no tables yet.
    DamagedTableError
        If the list of files of one is not whole.
    """
    return list(_list_tables(settings))


def _list_tables(settings: Settings) -> Iterator[TableState]:
    for table in TABLES:
        with suppress(NoTableError), open_table(settings, table) as iceberg:
            yield _state_of(table, iceberg)


def _state_of(table: Table, iceberg: IcebergTable) -> TableState:
    files = list(data_files(iceberg))
    # A file of pvfault's own is of one date; what another tool has written may be of more.
    dates = {day for file in files for day in days_between(*dates_of_file(table, iceberg.schema(), file))}
    made_at = [snapshot.timestamp_ms for snapshot in iceberg.metadata.snapshots]
    return TableState(
        name=table.name,
        bytes=sum(file.file_size_in_bytes for file in files),
        rows=sum(file.record_count for file in files),
        files=len(files),
        snapshots=len(made_at),
        goes_back_to=datetime.fromtimestamp(min(made_at) / 1000, UTC) if made_at else None,
        first_date=min(dates, default=None),
        last_date=max(dates, default=None),
        dates=len(dates),
    )
