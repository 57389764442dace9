"""The one way in which assets are cut: days in UTC.

How late a day's readings may come is one of the `Settings`.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import dagster as dg

from pvfault.date_ranges import days_between
from pvfault.errors import PvfaultError

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Dagster's tags of a run of a range of dates."""
ONE_DATE = "dagster/partition"
"""Dagster's tag of a run of one date."""


# A month: what a run takes to start, a minute on AWS, is little beside it, and it is far from the six hours after which
# a job is ended there. A longer backfill is several runs, each with all the tables of its dates.
DATES_PER_RUN = 31


def daily(first_date: date, last_date: date | None = None) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the first one on, as far as to the last one if there is one; offered once they are over."""
    end_date = (last_date + timedelta(days=1)).isoformat() if last_date else None  # Dagster's end is not included
    return dg.DailyPartitionsDefinition(first_date.isoformat(), end_date, timezone="UTC", end_offset=0)


def dates_of(keys: Iterable[str]) -> list[date]:
    """The dates that partition keys stand for."""
    return [date.fromisoformat(key) for key in keys]


def tags_of(first: date, last: date) -> dict[str, str]:
    """The tags by which a run is of these dates."""
    return {ONE_DATE: f"{first}"} if first == last else {RANGE_START: f"{first}", RANGE_END: f"{last}"}


def dates_of_run(run: dg.DagsterRun) -> list[date]:
    """The dates that a run is of, by its tags; none if it is of no date."""
    first = run.tags.get(RANGE_START) or run.tags.get(ONE_DATE)
    return days_between(*dates_of([first, run.tags.get(RANGE_END) or first])) if first else []


def dates_of_step(context: dg.AssetExecutionContext) -> list[date]:
    """The dates that a step is asked for, in their order.

    Raises
    ------
    PvfaultError
        If there is none.
    """
    tags = context.run.tags
    if not (context.has_partition_key or context.has_partition_key_range):
        raise PvfaultError("this run was started without a date; start it for a date, or for a range of them")
    if context.has_partition_key_range and tags[RANGE_END] < tags[RANGE_START]:
        raise PvfaultError(
            f"the range of dates ends before it begins: {tags[RANGE_START]} to {tags[RANGE_END]}; start it with the "
            "earlier date first"
        )
    return sorted(dates_of(context.partition_keys))
