"""Published rows of the tables, as tasks read them.

Here: by Spark, and by the tasks themselves, file by file. Not here: what is staged and not published yet
(`publishing.py`), the files' form (`files.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pvfault.tables import Table
from spark_jobs import catalog, files

_NAME_MAPPING = "schema.name-mapping.default"


@dataclass(frozen=True)
class Source:
    """Rows on their way into tasks.

    Attributes
    ----------
    frame : DataFrame
        What Spark gives to tasks.
    batches : callable
        From an iterator of batches of a task's share of `frame` to one of batches of rows. By default the share is the
        rows.
    """

    frame: DataFrame
    batches: Callable = iter


def read(spark: SparkSession, table: Table, *days: date) -> DataFrame:
    """The published rows of a date, or of several."""
    return spark.table(catalog.name_of(table)).where(reduce(or_, (catalog.is_of(table, day) for day in days)))


def read_files(
    spark: SparkSession,
    table: Table,
    day: date,
    columns: Sequence[str],
    rows_at_once: int,
    *,
    at_most: int | None = None,
) -> Source | None:
    """The published rows of a date, read by the tasks themselves: a file a task, in its own order.

    Parameters
    ----------
    spark : SparkSession
    table : Table
    day : date
    columns : sequence of str
    rows_at_once : int
        The most rows of a batch.
    at_most : int, optional
        A larger file is for several tasks, each with so much of it, as far as its row groups allow. [B]

    Returns
    -------
    Source or None
        None if only Spark can read the rows: somebody has deleted some of them, or has brought in files of another
        format, of more than this date, or without Iceberg's numbers of columns.
    """
    iceberg = catalog.load(spark, table)
    tasks = plan(spark, iceberg.newScan(), table, day)
    if _NAME_MAPPING in iceberg.properties() or not all(is_plain(spark, task) for task in tasks):
        return None
    sizes = {task.file().location(): task.file().fileSizeInBytes() for task in tasks}
    parts = [
        files.Part(location, start, at_most or size)
        for location, size in sizes.items()
        for start in range(0, size, at_most or size)
    ]
    schema = pa.schema(catalog.numbered([table.schema.field(name) for name in columns], iceberg.schema().asStruct()))

    def batches(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from files.read(parts[number], schema, rows_at_once)

    return Source(spark.range(0, len(parts), 1, max(1, len(parts))), batches)


def read_large_rows(spark: SparkSession, table: Table, day: date, rows_at_once: int) -> DataFrame:
    """The published rows of a date by Spark, so many at a time: its reader's own 5,000 take 80 MB of images."""
    rows = spark.read.option("batch-size", rows_at_once).table(catalog.name_of(table))
    return rows.where(catalog.is_of(table, day))


def count(spark: SparkSession, table: Table, day: date) -> int:
    """How many rows of a date are published: from the table's metadata alone, where these tell."""
    tasks = plan(spark, catalog.load(spark, table).newScan(), table, day)
    if all(is_plain(spark, task) for task in tasks):
        return sum(task.file().recordCount() for task in tasks)
    return read(spark, table, day).count()


def plan(spark: SparkSession, scan, table: Table, day: date) -> list:
    """Iceberg's tasks of a date, one for each data file."""
    expressions = spark._jvm.org.apache.iceberg.expressions.Expressions
    if table.day_of == "date":
        of_day = [expressions.equal("date", (day - date(1970, 1, 1)).days)]
    else:
        start, end = ((edge - date(1970, 1, 1)).days * 86_400_000_000 for edge in (day, day + timedelta(days=1)))
        of_day = [expressions.greaterThanOrEqual(table.day_of, start), expressions.lessThan(table.day_of, end)]
    for condition in of_day:
        scan = scan.filter(condition)
    planned = scan.planFiles()
    try:
        return catalog.listed(planned.iterator())
    finally:
        planned.close()


def is_plain(spark: SparkSession, task) -> bool:
    """Whether a data file is Parquet, and all its rows are of the date and none of them deleted."""
    every_row = spark._jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
    is_parquet = task.file().format().name() == "PARQUET"
    return is_parquet and task.deletes().isEmpty() and task.residual().isEquivalentTo(every_row)
