"""Published rows, read without Spark.

Here: the catalog and rows of some dates. What is staged and not published is not seen. Not here: what the rows say
(`fleet.py`), the tables' columns (`pvfault.tables`).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan

from pvfault.errors import PvfaultError
from pvfault.settings import AWS, Settings
from pvfault.tables import CATALOG, NAMESPACE, Table


def open_catalog(settings: Settings) -> Catalog:
    """The catalog of the tables: Glue on AWS, an SQLite file on a laptop.

    Raises
    ------
    PvfaultError
        If there is none yet on this laptop.
    """
    if settings.environment == AWS:
        return load_catalog(CATALOG, type="glue")
    if not settings.catalog.is_file():
        raise PvfaultError(
            f"there are no tables in {settings.home} ({settings.catalog.name} is not there); "
            "materialise a date first, or point PVFAULT_HOME at the folder that has them"
        )
    return SqlCatalog(CATALOG, uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri())


def read_dates(settings: Settings, table: Table, dates: Sequence[date]) -> pa.Table:
    """The rows of a range of dates.

    Parameters
    ----------
    settings : Settings
    table : Table
    dates : sequence of date
        At least one; the days between the first and the last are read too.

    Returns
    -------
    pa.Table
        Of the table's schema, sorted by its key.

    Raises
    ------
    PvfaultError
        If there are no tables yet.
    """
    with open_catalog(settings) as catalog:
        try:
            rows = catalog.load_table(f"{NAMESPACE}.{table.name}").scan(row_filter=_between(table, dates)).to_arrow()
        except NoSuchTableError as error:
            raise PvfaultError(f"there is no table {table.name} yet; materialise a date first") from error
    return rows.sort_by([(column, "ascending") for column in table.key]).cast(table.schema)


def _between(table, dates):
    """Whether a row is of a date of the range, as a condition that Iceberg prunes files by."""
    first, end = min(dates), max(dates) + timedelta(days=1)
    if pa.types.is_date(table.schema.field(table.day_of).type):
        return And(GreaterThanOrEqual(table.day_of, first.isoformat()), LessThan(table.day_of, end.isoformat()))
    first, end = (datetime.combine(day, time(), UTC).isoformat() for day in (first, end))
    return And(GreaterThanOrEqual(table.day_of, first), LessThan(table.day_of, end))
