"""Write, audit, publish: how a date of a table is replaced.

`write` lets the workers write files that no table knows, `stage` makes a snapshot of them that readers do not see,
`publish` shows it. What is audited in between is each job's own.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pvfault.checks.check import CheckResult
from pvfault.dates import midnight
from pvfault.tables import CATALOG, NAMESPACE, Table
from spark_jobs import catalog, files, scans, tasks
from spark_jobs.job import DateReport


@dataclass(frozen=True)
class Staged:
    """A snapshot that is written and not yet seen by readers.

    Attributes
    ----------
    table : Table
    day : date
    wap_id : str
        Empty where there are no rows: there is no such snapshot, and once it is published the date has none.
    snapshot_id : int or None
    rows, bytes, files : int
        What was added.
    """

    table: Table
    day: date
    wap_id: str = ""
    snapshot_id: int | None = None
    rows: int = 0
    bytes: int = 0
    files: int = 0


@dataclass(frozen=True)
class RowAudits:
    """How rows of a date that are there already are audited when they are written once more.

    That is as far as rows tell: what became of records, or what a date was judged beside, they do not.

    Attributes
    ----------
    to_rows : callable
        As `write` takes it: gives the rows as they come, and a tally at last.
    judge : callable
        From what is staged, and the tallies of all tasks, to a sequence of AuditResult.
    """

    to_rows: Callable
    judge: Callable


def read_staged(spark: SparkSession, staged: Staged, day: date) -> DataFrame:
    """The rows of a date as they will be once they are published."""
    rows = spark.read.option("snapshot-id", staged.snapshot_id).table(catalog.name_of(staged.table))
    return rows.where(catalog.is_of(staged.table, day))


def count_values(spark: SparkSession, staged: Staged, day: date, column: str) -> int:
    """How many of the staged rows of a date have a value in a column, from the files' metadata alone."""
    table = catalog.load(spark, staged.table)
    scan = table.newScan().useSnapshot(staged.snapshot_id).includeColumnStats()
    number = table.schema().findField(column).fieldId()
    found = [task.file() for task in scans.plan(spark, scan, staged.table, day)]
    return sum(file.valueCounts()[number] - file.nullValueCounts()[number] for file in found)


def write(
    source: scans.Source,
    to_rows: Callable,
    table: Table,
    day: date,
    *,
    making: str | None = None,
    rows_at_once: int = tasks.ROWS_AT_ONCE,
) -> tuple[list[files.Written], list]:
    """Write rows of one date in the workers, a file for each task that has some. No table knows these files yet.

    Parameters
    ----------
    source : scans.Source
    to_rows : callable
        From an iterator of a task's batches to one of batches with the columns of the table, sorted by its key. What
        it returns at last is the task's tally.
    table : Table
    day : date
        That all rows are of.
    making : str, optional
        What this making of the date is called, as `files.Target` has it; a name that nobody asks for by default.
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
    catalog.TableError
        If the table is not partitioned by day alone.
    PvfaultError
        That a task has raised, for instance of a damaged file.
    """
    work = _write_in_task(source.batches, to_rows, target_of(source.frame.sparkSession, table, day, making))
    results = tasks.run_in_tasks(source.frame, work, rows_at_once=rows_at_once)
    return [written for written, _ in results if written], [tally for _, tally in results]


def stage(spark: SparkSession, table: Table, day: date, written: Sequence[files.Written]) -> Staged:
    """Make a snapshot of what was written that replaces the date once it is published."""
    if not written:
        return Staged(table, day)
    scans.require_whole(spark, table)  # what is committed on half a list loses the other half for good
    iceberg = catalog.load(spark, table)
    wap_id = f"{table.name}-{uuid.uuid4().hex}"
    replacement = iceberg.newReplacePartitions()
    for file in _data_files(spark, iceberg, table, day, written):
        replacement.addFile(file)
    replacement.set("wap.id", wap_id).stageOnly().commit()
    return Staged(
        table,
        day,
        wap_id,
        _snapshot_with(catalog.load(spark, table), "wap.id", wap_id),
        sum(file.rows for file in written),
        sum(file.bytes for file in written),
        len(written),
    )


def publish(spark: SparkSession, staged: Staged) -> int | None:
    """Let readers see a staged snapshot, all of it at once.

    Iceberg refuses it if another run has replaced the date since (`transient.py` says so in words): the audits were
    about what stood there before.

    Returns
    -------
    int or None
        The snapshot that readers see: the staged one, or a new one of the same rows where the table has moved on since.
        None if there was nothing to publish and nothing to remove.
    """
    if not staged.rows:
        return _remove(spark, staged.table, staged.day)
    spark.sql(f"CALL {CATALOG}.system.publish_changes('{NAMESPACE}.{staged.table.name}', '{staged.wap_id}')")
    moved = _snapshot_with(catalog.load(spark, staged.table), "published-wap-id", staged.wap_id)
    return staged.snapshot_id if moved is None else moved


def append(spark: SparkSession, table: Table, day: date, rows: pa.Table) -> None:
    """Add rows of a date to those that are there, at once."""
    written = files.write(rows.to_batches(), target_of(spark, table, day, None))
    iceberg = catalog.load(spark, table)
    addition = iceberg.newAppend()
    for file in _data_files(spark, iceberg, table, day, [written] if written else []):
        addition.appendFile(file)
    addition.commit()


def publish_audited(
    spark: SparkSession, staged: Staged, audits: Sequence[CheckResult], figures: dict, *, ahead: Sequence[Staged] = ()
) -> DateReport:
    """Publish what is staged of a date unless it fails a blocking audit, and report the date.

    What belongs to it in other tables is published ahead of it: who sees the date finds that too.
    """
    report = DateReport(
        staged.day,
        rows=staged.rows,
        snapshot_id=staged.snapshot_id,
        published=False,
        figures={**figures, "bytes": staged.bytes, "files": staged.files},
        audits=tuple(audits),
    )
    if report.refusals:
        return report
    for other in ahead:
        publish(spark, other)
    snapshot_id = publish(spark, staged)
    return replace(report, snapshot_id=snapshot_id, published=snapshot_id is not None)


def _remove(spark: SparkSession, table: Table, day: date) -> int | None:
    """Take a date's rows away, if there are some; the snapshot without them."""
    if not scans.count_rows(spark, table, day):
        return None
    edges = [f"DATE '{edge}'" for edge in (day, day + timedelta(days=1))]
    if table.day_of != "date":
        edges = [f"CAST({edge} AS TIMESTAMP)" for edge in edges]
    condition = f"{table.day_of} >= {edges[0]} AND {table.day_of} < {edges[1]}"
    spark.sql(f"DELETE FROM {catalog.name_of(table)} WHERE {condition}")  # noqa: S608 - names of our own
    return catalog.load(spark, table).currentSnapshot().snapshotId()


def _snapshot_with(table, key: str, value: str) -> int | None:
    """The last snapshot whose summary says so."""
    snapshots = table.snapshots()
    for place in reversed(range(len(snapshots))):
        if snapshots[place].summary().get(key) == value:
            return snapshots[place].snapshotId()
    return None


def _write_in_task(batches: Callable, to_rows: Callable, target: files.Target) -> Callable:
    def write_in_task(share: Iterator[pa.RecordBatch]) -> tuple[files.Written | None, object]:
        tally = None

        def rows():
            nonlocal tally
            tally = yield from to_rows(batches(share))

        return files.write(rows(), target), tally

    return write_in_task


def target_of(spark: SparkSession, table: Table, day: date, making: str | None) -> files.Target:
    """Where Iceberg has a date's files, and their schema."""
    iceberg = catalog.load(spark, table)
    some_file = iceberg.locationProvider().newDataLocation(
        iceberg.spec(), catalog.partition_of(spark, iceberg, table, day), "-"
    )
    edges = [day, day + timedelta(days=1)]
    if table.day_of != "date":
        edges = [midnight(edge) for edge in edges]
    schema = pa.schema(catalog.numbered(table.schema, iceberg.schema().asStruct()))
    group_rows = files.ROWS_OF_GOLD if table.layer == "gold" else None
    folder = some_file.removesuffix("/-")
    return files.Target(folder, making or uuid.uuid4().hex, schema, table.day_of, *edges, group_rows)


def _data_files(spark: SparkSession, iceberg, table: Table, day: date, written: Sequence[files.Written]) -> Iterator:
    """Written files as Iceberg knows them, with the counts and bounds that their footers have."""
    jvm = spark._jvm.org.apache.iceberg
    file_metrics, to_list = jvm.parquet.ParquetUtil.fileMetrics, jvm.util.ArrayUtil.toLongList
    metrics_config = jvm.MetricsConfig.forTable(iceberg)
    builder = jvm.DataFiles.builder(iceberg.spec())
    builder.withFormat("PARQUET").withPartition(catalog.partition_of(spark, iceberg, table, day))
    for file in written:
        metrics = file_metrics(iceberg.io().newInputFile(file.location, file.bytes), metrics_config)
        builder.withPath(file.location).withFileSizeInBytes(file.bytes).withMetrics(metrics)
        yield builder.withSplitOffsets(to_list(_longs(spark, file.starts))).build()


def _longs(spark: SparkSession, numbers: Sequence[int]):
    """Numbers as Java's long[]."""
    gateway = spark.sparkContext._gateway
    longs = gateway.new_array(gateway.jvm.long, len(numbers))
    for place, number in enumerate(numbers):
        longs[place] = number
    return longs
