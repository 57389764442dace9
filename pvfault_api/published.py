"""Published rows, read without Spark.

What is staged and not published is not seen. Each read is of a table as it is then; a `View` stands in the place of
settings where several reads are to be of the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import reduce

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, GreaterThanOrEqual, LessThan, Or
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import DataFile, DataFileContent, ManifestContent, ManifestEntry, ManifestFile
from pyiceberg.schema import Schema
from pyiceberg.table import DataScan, FileScanTask
from pyiceberg.table import Table as IcebergTable
from pyiceberg.types import DateType

from pvfault.catalog_file import BUSY_TIMEOUT_S, require_no_table_lost
from pvfault.data_files import telling_damage
from pvfault.date_ranges import days_between, runs_of
from pvfault.dates import midnight
from pvfault.errors import PvfaultError
from pvfault.iceberg_files import Manifest, require_whole_snapshot
from pvfault.locations import uri_of
from pvfault.readings import DEVICE_ID
from pvfault.settings import AWS, Settings
from pvfault.tables import CATALOG, NAMESPACE, Table

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


class NoTableError(PvfaultError):
    """There is no such table yet."""


class View:
    """Tables as each was when it was first asked for, whatever is published later.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._tables: dict[str, IcebergTable] = {}
        self._files: dict[str, dict[date, list[DataFile]]] = {}
        self._is_plain: dict[str, bool] = {}

    def table(self, table: Table) -> IcebergTable:
        """A table, as `open_table` has it."""
        if table.name not in self._tables:
            with open_table(self._settings, table) as iceberg:
                self._tables[table.name] = iceberg
        return self._tables[table.name]

    def files(self, table: Table, day: date) -> list[DataFile]:
        """The data files that have rows of a date, from the table's metadata alone; none where there is no such table.

        Raises
        ------
        PvfaultError
            If there are no tables yet, or the table's list of files is not whole.
        """
        if table.name not in self._files:
            # All at once: what is asked of a date asks for some forty others too.
            try:
                self._files[table.name] = files_by_date(self.table(table), table)
            except NoTableError:
                self._files[table.name] = {}
        return self._files[table.name].get(day, [])

    def plan(self, table: Table, dates: Iterable[date]) -> list[FileScanTask] | None:
        """The files to read for some dates, as PyIceberg would plan it, which reads all lists of files for each scan.

        None where single rows are deleted, so that PyIceberg has to tell which.
        """
        if table.name not in self._is_plain:
            self._is_plain[table.name] = not has_deleted_rows(self.table(table))
        if not self._is_plain[table.name]:
            return None
        files = {file.file_path: file for day in dates for file in self.files(table, day)}
        return [FileScanTask(file) for file in files.values()]

    def count_values(self, table: Table, day: date, column: str) -> int:
        """How many rows of a date have a value in a column, from the table's metadata alone."""
        number = self.table(table).schema().find_field(column).field_id
        return sum(file.value_counts[number] - file.null_value_counts[number] for file in self.files(table, day))


def open_catalog(settings: Settings) -> Catalog:
    """The catalog of the tables: Glue on AWS, an SQLite file on a laptop.

    Raises
    ------
    PvfaultError
        If there is none yet on this laptop, or it does not know tables whose files are there.
    """
    if settings.environment == AWS:
        return load_catalog(CATALOG, type="glue")
    require_no_table_lost(settings)
    if not settings.catalog.is_file():
        raise PvfaultError(
            f"there are no tables in {settings.home} ({settings.catalog.name} is not there); "
            "materialise a date first, or point PVFAULT_HOME at the folder that has them"
        )
    return open_catalog_file(settings)


def open_catalog_file(settings: Settings) -> SqlCatalog:
    """The catalog of a laptop as PyIceberg has it, which waits as long as Spark does if somebody else holds it."""
    return SqlCatalog(
        CATALOG,
        uri=f"sqlite:///{settings.catalog}?timeout={BUSY_TIMEOUT_S}",
        warehouse=uri_of(settings.warehouse),
        init_catalog_tables="false",
    )


def read_dates(settings: Settings | View, table: Table, dates: Sequence[date]) -> pa.Table:
    """The rows of some dates.

    Parameters
    ----------
    settings : Settings or View
    table : Table
    dates : sequence of date
        At least one.

    Returns
    -------
    pa.Table
        Of the table's schema, sorted by its key.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    with scan_dates(settings, table, dates) as scan:
        rows = scan.to_arrow()
    # In a table that got a column later, it stands behind the others.
    rows = rows.select(table.schema.names)
    return rows.sort_by([(column, "ascending") for column in table.key]).cast(table.schema)


def read_batches(
    settings: Settings | View, table: Table, dates: Sequence[date], columns: Sequence[str], *, device: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of some dates' rows, one file after the other, so that no more than one is held at a time.

    Parameters
    ----------
    settings : Settings or View
    table : Table
    dates : sequence of date
        At least one.
    columns : sequence of str
    device : str, optional
        Whose rows alone are read; parts of a file without any are skipped.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    with open_table(settings, table) as iceberg:
        plan = settings.plan(table, dates) if isinstance(settings, View) else None
        yield from batches_of(iceberg, table, dates, columns, device=device, plan=plan)


def batches_of(
    iceberg: IcebergTable,
    table: Table,
    dates: Sequence[date],
    columns: Sequence[str],
    *,
    device: str | None = None,
    snapshot_id: int | None = None,
    plan: Iterable[FileScanTask] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The same of a table that is open already: what is published meanwhile is not seen.

    Parameters
    ----------
    iceberg : IcebergTable
        As from `open_table`.
    table, dates, columns, device
        As of `read_batches`.
    snapshot_id : int, optional
        An older snapshot, in the place of the one that was current when the table was opened.
    plan : iterable of FileScanTask, optional
        The files to read, where somebody knows them already.
    """
    scan = _scan_of(iceberg, table, dates, tuple(columns), snapshot_id)
    if device is not None:
        scan = scan.filter(EqualTo(DEVICE_ID, device))
    # PyIceberg's own reader of batches begins to read all files at once, and holds what it has read.
    reader = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter)
    for file in scan.plan_files() if plan is None else plan:
        with telling_damage(file.file.file_path):
            yield from reader.to_record_batches([file])


def as_table(batches: Iterable[pa.RecordBatch], table: Table, columns: Sequence[str]) -> pa.Table:
    """Batches of a table's rows as one table of these columns, whose types are those of the contract."""
    schema = pa.schema([table.schema.field(name) for name in columns])
    parts = [pa.Table.from_batches([batch]).select(columns).cast(schema) for batch in batches]
    return pa.concat_tables([schema.empty_table(), *parts])


def newest_date(settings: Settings, table: Table) -> date | None:
    """The newest date that a table has rows of, from its metadata alone; None if it has none.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or the table's list of files is not whole.
    """
    try:
        with open_table(settings, table) as iceberg:
            return max(dates_of_table(iceberg, table), default=None)
    except NoTableError:
        return None


def require_whole(name: str, table: IcebergTable) -> None:
    """Refuse a table whose list of files is not whole.

    Raises
    ------
    DamagedTableError
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    counted = snapshot.summary["total-data-files"] if snapshot.summary else None
    require_whole_snapshot(
        name, snapshot.manifest_list, lambda: map(_as_listed, snapshot.manifests(table.io)), counted and int(counted)
    )


def _as_listed(manifest: ManifestFile) -> Manifest:
    files = manifest.added_files_count + manifest.existing_files_count
    return Manifest(
        manifest.manifest_path, manifest.manifest_length, files if manifest.content == ManifestContent.DATA else 0
    )


@contextmanager
def open_table(settings: Settings | View, table: Table) -> Iterator[IcebergTable]:
    """A table that is there and whose list of files is whole, for as long as the catalog is open.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or not this one.
    DamagedTableError
    """
    if isinstance(settings, View):
        yield settings.table(table)
        return
    with open_catalog(settings) as catalog:
        try:
            iceberg = catalog.load_table(f"{NAMESPACE}.{table.name}")
        except NoSuchTableError as error:
            raise NoTableError(f"there is no table {table.name} yet; materialise a date first") from error
        require_whole(table.name, iceberg)
        yield iceberg


@contextmanager
def scan_dates(
    settings: Settings | View, table: Table, dates: Sequence[date], columns: tuple[str, ...] = ("*",)
) -> Iterator[DataScan]:
    """A scan of some dates of a table, or of all that it has if none are given, for as long as the catalog is open.

    Raises
    ------
    PvfaultError
        As from `open_table`.
    """
    with open_table(settings, table) as iceberg:
        yield _scan_of(iceberg, table, dates, columns)


def dates_of_table(iceberg: IcebergTable, table: Table, *, snapshot_id: int | None = None) -> list[date]:
    """The dates that an open table has rows of, in order, from its metadata alone.

    Parameters
    ----------
    iceberg : IcebergTable
        As from `open_table`.
    table : Table
    snapshot_id : int, optional
        An older snapshot, in the place of the one that was current when the table was opened.
    """
    files = _scan_of(iceberg, table, [], ("*",), snapshot_id).plan_files()
    ranges = {dates_of_file(table, iceberg.schema(), task.file) for task in files}
    return sorted({day for first, last in ranges for day in days_between(first, last)})


def _scan_of(
    iceberg: IcebergTable,
    table: Table,
    dates: Sequence[date],
    columns: tuple[str, ...],
    snapshot_id: int | None = None,
) -> DataScan:
    row_filter = _of_dates(table, dates) if dates else AlwaysTrue()
    return iceberg.scan(row_filter=row_filter, selected_fields=columns, snapshot_id=snapshot_id)


def data_files(iceberg: IcebergTable) -> Iterator[DataFile]:
    """The data files that readers of a table see, from its metadata alone."""
    return (entry.data_file for entry in data_entries(iceberg))


def data_entries(iceberg: IcebergTable) -> Iterator[ManifestEntry]:
    """The same with the snapshot that each of them came with."""
    snapshot = iceberg.current_snapshot()
    for manifest in snapshot.manifests(iceberg.io) if snapshot else ():
        for entry in manifest.fetch_manifest_entry(iceberg.io):
            if entry.data_file.content == DataFileContent.DATA:
                yield entry


def has_deleted_rows(iceberg: IcebergTable) -> bool:
    """Whether single rows of a table's files are deleted, which readers then have to leave out."""
    snapshot = iceberg.current_snapshot()
    return any(
        manifest.content == ManifestContent.DELETES for manifest in (snapshot.manifests(iceberg.io) if snapshot else ())
    )


def files_by_date(iceberg: IcebergTable, table: Table) -> dict[date, list[DataFile]]:
    """The data files that have rows of each date, from the table's metadata alone; one of several dates is of each."""
    found = defaultdict(list)
    for file in data_files(iceberg):
        for day in days_between(*dates_of_file(table, iceberg.schema(), file)):
            found[day].append(file)
    return dict(found)


def dates_of_file(table: Table, schema: Schema, file: DataFile) -> tuple[date, date]:
    """The first and the last date that rows of a data file are of, from the table's metadata alone."""
    field = schema.find_field(table.day_of)
    edges = [from_bytes(field.field_type, bounds[field.field_id]) for bounds in (file.lower_bounds, file.upper_bounds)]
    days = [edge if isinstance(field.field_type, DateType) else edge // _DAY_US for edge in edges]
    return _EPOCH + timedelta(days=days[0]), _EPOCH + timedelta(days=days[1])


def _of_dates(table: Table, dates: Sequence[date]) -> BooleanExpression:
    """Whether a row is of one of some dates, as a condition that Iceberg prunes files by."""
    runs = runs_of(sorted(set(dates)))
    return reduce(Or, (_between(table, run[0], run[-1] + timedelta(days=1)) for run in runs))


def _between(table: Table, first: date, end: date) -> BooleanExpression:
    if not pa.types.is_date(table.schema.field(table.day_of).type):
        first, end = midnight(first), midnight(end)
    return And(GreaterThanOrEqual(table.day_of, first.isoformat()), LessThan(table.day_of, end.isoformat()))
