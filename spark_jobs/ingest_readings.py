"""Job: a date's records from Kafka to the `readings` table, and what does not decode to `quarantine`.

Here: which records are read, which duplicate stays, and what is audited. Not here: what makes a record a reading
(`decode.py`), whether values can be used in a window (`pvfault.windows`): a broken sensor's readings are kept.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.window import Window

from pvfault.readings import DEVICE_ID, MEASUREMENTS, PLAUSIBLE, READING_SCHEMA, TIMESTAMP
from pvfault.tables import QUARANTINE, READINGS
from spark_jobs import lake
from spark_jobs.decode import BEHIND_RECORD, decode
from spark_jobs.job import Audit, AuditResult, DateReport, JobConfig, JobReport, main, run_dates
from spark_jobs.topic import read_topic, require_topic

NAME = "ingest_readings"

# A date's readings are written into so many files, all of a device in one: as many tasks can make scalograms of them.
N_FILES = 8

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


def run(spark: SparkSession, config: JobConfig) -> JobReport:
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
    lake.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, config, devices))


def distinct_readings(decoded: DataFrame, day: date) -> DataFrame:
    """A date's readings, each (deviceID, timestamp) once, sorted within each task.

    Of duplicates, the one that stands first in the topic stays, so that a re-run gives the same table.
    """
    rows = decoded.where(f.col("reason").isNull() & _is_on("reading.timestamp", day)).select(
        "reading.*", "partition", "offset"
    )
    first = Window.partitionBy(DEVICE_ID, TIMESTAMP).orderBy("partition", "offset")
    by_device = rows.repartition(N_FILES, DEVICE_ID).withColumn("copy", f.row_number().over(first))
    return by_device.where(f.col("copy") == 1).select(*READING_SCHEMA.names)


def _make_date(spark: SparkSession, config: JobConfig, devices: tuple[str, ...], day: date) -> DateReport:
    start = datetime.combine(day, time(), UTC)
    until = start + timedelta(days=1, hours=config.lateness_hours)
    late_until = lake.late_readings_until(spark, READINGS, day)
    if late_until:
        until = max(until, datetime.fromisoformat(late_until))
    decoded = decode(read_topic(spark, config.broker_access, config.topic, start, until))

    seen = Observation()
    staged = lake.stage(distinct_readings(decoded.observe(seen, *_counts(day)), day), READINGS)
    counts = dict(seen.get)
    rows = staged.rows if staged else 0
    quarantine = _stage_quarantine(decoded, day) if counts["not_readings"] else None
    late = _late(spark, decoded, day) if counts["earlier"] else {}
    audits = [
        _not_fewer(rows, lake.count(spark, READINGS, day), allowed=config.allow_fewer),
        _every_record(counts["not_readings"], _sample(spark, quarantine, day)),
        *_audit(spark, counts, staged, devices, day),
        _none_late(spark, late, until),
    ]
    figures = {
        "records": counts["records"],
        "duplicates": counts["on_date"] - rows,
        "quarantined": counts["not_readings"],
        "read_until": until.isoformat(),
    }
    report = lake.publish_audited(spark, staged, day, audits, figures)
    if quarantine and not report.refusals:
        lake.publish(spark, quarantine)
    if late_until and report.published:
        lake.forget_late_readings(spark, READINGS, day)
    return report


def _counts(day: date) -> list[Column]:
    """What is counted while the records pass: a second look at them would read the topic again."""
    is_reading = f.col("reason").isNull()
    on_date = is_reading & _is_on("reading.timestamp", day)
    return [
        f.count(f.lit(1)).alias("records"),
        f.count_if(on_date).alias("on_date"),
        f.count_if(is_reading & (f.col("reading.timestamp") < _midnight(day))).alias("earlier"),
        f.count_if(~is_reading & _is_on("timestamp", day)).alias("not_readings"),
        *(f.count_if(on_date & ~_is_plausible(name)).alias(f"implausible_{name}") for name in MEASUREMENTS),
    ]


def _is_plausible(name: str) -> Column:
    # NaN is greater than every number in Spark, so it is refused by the upper limit.
    return f.col(f"reading.{name}").between(*PLAUSIBLE[name])


def _midnight(day: date) -> Column:
    return f.lit(str(day)).cast("timestamp")


def _is_on(column: str, day: date) -> Column:
    return (f.col(column) >= _midnight(day)) & (f.col(column) < _midnight(day + timedelta(days=1)))


def _stage_quarantine(decoded: DataFrame, day: date) -> lake.Staged | None:
    """Stage the date's records that are no readings."""
    bad = decoded.where(f.col("reason").isNotNull() & _is_on("timestamp", day)).select(*QUARANTINE.schema.names)
    return lake.stage(bad.sortWithinPartitions("topic", "partition", "offset"), QUARANTINE)


def _sample(spark: SparkSession, quarantine: lake.Staged | None, day: date) -> list[dict]:
    """Some of what is to be quarantined, for whoever has to mend it."""
    if quarantine is None:
        return []
    rows = lake.read_staged(spark, quarantine, day).select("partition", "offset", "reason")
    return [row.asDict() for row in rows.limit(SAMPLE).collect()]


def _late(spark: SparkSession, decoded: DataFrame, day: date) -> dict[date, int]:
    """Readings of earlier dates that stand in this date's range and are not in the table, by their date."""
    readings = decoded.where(f.col("reason").isNull() & (f.col("reading.timestamp") < _midnight(day)))
    late = readings.select("reading.*").dropDuplicates([DEVICE_ID, TIMESTAMP])
    held = spark.table(lake.name_of(READINGS)).where(
        (f.col(TIMESTAMP) < _midnight(day)) & (f.col(TIMESTAMP) >= _midnight(day - BEHIND_RECORD))
    )
    # The key is unique on both sides: `late` is made so, and the table is so.
    unseen = late.join(held.select(DEVICE_ID, TIMESTAMP), on=[DEVICE_ID, TIMESTAMP], how="left_anti")
    return {row["day"]: row["count"] for row in unseen.groupBy(f.to_date(TIMESTAMP).alias("day")).count().collect()}


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
        lake.expect_late_readings(spark, READINGS, sorted(late), until.isoformat())
    days = {str(day): n for day, n in sorted(late.items())}
    found = f"{sum(late.values())} late readings" + (f" of {', '.join(days)}" if late else "")
    return NONE_LATE.judge(not late, found, late=days)


def _audit(spark: SparkSession, counts: dict, staged: lake.Staged | None, devices, day: date) -> list[AuditResult]:
    """Audits of what is staged, device by device."""
    by_device = _device_counts(spark, staged, day) if staged else []
    seen = {row[DEVICE_ID] for row in by_device}
    incomplete = sorted((row for row in by_device if row["share"] < COMPLETE), key=lambda row: row["share"])
    missing = sorted(set(devices) - seen)
    unregistered = sorted(seen - set(devices))
    rows = staged.rows if staged else 0
    duplicates = counts["on_date"] - rows
    implausible = {name: counts[f"implausible_{name}"] for name in MEASUREMENTS}
    return [
        COMPLETE_DEVICES.judge(
            by_device and not incomplete,
            f"{len(incomplete)} of {len(by_device)} devices are incomplete"
            if by_device
            else "the topic has no reading of this date",
            devices=len(by_device),
            incomplete=len(incomplete),
            sample={row[DEVICE_ID]: round(row["share"], 3) for row in incomplete[:SAMPLE]},
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


def _device_counts(spark: SparkSession, staged: lake.Staged, day: date) -> list:
    """For each device its share of the readings that its fullest hour promises."""
    hour = f.hour(TIMESTAMP)
    hourly = lake.read_staged(spark, staged, day).groupBy(DEVICE_ID, hour.alias("hour")).count()
    share = f.sum("count") / (f.max("count") * 24)
    return hourly.groupBy(DEVICE_ID).agg(share.alias("share")).collect()


if __name__ == "__main__":
    main(NAME, run)
