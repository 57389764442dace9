"""Records of `quarantine` that are readings by now, because what decodes them was mended, put among the readings.

Making a date again takes them from the topic. This is the way where the topic has them no more: `quarantine` keeps
each with key, value, timestamp and offset. They go through the same decode and audits. What is still no reading stays,
and so does everything if one of the dates that they are of cannot be published.
"""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from pvfault.checks.readings import EVERY_END
from pvfault.dates import DAY_MS, date_of_ms, midnight_ms
from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.tables import LEDGER, QUARANTINE, READINGS
from pvfault.versions import code_version
from spark_jobs import catalog, ingest_readings, publishing, scans
from spark_jobs.decode import Span, decode, find_rejection_reasons
from spark_jobs.job import DateReport, JobConfig
from spark_jobs.tasks import run_in_tasks

# Readings with the place of their record; those that are in the table already come first.
_PLACE = ("partition", "offset")
_PLACED = pa.schema([*READING_SCHEMA, pa.field("partition", pa.int32()), pa.field("offset", pa.int64())])


@dataclass
class Found:
    """Readings among the records of `quarantine`, of one partition of a topic and of one date.

    Attributes
    ----------
    records : int
    first, end : int
        The first offset, and the one behind the last.
    """

    records: int
    first: int
    end: int

    def merge(self, other: "Found") -> "Found":
        """Both as one."""
        return Found(self.records + other.records, min(self.first, other.first), max(self.end, other.end))


Places = dict[tuple[str, int, date], Found]
"""By topic, partition and date."""


@dataclass(frozen=True)
class Released:
    """What became of the records that a date had in `quarantine`.

    Attributes
    ----------
    readings : int
        That are readings now, of whatever date.
    left : int
        That are none.
    dates : tuple of DateReport
        Of each date that they are of.
    """

    readings: int
    left: int
    dates: tuple[DateReport, ...]

    @property
    def stopped_by(self) -> str:
        """Why everything stays as it was; empty if nothing stands against it."""
        return "; ".join(f"{report.day}: {report.stopped_by}" for report in self.dates if report.stopped_by)


def release(spark: SparkSession, config: JobConfig, day: date) -> Released:
    """Put those records that a date has in `quarantine` and that are readings now among the readings of their dates.

    Ended in the middle, it is done again: a reading that is in the table already is not taken twice, and a record
    leaves `quarantine` last.

    Parameters
    ----------
    spark : SparkSession
    config : JobConfig
        For the registry.
    day : date
        In whose part of the topic the records stand, as `quarantine` has it.
    """
    span = Span.around(day, datetime.now(UTC))
    records = scans.read(spark, QUARANTINE, day)
    total = scans.count_rows(spark, QUARANTINE, day)
    with scans.naming_damage(spark, day, QUARANTINE):
        places = _merge(run_in_tasks(records, partial(_find, span)))
    by_date: dict[date, int] = {}
    for (_, _, of), found in places.items():
        by_date[of] = by_date.get(of, 0) + found.records
    made = [_stage_readings(spark, config, records, span, of, n) for of, n in sorted(by_date.items())]
    released = sum(by_date.values())
    if any(one.refusals for one in made):
        return Released(released, total - released, tuple(one.report() for one in made))
    rest = _stage_rest(spark, records, span, day)
    if rest.rows != total - released:
        raise RuntimeError(f"{rest.rows} records are left of {total}, of which {released} are readings")
    reports = tuple(one.publish(spark) for one in made)
    if released:
        publishing.publish(spark, rest)
        _tell_ledger(spark, day, places, {report.day: report for report in reports})
    return Released(released, rest.rows, reports)


@dataclass(frozen=True)
class _Made:
    """A date's readings with those that were released, staged."""

    staged: publishing.Staged
    audits: tuple
    figures: dict = field(default_factory=dict)

    @property
    def refusals(self) -> bool:
        return any(audit.blocking and not audit.passed for audit in self.audits)

    def publish(self, spark: SparkSession) -> DateReport:
        return publishing.publish_audited(spark, self.staged, self.audits, self.figures)

    def report(self) -> DateReport:
        """What is to be said where nothing is published."""
        return DateReport(
            self.staged.day, self.staged.rows, self.staged.snapshot_id, published=False, figures=self.figures,
            audits=self.audits,
        )  # fmt: skip


def _find(span: Span, share: Iterator[pa.RecordBatch]) -> Places:
    """Where the readings among a task's records stand, and of which dates they are."""
    places: Places = {}
    for batch in share:
        found = decode(batch, span)
        readings = pa.Table.from_batches([batch.filter(pa.array(found.is_reading)).select(["topic", *_PLACE])])
        readings = readings.append_column("day", pa.array(found.time_ms // DAY_MS))
        grouped = readings.group_by(["topic", "partition", "day"]).aggregate(
            [("offset", "count"), ("offset", "min"), ("offset", "max")]
        )
        for row in grouped.to_pylist():
            one = Found(row["offset_count"], row["offset_min"], row["offset_max"] + 1)
            _add(places, (row["topic"], row["partition"], date_of_ms(row["day"] * DAY_MS)), one)
    return places


def _merge(found: list[Places]) -> Places:
    places: Places = {}
    for of_task in found:
        for key, one in of_task.items():
            _add(places, key, one)
    return places


def _add(places: Places, key: tuple[str, int, date], one: Found) -> None:
    places[key] = places[key].merge(one) if key in places else one


def _stage_readings(
    spark: SparkSession, config: JobConfig, records: DataFrame, span: Span, day: date, released: int
) -> _Made:
    """Stage the readings that a date has, and those of the records that are of it."""
    held = scans.count_rows(spark, READINGS, day)
    audits = ingest_readings.audit_rows(spark, config, day)
    making = uuid.uuid4().hex
    with scans.naming_damage(spark, day, READINGS):
        rows = _together(spark, records, span, day)
        written, tallies = publishing.write(scans.Source(rows, _once), audits.to_rows, READINGS, day, making=making)
    staged = publishing.stage(spark, READINGS, day, written)
    duplicates = held + released - staged.rows
    ends = EVERY_END.judge(
        0 <= duplicates <= released,
        f"{released} records of `quarantine` are readings of the date, beside {held} that it has; {staged.rows} are "
        f"there together and {duplicates} of the records were there already",
        records=released,
        held=held,
        duplicates=duplicates,
    )
    figures = {"making": making, "released": released, "duplicates": duplicates}
    return _Made(staged, (ends, *audits.judge(staged, tallies)), figures)


def _together(spark: SparkSession, records: DataFrame, span: Span, day: date) -> DataFrame:
    """Readings of a date from the table and from records, a device's in one task, by time, the table's first."""
    files = scans.files_of(spark, READINGS, day)
    schema = from_arrow_schema(_PLACED)
    rows = records.mapInArrow(partial(_decoded, span, day), schema)
    if files:
        there = scans.read_together(spark, READINGS, files, READING_SCHEMA.names)
        rows = there.withColumns({name: f.lit(-1).cast(schema[name].dataType) for name in _PLACE}).unionByName(rows)
    return rows.repartition(max(1, len(files)), DEVICE_ID).sortWithinPartitions(DEVICE_ID, TIMESTAMP, *_PLACE)


def _decoded(span: Span, day: date, share: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Those of a task's records that are readings of a date."""
    start = midnight_ms(day)
    for batch in share:
        found = decode(batch, span)
        of_day = (found.time_ms >= start) & (found.time_ms < start + DAY_MS)
        names = pa.array([device.decode() for device in found.devices], pa.string())
        places = batch.filter(pa.array(found.is_reading)).filter(pa.array(of_day))
        columns = [
            names.take(pa.array(found.device[of_day])),
            pa.array(found.time_ms[of_day] * 1000).cast(TIMESTAMP_TYPE),
            *(pa.array(found.measurements[of_day, n]) for n in range(len(MEASUREMENTS))),
            *(places.column(name) for name in _PLACE),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_PLACED)


def _once(share: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Readings without those that have device and time of the one before them."""
    last = None
    for batch in share:
        if not batch.num_rows:
            continue
        device = batch.column(DEVICE_ID).dictionary_encode().indices.to_numpy()
        time = batch.column(TIMESTAMP).cast(pa.int64()).to_numpy()
        is_new = np.ones(batch.num_rows, bool)
        is_new[1:] = (np.diff(device) != 0) | (np.diff(time) != 0)
        is_new[0] = last != (batch.column(DEVICE_ID)[0], time[0])
        last = batch.column(DEVICE_ID)[-1], time[-1]
        yield batch.filter(pa.array(is_new)).select(READING_SCHEMA.names)


def _stage_rest(spark: SparkSession, records: DataFrame, span: Span, day: date) -> publishing.Staged:
    """Stage the records that are no readings, with the reason as it is now."""
    written, _ = publishing.write(scans.Source(records), _rest(span), QUARANTINE, day)
    return publishing.stage(spark, QUARANTINE, day, written)


def _rest(span: Span) -> Callable:
    def to_rest(records: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        for batch in records:
            reasons = find_rejection_reasons(batch, span)
            place = batch.schema.get_field_index("reason")
            yield (
                batch.set_column(place, "reason", reasons).filter(pc.is_valid(reasons)).select(QUARANTINE.schema.names)
            )

    return to_rest


def _tell_ledger(spark: SparkSession, day: date, places: Places, reports: Mapping[date, DateReport]) -> None:
    """Tell what became of the records: of the date in whose part they stand, and of those that they are readings of."""
    made_at = datetime.now(UTC)
    for of in sorted({day, *reports}):
        rows = [
            row | {"made_at": made_at, "code_version": code_version()} | _made_by(row, reports.get(of))
            for row in _last_making(spark, of)
        ]
        for row in rows:
            for (topic, partition, time), found in places.items():
                if (topic, partition) == (row["topic"], row["partition"]):
                    _move(row, of, day, time, found)
        if rows:
            publishing.append(spark, LEDGER, of, pa.Table.from_pylist(rows, LEDGER.schema))


def _last_making(spark: SparkSession, day: date) -> list[dict]:
    rows = spark.table(catalog.name_of(LEDGER)).where(f.col("date") == f.lit(day)).toArrow().to_pylist()
    newest = max((row["made_at"] for row in rows), default=None)
    return [row for row in rows if row["made_at"] == newest]


def _made_by(row: Mapping, report: DateReport | None) -> dict:
    """What a new making of the date's readings changes in a row."""
    if report is None:
        return {}
    return {
        "making": report.figures["making"],
        "snapshot_id": report.snapshot_id,
        "date_rows": report.rows,
        "date_duplicates": row["date_duplicates"] + report.figures["duplicates"],
    }


def _move(row: dict, of: date, day: date, time: date, found: Found) -> None:
    """Let a row of the ledger know of records that stand in the part of `day` and are readings of `time`."""
    if of == day:
        row["quarantined"] -= found.records
        if time == day:
            row["readings"] += found.records
        else:
            # With their places, so that their date reads them from the topic, as long as that has them, when it is
            # made again.
            noted = {"date": time, "readings": found.records, "unread": found.records,
                     "first_offset": found.first, "end_offset": found.end}  # fmt: skip
            row["elsewhere"] = [*(row["elsewhere"] or ()), noted]
    elif of == time:
        row["scanned"] = [*(row["scanned"] or ()), {"first_offset": found.first, "end_offset": found.end}]
