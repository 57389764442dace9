"""Types with which a text file's columns are read at once, as the first rows promise them.

Where later rows do not keep the promise, the file is read as text and every value is looked at.
"""

import re

import pyarrow as pa

from pvfault_files.bodies import TEXT, Body
from pvfault_files.cells import is_placeholder
from pvfault_files.layouts import Plan

_ISO = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_ZONE = r"(Z|[+-]\d{2}:?\d{2})"


def types_of(body: Body, plan: Plan, columns: list[int]) -> dict[int, pa.DataType]:
    """Types of columns, by number."""
    types = dict.fromkeys(columns, TEXT)
    for n in plan.columns_of_numbers():
        computed = n in plan.units and not plan.units[n].is_the_readings_own
        types[n] = TEXT if body.dialect.marks.open else pa.float64() if computed else pa.float32()
    if len(plan.times) == 1:
        types[plan.times[0]] = _type_of_times(
            [row[plan.times[0]] for row in body.dialect.sample if plan.times[0] < len(row)]
        )
    return types


def _type_of_times(cells):
    """The type of a column of times."""
    present = [cell.strip() for cell in cells if not is_placeholder(cell)]
    for form, kind in (
        (_ISO, pa.timestamp("us")),
        (_ISO + _ZONE, pa.timestamp("us", tz="UTC")),
        (r"\d{10}|\d{13}|\d{16}|\d{19}", pa.int64()),
    ):
        if present and all(re.fullmatch(form, cell) for cell in present):
            return kind
    return TEXT
