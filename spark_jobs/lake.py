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


def read(spark: SparkSession, table: Table, day: date) -> DataFrame:
    """The published rows of a date."""
    return spark.table(name_of(table)).where(_is_of(table, day))


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
    partition = f"{table.day_of}_day" if table.day_of != "date" else "date"
    rows = spark.table(f"{name_of(table)}.partitions").where(f.col(f"partition.{partition}") == f.lit(day))
    return rows.agg(f.coalesce(f.sum("record_count"), f.lit(0))).first()[0]


def stage(rows: DataFrame, table: Table) -> Staged | None:
    """Write the rows of one date as a snapshot that replaces the date once it is published.

    Parameters
    ----------
    rows : DataFrame
        Of one date, with the columns of the table, each task's rows sorted by the table's key.
    table : Table

    Returns
    -------
    Staged or None
        None if there were no rows, so there is nothing to publish.
    """
    spark = rows.sparkSession
    wap_id = f"{table.name}-{uuid.uuid4().hex}"
    with _staging(spark, wap_id):
        columns = rows.select(*table.schema.names)
        # Rows arrive sorted; the table's own ordering would sort images again.
        columns.writeTo(name_of(table)).option("use-table-distribution-and-ordering", "false").overwritePartitions()
    snapshot = (
        spark.table(f"{name_of(table)}.snapshots").where(f.col("summary")["wap.id"] == wap_id)
        .select("snapshot_id", "summary").first()
    )  # fmt: skip
    if snapshot is None:  # Iceberg makes no snapshot of nothing
        return None
    added = {key: int(snapshot.summary[f"added-{key}"]) for key in ("records", "files-size", "data-files")}
    return Staged(table, wap_id, snapshot.snapshot_id, added["records"], added["files-size"], added["data-files"])


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
    rows = spark.sql(f"SHOW TBLPROPERTIES {name_of(table)}").where(f.col("key") == f"{_LATE_UNTIL}{day}").collect()
    return rows[0]["value"] if rows else None


def forget_late_readings(spark: SparkSession, table: Table, day: date) -> None:
    """A date was made again with its late readings."""
    spark.sql(f"ALTER TABLE {name_of(table)} UNSET TBLPROPERTIES IF EXISTS ('{_LATE_UNTIL}{day}')")


@contextmanager
def _staging(spark: SparkSession, wap_id: str) -> Iterator[None]:
    """Every write inside goes to a snapshot of this name that is not published."""
    spark.conf.set("spark.wap.id", wap_id)
    try:
        yield
    finally:
        spark.conf.unset("spark.wap.id")


def _is_of(table: Table, day: date):
    """Whether a row is of a date, as a condition that Iceberg prunes files by."""
    column = f.col(table.day_of)
    if table.day_of == "date":
        return column == f.lit(day)
    return (column >= f.lit(str(day)).cast("timestamp")) & (
        column < f.lit(str(day + timedelta(days=1))).cast("timestamp")
    )


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
