"""Published rows, read without Spark.

What is staged and not published is not seen.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import reduce

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import And, BooleanExpression, EqualTo, GreaterThanOrEqual, LessThan, Or
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import ManifestContent, ManifestFile
from pyiceberg.table import DataScan
from pyiceberg.table import Table as IcebergTable

from pvfault.catalog_file import BUSY_TIMEOUT_S, require_no_table_lost
from pvfault.dates import midnight
from pvfault.errors import PvfaultError
from pvfault.iceberg_files import Manifest, require_whole_snapshot
from pvfault.locations import uri_of
from pvfault.readings import DEVICE_ID
from pvfault.settings import AWS, Settings
from pvfault.tables import CATALOG, NAMESPACE, Table


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


def read_dates(settings: Settings, table: Table, dates: Sequence[date]) -> pa.Table:
    """The rows of some dates.

    Parameters
    ----------
    settings : Settings
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
    with _scan_of(settings, table, dates) as scan:
        rows = scan.to_arrow()
    return rows.sort_by([(column, "ascending") for column in table.key]).cast(table.schema)


def read_batches(
    settings: Settings, table: Table, dates: Sequence[date], columns: Sequence[str], *, device: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of some dates' rows, one file after the other, so that no more than one is held at a time.

    Parameters
    ----------
    settings : Settings
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
    with _scan_of(settings, table, dates, tuple(columns)) as scan:
        if device is not None:
            scan = scan.filter(EqualTo(DEVICE_ID, device))
        # PyIceberg's own reader of batches begins to read all files at once, and holds what it has read.
        reader = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter)
        for file in scan.plan_files():
            yield from reader.to_record_batches([file])


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
def _scan_of(
    settings: Settings, table: Table, dates: Sequence[date], columns: tuple[str, ...] = ("*",)
) -> Iterator[DataScan]:
    """A scan of some dates of a table that is there and whole, for as long as the catalog is open."""
    with open_catalog(settings) as catalog:
        try:
            iceberg = catalog.load_table(f"{NAMESPACE}.{table.name}")
        except NoSuchTableError as error:
            raise PvfaultError(f"there is no table {table.name} yet; materialise a date first") from error
        require_whole(table.name, iceberg)
        yield iceberg.scan(row_filter=_of_dates(table, dates), selected_fields=columns)


def _of_dates(table: Table, dates: Sequence[date]) -> BooleanExpression:
    """Whether a row is of one of some dates, as a condition that Iceberg prunes files by."""
    runs: list[list[date]] = []
    for day in sorted(set(dates)):
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return reduce(Or, (_between(table, first, last + timedelta(days=1)) for first, last in runs))


def _between(table: Table, first: date, end: date) -> BooleanExpression:
    if not pa.types.is_date(table.schema.field(table.day_of).type):
        first, end = midnight(first), midnight(end)
    return And(GreaterThanOrEqual(table.day_of, first.isoformat()), LessThan(table.day_of, end.isoformat()))
