"""Job: a date's `readings` to its `scalograms`, 24 windows for each device that is registered or sent something.

Here: how readings reach `pvfault.batches.scalogram_rows` device by device, and what is audited. Not here: windows and
images themselves.
"""

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault import batches, scalogram
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP
from pvfault.registry import Registry
from pvfault.tables import INVALID, OK, QUALITIES, READINGS, SCALOGRAMS, SPARSE
from spark_jobs import lake
from spark_jobs.job import REPORT_IT, Audit, AuditResult, DateReport, JobConfig, JobReport, main, run_dates

NAME = "compute_scalograms"

# Readings that are cut and transformed at once: about 50 devices, whose images take 10 MB.
READINGS_AT_ONCE = 200_000
# So many readings a task keep a worker below 200 MB, whatever the fleet.
READINGS_PER_TASK = 2_000_000

JUDGED_SHARE = 0.8

WHOLE_DAYS = Audit(
    "every_device_has_24_windows", "Each device has each hour of the date once.", REPORT_IT, blocking=True
)
FINITE = Audit(
    "scalograms_are_whole_and_finite",
    f"Every window that can be judged has an image of {scalogram.BYTES} bytes that is not blank; no other has one. "
    "A value that is not finite would leave no image.",
    REPORT_IT,
    blocking=True,
)
JUDGED = Audit(
    "lit_windows_can_be_judged",
    f"At least {JUDGED_SHARE:.0%} of the windows in the light are neither `sparse` nor `invalid`.",
    "look at the communication and the sensors of the devices",
)
AUDITS = (WHOLE_DAYS, FINITE, JUDGED)


def run(spark: SparkSession, config: JobConfig) -> JobReport:
    """Make the `scalograms` of each date.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    """
    registry = config.read_registry()
    lake.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, registry))


def scalograms_of(readings: DataFrame, day: date, registry: Registry) -> DataFrame:
    """Scalograms of a date's readings, with `missing` windows for registered devices that sent nothing.

    Parameters
    ----------
    readings : DataFrame
        Of `day`, each (deviceID, timestamp) once; all readings of a device in one task.
    day : date
    registry : Registry

    Returns
    -------
    DataFrame
        Rows of `SCALOGRAMS`, sorted by key within each task.
    """
    schema = lake.spark_schema(SCALOGRAMS)
    # Files are sorted already, which makes this cheap; a table that somebody else arranged need not be.
    in_order = readings.sortWithinPartitions(DEVICE_ID, TIMESTAMP)
    seen = in_order.mapInArrow(_by_whole_devices(day, registry), schema)
    silent = _silent_devices(readings, registry)
    return seen.unionByName(silent.mapInArrow(_missing(day), schema)) if silent is not None else seen


def whole_devices(readings: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join and cut batches of sorted readings so that each table holds whole devices, `READINGS_AT_ONCE` or more."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in readings:
        held.append(batch)
        n_held += batch.num_rows
        if n_held < READINGS_AT_ONCE:
            continue
        table = pa.Table.from_batches(held)
        last = table[DEVICE_ID][-1].as_py()
        # Sorted: the last device, which may go on in the next batch, is the tail.
        first_of_last = int(np.searchsorted(table[DEVICE_ID].to_numpy(), last))
        if first_of_last:
            yield table.slice(0, first_of_last)
        held = table.slice(first_of_last).to_batches()
        n_held = table.num_rows - first_of_last
    if n_held:
        yield pa.Table.from_batches(held)


def _by_whole_devices(day: date, registry: Registry) -> Callable:
    def to_scalograms(readings: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in whole_devices(readings):
            rows = table.select(READING_SCHEMA.names).cast(READING_SCHEMA)
            yield from batches.scalogram_rows(rows, day, registry).to_batches()

    return to_scalograms


def _silent_devices(readings: DataFrame, registry: Registry) -> DataFrame | None:
    """Registered devices without a reading."""
    if not registry.devices:
        return None
    registered = readings.sparkSession.createDataFrame([(device,) for device in registry.devices], [DEVICE_ID])
    # The key is unique on the left by the registry's own check; an anti join repeats nothing.
    silent = registered.join(readings.select(DEVICE_ID).distinct(), on=DEVICE_ID, how="left_anti")
    return silent.coalesce(1).sortWithinPartitions(DEVICE_ID)


def _missing(day: date) -> Callable:
    def to_missing(devices: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in devices:
            yield from batches.missing_rows(batch.column(0).to_pylist(), day).to_batches()

    return to_missing


def _make_date(spark: SparkSession, registry: Registry, day: date) -> DateReport:
    # Ingest writes all readings of a device into one file, so none has to be moved to come together.
    by_file = lake.read_whole_files(spark, READINGS, day)
    staged = lake.stage(scalograms_of(by_file, day, registry), SCALOGRAMS)
    if staged is None:
        return lake.publish_audited(spark, None, day, (), dict.fromkeys(QUALITIES, 0))
    found = _count(spark, staged, day)
    if found["not_whole"]:
        # They do not stand together, so somebody else has arranged the table: the same again, by way of a shuffle.
        n_tasks = max(spark.sparkContext.defaultParallelism, -(-lake.count(spark, READINGS, day) // READINGS_PER_TASK))
        by_device = lake.read(spark, READINGS, day).repartition(n_tasks, DEVICE_ID)
        staged = lake.stage(scalograms_of(by_device, day, registry), SCALOGRAMS)
        found = _count(spark, staged, day)
    figures = {name: found[name] for name in (*QUALITIES, "devices")}
    return lake.publish_audited(spark, staged, day, _audit(staged, found), figures)


def _count(spark: SparkSession, staged: lake.Staged, day: date) -> dict:
    """Counts over what is staged."""
    image = f.col("scalogram")
    is_ok = f.col("quality") == OK
    # An image of the wrong length, or of zeros alone, is what a lost one looks like.
    whole = (f.octet_length(image) == scalogram.BYTES) & (image != f.lit(bytes(scalogram.BYTES)))
    whole = f.coalesce(whole, f.lit(False))
    rows = lake.read_staged(spark, staged, day)
    hours = rows.groupBy(DEVICE_ID).agg(f.count_distinct("window_start").alias("hours"), f.count("*").alias("rows"))
    counts = rows.agg(
        *(f.count_if(f.col("quality") == quality).alias(quality) for quality in QUALITIES),
        f.count_if(is_ok != whole).alias("broken"),
    )
    days = hours.agg(
        f.count("*").alias("devices"),
        f.count_if((f.col("hours") != 24) | (f.col("rows") != 24)).alias("not_whole"),
    )
    return {**counts.first().asDict(), **days.first().asDict()}


def _audit(staged: lake.Staged, found: dict) -> tuple[AuditResult, ...]:
    unjudged = found[SPARSE] + found[INVALID]
    lit = found[OK] + unjudged
    return (
        WHOLE_DAYS.judge(
            found["not_whole"] == 0,
            f"{found['not_whole']} of {found['devices']} devices do not have each hour once",
            devices=found["devices"],
            not_whole=found["not_whole"],
        ),
        FINITE.judge(
            found["broken"] == 0,
            f"{found['broken']} of {staged.rows} windows have an image that is lost, blank or of no right",
            windows=staged.rows,
            broken=found["broken"],
        ),
        JUDGED.judge(
            found[OK] >= JUDGED_SHARE * lit,
            f"{unjudged} of {lit} lit windows cannot be judged ({found[SPARSE]} sparse, {found[INVALID]} invalid)",
            sparse=found[SPARSE],
            invalid=found[INVALID],
            lit=lit,
        ),
    )


if __name__ == "__main__":
    main(NAME, run)
