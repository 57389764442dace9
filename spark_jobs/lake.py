"""The Iceberg tables: how they are made, read, staged and published.

Here: every statement that names a table. Schemas are derived from `pvfault.tables`. Writing is write-audit-publish:
`stage` writes a snapshot that readers do not see, `publish` shows it. Not here: what rows mean and what is audited.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pvfault.readings import DEVICE_ID, MEASUREMENTS
from pvfault.tables import TABLES, Table
from spark_jobs.job import AuditResult, DateReport
from spark_jobs.session import CATALOG, NAMESPACE, folder_of

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


def read(spark: SparkSession, table: Table, day: date, *, days: int = 1) -> DataFrame:
    """The published rows of a date, or of so many from it on."""
    return spark.table(name_of(table)).where(_is_of(table, day, days))


def read_large_rows(spark: SparkSession, table: Table, day: date, rows_at_once: int) -> DataFrame:
    """The published rows of a date, so many at a time: the reader's own 5,000 take 80 MB of images."""
    rows = spark.read.option("batch-size", rows_at_once).table(name_of(table))
    return rows.where(_is_of(table, day))


def read_whole_files(spark: SparkSession, table: Table, day: date) -> DataFrame:
    """The published rows of a date, each file in one task and in its own order, however large it is."""
    undivided = str(2**40)
    rows = spark.read.option("split-size", undivided).option("file-open-cost", undivided).table(name_of(table))
    return rows.where(_is_of(table, day))


def read_staged(spark: SparkSession, staged: Staged, day: date) -> DataFrame:
    """The rows of a date as they will be once they are published."""
    rows = spark.read.option("snapshot-id", staged.snapshot_id).table(name_of(staged.table))
    return rows.where(_is_of(staged.table, day))


def count(spark: SparkSession, table: Table, day: date) -> int:
    """How many rows of a date are published, from the table's metadata alone."""
    return sum(file.recordCount() for file in _files(spark, _load(spark, table).newScan(), table, day))


def count_values(spark: SparkSession, staged: Staged, day: date, column: str) -> int:
    """How many of the staged rows of a date have a value in a column, from the files' metadata alone."""
    table = _load(spark, staged.table)
    scan = table.newScan().useSnapshot(staged.snapshot_id).includeColumnStats()
    number = table.schema().findField(column).fieldId()
    files = _files(spark, scan, staged.table, day)
    return sum(file.valueCounts()[number] - file.nullValueCounts()[number] for file in files)


def stage(rows: DataFrame, table: Table, *, rows_at_once: int = ROWS_AT_ONCE) -> Staged | None:
    """Write the rows of one date as a snapshot that replaces the date once it is published.

    Parameters
    ----------
    rows : DataFrame
        Of one date, with the columns of the table, each task's rows sorted by the table's key.
    table : Table
    rows_at_once : int
        Rows that the functions on the way to `rows` get at once.

    Returns
    -------
    Staged or None
        None if there were no rows, so there is nothing to publish.
    """
    spark = rows.sparkSession
    wap_id = f"{table.name}-{uuid.uuid4().hex}"
    # Every write inside goes to a snapshot of this name that is not published.
    with _settings(spark, {"spark.wap.id": wap_id, _ARROW_ROWS: rows_at_once}):
        columns = rows.select(*table.schema.names)
        # Rows arrive sorted; the table's own ordering would sort images again.
        columns.writeTo(name_of(table)).option("use-table-distribution-and-ordering", "false").overwritePartitions()
    snapshot = _snapshot_of(_load(spark, table), wap_id)
    if snapshot is None:  # Iceberg makes no snapshot of nothing
        return None
    summary = snapshot.summary()
    added = {key: int(summary[f"added-{key}"]) for key in ("records", "files-size", "data-files")}
    return Staged(table, wap_id, snapshot.snapshotId(), added["records"], added["files-size"], added["data-files"])


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


def _snapshot_of(table, wap_id: str):
    """The snapshot that was staged under a name, which is one of the last."""
    snapshots = table.snapshots()
    for place in reversed(range(len(snapshots))):
        if snapshots[place].summary().get("wap.id") == wap_id:
            return snapshots[place]
    return None


def _files(spark: SparkSession, scan, table: Table, day: date) -> list:
    """The data files of a date."""
    expressions = spark._jvm.org.apache.iceberg.expressions.Expressions
    if table.day_of == "date":
        of_day = [expressions.equal("date", (day - date(1970, 1, 1)).days)]
    else:
        start, end = ((edge - date(1970, 1, 1)).days * 86_400_000_000 for edge in (day, day + timedelta(days=1)))
        of_day = [expressions.greaterThanOrEqual(table.day_of, start), expressions.lessThan(table.day_of, end)]
    for condition in of_day:
        scan = scan.filter(condition)
    tasks = scan.planFiles()
    try:
        return [task.file() for task in tasks.iterator()]
    finally:
        tasks.close()


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


def _is_of(table: Table, day: date, days: int = 1):
    """Whether a row is of a date, or of so many from it on, as a condition that Iceberg prunes files by."""
    column, end = f.col(table.day_of), day + timedelta(days=days)
    if table.day_of == "date":
        return (column >= f.lit(day)) & (column < f.lit(end))
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
