"""The one way in which assets are cut: days in UTC.

Here: the partitions definition, and dates from its keys. Not here: how late a day's readings may come (`Settings`).
"""

from collections.abc import Iterable
from datetime import date, timedelta

import dagster as dg


def daily(first_date: date) -> dg.DailyPartitionsDefinition:
    """Days in UTC from the first one on; a day is offered once it is over."""
    return dg.DailyPartitionsDefinition(start_date=first_date.isoformat(), timezone="UTC", end_offset=0)


def dates_of(keys: Iterable[str]) -> list[date]:
    """The dates that partition keys stand for."""
    return [date.fromisoformat(key) for key in keys]


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last, both of them included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
