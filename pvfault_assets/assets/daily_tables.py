"""The tables as assets: which job makes each, from what, and which dates of a run it makes.

Lineage, groups, and how a run goes on beside a date that is refused. Columns and what they mean come from
`pvfault.tables`, which of them come from which from `columns.py`, checks from `pvfault.checks`.

No asset has an owner: to Dagster that is an address or a team of the company that runs the plant, which pvfault does
not know.

`scalograms` looks back at its own dates, and Dagster does not know it: it would plan a range of them in other runs than
what is made of them, and one refused date would stop the 154 after it. The job looks for the dates before by itself,
and within a run dates are made in order. `quarantine` has no asset of its own: ingest writes it with `readings`, and
the check `every_record_is_a_reading` counts and samples it.
"""

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial, reduce
from importlib.util import find_spec
from operator import or_
from pathlib import Path

import dagster as dg

from pvfault.checks.assets import OF_RUNS
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, MADE_OF, NAMESPACE, PREDICTIONS, READINGS, SCALOGRAMS, Table
from pvfault.versions import code_version
from pvfault_assets.assets.sources import MODEL, REGISTRY
from pvfault_assets.assets.topic import TOPIC
from pvfault_assets.checks.specs import check_specs
from pvfault_assets.columns import SOURCES, column_lineage, column_schema
from pvfault_assets.date_page import DatePage
from pvfault_assets.failures import raised_for_dagster, refused_dates
from pvfault_assets.partitions import DATES_PER_RUN, dates_of_step
from pvfault_assets.recording import Recorded, note_date, pass_on, read_recorded, record_date, tables_of_run
from pvfault_assets.resources.plant import place_of
from pvfault_assets.resources.spark_runner import SparkRunner

POOL = "spark"

Events = Iterator[dg.Output | dg.DagsterEvent]


class IngestConfig(dg.Config):
    """What can be asked of one run of `readings`."""

    allow_fewer: bool = False
    """Replace a date even by fewer readings than it holds, for instance after a sender's mistake was taken back."""


def table_assets(
    settings: Settings, days: dg.DailyPartitionsDefinition, retries: dg.RetryPolicy
) -> list[dg.AssetsDefinition]:
    """The four tables, each cut into days; a step is tried again as the policy says."""

    @dg.asset(
        **_made_by("ingest_readings", READINGS, "device and time", days, settings),
        deps=[TOPIC],
        kinds={"kafka", "iceberg"},
    )
    def readings(context: dg.AssetExecutionContext, config: IngestConfig, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and timestamp: what the inverters reported, as it came, without duplicates.

        Read from the topic up to the allowed lateness past midnight. Records that are no readings go to the table
        `quarantine`. Replaces the date, unless the topic now has fewer readings of it than the table.
        """
        yield from _make(context, spark, retries, "ingest_readings", allow_fewer=config.allow_fewer)

    @dg.asset(
        **_made_by("compute_scalograms", SCALOGRAMS, "device and hour", days, settings),
        deps=[readings, REGISTRY],
        kinds={"spark", "iceberg"},
    )
    def scalograms(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: whether the hour can be judged and, if so, its Morlet scalogram.

        24 hours for each device that is registered or sent something; `missing` where nothing came. An image shows how
        far a device is from what its dates before, as far as they are made, say that it should give, and since when.
        """
        yield from _make(context, spark, retries, "compute_scalograms")

    @dg.asset(
        **_made_by("classify_faults", PREDICTIONS, "device and hour", days, settings),
        deps=[scalograms, MODEL],
        kinds={"spark", "tensorflow", "iceberg"},
    )
    def predictions(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and hour: the most likely fault and the probability of each; null if not judged."""
        yield from _make(context, spark, retries, "classify_faults")

    @dg.asset(
        **_made_by("summarise_device_days", DEVICE_DAYS, "device and date", days, settings),
        deps=[predictions, scalograms, REGISTRY, MODEL],
        kinds={"spark", "iceberg"},
    )
    def device_days(context: dg.AssetExecutionContext, spark: dg.ResourceParam[SparkRunner]):
        """One row per device and day: its fault, since when, how sure, the energy it gave and the energy lost.

        The report of a date has the devices that lose the most, the faults of the weeks before, and the day's power of
        the worst device beside that of a healthy one.
        """
        show = DatePage(settings, context.log).show
        yield from _make(context, spark, retries, "summarise_device_days", show)

    return [readings, scalograms, predictions, device_days]


def _made_by(job: str, table: Table, grain: str, days: dg.DailyPartitionsDefinition, settings: Settings) -> dict:
    """What the assets have in common."""
    return {
        "group_name": table.layer,
        "tags": {"grain": grain.replace(" ", "-")},
        # Rows carry it too: what older code has made is shown as out of date.
        "code_version": code_version(),
        "partitions_def": days,
        "backfill_policy": dg.BackfillPolicy.multi_run(DATES_PER_RUN),
        # Each date is recorded as it is made.
        "output_required": False,
        # How many jobs may run at once, over all runs, is set where Dagster is deployed.
        "pool": POOL,
        "check_specs": check_specs(table.name, OF_RUNS.get(table.name, ()), days),
        "metadata": {
            "dagster/table_name": f"{NAMESPACE}.{table.name}",
            "dagster/column_schema": column_schema(table.schema, table.descriptions, SOURCES[table.name]),
            "dagster/column_lineage": column_lineage(table),
            "dagster/uri": place_of(settings, table),
            "dagster/code_references": _code_of(job),
            "key": ", ".join(table.key),
            "job": f"spark_jobs/{job}.py",
        },
    }


def _code_of(job: str) -> dg.CodeReferencesMetadataValue:
    """Where a job begins, as a link of the asset's page into the editor."""
    # Found and not imported: definitions are loaded far more often than jobs are run.
    path = Path(find_spec(f"spark_jobs.{job}").origin)
    lines = path.read_text(encoding="utf-8").splitlines()
    begins = next(number for number, line in enumerate(lines, 1) if line.startswith("def run("))
    reference = dg.LocalFileCodeReference(file_path=str(path), line_number=begins, label=f"spark_jobs/{job}.py")
    return dg.CodeReferencesMetadataValue(code_references=[reference])


def _nothing_more(_day: date) -> dict[str, dg.MetadataValue]:
    """What most tables show of a date beside its figures."""
    return {}


def _make(
    context: dg.AssetExecutionContext,
    spark: SparkRunner,
    retries: dg.RetryPolicy,
    job: str,
    show: Callable[[date], dict[str, dg.MetadataValue]] = _nothing_more,
    **options,
) -> Events:
    """Run a job for those dates of the run that it can make, and record each, with what it shows, as it is made.

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
            costs = spark.run(job, left, context, partial(record_date, context, show), **options)
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
