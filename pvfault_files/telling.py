"""What is said of rows that contradict each other: the column that tells them apart, or the zone that would.

This looks at a file once more, in full, and only when it is refused.
"""

import shlex
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID
from pvfault_files.bodies import open_body
from pvfault_files.choices import Choices
from pvfault_files.columns import is_device_name
from pvfault_files.layouts import make_plan
from pvfault_files.rows import ContradictionError
from pvfault_files.sources import Source

_MOST_DEVICES = 10_000


def advise(error: ContradictionError, sources: list[Source], choices: Choices) -> PvfaultError:
    """The error with a way out."""
    for source in sources:
        column, values = _column_that_tells_apart(source, choices)
        if column is None:
            continue
        leave = "" if choices.device is None else f" in place of --device {shlex.quote(choices.device)}"
        shown = ", ".join(map(str, values[:3])) + (" …" if len(values) > 3 else "")
        return PvfaultError(
            f"{error}. In {source.name}, column {column!r} ({shown}) tells them apart: "
            f"--map {shlex.quote(f'{DEVICE_ID}={column}')}{leave}"
        )
    if not choices.timezone and _are_of_the_hour_twice(error.times):
        return PvfaultError(
            f"{error}. They are of one hour of a night in autumn, which clocks with summer time show twice. "
            "Name the zone of the times, as in --timezone Europe/Berlin."
        )
    return PvfaultError(
        f"{error}. Expected one row for each device and time. Leave one of the files or rows away, or name the "
        f"column that "
        f"tells devices apart with --map {DEVICE_ID}=COLUMN."
    )


def _column_that_tells_apart(source, choices):
    """A column with which no two rows of a file contradict each other, and its values; None if there is none."""
    body = open_body(source, choices)
    plan = make_plan(body.name, body.dialect, choices)
    used = {*plan.times, plan.device, *plan.columns_of_numbers()} - {None}
    others = [n for n, name in enumerate(body.dialect.names) if n not in used and name]
    if not others or plan.long is not None:
        return None, []
    keys = [str(n) for n in [*plan.times, *([plan.device] if plan.device is not None else [])]]
    table = body.read_texts([*used, *others])
    table = pa.table({name: _text(table[name]) for name in table.column_names})
    table = table.group_by(table.column_names, use_threads=False).aggregate([])  # identical rows are one
    found = []
    for n in others:
        values = pc.unique(table[str(n)]).to_pylist()
        if not 2 <= len(values) <= min(_MOST_DEVICES, len(table) // 2):
            continue
        if len(table.group_by([*keys, str(n)], use_threads=False).aggregate([])) == len(table):
            found.append((not is_device_name(body.dialect.names[n]), len(values), n, values))
    if not found:
        return None, []
    _, _, best, values = min(found, key=lambda each: each[:3])
    return body.dialect.names[best], values


def _text(values):
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    try:
        return pc.cast(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(values), pa.string())  # lists and the like tell no devices apart


def _are_of_the_hour_twice(times):
    """Whether all times are of one night hour of a day in October or November."""
    stamps = np.asarray(times).astype("datetime64[us]")
    months = Counter((stamps.astype("datetime64[M]").astype(int) % 12 + 1).tolist())
    hours = (stamps.astype("datetime64[h]") - stamps.astype("datetime64[D]")).astype(int)
    return months.keys() <= {10, 11, 3, 4} and hours.max() <= 3 and hours.max() - hours.min() <= 1
