"""When something that is seen on several dates is one alarm, and when it is over.

Pure: dates in, dates out. What is seen on a date is in `reading.py`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from pvfault_alarms.subjects import FAULT, OUTAGE, SENSOR

# Dates that say otherwise, after which something is over. The network misses 19 % of faulty days (pvfault/verdicts.py):
# one healthy verdict ends nothing, and three in a row come by chance once in 150 days of a fault. Whether anything was
# received needs no judging: one date with readings is enough.
CLEAN_DATES = {FAULT: 3, SENSOR: 3, OUTAGE: 1}
# Dates without a verdict and dates that are not made say nothing. After so many days without a word the next sighting
# is news all the same. [days]
MOST_DAYS_APART = 30

IsClean = Callable[[date], bool]
"""Whether a date says that something is not there; neither is a date that says nothing."""


def cut(
    seen: Sequence[date], read: Sequence[date], is_clean: IsClean, kind: str, closed_through: Sequence[date] = ()
) -> list[list[date]]:
    """Cut the dates on which something was seen into alarms.

    Parameters
    ----------
    seen : sequence of date
        In order.
    read : sequence of date
        All dates of which the verdicts are known, in order.
    is_clean : callable
        Asked of dates of `read` alone.
    kind : str
    closed_through : sequence of date
        Ends of alarms that somebody has closed: what is seen later is another one.

    Returns
    -------
    list of list of date

    Examples
    --------
    >>> days = [date(2024, 6, day) for day in (1, 2, 3, 4, 5, 6)]
    >>> spells = cut([days[0], days[1], days[5]], days, lambda day: day in days[2:5], "fault")
    >>> [[day.day for day in spell] for spell in spells]
    [[1, 2], [6]]
    """
    spells: list[list[date]] = []
    for day in seen:
        last = spells[-1][-1] if spells else None
        if last is None or any(last <= end < day for end in closed_through) or _apart(last, day, read, is_clean, kind):
            spells.append([day])
        else:
            spells[-1].append(day)
    return spells


def is_over(last: date, read: Sequence[date], is_clean: IsClean, kind: str) -> bool:
    """Whether what was last seen on a date could not go on with what is seen on a date after the newest."""
    return bool(read) and read[-1] > last and _apart(last, read[-1] + timedelta(days=1), read, is_clean, kind)


def _apart(one: date, other: date, read: Sequence[date], is_clean: IsClean, kind: str) -> bool:
    """Whether two dates on which something is seen, and none between them, are of two alarms."""
    if (other - one).days > MOST_DAYS_APART:
        return True
    between = read[bisect_right(read, one) : bisect_left(read, other)]
    return sum(map(is_clean, between)) >= CLEAN_DATES[kind]
