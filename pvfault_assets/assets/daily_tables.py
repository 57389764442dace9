"""The tables as assets: which job makes each, from what, and which dates of a run it makes.

Lineage, groups, and how a run goes on beside a date that is refused. Columns come from `pvfault.tables`, audits from
`spark_jobs`.

`scalograms` looks back at its own dates, and Dagster does not know it: it would plan a range of them in other runs than
what is made of them, and one refused date would stop the 154 after it. The job looks for the dates before by itself,
and within a run dates are made in order. `quarantine` has no asset of its own: ingest writes it with `readings`, and
the check `every_record_is_a_reading` counts and samples it.
"""

from collections.abc import Iterator
from datetime import date
from functools import partial, reduce
from operator import or_
from types import ModuleType

import dagster as dg

from pvfault.tables import DEVICE_DAYS, MADE_OF, NAMESPACE, PREDICTIONS, READINGS, SCALOGRAMS, Table
from pvfault_assets.assets.sources import MODEL, REGISTRY, TOPIC
from pvfault_assets.checks.audits import audit_checks
from pvfault_assets.failures import raised_for_dagster, refused_dates
from pvfault_assets.partitions import DATES_PER_RUN, dates_of_step
from pvfault_assets.recording import Recorded, note_date, pass_on, read_recorded, record_date, tables_of_run
from pvfault_assets.resources.spark_runner import SparkRunner
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days

POOL = "spark"

Events = Iterator[dg.Output | dg.DagsterEvent]


class IngestConfig(dg.Config):
    """What can be asked of one run of `readings`."""

    allow_fewer: bool = False
    """Replace a date even by fewer readings than it holds, for instance after a sender's mistake was taken back."""


def table_assets(days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The four tables, each cut into days; a step is tried again as the policy says."""

    @dg.asset(**_made_by(ingest_readings, READINGS, days), group_name="raw", deps=[TOPIC], kinds={"kafka", "iceberg"})
    def readings(context: dg.AssetExecutionContext, config: IngestConfig, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and timestamp: what the inverters reported, as it came, without duplicates.

        Read from the topic up to the allowed lateness past midnight. Records that are no readings go to the table
        `quarantine`. Replaces the date, unless the topic now has fewer readings of it than the table.
        """
        yield from _make(context, spark, retries, ingest_readings, allow_fewer=config.allow_fewer)

    @dg.asset(
        **_made_by(compute_scalograms, SCALOGRAMS, days),
        group_name="silver",
        deps=[readings, REGISTRY],
        kinds={"spark", "iceberg"},
    )
    def scalograms(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: whether the hour can be judged and, if so, its Morlet scalogram.

        24 hours for each device that is registered or sent something; `missing` where nothing came. An image shows how
        far a device is from what its dates before, as far as they are made, say that it should give, and since when.
        """
        yield from _make(context, spark, retries, compute_scalograms)

    @dg.asset(
        **_made_by(classify_faults, PREDICTIONS, days),
        group_name="gold",
        deps=[scalograms, MODEL],
        kinds={"spark", "tensorflow", "iceberg"},
    )
    def predictions(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: the most likely fault and the probability of each; null if not judged."""
        yield from _make(context, spark, retries, classify_faults)

    @dg.asset(
        **_made_by(summarise_device_days, DEVICE_DAYS, days),
        group_name="gold",
        deps=[predictions, scalograms, REGISTRY],
        kinds={"spark", "iceberg"},
    )
    def device_days(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and day: its fault, since when, how sure, the energy it gave and the energy lost."""
        yield from _make(context, spark, retries, summarise_device_days)

    return [readings, scalograms, predictions, device_days]


def _made_by(job: ModuleType, table: Table, days: dg.DailyPartitionsDefinition) -> dict:
    """What the assets have in common."""
    columns = [
        dg.TableColumn(field.name, str(field.type), constraints=dg.TableColumnConstraints(nullable=field.nullable))
        for field in table.schema
    ]
    return {
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.multi_run(DATES_PER_RUN),
        # Each date is recorded as it is made.
        "output_required": False,
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


def _make(
    context: dg.AssetExecutionContext, spark: SparkRunner, retries: dg.RetryPolicy, job: ModuleType, **options
) -> Events:
    """Run a job for those dates of the run that it can make, and record each as it is made.

    A date that was refused, here or in a table before, is left alone, and the step goes on with the others. Where no
    table of the run comes after this one, or no date is left for it, the refused dates make the step fail.
    """
    table = context.asset_key.to_user_string()
    with raised_for_dagster(context, retries):
        dates = dates_of_step(context)
        before = read_recorded(context)
        stopped = _refused(table, before)
        left = [day for day in dates if day not in stopped and day not in before.made[table]]
        if left:
            costs = spark.run(job.NAME, left, context, partial(record_date, context), **options)
            for day in left if costs else ():
                note_date(context, day, costs)
        after = read_recorded(context)
        refused = _refused(table, after)
        if refused and not (after.made[table] and _is_passed_on(context, table)):
            raise refused_dates(len(dates), refused)
    yield from pass_on(context)


def _refused(table: str, recorded: Recorded) -> dict[date, str]:
    """The dates that the run has refused in a table, or in one that it is made of, and why."""
    reasons = {day: f"{table}, {reason}" for day, reason in recorded.refused[table].items()}
    return reduce(or_, (_refused(before, recorded) for before in MADE_OF[table]), reasons)


def _is_passed_on(context: dg.AssetExecutionContext, table: str) -> bool:
    """Whether the run makes a table of this one."""
    made = tables_of_run(context.run)
    return any(table in sources and (made is None or other in made) for other, sources in MADE_OF.items())
