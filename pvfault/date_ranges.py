"""Dates that follow each other: the days of a range, and the ranges that some days are."""

from collections.abc import Iterable
from datetime import date, timedelta


def days_between(first: date, last: date) -> list[date]:
    """The days from the first to the last, both of them included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def runs_of(days: Iterable[date]) -> list[list[date]]:
    """Days in their order, cut where one does not follow the one before it.

    Examples
    --------
    >>> [[str(day) for day in run] for run in runs_of([date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 3)])]
    [['2024-02-29', '2024-03-01'], ['2024-03-03']]
    """
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def written(first: date, last: date) -> str:
    """Dates as a command takes them.

    Examples
    --------
    >>> written(date(2024, 6, 1), date(2024, 6, 1)), written(date(2024, 6, 1), date(2024, 6, 3))
    ('2024-06-01', '2024-06-01..2024-06-03')
    """
    return f"{first}" if first == last else f"{first}..{last}"
