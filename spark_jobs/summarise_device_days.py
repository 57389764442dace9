"""Job: a date's `predictions`, and the hourly means in its `scalograms`, to its `device_days`: a verdict a device.

How the two meet, and what is audited. The verdict's rule is in `pvfault.verdicts`.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import date
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault.checks import device_days as checks
from pvfault.checks.check import CheckResult
from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID
from pvfault.registry import Registry
from pvfault.rows.device_days import HOURLY_COLUMNS, device_day_rows
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, SCALOGRAMS, WINDOW_START, Table
from spark_jobs import catalog, publishing, scans
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.lineage import INHERITED, lineage_of, marked

NAME = "summarise_device_days"

# Of columns of scalograms that stand beside those of the same name of predictions.
_BESIDE = "scalograms_"
# What predictions come from, and what the scalograms beside them do: the columns of `INHERITED` of both.
Origin = tuple[tuple[str | None, ...], tuple[str | None, ...]]

# Devices of a task are taken as one Arrow table; with their 24 rows each they take about 25 MB.
DEVICES_PER_TASK = 50_000

AUDITS = checks.AUDITED


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `device_days` of each date.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    """
    registry = config.read_registry()
    catalog.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, registry), on_date)


def hours_of(spark: SparkSession, day: date, n_tasks: int) -> DataFrame:
    """The predictions of a date with the hourly means beside its scalograms, a device's in one task."""

    def rows(table: Table, columns: Sequence[str]) -> DataFrame:
        return scans.read_together(spark, table, scans.files_of(spark, table, day), columns)

    means = rows(SCALOGRAMS, (DEVICE_ID, WINDOW_START, *HOURLY_COLUMNS, *INHERITED))
    # What they come from is told of both sides: the scalograms may have been made again since they were judged.
    means = means.withColumnsRenamed({name: f"{_BESIDE}{name}" for name in INHERITED})
    hours = rows(PREDICTIONS, PREDICTIONS.schema.names).join(means, on=[DEVICE_ID, WINDOW_START], how="left")
    return hours.repartition(n_tasks, DEVICE_ID)


def _verdicts(day: date, registry: Registry) -> Callable:
    def to_device_days(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, set[Origin]]:
        held = list(batches)
        if not held:
            return set()
        hours = pa.Table.from_batches(held)
        lineage = lineage_of(hours, "model_version", *INHERITED)
        yield from marked(device_day_rows(hours, day, registry), lineage).to_batches()
        return _origins(hours)

    return to_device_days


def audit_rows(spark: SparkSession, _config: JobConfig, day: date) -> publishing.RowAudits:
    """How verdicts of a date that are written once more are audited."""

    def to_rows(verdicts: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, None]:
        yield from verdicts

    def judge(staged: publishing.Staged, _tallies: list) -> tuple[CheckResult, ...]:
        return _judge_verdicts(spark, _sum_up(spark, staged, day), day)

    return publishing.RowAudits(to_rows, judge)


def _origins(hours: pa.Table) -> set[Origin]:
    """What the predictions of some hours come from, and what the scalograms beside them do."""
    columns = [(*INHERITED,), tuple(f"{_BESIDE}{name}" for name in INHERITED)]
    found = hours.group_by([name for side in columns for name in side]).aggregate([]).to_pylist()
    return {tuple(tuple(row[name] for name in side) for side in columns) for row in found}


def _make_date(spark: SparkSession, registry: Registry, day: date) -> DateReport:
    n_devices = scans.count_rows(spark, PREDICTIONS, day) // 24
    hours = hours_of(spark, day, n_tasks=1 + n_devices // DEVICES_PER_TASK)
    with scans.naming_damage(spark, day, PREDICTIONS, SCALOGRAMS):
        written, origins = publishing.write(scans.Source(hours), _verdicts(day, registry), DEVICE_DAYS, day)
    staged = publishing.stage(spark, DEVICE_DAYS, day, written)
    if not staged.rows:
        return publishing.publish_audited(spark, staged, (), {})
    found = _sum_up(spark, staged, day)
    audits = (
        *_judge_verdicts(spark, found, day),
        _judge_origins(set().union(*origins), registry),
    )
    figures = {
        **{f"devices_{fault}": found[fault] for fault in FAULTS},
        "devices_unknown": found["unknown"],
        "energy_kwh": round(found["energy_kwh"] or 0.0, 1),
        "lost_kwh": round(found["lost_kwh"] or 0.0, 1),
    }
    return publishing.publish_audited(spark, staged, audits, figures)


def _judge_verdicts(spark: SparkSession, found: dict, day: date) -> tuple[CheckResult, ...]:
    predicted = scans.read(spark, PREDICTIONS, day).select(DEVICE_ID).distinct().count()
    return checks.judge_verdicts(rows=found["rows"], devices=found["devices"], predicted=predicted, verdicts=found)


def _sum_up(spark: SparkSession, staged: publishing.Staged, day: date) -> dict:
    """Counts and sums over what is staged."""
    sums = publishing.read_staged(spark, staged, day).agg(
        f.count("*").alias("rows"),
        f.count_distinct(DEVICE_ID).alias("devices"),
        f.count_if(f.col("fault").isNull()).alias("unknown"),
        *(f.count_if(f.col("fault") == fault).alias(fault) for fault in FAULTS),
        f.sum("energy_kwh").alias("energy_kwh"),
        f.sum("lost_kwh").alias("lost_kwh"),
    )
    return sums.first().asDict()


def _judge_origins(origins: set[Origin], registry: Registry) -> CheckResult:
    is_apart = any(of_predictions != of_scalograms for of_predictions, of_scalograms in origins)
    apart = [(PREDICTIONS.name, SCALOGRAMS.name)] if is_apart else []
    registries = [version for (_, version), _ in origins if version is not None]
    return checks.judge_origin(apart=apart, registries=registries, registry=registry.version)


if __name__ == "__main__":
    main(NAME)
