"""The tables as assets: which job makes each, from what, for which days.

Here: lineage, groups, and a job's report as Dagster's events. Not here: rows, columns and audits, which come from
`pvfault.tables` and `spark_jobs`. `quarantine` has no asset of its own: ingest writes it with `readings`, and the check
`every_record_is_a_reading` counts and samples it.
"""

from collections.abc import Iterator
from datetime import date
from types import ModuleType

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.reference import HISTORY
from pvfault.tables import DEVICE_DAYS, NAMESPACE, PREDICTIONS, READINGS, SCALOGRAMS, Table
from pvfault_assets.assets.sources import MODEL, REGISTRY, TOPIC
from pvfault_assets.checks.audits import audit_checks, audit_results
from pvfault_assets.failures import refused_dates, shown_to_the_operator
from pvfault_assets.partitions import dates_of
from pvfault_assets.resources.spark_runner import SparkRunner
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from spark_jobs.job import DateReport, JobReport

POOL = "spark"

Events = Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.MaterializeResult | dg.Output]


class IngestConfig(dg.Config):
    """What can be asked of one run of `readings`."""

    allow_fewer: bool = False
    """Replace a date even by fewer readings than it holds, for instance after a sender's mistake was taken back."""


def table_assets(days: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """The four tables, each cut into days."""

    @dg.asset(**_made_by(ingest_readings, READINGS, days), group_name="raw", deps=[TOPIC], kinds={"kafka", "iceberg"})
    def readings(context: dg.AssetExecutionContext, config: IngestConfig, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and timestamp: what the inverters reported, as it came, without duplicates.

        Read from the topic up to the allowed lateness past midnight. Records that are no readings go to the table
        `quarantine`. Replaces the date, unless the topic now has fewer readings of it than the table.
        """
        yield from _make(context, spark, ingest_readings, allow_fewer=config.allow_fewer)

    @dg.asset(
        **_made_by(compute_scalograms, SCALOGRAMS, days),
        group_name="silver",
        deps=[readings, REGISTRY, _dates_before(SCALOGRAMS)],
        kinds={"spark", "iceberg"},
    )
    def scalograms(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: whether the hour can be judged and, if so, its Morlet scalogram.

        24 hours for each device that is registered or sent something; `missing` where nothing came. An image shows how
        far a device is from what its dates before, as far as they are made, say that it should give, and since when.
        """
        yield from _make(context, spark, compute_scalograms)

    @dg.asset(
        **_made_by(classify_faults, PREDICTIONS, days),
        group_name="gold",
        deps=[scalograms, MODEL],
        kinds={"spark", "tensorflow", "iceberg"},
    )
    def predictions(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: the most likely fault and the probability of each; null if not judged."""
        yield from _make(context, spark, classify_faults)

    @dg.asset(
        **_made_by(summarise_device_days, DEVICE_DAYS, days),
        group_name="gold",
        deps=[predictions, scalograms, REGISTRY],
        kinds={"spark", "iceberg"},
    )
    def device_days(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and day: its fault, since when, how sure, the energy it gave and the energy lost."""
        yield from _make(context, spark, summarise_device_days)

    return [readings, scalograms, predictions, device_days]


def _dates_before(table: Table) -> dg.AssetDep:
    """The dates of a table that the next one looks back at; those that are not there are done without."""
    before = dg.TimeWindowPartitionMapping(
        start_offset=-HISTORY[-1], end_offset=-1, allow_nonexistent_upstream_partitions=True
    )
    return dg.AssetDep(table.name, partition_mapping=before)


def _made_by(job: ModuleType, table: Table, days: dg.DailyPartitionsDefinition) -> dict:
    """What the assets have in common."""
    columns = [
        dg.TableColumn(field.name, str(field.type), constraints=dg.TableColumnConstraints(nullable=field.nullable))
        for field in table.schema
    ]
    return {
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        # How many jobs may run at once, over all runs, is set where Dagster is deployed.
        "pool": POOL,
        "check_specs": audit_checks(table.name, job.AUDITS, days),
        "metadata": {
            "dagster/table_name": f"{NAMESPACE}.{table.name}",
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "key": ", ".join(table.key),
            "job": f"spark_jobs/{job.NAME}.py",
        },
    }


def _make(context: dg.AssetExecutionContext, spark: SparkRunner, job: ModuleType, **options) -> Events:
    """Run a job for the dates of the run, and tell what it did."""
    with shown_to_the_operator():
        report = spark.run(job.NAME, _dates_of_run(context), context, **options)
    yield from _events(context, report)


def _dates_of_run(context: dg.AssetExecutionContext) -> list[date]:
    """The dates that the run is to make.

    Raises
    ------
    PvfaultError
        If it names none.
    """
    if not (context.has_partition_key or context.has_partition_key_range):
        raise PvfaultError("the run names no date; choose a partition, or a range of them, and start it again")
    dates = dates_of(context.partition_keys)
    if not dates:
        first, last = (context.run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
        raise PvfaultError(f"the range {first} to {last} has no dates; name the earlier date first")
    return dates


def _events(context: dg.AssetExecutionContext, report: JobReport) -> Events:
    """A job's report as Dagster's events; fails if a date was refused, after the good ones are recorded."""
    for day in report.days:
        yield from audit_results(context.asset_key, day)
    refused = [day for day in report.days if day.refusals]
    if refused:
        for day in report.days:
            if not day.refusals:
                yield dg.AssetMaterialization(
                    context.asset_key, partition=str(day.day), metadata=_metadata(report, day)
                )
        raise refused_dates(report.days, refused)
    for day in report.days:
        context.add_asset_metadata(_metadata(report, day), partition_key=str(day.day))
    yield dg.MaterializeResult(asset_key=context.asset_key)
    for check in context.selected_asset_check_keys:
        # The results are yielded above, date by date; this tells Dagster that the checks were made.
        yield dg.Output(None, output_name=context.assets_def.get_output_name_for_asset_check_key(check))


def _metadata(report: JobReport, day: DateReport) -> dict:
    """What the operator is told about a date, and about the job that made it with others."""
    return {
        "dagster/partition_row_count": day.rows,
        "published": day.published,
        # As text: the page would round 64-bit integers.
        "snapshot": str(day.snapshot_id) if day.snapshot_id is not None else "none, there was nothing to write",
        "seconds": day.seconds,
        **day.figures,
        **report.figures,
    }
