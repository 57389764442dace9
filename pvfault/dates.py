"""Dates are days in UTC; here is where they begin."""

from datetime import UTC, date, datetime, time

DAY_MS = 86_400_000


def midnight(day: date) -> datetime:
    """The moment at which a date begins."""
    return datetime.combine(day, time(), UTC)


def midnight_ms(day: date) -> int:
    """The moment at which a date begins, in milliseconds since 1970."""
    return (day - date(1970, 1, 1)).days * DAY_MS


def date_of_ms(time_ms: int) -> date:
    """The date of a moment.

    Examples
    --------
    >>> date_of_ms(midnight_ms(date(2024, 2, 29)) + 1)
    datetime.date(2024, 2, 29)
    """
    return date.fromordinal(date(1970, 1, 1).toordinal() + time_ms // DAY_MS)
