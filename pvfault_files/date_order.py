"""The order of day, month and year: from the digits, the column's name, or the one in which all dates are dates."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault_files.choices import Choices

ORDERS = {"ymd": "year-month-day", "dmy": "day/month/year", "mdy": "month/day/year"}


def find_order(where: str, parts: pa.StructArray, choices: Choices, hint: str) -> str:
    """Find which of a date's three numbers is the year, the month and the day.

    Parameters
    ----------
    where : str
        What messages call the column.
    parts : array of struct
        The numbers `a`, `b` and `c` of dates, and the sign `x` between them.
    choices : Choices
    hint : str
        The column's name.

    Raises
    ------
    PvfaultError
        If two orders are possible, or none.
    """
    a, b, c = (pc.struct_field(parts, name) for name in "abc")
    first = pc.max(pc.utf8_length(a)).as_py()
    if first > 2:
        return "ymd"
    numbers = [np.asarray(pc.drop_null(pc.cast(part, pa.int32()))) for part in (a, b, c)]
    named = _order_in_name(hint)
    if choices.day_first is not None:
        order = "dmy" if choices.day_first else "mdy"
    elif named:
        order = named
    elif pc.all(pc.equal(pc.drop_null(pc.struct_field(parts, "x")), ".")).as_py() and numbers[1].max() <= 12:
        order = "dmy"  # nobody writes a date with points in another order
    else:
        order = _order_by_values(where, numbers, pc.max(pc.utf8_length(c)).as_py())
    low, high = numbers[order.index("m")].min(), numbers[order.index("m")].max()
    if not (low >= 1 and high <= 12):
        raise PvfaultError(
            f"{where}: has a month {high if high > 12 else low} if its dates are {ORDERS[order]}. "
            f"{'Leave --day-first or --month-first away, or name' if choices.day_first is not None else 'Name'} the "
            f"form "
            "with --time-format."
        )
    return order


def _order_in_name(hint):
    """Order that a column's name spells, as dd/MM/yyyy does."""
    found = re.search(r"(d{1,2}|m{1,2}|y{2,4})[-/. ](d{1,2}|m{1,2,}|m{1,2}|y{2,4})[-/. ](d{1,2}|y{2,4})", hint.lower())
    order = "".join(part[0] for part in found.groups()) if found else ""
    return order if order in ORDERS else None


def _order_by_values(where, numbers, year_digits):
    """The one order in which all dates are dates, or in which they follow each other."""
    orders = ["dmy", "mdy"] if year_digits > 2 else ["dmy", "mdy", "ymd"]
    possible = {order: days for order in orders if (days := _days(numbers, order)) is not None}
    if len(possible) == 1:
        return next(iter(possible))
    if not possible:
        raise PvfaultError(f"{where}: its dates are in no order of day, month and year. Name it with --time-format.")
    # Of the days of a fortnight, one reading gives days that follow each other, the other months apart.
    following = [order for order, days in possible.items() if len(days) >= 3 and np.diff(days).max() <= 7]
    if len(following) == 1 and all(
        np.diff(days).min() >= 20 for order, days in possible.items() if order != following[0]
    ):
        return following[0]
    shown = "/".join(str(part[0]) for part in numbers)
    options = {"dmy": "--day-first", "mdy": "--month-first", "ymd": "--time-format '%y/%m/%d %H:%M'"}
    readings = "; ".join(
        f"{np.datetime64(int(days[0]), 'D')} and so on, {ORDERS[order]}: {options[order]}"
        for order, days in possible.items()
    )
    raise PvfaultError(f"{where}: dates such as {shown} can be read in {len(possible)} ways. Say which: {readings}.")


def _days(numbers, order):
    """Distinct days in an order, sorted, as days since 1970; None if some are no dates of these decades."""
    year, month, day = (numbers[order.index(part)].astype(np.int64) for part in "ymd")
    year = np.where(year < 100, year + 2000, year)
    this_year = np.datetime64("today", "Y").astype(int) + 1970
    if not (
        month.min() >= 1 and month.max() <= 12 and day.min() >= 1 and year.min() >= 1990 and year.max() <= this_year + 1
    ):
        return None
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    last = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(int)
    if (day > last).any():
        return None
    return np.unique((months.astype("datetime64[D]") + (day - 1)).astype(np.int64))
