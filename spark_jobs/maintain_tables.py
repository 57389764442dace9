"""Job: what keeps the tables small and quick: old snapshots, files that no table knows, and many small files.

Here: what is taken away or brought together, and from when on it may be. Files are deleted by Iceberg's procedures
alone. Rows stay as they are, and so do the data files of dates, in which a device's rows stand together, sorted.

Nothing of a running job is touched. What its workers write is known to no snapshot until it is staged, and is younger
than what counts as an orphan. What it has staged is kept, and so is the snapshot that it was staged beside, without
which it could not be published.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from pyspark.sql import SparkSession

from pvfault.errors import TransientError
from pvfault.locations import local_path
from pvfault.tables import CATALOG, LEDGER, NAMESPACE, TABLES, Table
from spark_jobs import catalog, scans
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.transient import raised_as_transient

NAME = "maintain_tables"
AUDITS = ()

# How far back a date can be had again, and how long a refused one is there to be looked at.
KEEP = timedelta(days=5)
# Far longer than any job: on AWS one is ended after six hours. Iceberg refuses less than a day.
ORPHAN_AFTER = timedelta(days=3)
# Each making of a date adds a file to these, of some kilobytes.
APPENDED = (LEDGER,)
# A commit adds a manifest. Less than twice as many small ones as a week has dates are not worth a rewriting.
SMALL_MANIFESTS = 14
_TRIES = 5


@dataclass(frozen=True)
class Upkeep:
    """What there is to do for a table, or what was done.

    Attributes
    ----------
    table : str
    snapshots : int
        Expired: older than what is kept.
    files_of_snapshots : int
        Deleted with them; 0 as long as nothing is done, because only Iceberg's procedure finds them.
    orphans : int
        Files that no snapshot knows, of tasks and jobs that failed.
    data_files : int
        Small ones that become fewer.
    manifests : int
        Small ones that become fewer.
    """

    table: str
    snapshots: int
    files_of_snapshots: int
    orphans: int
    data_files: int
    manifests: int


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Maintain all tables, once for each date, which says only when that was."""
    return run_dates(NAME, config, partial(_maintain_on, spark), on_date)


def maintain(spark: SparkSession, *, apply: bool, keep: timedelta = KEEP) -> list[Upkeep]:
    """Do what there is to do for each table that is there, or only say it.

    Parameters
    ----------
    spark : SparkSession
    apply : bool
        Whether to do it.
    keep : timedelta
        How far back readers can look.

    Raises
    ------
    DamagedTableError
        If the list of files of a table is not whole: files would be taken for those of nobody.
    TransientError
        If jobs have changed a table each time that it was tried.
    """
    there = [table for table in TABLES if spark.catalog.tableExists(catalog.name_of(table))]
    now = datetime.now(UTC)
    return [_until_committed(partial(_maintain, spark, table, now, keep, apply)) for table in there]


def _maintain_on(spark: SparkSession, day: date) -> DateReport:
    done = maintain(spark, apply=True)
    figures = {each.table: {name: n for name, n in asdict(each).items() if name != "table"} for each in done}
    return DateReport(day, rows=0, snapshot_id=None, published=False, figures=figures)


def _until_committed(work: Callable[[], Upkeep]) -> Upkeep:
    """Do work that a job may get in the way of, by a commit of its own, until it does not."""
    for tried in range(1, _TRIES):
        try:
            with raised_as_transient():
                return work()
        except TransientError:
            time.sleep(tried)
    with raised_as_transient():
        return work()


def _maintain(spark: SparkSession, table: Table, now: datetime, keep: timedelta, apply: bool) -> Upkeep:
    scans.require_whole(spark, table)
    data_files, manifests = _count_small_files(spark, table), _count_small_manifests(spark, table)
    if apply:
        _require_small_manifests(spark, table)
        if data_files:
            _call(spark, "rewrite_data_files", table, "options => map('min-input-files', '2')")
        if manifests:
            _call(spark, "rewrite_manifests", table, "use_caching => false")
    before = _expire_before(spark, table, now - keep)
    snapshots = len(_expired(spark, table, before))
    deleted = _expire(spark, table, before) if apply and snapshots else 0
    orphans = _find_orphans(spark, table, now - ORPHAN_AFTER, delete=apply)
    return Upkeep(table.name, snapshots, deleted, len(orphans), data_files, manifests)


def _expire_before(spark: SparkSession, table: Table, kept_from: datetime) -> datetime:
    """When the oldest snapshot that is kept was made: the one that readers saw when the time to keep began.

    Whoever has staged since has staged beside it or a younger one, and can be published only as long as that is there.
    """
    iceberg, start = catalog.load(spark, table), int(kept_from.timestamp() * 1000)
    seen = [entry for entry in catalog.listed(iceberg.history().iterator()) if entry.timestampMillis() <= start]
    if not seen:
        return kept_from
    made_at = iceberg.snapshot(seen[-1].snapshotId()).timestampMillis()
    return min(kept_from, datetime.fromtimestamp(made_at / 1000, UTC))


def _expired(spark: SparkSession, table: Table, before: datetime) -> list:
    """The snapshots that Iceberg would expire."""
    pending = catalog.load(spark, table).expireSnapshots().expireOlderThan(round(before.timestamp() * 1000))
    return catalog.listed(pending.retainLast(1).apply().iterator())


def _expire(spark: SparkSession, table: Table, before: datetime) -> int:
    """Expire snapshots; how many files are deleted with them."""
    options = f"older_than => {_literal(before)}, retain_last => 1, stream_results => true"
    (done,) = _call(spark, "expire_snapshots", table, options)
    return sum(n for name, n in done.asDict().items() if name.startswith("deleted_") and n)


def _find_orphans(spark: SparkSession, table: Table, before: datetime, *, delete: bool) -> list:
    """Files that no snapshot knows, as old as that."""
    # Spark, as it comes, cannot list s3://. Iceberg cannot list a folder of this machine while a job deletes in it.
    by_iceberg = local_path(catalog.load(spark, table).location()) is None
    options = f"dry_run => {_boolean(not delete)}, prefix_listing => {_boolean(by_iceberg)}"
    return _call(spark, "remove_orphan_files", table, f"older_than => {_literal(before)}, {options}")


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _count_small_files(spark: SparkSession, table: Table) -> int:
    """Data files of dates that have more than one, in tables that are appended to."""
    if table not in APPENDED:
        return 0
    planned = catalog.load(spark, table).newScan().planFiles()
    try:
        by_date = Counter(task.file().partition().toString() for task in catalog.listed(planned.iterator()))
    finally:
        planned.close()
    return sum(n for n in by_date.values() if n > 1)


def _count_small_manifests(spark: SparkSession, table: Table) -> int:
    """Manifests that are less than half as long as they should be, if there are many."""
    iceberg = catalog.load(spark, table)
    snapshot = iceberg.currentSnapshot()
    manifests = catalog.listed(snapshot.dataManifests(iceberg.io()).iterator()) if snapshot else []
    small = sum(manifest.length() < catalog.MANIFEST_BYTES // 2 for manifest in manifests)
    return small if small > SMALL_MANIFESTS else 0


def _require_small_manifests(spark: SparkSession, table: Table) -> None:
    """Let a table of an earlier release have manifests of the length that is asked for; one that is set stays."""
    if catalog.MANIFEST_SIZE not in catalog.load(spark, table).properties():
        spark.sql(
            f"ALTER TABLE {catalog.name_of(table)} "
            f"SET TBLPROPERTIES ('{catalog.MANIFEST_SIZE}' = '{catalog.MANIFEST_BYTES}')"
        )


def _call(spark: SparkSession, procedure: str, table: Table, options: str) -> list:
    """Rows of what one of Iceberg's procedures says."""
    return spark.sql(f"CALL {CATALOG}.system.{procedure}(table => '{NAMESPACE}.{table.name}', {options})").collect()


def _literal(moment: datetime) -> str:
    """A moment in SQL, to the millisecond, as snapshots have it."""
    return f"TIMESTAMP '{moment.isoformat(sep=' ', timespec='milliseconds')}'"


if __name__ == "__main__":
    main(NAME)
