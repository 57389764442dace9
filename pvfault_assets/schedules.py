"""When assets are made without anybody asking.

The job that makes all of a day, and its daily schedule, which `pvfault schedule on` starts too; the job that maintains
the tables, and its weekly one. Both are stopped until somebody starts them. What is said to Dagster there is in
`instance.py`.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from pvfault_assets.assets.topic import TOPIC
from pvfault_assets.assets.training import TRAINING_WINDOWS
from pvfault_assets.assets.upkeep import UPKEEP

EVERY_DAY = "every_day"

materialise_day = dg.define_asset_job(
    "materialise_day",
    # The network's training windows are made when somebody asks for them, not every day.
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(TRAINING_WINDOWS, TOPIC, UPKEEP),
    description="Everything of one day (UTC): checks registry and model, then readings to verdicts.",
)

maintain_tables = dg.define_asset_job(
    "maintain_tables",
    selection=dg.AssetSelection.assets(UPKEEP),
    description="Upkeep of all tables: expires old snapshots, deletes files that no table knows, merges small ones.",
)

every_week = dg.ScheduleDefinition(
    name="every_week",
    job=maintain_tables,
    # Far from the hour after midnight at which a day is made; beside a running job it waits for its turn.
    cron_schedule="0 12 * * 0",
    execution_timezone="UTC",
    description="Maintains the tables each Sunday at noon (UTC). Off until started.",
)


def cron_of(lateness: timedelta) -> str:
    """When a day is made, as cron has it (UTC).

    Examples
    --------
    >>> cron_of(timedelta(hours=2.5))
    '30 2 * * *'
    """
    minute = lateness // timedelta(minutes=1) % (24 * 60)
    return f"{minute % 60} {minute // 60} * * *"


def every_day(lateness: timedelta, last_date: date | None) -> dg.ScheduleDefinition:
    """The schedule that makes a day once its late readings have had their time.

    Parameters
    ----------
    lateness : timedelta
        How long past midnight (UTC) a day's readings are waited for.
    last_date : date or None
        The last day that is made, if there is one.
    """

    @dg.schedule(
        name=EVERY_DAY,
        job=materialise_day,
        cron_schedule=cron_of(lateness),
        execution_timezone="UTC",
        description=f"Makes each day once it has been over for {lateness / timedelta(hours=1):g} h. Off until started.",
    )
    def made_every_day(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        day = (context.scheduled_execution_time - lateness).date() - timedelta(days=1)
        if last_date and day > last_date:
            yield dg.SkipReason(f"{day} is behind PVFAULT_LAST_DATE, which is {last_date}.")
            return
        yield dg.RunRequest(run_key=str(day), partition_key=str(day))

    return made_every_day
