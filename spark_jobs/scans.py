"""Published rows of the tables, as tasks read them.

By Spark, and by the tasks themselves, file by file. Whoever reads is told which file of which date is damaged.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from pvfault.data_files import FileError, saying_what_to_do, verify
from pvfault.dates import midnight_ms
from pvfault.errors import TransientError
from pvfault.iceberg_files import Manifest, require_whole_snapshot
from pvfault.ledger import making_of_file
from pvfault.tables import Table
from spark_jobs import catalog, files
from spark_jobs.tasks import ROWS_AT_ONCE, run_in_tasks

# An error of Spark's own, or one that came through it from a task.
SPARK_ERRORS = (PySparkException, Py4JError)
_NAME_MAPPING = "schema.name-mapping.default"
_TRANSIENT = re.compile(r"pvfault\.errors\.TransientError: (.*)")


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


@dataclass(frozen=True)
class DataFile:
    """A data file of a date, as the table's metadata have it.

    Attributes
    ----------
    day : date
    location : str
        As Iceberg names it.
    bytes, rows : int
    is_plain : bool
        Whether it is Parquet, and all its rows are of the date and none of them deleted.
    """

    day: date
    location: str
    bytes: int
    rows: int
    is_plain: bool


def read(spark: SparkSession, table: Table, *days: date) -> DataFrame:
    """The published rows of a date, or of several.

    Raises
    ------
    DamagedTableError
        If the table's list of files is not whole; so does everything else that reads here.
    """
    require_whole(spark, table)
    return spark.table(catalog.name_of(table)).where(reduce(or_, (catalog.is_of(table, day) for day in days)))


def read_file_by_file(
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
        format, of more than this date, or without Iceberg's numbers of columns. The batches raise a FileError that
        names the file and the date if a file is damaged.
    """
    found = files_of(spark, table, day)
    if not _can_be_read_by_tasks(spark, table, found):
        return None
    parts = [
        (file, files.FileRange(file.location, start, at_most or file.bytes))
        for file in found
        for start in range(0, file.bytes, at_most or file.bytes)
    ]
    frame = spark.range(0, len(parts), 1, max(1, len(parts)))
    return Source(frame, _to_batches(spark, table, columns, parts, rows_at_once))


def read_together(spark: SparkSession, table: Table, found: Sequence[DataFile], columns: Sequence[str]) -> DataFrame:
    """The rows of data files of some dates, for Spark to move: read by tasks as far as they can, so none is garbage.

    What a task says of a damaged file comes as an error of Spark's: `find_damage` tells which file it is.
    """
    if not _can_be_read_by_tasks(spark, table, found):
        return read(spark, table, *{file.day for file in found}).select(*columns)
    parts = [(file, files.FileRange(file.location, 0, file.bytes)) for file in found]
    schema = from_arrow_schema(pa.schema([table.schema.field(name) for name in columns]))
    return _range(spark, len(parts)).mapInArrow(_to_batches(spark, table, columns, parts, ROWS_AT_ONCE), schema)


def read_large_rows(spark: SparkSession, table: Table, day: date, rows_at_once: int) -> DataFrame:
    """The published rows of a date by Spark, so many at a time: its reader's own 5,000 take 80 MB of images."""
    require_whole(spark, table)
    rows = spark.read.option("batch-size", rows_at_once).table(catalog.name_of(table))
    return rows.where(catalog.is_of(table, day))


def count_rows(spark: SparkSession, table: Table, day: date) -> int:
    """How many rows of a date are published: from the table's metadata alone, where these tell."""
    found = files_of(spark, table, day)
    if all(file.is_plain for file in found):
        return sum(file.rows for file in found)
    return read(spark, table, day).count()


def files_of(spark: SparkSession, table: Table, *days: date, snapshot_id: int | None = None) -> list[DataFile]:
    """The data files of a date, or of several, from the table's metadata alone; as an older snapshot had them."""
    require_whole(spark, table)
    iceberg = catalog.load(spark, table)
    scan = iceberg.newScan() if snapshot_id is None else iceberg.newScan().useSnapshot(snapshot_id)
    return [
        DataFile(
            day,
            (file := task.file()).location(),
            file.fileSizeInBytes(),
            file.recordCount(),
            # All rows of a file are of the date if nothing is left to ask of each.
            file.format().toString() == "PARQUET" and task.deletes().isEmpty() and task.residual().toString() == "true",
        )
        for day in days
        for task in plan(spark, scan, table, day)
    ]


def making_of(spark: SparkSession, table: Table, day: date, *, snapshot_id: int | None = None) -> str | None:
    """The making of a date, by the names of its files, as an older snapshot had them; None if they are not of one."""
    makings = {making_of_file(file.location) for file in files_of(spark, table, day, snapshot_id=snapshot_id)}
    return makings.pop() if len(makings) == 1 else None


def plan(spark: SparkSession, scan, table: Table, day: date) -> list:
    """Iceberg's tasks of a date, one for each data file."""
    expressions = spark._jvm.org.apache.iceberg.expressions.Expressions
    if table.day_of == "date":
        of_day = [expressions.equal("date", (day - date(1970, 1, 1)).days)]
    else:
        start, end = (midnight_ms(edge) * 1000 for edge in (day, day + timedelta(days=1)))
        of_day = [expressions.greaterThanOrEqual(table.day_of, start), expressions.lessThan(table.day_of, end)]
    for condition in of_day:
        scan = scan.filter(condition)
    planned = scan.planFiles()
    try:
        return catalog.listed(planned.iterator())
    finally:
        planned.close()


def require_whole(spark: SparkSession, table: Table) -> None:
    """Refuse a table whose list of files is not whole.

    Raises
    ------
    DamagedTableError
    """
    iceberg = catalog.load(spark, table)
    snapshot = iceberg.currentSnapshot()
    if snapshot is None:
        return
    counted = snapshot.summary().get("total-data-files")
    require_whole_snapshot(
        table.name,
        snapshot.manifestListLocation(),
        lambda: _manifests(iceberg.io(), snapshot),
        counted and int(counted),
    )


def _manifests(io, snapshot) -> Iterator[Manifest]:
    for one in catalog.listed(snapshot.dataManifests(io).iterator()):
        yield Manifest(one.path(), one.length(), one.addedFilesCount() + one.existingFilesCount())
    for one in catalog.listed(snapshot.deleteManifests(io).iterator()):
        yield Manifest(one.path(), one.length(), 0)


@contextmanager
def naming_damage(spark: SparkSession, day: date, *tables: Table) -> Iterator[None]:
    """Tell an error of Spark's by the damaged file of a date that it comes from, if it does.

    Raises
    ------
    FileError
        That names a damaged file of one of the tables.
    TransientError
        That a task has raised as often as Spark has tried it.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        # Where Spark is gone and cannot look, its error is to be told as it is.
        with suppress(*SPARK_ERRORS):
            for table in tables:
                damaged = find_damage(spark, table, files_of(spark, table, day), table.schema.names)
                if damaged:
                    raise FileError(damaged[day]) from error
        transient = _TRANSIENT.search(str(error))
        if transient:
            raise TransientError(transient[1]) from error
        raise


def find_damage(
    spark: SparkSession, table: Table, found: Sequence[DataFile], columns: Sequence[str]
) -> dict[date, str]:
    """Read columns of data files to their ends, and say of each damaged date what is wrong with a file of it."""

    def look(numbers: Iterator[pa.RecordBatch]) -> dict[date, str]:
        damaged = {}
        for number in _numbers(numbers):
            file = found[number]
            try:
                with saying_what_to_do(table, file.day):
                    verify(file.location, columns)
            except FileError as error:
                damaged[file.day] = str(error)
        return damaged

    return reduce(or_, run_in_tasks(_range(spark, len(found)), look), {})


def _range(spark: SparkSession, n_files: int) -> DataFrame:
    """Numbers of files, several to a task: there may be many small ones, and each task takes some time of its own."""
    return spark.range(0, n_files, 1, max(1, min(n_files, 2 * spark.sparkContext.defaultParallelism)))


def _can_be_read_by_tasks(spark: SparkSession, table: Table, found: Sequence[DataFile]) -> bool:
    """Whether tasks can read data files as they are, and find columns by Iceberg's numbers."""
    return all(file.is_plain for file in found) and _NAME_MAPPING not in catalog.load(spark, table).properties()


def _to_batches(
    spark: SparkSession,
    table: Table,
    columns: Sequence[str],
    parts: Sequence[tuple[DataFile, files.FileRange]],
    rows_at_once: int,
) -> Callable:
    """From numbers of parts of files to their rows."""
    struct = catalog.load(spark, table).schema().asStruct()
    schema = pa.schema(catalog.numbered([table.schema.field(name) for name in columns], struct))

    def to_batches(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number in _numbers(numbers):
            file, part = parts[number]
            with saying_what_to_do(table, file.day):
                yield from files.read(part, schema, rows_at_once)

    return to_batches


def _numbers(share: Iterator[pa.RecordBatch]) -> Iterator[int]:
    """A task's share of a range."""
    for batch in share:
        yield from batch.column(0).to_pylist()
