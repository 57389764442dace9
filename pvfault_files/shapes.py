"""What is told of a file that was read: its form, columns, sampling and gaps."""

import numpy as np

from pvfault.readings import DEVICE_ID, TIMESTAMP, UNITS
from pvfault_files.bodies import Body
from pvfault_files.forms import ColumnForm, FileForm
from pvfault_files.layouts import Plan
from pvfault_files.rows import Rows

_SHOWN_ROWS = 3


def describe(body: Body, plan: Plan, rows: Rows, ranges: dict, zone: str, why: str) -> FileForm:
    """Describe a file by its plan and its rows.

    Parameters
    ----------
    body : Body
    plan : Plan
    rows : Rows
    ranges : dict of int to (float, float)
        Lowest and highest value by column, in the reading's unit.
    zone, why : str
    """
    sampling, gaps = _sampling(rows)
    times = np.array([rows.times.min(), rows.times.max()]).astype("datetime64[us]") if len(rows) else []
    first, last = np.datetime_as_string(times, "s") if len(times) else ("", "")
    dialect = body.dialect
    return FileForm(
        name=body.name,
        kind=body.kind,
        encoding=dialect.encoding if body.kind == "CSV" else "",
        delimiter=dialect.delimiter if body.kind == "CSV" else "",
        decimal=dialect.marks.decimal if body.kind == "CSV" else "",
        header_line=dialect.header_line,
        columns=columns_of(body, plan, ranges),
        layout=plan.layout or ("one row an input of a device" if plan.port is not None else ""),
        rows=len(rows),
        sampling_s=sampling,
        gaps=gaps,
        zone=zone,
        zone_why=why,
        first=str(first).replace("T", " "),
        last=str(last).replace("T", " "),
        first_rows=dialect.sample[:_SHOWN_ROWS],
    )


def columns_of(body: Body, plan: Plan, ranges: dict) -> tuple[ColumnForm, ...]:
    """Each column and what it was taken for."""
    taken = dict.fromkeys(plan.times, TIMESTAMP)
    if plan.device is not None:
        taken[plan.device] = DEVICE_ID
    if plan.port is not None:
        taken[plan.port] = "input"
    if plan.long is not None:
        taken |= {plan.long.what: "what is measured", plan.long.value: "value"}
        if plan.long.unit is not None:
            taken[plan.long.unit] = "unit"
    for group in plan.groups:
        for measurement, columns in group.columns.items():
            owner = f" of {group.owner}" if group.owner else ""
            for n in columns:
                taken[n] = measurement + (owner if n not in taken else "")
    forms = []
    for n, name in enumerate(body.dialect.names):
        measurement = taken.get(n, "").split(" ")[0]
        unit = plan.units[n].text if n in plan.units else UNITS.get(measurement, "")
        low, high = ranges.get(n, (None, None))
        why = "" if n in plan.units or measurement not in UNITS else "no unit is named; taken for this"
        forms.append(ColumnForm(name, taken.get(n, ""), unit, why, low, high))
    return tuple(forms)


def _sampling(rows):
    """Median step of a device's times [s], and how many steps are of more than twice that."""
    if len(rows) < 2:
        return None, 0
    own = np.sort(rows.times[rows.devices == rows.devices[0]])
    steps = np.diff(own)
    steps = steps[steps > 0]
    if not len(steps):
        return None, 0
    usual = float(np.median(steps))
    return usual / 1e6, int((steps > 2 * usual).sum())
