"""The Iceberg tables: how they are made, read, staged and published.

Here: every statement that names a table. Schemas are derived from `pvfault.tables`. Writing is write-audit-publish:
`write` lets the workers write files that no table knows, `stage` makes a snapshot of them that readers do not see,
`publish` shows it. Not here: the files (`files.py`), what rows mean and what is audited.
"""

import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS
from pvfault.tables import TABLES, Table
from spark_jobs import files
from spark_jobs.job import AuditResult, DateReport
from spark_jobs.session import CATALOG, NAMESPACE, folder_of, read_archives_once

_PROPERTIES = {
    "format-version": "2",
    "write.wap.enabled": "true",
    "write.parquet.compression-codec": "zstd",
    # Each a tenth of the time to write 4.27 M readings on two cores: measurements are hardly smaller at a higher level,
    # and have too many values for a dictionary.
    "write.parquet.compression-level": "1",
    "write.parquet.dict-size-bytes": str(2**16),
    # Jobs write each date sorted and in the files they want; Iceberg's own shuffle would be a second one.
    "write.distribution-mode": "none",
    # A task writes one file, so that a device's readings of a date stand together.
    "write.target-file-size-bytes": str(2**40),
    # A laptop that makes dates for years must not keep every metadata file of them.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}
# Rows that Spark hands to Python, and takes from a file, at once: some MB, which stay in the caches of a core.
ROWS_AT_ONCE = 50_000
_ARROW_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_LATE_UNTIL = "pvfault.late-until."
_NAME_MAPPING = "schema.name-mapping.default"
_RESULT = "result binary"


class TableError(PvfaultError):
    """A table is not as the jobs need it."""


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
class Staged:
    """A snapshot that is written and not yet seen by readers.

    Attributes
    ----------
    table : Table
    wap_id : str
    snapshot_id : int
    rows, bytes, files : int
        What was added.
    """

    table: Table
    wap_id: str
    snapshot_id: int
    rows: int
    bytes: int
    files: int


def spark_schema(table: Table) -> StructType:
    """A table's columns in Spark's types."""
    return from_arrow_schema(table.schema)


def create_tables(spark: SparkSession) -> None:
    """Make the tables that are not there, and add the columns that are new, by Iceberg's own schema evolution."""
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{NAMESPACE}")
    for table in TABLES:
        if spark.catalog.tableExists(name_of(table)):
            _add_columns(spark, table)
        else:
            _create(spark, table)


def name_of(table: Table) -> str:
    """A table's full name."""
    return f"{CATALOG}.{NAMESPACE}.{table.name}"


def read(spark: SparkSession, table: Table, *days: date) -> DataFrame:
    """The published rows of a date, or of several."""
    return spark.table(name_of(table)).where(reduce(or_, (_is_of(table, day) for day in days)))


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
    iceberg = _load(spark, table)
    tasks = _plan(spark, iceberg.newScan(), table, day)
    if _NAME_MAPPING in iceberg.properties() or not all(_is_plain(spark, task) for task in tasks):
        return None
    sizes = {task.file().location(): task.file().fileSizeInBytes() for task in tasks}
    parts = [
        files.Part(location, start, at_most or size)
        for location, size in sizes.items()
        for start in range(0, size, at_most or size)
    ]
    schema = pa.schema(_numbered([table.schema.field(name) for name in columns], iceberg.schema().asStruct()))

    def batches(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from files.read(parts[number], schema, rows_at_once)

    return Source(spark.range(0, len(parts), 1, max(1, len(parts))), batches)


def read_large_rows(spark: SparkSession, table: Table, day: date, rows_at_once: int) -> DataFrame:
    """The published rows of a date by Spark, so many at a time: its reader's own 5,000 take 80 MB of images."""
    rows = spark.read.option("batch-size", rows_at_once).table(name_of(table))
    return rows.where(_is_of(table, day))


def read_staged(spark: SparkSession, staged: Staged, day: date) -> DataFrame:
    """The rows of a date as they will be once they are published."""
    rows = spark.read.option("snapshot-id", staged.snapshot_id).table(name_of(staged.table))
    return rows.where(_is_of(staged.table, day))


def count(spark: SparkSession, table: Table, day: date) -> int:
    """How many rows of a date are published: from the table's metadata alone, where these tell."""
    tasks = _plan(spark, _load(spark, table).newScan(), table, day)
    if all(_is_plain(spark, task) for task in tasks):
        return sum(task.file().recordCount() for task in tasks)
    return read(spark, table, day).count()


def count_values(spark: SparkSession, staged: Staged, day: date, column: str) -> int:
    """How many of the staged rows of a date have a value in a column, from the files' metadata alone."""
    table = _load(spark, staged.table)
    scan = table.newScan().useSnapshot(staged.snapshot_id).includeColumnStats()
    number = table.schema().findField(column).fieldId()
    found = [task.file() for task in _plan(spark, scan, staged.table, day)]
    return sum(file.valueCounts()[number] - file.nullValueCounts()[number] for file in found)


def write(
    source: Source, to_rows: Callable, table: Table, day: date, *, rows_at_once: int = ROWS_AT_ONCE
) -> tuple[list[files.Written], list]:
    """Write rows of one date in the workers, a file for each task that has some. No table knows these files yet.

    Parameters
    ----------
    source : Source
    to_rows : callable
        From an iterator of a task's batches to one of batches with the columns of the table, sorted by its key. What
        it returns at last is the task's tally.
    table : Table
    day : date
        That all rows are of.
    rows_at_once : int
        Rows of a batch that Spark hands to `to_rows`.

    Returns
    -------
    written : list of Written
    tallies : list
        Of each task that succeeded, whether it had rows or not. They come with the files, as a task's result: one that
        Spark runs twice is counted and written into the table once.

    Raises
    ------
    TableError
        If the table is not partitioned by day alone.
    """
    spark = source.frame.sparkSession
    task = _write_in_task(source.batches, to_rows, _target(spark, table, day))
    with _settings(spark, {_ARROW_ROWS: rows_at_once}):
        results = [pickle.loads(row.result) for row in source.frame.mapInArrow(task, _RESULT).collect()]  # noqa: S301
    return [written for written, _ in results if written], [tally for _, tally in results]


def stage(spark: SparkSession, table: Table, day: date, written: Sequence[files.Written]) -> Staged | None:
    """Make a snapshot of what was written that replaces the date once it is published.

    Returns
    -------
    Staged or None
        None if nothing was written, so there is nothing to publish.
    """
    if not written:
        return None
    iceberg = _load(spark, table)
    wap_id = f"{table.name}-{uuid.uuid4().hex}"
    replacement = iceberg.newReplacePartitions()
    for file in _data_files(spark, iceberg, table, day, written):
        replacement.addFile(file)
    replacement.set("wap.id", wap_id).stageOnly().commit()
    return Staged(
        table,
        wap_id,
        _snapshot_of(_load(spark, table), wap_id),
        sum(file.rows for file in written),
        sum(file.bytes for file in written),
        len(written),
    )


def publish(spark: SparkSession, staged: Staged) -> None:
    """Let readers see a staged snapshot, all of it at once."""
    spark.sql(f"CALL {CATALOG}.system.publish_changes('{NAMESPACE}.{staged.table.name}', '{staged.wap_id}')")


def publish_audited(
    spark: SparkSession, staged: Staged | None, day: date, audits: Sequence[AuditResult], figures: dict
) -> DateReport:
    """Publish what is staged of a date unless it fails a blocking audit, and report the date."""
    report = DateReport(
        day,
        rows=staged.rows if staged else 0,
        snapshot_id=staged.snapshot_id if staged else None,
        published=False,
        figures={**figures, "bytes": staged.bytes if staged else 0, "files": staged.files if staged else 0},
        audits=tuple(audits),
    )
    if staged is None or report.refusals:
        return report
    publish(spark, staged)
    return replace(report, published=True)


def expect_late_readings(spark: SparkSession, table: Table, days: list[date], until: str) -> None:
    """Remember that late readings of some dates stand in the topic before a time, for when the dates are made again."""
    properties = ", ".join(f"'{_LATE_UNTIL}{day}' = '{until}'" for day in days)
    spark.sql(f"ALTER TABLE {name_of(table)} SET TBLPROPERTIES ({properties})")


def late_readings_until(spark: SparkSession, table: Table, day: date) -> str | None:
    """The time up to which the topic holds late readings of a date, if another date's ingest has seen some."""
    return _load(spark, table).properties().get(f"{_LATE_UNTIL}{day}")


def forget_late_readings(spark: SparkSession, table: Table, day: date) -> None:
    """A date was made again with its late readings."""
    spark.sql(f"ALTER TABLE {name_of(table)} UNSET TBLPROPERTIES IF EXISTS ('{_LATE_UNTIL}{day}')")


def _load(spark: SparkSession, table: Table):
    """Iceberg's own object of a table, as it is now: its metadata are asked for without a Spark query for each."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name_of(table))


def _snapshot_of(table, wap_id: str) -> int:
    """The snapshot that was staged under a name, which is one of the last."""
    snapshots = table.snapshots()
    return next(
        snapshots[place].snapshotId()
        for place in reversed(range(len(snapshots)))
        if snapshots[place].summary().get("wap.id") == wap_id
    )


def _plan(spark: SparkSession, scan, table: Table, day: date) -> list:
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
        return _listed(planned.iterator())
    finally:
        planned.close()


def _is_plain(spark: SparkSession, task) -> bool:
    """Whether a data file is Parquet, and all its rows are of the date and none of them deleted."""
    every_row = spark._jvm.org.apache.iceberg.expressions.Expressions.alwaysTrue()
    is_parquet = task.file().format().name() == "PARQUET"
    return is_parquet and task.deletes().isEmpty() and task.residual().isEquivalentTo(every_row)


def _write_in_task(batches: Callable, to_rows: Callable, target: files.Target) -> Callable:
    def write_in_task(share: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        read_archives_once()
        tally = None

        def rows():
            nonlocal tally
            tally = yield from to_rows(batches(share))

        written = files.write(rows(), target)
        yield pa.record_batch([pa.array([pickle.dumps((written, tally))])], names=["result"])

    return write_in_task


def _target(spark: SparkSession, table: Table, day: date) -> files.Target:
    """Where Iceberg has a date's files, and their schema."""
    iceberg = _load(spark, table)
    some_file = iceberg.locationProvider().newDataLocation(iceberg.spec(), _partition(spark, iceberg, table, day), "-")
    edges = [day, day + timedelta(days=1)]
    if table.day_of != "date":
        edges = [datetime.combine(edge, time(), UTC) for edge in edges]
    schema = pa.schema(_numbered(table.schema, iceberg.schema().asStruct()))
    return files.Target(some_file.removesuffix("/-"), schema, table.day_of, *edges)


def _partition(spark: SparkSession, iceberg, table: Table, day: date):
    """The partition of a date."""
    spec = iceberg.spec()
    by = [
        (iceberg.schema().findColumnName(one.sourceId()), one.transform().toString())
        for one in _listed(spec.fields().iterator())
    ]
    if by != [(table.day_of, "identity" if table.day_of == "date" else "day")]:
        raise TableError(
            f"the table {table.name} is partitioned by {by or 'nothing'}, expected the day of {table.day_of} alone; "
            f"set that again with ALTER TABLE {name_of(table)} REPLACE PARTITION FIELD"
        )
    return spark._jvm.org.apache.iceberg.DataFiles.data(spec, f"{spec.fields()[0].name()}={day}")


def _data_files(spark: SparkSession, iceberg, table: Table, day: date, written: Sequence[files.Written]) -> Iterator:
    """Written files as Iceberg knows them, with the counts and bounds that their footers have."""
    jvm = spark._jvm.org.apache.iceberg
    file_metrics, to_list = jvm.parquet.ParquetUtil.fileMetrics, jvm.util.ArrayUtil.toLongList
    metrics_config = jvm.MetricsConfig.forTable(iceberg)
    builder = jvm.DataFiles.builder(iceberg.spec())
    builder.withFormat("PARQUET").withPartition(_partition(spark, iceberg, table, day))
    for file in written:
        metrics = file_metrics(iceberg.io().newInputFile(file.location, file.bytes), metrics_config)
        builder.withPath(file.location).withFileSizeInBytes(file.bytes).withMetrics(metrics)
        yield builder.withSplitOffsets(to_list(_longs(spark, file.starts))).build()


def _listed(iterator) -> list:
    """What a Java iterator gives. Python's own loop ends by an exception in Java, on its way for 25 ms."""
    listed = []
    while iterator.hasNext():
        listed.append(iterator.next())
    return listed


def _longs(spark: SparkSession, numbers: Sequence[int]):
    """Numbers as Java's long[]."""
    gateway = spark.sparkContext._gateway
    longs = gateway.new_array(gateway.jvm.long, len(numbers))
    for place, number in enumerate(numbers):
        longs[place] = number
    return longs


def _numbered(fields: Iterable[pa.Field], struct) -> list[pa.Field]:
    """Fields with the numbers that Iceberg's schema has for them, by their names."""
    numbered = []
    for field in fields:
        known = struct.field(field.name)
        if pa.types.is_struct(field.type):
            field = field.with_type(pa.struct(_numbered(field.type, known.type().asStructType())))
        numbered.append(field.with_metadata({files.FIELD_ID: str(known.fieldId())}))
    return numbered


@contextmanager
def _settings(spark: SparkSession, settings: dict) -> Iterator[None]:
    """Settings of the session for what is done inside."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)


def _is_of(table: Table, day: date):
    """Whether a row is of a date, as a condition that Iceberg prunes files by."""
    column, end = f.col(table.day_of), day + timedelta(days=1)
    if table.day_of == "date":
        return column == f.lit(day)
    return (column >= f.lit(str(day)).cast("timestamp")) & (column < f.lit(str(end)).cast("timestamp"))


def _create(spark: SparkSession, table: Table) -> None:
    day_of = table.day_of if table.day_of == "date" else f"days({table.day_of})"
    columns = ", ".join(_column(field) for field in spark_schema(table))
    # Nothing looks for a voltage, and keeping the bounds of measurements takes a fifth of the time to write them.
    unbounded = {f"write.metadata.metrics.column.{name}": "none" for name in MEASUREMENTS if name in table.schema.names}
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in (_PROPERTIES | unbounded).items())
    folder = folder_of(spark, table)
    located = f"LOCATION '{folder}' " if folder else ""
    spark.sql(
        f"CREATE TABLE {name_of(table)} ({columns}) USING iceberg PARTITIONED BY ({day_of}) {located}"
        f"TBLPROPERTIES ({properties})"
    )
    if DEVICE_ID in table.schema.names:
        spark.sql(f"ALTER TABLE {name_of(table)} WRITE LOCALLY ORDERED BY {', '.join(f'`{c}`' for c in table.key)}")


def _add_columns(spark: SparkSession, table: Table) -> None:
    present = set(spark.table(name_of(table)).columns)
    new = [field for field in spark_schema(table) if field.name not in present]
    if new:
        # Rows that are there already have no value for a new column, so it cannot be NOT NULL.
        columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in new)
        spark.sql(f"ALTER TABLE {name_of(table)} ADD COLUMNS ({columns})")


def _column(field) -> str:
    return f"`{field.name}` {field.dataType.simpleString()}{'' if field.nullable else ' NOT NULL'}"
