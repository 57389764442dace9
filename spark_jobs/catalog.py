"""The Iceberg tables as such: how they are called, made and found.

Here: names, schemas as Spark and Iceberg have them (derived from `pvfault.tables`), the partition of a date. Not here:
their rows: read by `scans.py`, replaced by `publishing.py`.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS
from pvfault.tables import CATALOG, NAMESPACE, TABLES, Table
from spark_jobs import files
from spark_jobs.session import folder_of
from spark_jobs.transient import raised_as_transient

# Planning a date reads the manifests that may have files of it, and a list of all of them: of this length, each holds
# the files of some weeks, and a year of them is a short list. [B]
MANIFEST_SIZE, MANIFEST_BYTES = "commit.manifest.target-size-bytes", 64 * 2**10
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
    MANIFEST_SIZE: str(MANIFEST_BYTES),
    # Runs of several dates commit to one table at once; by default the fifth that comes too late in a row fails.
    "commit.retry.num-retries": "20",
}


class TableError(PvfaultError):
    """A table is not as the jobs need it."""


def spark_schema(table: Table) -> StructType:
    """A table's columns in Spark's types."""
    return from_arrow_schema(table.schema)


def name_of(table: Table) -> str:
    """A table's full name."""
    return f"{CATALOG}.{NAMESPACE}.{table.name}"


def load(spark: SparkSession, table: Table):
    """Iceberg's own object of a table, as it is now: its metadata are asked for without a Spark query for each."""
    return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name_of(table))


def create_tables(spark: SparkSession) -> None:
    """Make the tables that are not there, and bring the columns of the others up to the contract.

    New columns are added, and what columns mean is told anew, by Iceberg's own schema evolution.

    Raises
    ------
    TransientError
        If somebody else holds the catalog.
    """
    with raised_as_transient():
        spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{NAMESPACE}")
        for table in TABLES:
            if spark.catalog.tableExists(name_of(table)):
                _add_columns(spark, table)
                _describe(spark, table)
            else:
                _create(spark, table)


def _create(spark: SparkSession, table: Table) -> None:
    day_of = table.day_of if table.day_of == "date" else f"days({table.day_of})"
    # With what they mean: another commit for that would fail where another first run has made the table meanwhile.
    columns = ", ".join(f"{_column(field)} COMMENT {_quoted(table, field)}" for field in spark_schema(table))
    # Nothing looks for a voltage, and keeping the bounds of measurements takes a fifth of the time to write them.
    unbounded = {f"write.metadata.metrics.column.{name}": "none" for name in MEASUREMENTS if name in table.schema.names}
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in (_PROPERTIES | unbounded).items())
    folder = folder_of(spark, table)
    located = f"LOCATION '{folder}' " if folder else ""
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {name_of(table)} ({columns}) USING iceberg PARTITIONED BY ({day_of}) {located}"
        f"TBLPROPERTIES ({properties})"
    )
    if DEVICE_ID in table.schema.names:
        spark.sql(f"ALTER TABLE {name_of(table)} WRITE LOCALLY ORDERED BY {', '.join(f'`{c}`' for c in table.key)}")


def _add_columns(spark: SparkSession, table: Table) -> None:
    present = {column.name() for column in listed(load(spark, table).schema().columns().iterator())}
    new = [field for field in spark_schema(table) if field.name not in present]
    if new:
        # Rows that are there already have no value for a new column, so it cannot be NOT NULL.
        columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in new)
        spark.sql(f"ALTER TABLE {name_of(table)} ADD COLUMNS ({columns})")
    if table.day_of in [field.name for field in new]:
        # Rows that are there keep their partitions; only what is written from now on is of the new ones.
        (before,) = listed(load(spark, table).spec().fields().iterator())
        spark.sql(f"ALTER TABLE {name_of(table)} REPLACE PARTITION FIELD {before.name()} WITH {table.day_of}")


def _describe(spark: SparkSession, table: Table) -> None:
    """Let the catalog say what each column of an older table means: one commit, if it says anything else."""
    iceberg = load(spark, table)
    said = {column.name(): column.doc() for column in listed(iceberg.schema().columns().iterator())}
    other = {name: text for name, text in table.descriptions.items() if said[name] != text}
    if other:
        update = iceberg.updateSchema()
        for name, text in other.items():
            update.updateColumnDoc(name, text)
        update.commit()


def _quoted(table: Table, field) -> str:
    """What a column means, as text in SQL."""
    text = table.descriptions[field.name].replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _column(field) -> str:
    return f"`{field.name}` {field.dataType.simpleString()}{'' if field.nullable else ' NOT NULL'}"


def is_of(table: Table, day: date):
    """Whether a row is of a date, as a condition that Iceberg prunes files by."""
    column, end = f.col(table.day_of), day + timedelta(days=1)
    if table.day_of == "date":
        return column == f.lit(day)
    return (column >= f.lit(str(day)).cast("timestamp")) & (column < f.lit(str(end)).cast("timestamp"))


def partition_of(spark: SparkSession, iceberg, table: Table, day: date):
    """The partition of a date."""
    spec = iceberg.spec()
    by = [
        (iceberg.schema().findColumnName(one.sourceId()), one.transform().toString())
        for one in listed(spec.fields().iterator())
    ]
    if by != [(table.day_of, "identity" if table.day_of == "date" else "day")]:
        raise TableError(
            f"the table {table.name} is partitioned by {by or 'nothing'}, expected the day of {table.day_of} alone; "
            f"set that again with ALTER TABLE {name_of(table)} REPLACE PARTITION FIELD"
        )
    return spark._jvm.org.apache.iceberg.DataFiles.data(spec, f"{spec.fields()[0].name()}={day}")


def numbered(fields: Iterable[pa.Field], struct) -> list[pa.Field]:
    """Fields with the numbers that Iceberg's schema has for them, by their names."""
    return [_numbered(field, struct.field(field.name)) for field in fields]


def _numbered(field: pa.Field, known) -> pa.Field:
    """A field, and all that is nested in it, with its number."""
    if pa.types.is_struct(field.type):
        field = field.with_type(pa.struct(numbered(field.type, known.type().asStructType())))
    if pa.types.is_list(field.type):
        (element,) = known.type().asListType().fields()
        field = field.with_type(pa.list_(_numbered(field.type.value_field, element)))
    return field.with_metadata({files.FIELD_ID: str(known.fieldId())})


def listed(iterator) -> list:
    """What a Java iterator gives. Python's own loop ends by an exception in Java, on its way for 25 ms."""
    listed = []
    while iterator.hasNext():
        listed.append(iterator.next())
    return listed
