"""A date as an older snapshot has it, written again as a new making, audited and published like any other.

Snapshots are of a table, and later dates lie on top of an older one. So a date goes back by its rows and not by
Iceberg's rollback, which would take the dates after it back too. How far back it can go, upkeep decides
(`maintain_tables.py`).
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault.data_files import FileError
from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS, LEDGER, PREDICTIONS, QUARANTINE, READINGS, SCALOGRAMS, Table
from pvfault.versions import code_version
from spark_jobs import (
    catalog,
    classify_faults,
    compute_scalograms,
    files,
    ingest_readings,
    publishing,
    scans,
    summarise_device_days,
)
from spark_jobs.job import DateReport, JobConfig

_AUDITS: Mapping[str, Callable] = {
    READINGS.name: ingest_readings.audit_rows,
    SCALOGRAMS.name: compute_scalograms.audit_rows,
    PREDICTIONS.name: classify_faults.audit_rows,
    DEVICE_DAYS.name: summarise_device_days.audit_rows,
}
# Rows that Spark's reader takes at once: its own 5,000 take 80 MB of images.
_ROWS_AT_ONCE = 1000


class NoSnapshotError(PvfaultError):
    """A table has no such older state of a date."""


@dataclass(frozen=True)
class State:
    """A state of a table that readers have seen.

    Attributes
    ----------
    snapshot_id : int
    since : datetime
        When readers began to see it (UTC).
    """

    snapshot_id: int
    since: datetime

    def __str__(self):
        return f"{self.snapshot_id}, of {self.since:%Y-%m-%d %H:%M:%S} UTC"


def roll_back(
    spark: SparkSession, config: JobConfig, table: Table, day: date, as_of: int | datetime | None = None
) -> DateReport:
    """Write the rows that a date had in an older snapshot again, and publish them if they pass the table's audits.

    Of `readings`, what was in `quarantine` then comes back too, and the ledger tells of the older making once more.

    Parameters
    ----------
    spark : SparkSession
    config : JobConfig
        For the registry, and whether fewer readings than there are now are allowed.
    table : Table
    day : date
    as_of : int or datetime, optional
        A snapshot, or a moment at which readers saw it. By default the last state in which the date was another.

    Returns
    -------
    DateReport

    Raises
    ------
    NoSnapshotError
        If it was expired, or the date has no rows in it.
    FileError
        If a file of it is damaged.
    """
    state = find_state(spark, table, day, as_of)
    written, tallies, audits = _write(spark, config, table, day, state, making := uuid.uuid4().hex)
    ahead = [_stage_quarantine(spark, day, state)] if table == READINGS else []
    staged = publishing.stage(spark, table, day, written)
    figures = {"making": making, "rolled_back_to": str(state.snapshot_id)}
    report = publishing.publish_audited(spark, staged, audits.judge(staged, tallies), figures, ahead=ahead)
    if table == READINGS and report.published:
        _tell_ledger(spark, day, scans.making_of(spark, READINGS, day, snapshot_id=state.snapshot_id), report)
    return report


def find_state(spark: SparkSession, table: Table, day: date, as_of: int | datetime | None) -> State:
    """The state of a table that a date is to go back to.

    Raises
    ------
    NoSnapshotError
        That names the oldest state that is there.
    """
    states = _states(spark, table)
    if as_of is None:
        return _last_other(spark, table, day, states)
    if isinstance(as_of, int):
        found = [state for state in states if state.snapshot_id == as_of]
    else:
        found = [state for state in states if state.since <= as_of]
    if not found:
        raise NoSnapshotError(
            f"`{table.name}` has no state {as_of} that readers have seen; {_oldest(states)}. Older ones were expired, "
            "and snapshots that were never published are none"
        )
    if not scans.files_of(spark, table, day, snapshot_id=found[-1].snapshot_id):
        raise NoSnapshotError(f"`{table.name}` has no rows of {day} in {found[-1]}; {_oldest(states)}")
    return found[-1]


def _states(spark: SparkSession, table: Table) -> list[State]:
    """The states that readers have seen and that are kept, the oldest first."""
    iceberg = catalog.load(spark, table)
    return [
        State(entry.snapshotId(), datetime.fromtimestamp(entry.timestampMillis() / 1000, UTC))
        for entry in catalog.listed(iceberg.history().iterator())
        if iceberg.snapshot(entry.snapshotId()) is not None
    ]


def _last_other(spark: SparkSession, table: Table, day: date, states: list[State]) -> State:
    """The last state in which a date had other files than now, and had some."""

    def names(state: State) -> set[str]:
        return {file.location for file in scans.files_of(spark, table, day, snapshot_id=state.snapshot_id)}

    now = names(states[-1]) if states else set()
    for state in reversed(states):
        if (then := names(state)) and then != now:
            return state
    raise NoSnapshotError(
        f"`{table.name}` keeps no other state of {day} than the one that it has now; {_oldest(states)}. Older ones "
        "were expired, or the date was made once only"
    )


def _oldest(states: list[State]) -> str:
    return f"the oldest that is there is {states[0]}" if states else "it has none at all"


def _write(
    spark: SparkSession, config: JobConfig, table: Table, day: date, state: State, making: str
) -> tuple[list[files.Written], list, publishing.RowAudits]:
    """Write the rows of an older state as files of a new making."""
    found = scans.files_of(spark, table, day, snapshot_id=state.snapshot_id)
    damaged = scans.find_damage(spark, table, found, table.schema.names)
    if damaged:
        raise FileError(f"the state {state.snapshot_id} cannot be had back: {damaged[day]}")
    audits = _AUDITS[table.name](spark, config, day)
    rows = _rows(spark, table, day, state).repartition(len(found), DEVICE_ID).sortWithinPartitions(*table.key)
    written, tallies = publishing.write(
        scans.Source(rows), audits.to_rows, table, day, making=making, rows_at_once=_ROWS_AT_ONCE
    )
    return written, tallies, audits


def _rows(spark: SparkSession, table: Table, day: date, state: State) -> DataFrame:
    """The rows that a date had, with the columns that the table has now."""
    reader = spark.read.option("snapshot-id", state.snapshot_id).option("batch-size", _ROWS_AT_ONCE)
    rows = reader.table(catalog.name_of(table)).where(catalog.is_of(table, day))
    return rows.select(
        *(
            f.col(field.name) if field.name in rows.columns else f.lit(None).cast(field.dataType).alias(field.name)
            for field in catalog.spark_schema(table)
        )
    )


def _stage_quarantine(spark: SparkSession, day: date, readings: State) -> publishing.Staged:
    """Stage what was in `quarantine` beside a state of `readings`, which is published after it."""
    states = [state for state in _states(spark, QUARANTINE) if state.since <= readings.since]
    if not states:
        _require_begun_later(spark, readings)
        return publishing.Staged(QUARANTINE, day)
    rows = _rows(spark, QUARANTINE, day, states[-1]).coalesce(1).sortWithinPartitions(*QUARANTINE.key)
    written, _ = publishing.write(scans.Source(rows), iter, QUARANTINE, day)
    return publishing.stage(spark, QUARANTINE, day, written)


def _require_begun_later(spark: SparkSession, readings: State) -> None:
    """Refuse to take the quarantine of then for empty where it only is not kept."""
    iceberg = catalog.load(spark, QUARANTINE)
    kept = catalog.listed(iceberg.snapshots().iterator())
    if any(snapshot.parentId() is not None and iceberg.snapshot(snapshot.parentId()) is None for snapshot in kept):
        raise NoSnapshotError(
            f"`quarantine` does not go back to {readings.since:%Y-%m-%d %H:%M:%S} UTC, so what was in it beside these "
            "readings is not known; choose a later state"
        )


def _tell_ledger(spark: SparkSession, day: date, older: str | None, report: DateReport) -> None:
    """Write what was read for the older making as what was read for this one: the date has no more than that now."""
    told = (
        spark.table(catalog.name_of(LEDGER)).where(f.col("date") == f.lit(day)).where(f.col("making") == f.lit(older))
    )
    changed = {
        "making": report.figures["making"],
        "made_at": datetime.now(UTC),
        "snapshot_id": report.snapshot_id,
        "code_version": code_version(),
    }
    rows = [row | changed for row in told.toArrow().to_pylist()]
    if rows:
        publishing.append(spark, LEDGER, day, pa.Table.from_pylist(rows, LEDGER.schema))
