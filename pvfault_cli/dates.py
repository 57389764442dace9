"""Dates as commands take them: D or D..D."""

import re
from datetime import date

from pvfault.date_ranges import days_between
from pvfault.errors import PvfaultError

_DATES = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?")


def parse_dates(text: str) -> list[date]:
    """Read the value of --date: a day, or the first and the last of some.

    Raises
    ------
    PvfaultError
        If it is not D or D..D, or ends before it begins.

    Examples
    --------
    >>> [str(day) for day in parse_dates("2024-02-28..2024-03-01")]
    ['2024-02-28', '2024-02-29', '2024-03-01']
    """
    found = _DATES.fullmatch(text)
    try:
        first, last = (date.fromisoformat(day) for day in (found[1], found[2] or found[1]))
    except (TypeError, ValueError) as error:
        raise PvfaultError(
            f"--date is {text!r}; expected a day, as in 2024-06-01, or the first and the last of some, as in "
            "2024-06-01..2024-06-30."
        ) from error
    if last < first:
        raise PvfaultError(f"--date ends before it begins: {text}. Write the earlier day first.")
    return days_between(first, last)
