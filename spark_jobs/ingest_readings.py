"""Job: a date's records from Kafka to the `readings` table, and what does not decode to `quarantine`.

Here: which records are read, how those of a device come together, and what is audited. Not here: what makes a record
a reading (`decode.py`), order and duplicates (`sorting.py`), whether values can be used in a window
(`pvfault.windows`): a broken sensor's readings are kept.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StructType

from pvfault.readings import DEVICE_ID, DEVICE_ID_LENGTH, MEASUREMENTS, PLAUSIBLE, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.tables import QUARANTINE, READINGS
from spark_jobs import catalog, publishing, scans
from spark_jobs.decode import BEHIND_RECORD, decode, explain
from spark_jobs.files import Written
from spark_jobs.job import Audit, AuditResult, DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.sorting import ReadingSorter
from spark_jobs.topic import read_topic, require_topic

NAME = "ingest_readings"

COMPLETE = 0.9  # share of a device's readings, at its own cadence, below which it is named
IMPLAUSIBLE_SHARE = 0.01
SAMPLE = 5

NOT_FEWER = Audit(
    "not_fewer_readings_than_before",
    "A run never replaces a date by fewer readings than it holds: a topic past its retention must not erase history.",
    "the date is as it was. The topic may be past its retention; set allow_fewer to replace the date all the same",
    blocking=True,
)
DECODES = Audit(
    "every_record_is_a_reading",
    "Records that are no readings are in `quarantine`, with offset and reason.",
    "read `quarantine`, then mend who sent them",
)
COMPLETE_DEVICES = Audit(
    "devices_are_complete",
    f"Every device sent at least {COMPLETE:.0%} of its readings, at the cadence it keeps.",
    "look at the communication of these devices",
)
NO_DUPLICATES = Audit(
    "no_reading_came_twice",
    "Duplicates by deviceID and timestamp are removed.",
    "nothing is lost; many of them tell of a gateway that sends everything again",
)
PLAUSIBLE_VALUES = Audit(
    "values_are_plausible",
    f"At most {IMPLAUSIBLE_SHARE:.0%} of readings have a value that cannot have been measured.",
    "look at these sensors; hours made mostly of such readings are `invalid`",
)
ALL_DEVICES = Audit(
    "no_device_is_missing",
    "Every registered device sent something. Silence is no outage: it is no data.",
    "look at their communication, or take them off the registry",
)
ALL_REGISTERED = Audit(
    "every_device_is_registered",
    "Devices outside the registry are scored with ratings estimated from their own readings.",
    "register them: an estimate hides a fault that is there all day",
)
NONE_LATE = Audit(
    "no_reading_came_too_late",
    "Readings of earlier dates that came after those dates were made.",
    "materialise these dates again, they will be read",
)
AUDITS = (NOT_FEWER, DECODES, COMPLETE_DEVICES, NO_DUPLICATES, PLAUSIBLE_VALUES, ALL_DEVICES, ALL_REGISTERED, NONE_LATE)


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `readings` and `quarantine` of each date.

    Raises
    ------
    TopicError
        If the broker does not answer or has no such topic.
    RegistryError
        If the registry cannot be used.
    """
    require_topic(spark, config.broker_access, config.topic)
    devices = config.read_registry().devices
    catalog.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, config, devices), on_date)


@dataclass
class Tally:
    """What one task has seen, so that nobody has to look again.

    Attributes
    ----------
    records : int
        That were read, of any date.
    on_date : int
        Readings of the date, with their duplicates.
    earlier : int
        Readings of earlier dates.
    not_readings : int
        Records of the date that are no readings.
    implausible : ndarray of int, shape (4,)
        Readings of the date with a value that cannot have been measured, by measurement.
    hours : dict of str to ndarray of int, shape (24,)
        Readings that were given in each hour, by deviceID.
    """

    records: int = 0
    on_date: int = 0
    earlier: int = 0
    not_readings: int = 0
    implausible: np.ndarray = field(default_factory=lambda: np.zeros(len(MEASUREMENTS), np.int64))
    hours: dict[str, np.ndarray] = field(default_factory=dict)


def _to_readings(day: date) -> Callable:
    """From records to the date's readings, each (deviceID, timestamp) once, sorted, and a `Tally`.

    Of duplicates, the one that its task reads first stays, so that a re-run gives the same table.
    """
    start_ms = int(_start(day).timestamp()) * 1000
    low, high = np.array([PLAUSIBLE[name] for name in MEASUREMENTS], np.float32).T

    def to_readings(records: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        with ReadingSorter(day) as sorter:
            for batch in records:
                found = decode(batch)
                tally.records += batch.num_rows
                tally.earlier += np.count_nonzero(found.time_ms < start_ms)
                if len(found.time_ms) < batch.num_rows:
                    tally.not_readings += np.count_nonzero(~found.is_reading & _of_day(batch, day))
                added = sorter.add(found.devices, found.device, found.time_ms, found.measurements)
                tally.on_date += len(added)
                # NaN compares false, so a value that is not finite is refused by its limits.
                tally.implausible += np.count_nonzero(~((added >= low) & (added <= high)), axis=0)
            yield from sorter.batches()
        tally.hours = sorter.hours
        return tally

    return to_readings


def _make_date(spark: SparkSession, config: JobConfig, devices: tuple[str, ...], day: date) -> DateReport:
    until = _start(day) + timedelta(days=1, hours=config.lateness_hours)
    late_until = catalog.late_readings_until(spark, READINGS, day)
    if late_until:
        until = max(until, datetime.fromisoformat(late_until))
    records = read_topic(spark, config.broker_access, config.topic, _start(day), until)

    staged, counts = _stage_readings(spark, records, day)
    rows = staged.rows if staged else 0
    quarantine = _stage_quarantine(spark, records, day) if counts.not_readings else None
    late = _late(spark, records, day) if counts.earlier else {}
    audits = [
        _not_fewer(rows, scans.count(spark, READINGS, day), allowed=config.allow_fewer),
        _every_record(counts.not_readings, _sample(spark, quarantine, day)),
        *_audit(counts, rows, devices),
        _none_late(spark, late, until),
    ]
    figures = {
        "records": counts.records,
        "duplicates": counts.on_date - rows,
        "quarantined": counts.not_readings,
        "read_until": until.isoformat(),
    }
    report = publishing.publish_audited(spark, staged, day, audits, figures)
    if quarantine and not report.refusals:
        publishing.publish(spark, quarantine)
    if late_until and report.published:
        catalog.forget_late_readings(spark, READINGS, day)
    return report


def _stage_readings(spark: SparkSession, records: DataFrame, day: date) -> tuple[publishing.Staged | None, Tally]:
    """Stage the date's readings, and what was seen meanwhile."""

    def write(records: DataFrame) -> tuple[list[Written], Tally | None]:
        source = scans.Source(records.select("value", "timestamp"))
        written, tallies = publishing.write(source, _to_readings(day), READINGS, day)
        return written, _sum_up(tallies)

    written, counts = write(records)
    if counts is None:
        # Records of one device stand in several of the topic's partitions: its keys are not the devices, or it was
        # given more partitions. The same again, by way of a shuffle.
        written, counts = write(_by_device(spark, records))
    return publishing.stage(spark, READINGS, day, written), counts


def _by_device(spark: SparkSession, records: DataFrame) -> DataFrame:
    """Records with those of a device in one task, in the topic's order."""
    device = f.substring("value", 2, DEVICE_ID_LENGTH)
    n_tasks = spark.conf.get("spark.sql.shuffle.partitions")
    return records.repartition(int(n_tasks), device).sortWithinPartitions("partition", "offset")


def _sum_up(tallies: list[Tally]) -> Tally | None:
    """All tasks' tallies as one, None if two tasks have had readings of the same device."""
    total = Tally()
    for tally in tallies:
        for name in ("records", "on_date", "earlier", "not_readings", "implausible"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
        total.hours |= tally.hours
    return total if len(total.hours) == sum(len(tally.hours) for tally in tallies) else None


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _of_day(records: pa.RecordBatch, day: date) -> np.ndarray:
    """Which records have a timestamp of the date."""
    start, end = (int(_start(edge).timestamp()) * 1_000_000 for edge in (day, day + timedelta(days=1)))
    time_us = records.column("timestamp").cast(pa.int64()).to_numpy()
    return (time_us >= start) & (time_us < end)


def _midnight(day: date) -> Column:
    return f.lit(str(day)).cast("timestamp")


def _stage_quarantine(spark: SparkSession, records: DataFrame, day: date) -> publishing.Staged | None:
    """Stage the date's records that are no readings."""
    written, _ = publishing.write(scans.Source(records), _to_quarantine(day), QUARANTINE, day)
    return publishing.stage(spark, QUARANTINE, day, written)


def _to_quarantine(day: date) -> Callable:
    def to_quarantine(records: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in records:
            explained = pa.Table.from_batches([batch]).append_column("reason", explain(batch))
            is_bad = pc.and_(pc.is_valid(explained["reason"]), pa.array(_of_day(batch, day)))
            bad = explained.filter(is_bad)
            yield from bad.select(QUARANTINE.schema.names).cast(QUARANTINE.schema).to_batches()

    return to_quarantine


def _sample(spark: SparkSession, quarantine: publishing.Staged | None, day: date) -> list[dict]:
    """Some of what is to be quarantined, for whoever has to mend it."""
    if quarantine is None:
        return []
    rows = publishing.read_staged(spark, quarantine, day).select("partition", "offset", "reason")
    return [row.asDict() for row in rows.limit(SAMPLE).collect()]


def _late(spark: SparkSession, records: DataFrame, day: date) -> dict[date, int]:
    """Readings of earlier dates that stand in this date's range and are not in the table, by their date."""
    keys = StructType([catalog.spark_schema(READINGS)[name] for name in READINGS.key])
    late = records.select("value", "timestamp").mapInArrow(_to_earlier(day), keys).dropDuplicates()
    held = spark.table(catalog.name_of(READINGS)).where(
        (f.col(TIMESTAMP) < _midnight(day)) & (f.col(TIMESTAMP) >= _midnight(day - BEHIND_RECORD))
    )
    # The key is unique on both sides: `late` is made so, and the table is so.
    unseen = late.join(held.select(DEVICE_ID, TIMESTAMP), on=[DEVICE_ID, TIMESTAMP], how="left_anti")
    return {row["day"]: row["count"] for row in unseen.groupBy(f.to_date(TIMESTAMP).alias("day")).count().collect()}


def _to_earlier(day: date) -> Callable:
    start_ms = int(_start(day).timestamp()) * 1000

    def to_earlier(records: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in records:
            found = decode(batch)
            earlier = found.time_ms < start_ms
            devices = np.array([device.decode() for device in found.devices], object)
            time_us = pa.array(found.time_ms[earlier] * 1000)
            yield pa.record_batch(
                [pa.array(devices[found.device[earlier]], pa.string()), time_us.cast(TIMESTAMP_TYPE)],
                names=[DEVICE_ID, TIMESTAMP],
            )

    return to_earlier


def _not_fewer(rows: int, held: int, *, allowed: bool) -> AuditResult:
    found = f"{rows} readings in the topic, {held} in the table"
    if allowed and rows < held:
        found += ", replaced all the same, as told"
    return NOT_FEWER.judge(rows >= held or allowed, found, in_topic=rows, in_table=held)


def _every_record(not_readings: int, sample: list[dict]) -> AuditResult:
    found = f"{not_readings} records are no readings"
    return DECODES.judge(not_readings == 0, found, quarantined=not_readings, sample=sample)


def _none_late(spark: SparkSession, late: dict[date, int], until: datetime) -> AuditResult:
    if late:
        catalog.expect_late_readings(spark, READINGS, sorted(late), until.isoformat())
    days = {str(day): n for day, n in sorted(late.items())}
    found = f"{sum(late.values())} late readings" + (f" of {', '.join(days)}" if late else "")
    return NONE_LATE.judge(not late, found, late=days)


def _audit(counts: Tally, rows: int, devices: tuple[str, ...]) -> list[AuditResult]:
    """Audits of what is staged, device by device."""
    # For each device its share of the readings that its fullest hour promises.
    share = {device: hours.sum() / (hours.max() * len(hours)) for device, hours in counts.hours.items()}
    incomplete = sorted((device for device in share if share[device] < COMPLETE), key=share.get)
    missing = sorted(set(devices) - set(share))
    unregistered = sorted(set(share) - set(devices))
    duplicates = counts.on_date - rows
    implausible = dict(zip(MEASUREMENTS, counts.implausible.tolist(), strict=True))
    return [
        COMPLETE_DEVICES.judge(
            share and not incomplete,
            f"{len(incomplete)} of {len(share)} devices are incomplete"
            if share
            else "the topic has no reading of this date",
            devices=len(share),
            incomplete=len(incomplete),
            sample={device: round(float(share[device]), 3) for device in incomplete[:SAMPLE]},
        ),
        NO_DUPLICATES.judge(duplicates == 0, f"{duplicates} duplicates were removed", duplicates=duplicates),
        PLAUSIBLE_VALUES.judge(
            max(implausible.values()) <= IMPLAUSIBLE_SHARE * rows,
            f"implausible values: {', '.join(f'{name} {n}' for name, n in implausible.items())} of {rows} readings",
            **implausible,
        ),
        ALL_DEVICES.judge(
            not missing,
            f"{len(missing)} of {len(devices)} registered devices sent nothing" + _named(missing),
            missing=len(missing),
            sample=missing[:SAMPLE],
        ),
        ALL_REGISTERED.judge(
            not unregistered,
            f"{len(unregistered)} devices are not in the registry" + _named(unregistered),
            unregistered=len(unregistered),
            sample=unregistered[:SAMPLE],
        ),
    ]


def _named(devices: list[str]) -> str:
    return f": {', '.join(devices[:SAMPLE])}{' …' if len(devices) > SAMPLE else ''}" if devices else ""


if __name__ == "__main__":
    main(NAME)
