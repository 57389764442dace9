"""Job: a date's records from Kafka to the `readings` table, and what does not decode to `quarantine`.

Here: which records are read, how those of a device come together, and what is audited. Not here: what makes a record
a reading (`decode.py`), order and duplicates (`sorting.py`), whether values can be used in a window
(`pvfault.windows`): a broken sensor's readings are kept.
"""

import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault.checks import check
from pvfault.checks import readings as checks
from pvfault.checks.check import CheckResult
from pvfault.data_files import FileError
from pvfault.dates import DAY_MS, date_of_ms, midnight_ms
from pvfault.readings import AVRO_LENGTH, DEVICE_ID, DEVICE_ID_LENGTH, MEASUREMENTS, PLAUSIBLE, TIMESTAMP
from pvfault.tables import QUARANTINE, READINGS
from pvfault.versions import code_version
from spark_jobs import catalog, publishing, scans
from spark_jobs.decode import BEHIND_RECORD, Readings, Span, decode, find_rejection_reasons
from spark_jobs.files import Written
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.ledger import Ledger
from spark_jobs.offsets import DateOffsets, resolve
from spark_jobs.sorting import ReadingSorter
from spark_jobs.topic import OffsetRange, Topic

NAME = "ingest_readings"

AUDITS = (checks.NOT_FEWER, *checks.AUDITED)


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `readings` and `quarantine` of each date.

    Raises
    ------
    TopicError
        If the broker has no such topic.
    BrokerSilentError
        If it does not answer.
    RegistryError
        If the registry cannot be used.
    """
    topic = Topic(spark, config.broker_access, config.topic)
    devices = config.read_registry().devices
    catalog.create_tables(spark)
    making = _Making(spark, config, devices, topic, Ledger.read(spark, topic.id))
    return run_dates(NAME, config, partial(_make_date, making), on_date)


@dataclass
class Ends:
    """What became of the records of a date's own part of one partition.

    Attributes
    ----------
    records, readings, quarantined : int
        All of them, the readings of the date with their duplicates, and what is no reading.
    newest_ms : int
        Timestamp of the newest record that is not of the future; 0 without one. [ms]
    elsewhere : dict of date to list of int
        Of each other date: its readings, those of them that it has not read, the first offset of these and the one
        behind the last.
    """

    records: int = 0
    readings: int = 0
    quarantined: int = 0
    newest_ms: int = 0
    elsewhere: dict[date, list[int]] = field(default_factory=dict)

    def merge(self, other: "Ends") -> None:
        """Add what another task has seen of the same partition."""
        for name in ("records", "readings", "quarantined"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.newest_ms = max(self.newest_ms, other.newest_ms)
        for day, (readings, unread, first, end) in other.elsewhere.items():
            self.note(day, readings, unread, first, end)

    def note(self, day: date, readings: int, unread: int, first: int, end: int) -> None:
        """Add readings of another date."""
        known = self.elsewhere.setdefault(day, [0, 0, first, end])
        known[0] += readings
        if unread:
            known[2:] = (min(known[2], first), max(known[3], end)) if known[1] else (first, end)
            known[1] += unread


@dataclass(frozen=True)
class Assignment:
    """What a task must know of a date.

    Attributes
    ----------
    day : date
    span : Span
    claims : mapping of int to OffsetRange
        The date's own part, by partition.
    read : mapping
        What other dates have read, as `Ledger.scanned` has it.
    """

    day: date
    span: Span
    claims: Mapping[int, OffsetRange]
    read: Mapping[date, Mapping[int, list[tuple[int, int]]]]


@dataclass
class Tally:
    """What one task has seen, so that nobody has to look again.

    Attributes
    ----------
    on_date : int
        Readings of the date, with their duplicates.
    implausible : ndarray of int, shape (4,)
        Readings of the date with a value that cannot have been measured, by measurement.
    hours : dict of str to ndarray of int, shape (24,)
        Readings that were given in each hour, by deviceID.
    ends : dict of int to Ends
        By partition.
    """

    on_date: int = 0
    implausible: np.ndarray = field(default_factory=lambda: np.zeros(len(MEASUREMENTS), np.int64))
    hours: dict[str, np.ndarray] = field(default_factory=dict)
    ends: dict[int, Ends] = field(default_factory=dict)

    def count_ends(self, records: pa.RecordBatch, found: Readings, assignment: Assignment) -> None:
        """Count what becomes of those records that stand in the date's own part."""
        partitions, offsets = (records.column(name).to_numpy() for name in ("partition", "offset"))
        for partition in np.unique(partitions).tolist():
            claim = assignment.claims[partition]
            claimed = (partitions == partition) & (offsets >= claim.first) & (offsets < claim.end)
            if not claimed.any():
                continue
            ends = self.ends.setdefault(partition, Ends())
            ends.records += int(np.count_nonzero(claimed))
            ends.quarantined += int(np.count_nonzero(claimed & ~found.is_reading))
            ends.newest_ms = max(ends.newest_ms, _newest_ms(records, claimed, assignment.span))
            readings = claimed[found.is_reading]
            _count_dates(ends, found.time_ms[readings], offsets[found.is_reading][readings], partition, assignment)

    def count_readings(self, readings: pa.RecordBatch) -> None:
        """Count readings of the date that are no records any more."""
        low, high = _plausible()
        device = readings.column(DEVICE_ID).dictionary_encode()
        hour = readings.column(TIMESTAMP).cast(pa.int64()).to_numpy() // 3_600_000_000 % 24
        place = device.indices.to_numpy().astype(np.int64) * 24 + hour
        given = np.bincount(place, minlength=24 * len(device.dictionary)).reshape(-1, 24)
        for name, counts in zip(device.dictionary.to_pylist(), given, strict=True):
            self.hours[name] = self.hours.get(name, 0) + counts
        values = np.column_stack([readings.column(name).to_numpy() for name in MEASUREMENTS])
        self.implausible += np.count_nonzero(~((values >= low) & (values <= high)), axis=0)
        self.on_date += readings.num_rows

    @property
    def quarantined(self) -> int:
        """Records of the date's own part that are no readings."""
        return sum(ends.quarantined for ends in self.ends.values())


def _newest_ms(records: pa.RecordBatch, claimed: np.ndarray, span: Span) -> int:
    stamps = records.column("timestamp").cast(pa.int64()).to_numpy()[claimed] // 1000
    return int(stamps[stamps <= span.last_ms].max(initial=0))


def _count_dates(ends: Ends, time_ms: np.ndarray, offsets: np.ndarray, partition: int, assignment: Assignment) -> None:
    """Count readings by their dates, and note where those of other dates stand."""
    start_ms = midnight_ms(assignment.day)
    other = (time_ms < start_ms) | (time_ms >= start_ms + DAY_MS)
    ends.readings += int(np.count_nonzero(~other))
    numbers = time_ms[other] // DAY_MS
    for number in np.unique(numbers).tolist():
        stand = offsets[other][numbers == number]
        day = date_of_ms(number * DAY_MS)
        unread = np.ones(len(stand), bool)
        for first, end in assignment.read.get(day, {}).get(partition, ()):
            unread &= (stand < first) | (stand >= end)
        where = stand[unread] if unread.any() else stand
        ends.note(day, len(stand), int(np.count_nonzero(unread)), int(where.min()), int(where.max()) + 1)


def _plausible() -> np.ndarray:
    """The lowest and the highest values that can have been measured, in the order of `MEASUREMENTS`."""
    return np.array([PLAUSIBLE[name] for name in MEASUREMENTS], np.float32).T


def _to_readings(assignment: Assignment) -> Callable:
    """From records to the date's readings, each (deviceID, timestamp) once, sorted, and a `Tally`.

    Of duplicates, the one that its task reads first stays, so that a re-run gives the same table.
    """
    low, high = _plausible()

    def to_readings(records: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        with ReadingSorter(assignment.day) as sorter:
            for batch in records:
                found = decode(batch, assignment.span)
                tally.count_ends(batch, found, assignment)
                added = sorter.add(found.devices, found.device, found.time_ms, found.measurements)
                tally.on_date += len(added)
                # NaN compares false, so a value that is not finite is refused by its limits.
                tally.implausible += np.count_nonzero(~((added >= low) & (added <= high)), axis=0)
            yield from sorter.batches()
        tally.hours = sorter.hours
        return tally

    return to_readings


def audit_rows(spark: SparkSession, config: JobConfig, day: date) -> publishing.RowAudits:
    """How readings of a date that are written once more are audited, each device's in one task."""
    devices = config.read_registry().devices

    def to_rows(readings: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for batch in readings:
            tally.count_readings(batch)
            yield batch
        return tally

    def judge(staged: publishing.Staged, tallies: list[Tally]) -> list[CheckResult]:
        counts = _sum_up(tallies)
        return [
            checks.judge_silence(staged.rows, len(devices), day, allowed=config.allow_fewer),
            _not_fewer(spark, counts.hours, day, allowed=config.allow_fewer),
            *_audit(counts, staged.rows, devices),
        ]

    return publishing.RowAudits(to_rows, judge)


@dataclass(frozen=True)
class _Making:
    """What a date is made with."""

    spark: SparkSession
    config: JobConfig
    devices: tuple[str, ...]
    topic: Topic
    ledger: Ledger


def _make_date(making: _Making, day: date) -> DateReport:
    spark, config, topic, ledger = making.spark, making.config, making.topic, making.ledger
    offsets = resolve(topic, ledger, day, timedelta(hours=config.lateness_hours))
    read = ledger.scanned(day - BEHIND_RECORD - timedelta(days=1), topic.now.date())
    assignment = Assignment(day, Span.around(day, topic.now), offsets.claims, {**read, day: {}})

    name = uuid.uuid4().hex
    staged, counts = _stage_readings(spark, topic, offsets, assignment, name)
    quarantine = _stage_quarantine(spark, topic, assignment, counts.quarantined)
    late = _late(counts, read, day)
    audits = [
        _every_end(counts, staged, quarantine),
        checks.judge_silence(staged.rows, len(making.devices), day, allowed=config.allow_fewer),
        _not_fewer(spark, counts.hours, day, allowed=config.allow_fewer),
        checks.judge_quarantine(counts.quarantined, _records(counts), _sample(spark, quarantine, day)),
        *_audit(counts, staged.rows, making.devices),
        checks.judge_late(late),
    ]
    figures = {"making": name} | _figures(counts, offsets, staged.rows)
    report = publishing.publish_audited(spark, staged, audits, figures, ahead=[quarantine])
    if not report.refusals:
        ledger.add(spark, day, _ledger_rows(topic, offsets, counts, report, name))
    return report


def _figures(counts: Tally, offsets: DateOffsets, rows: int) -> dict:
    """What is told of the date's records, which add up to the offsets of its own part."""
    ends = counts.ends.values()
    claimed = sum(claim.end - claim.first for claim in offsets.claims.values())
    records = sum(each.records for each in ends)
    return {
        "records": records,
        "duplicates": counts.on_date - rows,
        "quarantined": counts.quarantined,
        "of_other_dates": sum(noted[0] for each in ends for noted in each.elsewhere.values()),
        # Markers of transactions, aborted records, and what the broker has compacted.
        "offsets_without_record": claimed - records,
        "offsets": {str(partition): [claim.first, claim.end] for partition, claim in offsets.claims.items()},
    }


def _ledger_rows(topic: Topic, offsets: DateOffsets, counts: Tally, report: DateReport, making: str) -> list[dict]:
    """What the ledger is told of this making."""
    made_at = datetime.now(UTC)
    rows = []
    for partition, claim in offsets.claims.items():
        ends = counts.ends.get(partition, Ends())
        rows.append(
            {
                "date": report.day, "making": making, "made_at": made_at, "snapshot_id": report.snapshot_id,
                "topic": topic.name, "topic_id": topic.id, "partition": partition,
                "first_offset": claim.first, "end_offset": claim.end,
                "scanned": [{"first_offset": one.first, "end_offset": one.end} for one in offsets.scanned[partition]],
                "newest": datetime.fromtimestamp(ends.newest_ms / 1000, UTC) if ends.newest_ms else None,
                "records": ends.records, "readings": ends.readings, "quarantined": ends.quarantined,
                "elsewhere": [
                    dict(zip(("date", "readings", "unread", "first_offset", "end_offset"), (day, *noted), strict=True))
                    for day, noted in sorted(ends.elsewhere.items())
                ],
                "date_rows": report.rows, "date_duplicates": counts.on_date - report.rows,
                "code_version": code_version(),
            }
        )  # fmt: skip
    return rows


def _stage_readings(
    spark: SparkSession, topic: Topic, offsets: DateOffsets, assignment: Assignment, making: str
) -> tuple[publishing.Staged, Tally]:
    """Stage the date's readings, and what was seen meanwhile."""
    records = topic.read(offsets.ranges).select("value", "timestamp", "partition", "offset")

    def write(records: DataFrame) -> tuple[list[Written], Tally | None]:
        written, tallies = publishing.write(
            scans.Source(records), _to_readings(assignment), READINGS, assignment.day, making=making
        )
        return written, _sum_up(tallies)

    # Each range is a task; one of late readings has devices that the date's own part has too.
    is_apart = any(len(ranges) > 1 for ranges in offsets.scanned.values())
    written, counts = ([], None) if is_apart else write(records)
    if counts is None:
        # Records of one device stand in several tasks: the topic's keys are not the devices, it was given more
        # partitions, or some came late. The same by way of a shuffle.
        written, counts = write(_by_device(spark, records))
    return publishing.stage(spark, READINGS, assignment.day, written), counts


def _by_device(spark: SparkSession, records: DataFrame) -> DataFrame:
    """Records with those of a device in one task, in the topic's order."""
    # Counted from the end: a name of the schema may stand before a reading.
    device = f.substring("value", 1 - AVRO_LENGTH, DEVICE_ID_LENGTH)
    n_tasks = spark.conf.get("spark.sql.shuffle.partitions")
    return records.repartition(int(n_tasks), device).sortWithinPartitions("partition", "offset")


def _sum_up(tallies: list[Tally]) -> Tally | None:
    """All tasks' tallies as one, None if two tasks have had readings of the same device."""
    total = Tally()
    for tally in tallies:
        total.on_date += tally.on_date
        total.implausible += tally.implausible
        total.hours |= tally.hours
        for partition, ends in tally.ends.items():
            total.ends.setdefault(partition, Ends()).merge(ends)
    return total if len(total.hours) == sum(len(tally.hours) for tally in tallies) else None


def _stage_quarantine(spark: SparkSession, topic: Topic, assignment: Assignment, count: int) -> publishing.Staged:
    """Stage the records of the date's own part that are no readings."""
    if not count:
        return publishing.stage(spark, QUARANTINE, assignment.day, [])
    records = topic.read(assignment.claims.values())
    written, _ = publishing.write(scans.Source(records), _to_quarantine(assignment), QUARANTINE, assignment.day)
    return publishing.stage(spark, QUARANTINE, assignment.day, written)


def _to_quarantine(assignment: Assignment) -> Callable:
    def to_quarantine(records: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in records:
            dates = pa.array([assignment.day] * batch.num_rows, pa.date32())
            explained = pa.Table.from_batches([batch]).append_column(
                "reason", find_rejection_reasons(batch, assignment.span)
            )
            bad = explained.append_column("date", dates).filter(pc.is_valid(explained["reason"]))
            yield from bad.select(QUARANTINE.schema.names).cast(QUARANTINE.schema).to_batches()

    return to_quarantine


def _sample(spark: SparkSession, quarantine: publishing.Staged, day: date) -> list[dict]:
    """Some of what is to be quarantined, for whoever has to mend it."""
    if not quarantine.rows:
        return []
    rows = publishing.read_staged(spark, quarantine, day).select("partition", "offset", "reason")
    return [row.asDict() for row in rows.limit(check.SAMPLE).collect()]


def _late(counts: Tally, read: Mapping[date, object], day: date) -> dict[str, int]:
    """Readings of dates that were made before, and have not read them."""
    late: dict[str, int] = {}
    for ends in counts.ends.values():
        for other, (_, unread, _, _) in ends.elsewhere.items():
            if unread and other in read and other != day:
                late[str(other)] = late.get(str(other), 0) + unread
    return dict(sorted(late.items()))


def _every_end(counts: Tally, staged: publishing.Staged, quarantine: publishing.Staged) -> CheckResult:
    ends = counts.ends.values()
    return checks.judge_ends(
        records=_records(counts),
        own=sum(each.readings for each in ends),
        other=sum(noted[0] for each in ends for noted in each.elsewhere.values()),
        bad=counts.quarantined,
        quarantined=quarantine.rows,
        rows=staged.rows,
        kept=counts.on_date,
    )


def _records(counts: Tally) -> int:
    """Records of the date's own part of the topic."""
    return sum(each.records for each in counts.ends.values())


def _not_fewer(spark: SparkSession, hours: Mapping[str, np.ndarray], day: date, *, allowed: bool) -> CheckResult:
    """Whether each device has at least as many readings as the table has of it."""
    held = scans.count_rows(spark, READINGS, day)
    fewer, without = {}, ""
    try:
        fewer = {} if allowed or not held else _fewer(spark, hours, day)
    except FileError as error:
        # They are what this run is to replace: their number is in the metadata, whose they were is not.
        without = str(error)
    in_topic = int(sum(counts.sum() for counts in hours.values()))
    return checks.judge_fewer(day, in_topic=in_topic, in_table=held, fewer=fewer, allowed=allowed, without=without)


def _fewer(spark: SparkSession, hours: Mapping[str, np.ndarray], day: date) -> dict[str, int]:
    """How many readings each device would lose, the most first."""
    with scans.naming_damage(spark, day, READINGS):
        readings = scans.read_together(spark, READINGS, scans.files_of(spark, READINGS, day), [DEVICE_ID])
        held = readings.groupBy(DEVICE_ID).count().collect()
    lost = {row[DEVICE_ID]: row["count"] - int(hours.get(row[DEVICE_ID], np.zeros(1)).sum()) for row in held}
    return dict(sorted(((name, n) for name, n in lost.items() if n > 0), key=lambda each: (-each[1], each[0])))


def _audit(counts: Tally, rows: int, registered: Sequence[str]) -> list[CheckResult]:
    """Audits of what is staged, device by device."""
    return [
        checks.judge_completeness(counts.hours),
        checks.judge_duplicates(counts.on_date - rows),
        checks.judge_plausible(counts.implausible, rows),
        checks.judge_missing(counts.hours, registered),
        checks.judge_registered(counts.hours, registered),
    ]


if __name__ == "__main__":
    main(NAME)
