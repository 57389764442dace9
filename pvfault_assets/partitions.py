"""The one way in which assets are cut: days in UTC.

How late a day's readings may come is one of the `Settings`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import dagster as dg

from pvfault.errors import PvfaultError

DATE = "dagster/partition"
"""Dagster's tag of a run of one date."""
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Dagster's tags of a run of a range of dates."""


def daily(first_date: date) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the first one on; a day is offered once it is over."""
    return dg.DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone="UTC", end_offset=0)


def dates_of(keys: Iterable[str]) -> list[date]:
    """The dates that partition keys stand for."""
    return [date.fromisoformat(key) for key in keys]


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last, both of them included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def dates_of_tags(tags: Mapping[str, str]) -> list[date]:
    """The dates that a run is for by its tags; none where it was started without one."""
    if RANGE_START in tags:
        return days_between(date.fromisoformat(tags[RANGE_START]), date.fromisoformat(tags[RANGE_END]))
    return [date.fromisoformat(tags[DATE])] if DATE in tags else []


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
