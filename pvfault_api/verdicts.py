"""What rows of `device_days` say to whoever asks: some of them in an order, and sums of a fleet.

Not here: what a fault over some days comes to, a device at a time (`fleet.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID
from pvfault.registry import NAME
from pvfault.tables import DEVICE_DAYS, UNSURE
from pvfault_api.fleet import UNKNOWN

SITE = "site"
OF_REGISTRY = (NAME, SITE)
"""What the registry adds to a verdict."""

CURRENT = (DEVICE_ID, *OF_REGISTRY, *(name for name in DEVICE_DAYS.schema.names if name != DEVICE_ID))
"""The columns of a verdict with what the registry says of its device."""

IN_COLUMNS = (
    DEVICE_ID, *OF_REGISTRY, "fault", "candidates", "onset", "faulty_hours", "confidence", "energy_kwh", "lost_kwh",
    "completeness",
)  # fmt: skip
"""The columns of a verdict of which a whole fleet is asked for at once."""

SUMMED = ("date", "fault", "energy_kwh", "lost_kwh", "completeness")
"""The columns that `summarise` needs, beside that of the device."""


@dataclass(frozen=True)
class Wanted:
    """Which verdicts are asked for; what is empty or None lets all pass.

    Attributes
    ----------
    sites : sequence of str
    faults : sequence of str
        Of `FAULTS`, `UNSURE`, and `UNKNOWN` for devices without a verdict.
    min_confidence : float or None
        0 to 1.
    min_lost_kwh : float or None
        [kWh]
    since : datetime or None
        The fault began then or later.
    """

    sites: Sequence[str] = ()
    faults: Sequence[str] = ()
    min_confidence: float | None = None
    min_lost_kwh: float | None = None
    since: datetime | None = None


def with_registered(rows: pa.Table, names: Mapping[str, str], sites: Mapping[str, str]) -> pa.Table:
    """Verdicts with what the user calls each device, its deviceID if nothing else, and its site, null if not known."""
    names_of_rows, sites_of_rows = (_look_up(rows[DEVICE_ID], known) for known in (names, sites))
    rows = rows.append_column(NAME, pc.coalesce(names_of_rows, rows[DEVICE_ID].cast(pa.string())))
    return rows.append_column(SITE, sites_of_rows)


def _look_up(devices, known: Mapping[str, str]):
    at = pc.index_in(devices, pa.array(list(known), pa.string()))
    return pa.array(list(known.values()), pa.string()).take(at)


def choose(rows: pa.Table, wanted: Wanted) -> pa.Table:
    """Those verdicts, with their sites, that are asked for."""
    conditions = []
    if wanted.sites:
        conditions.append(pc.is_in(rows[SITE], pa.array(wanted.sites, pa.string())))
    if wanted.faults:
        fault = pc.fill_null(rows["fault"], UNKNOWN)
        conditions.append(pc.is_in(fault, pa.array(wanted.faults, pa.string())))
    if wanted.min_confidence is not None:
        conditions.append(pc.greater_equal(rows["confidence"], pa.scalar(wanted.min_confidence, pa.float32())))
    if wanted.min_lost_kwh is not None:
        conditions.append(pc.greater_equal(rows["lost_kwh"], wanted.min_lost_kwh))
    if wanted.since is not None:
        conditions.append(pc.greater_equal(rows["onset"], pa.scalar(wanted.since, rows["onset"].type)))
    return rows.filter(reduce(pc.and_kleene, conditions)) if conditions else rows


def in_order(rows: pa.Table, column: str, *, descending: bool) -> pa.Table:
    """Verdicts in the order of a column, those without a value last; those that are alike in that of the devices."""
    ways = [(column, "descending" if descending else "ascending")]
    if column != DEVICE_ID:
        ways.append((DEVICE_ID, "ascending"))
    return rows.take(pc.sort_indices(rows, sort_keys=ways))


def summarise(rows: pa.Table, by: Sequence[str]) -> pa.Table:
    """Sums of a fleet.

    Parameters
    ----------
    rows : pa.Table
        Of the columns `by` and `SUMMED`.
    by : sequence of str
        What a row of the answer is of: `date`, or `date` and `SITE`.

    Returns
    -------
    pa.Table
        Sorted by `by`: devices, faulty ones, how many have which verdict, energy and lost energy in kWh (as far as it
        is known, null if of no device), and the mean completeness.
    """
    verdict = pc.fill_null(rows["fault"], UNKNOWN)
    counted = {name: pc.equal(verdict, name).cast(pa.int64()) for name in (*FAULTS, UNSURE, UNKNOWN)}
    columns = {**{name: rows[name] for name in {*by, *SUMMED}}, **counted}
    sums = [(name, "sum") for name in ("energy_kwh", "lost_kwh", *counted)]
    found = pa.table(columns).group_by(list(by)).aggregate([([], "count_all"), ("completeness", "mean"), *sums])
    found = found.sort_by([(name, "ascending") for name in by])
    others = reduce(pc.add, (found[f"{name}_sum"] for name in (NONE, UNSURE, UNKNOWN)))
    faults = pa.StructArray.from_arrays([found[f"{name}_sum"].combine_chunks() for name in counted], list(counted))
    return pa.table(
        {
            **{name: found[name] for name in by},
            "devices": found["count_all"],
            "faulty": pc.subtract(found["count_all"], others),
            "faults": faults,
            "energy_kwh": found["energy_kwh_sum"],
            "lost_kwh": found["lost_kwh_sum"],
            "completeness": found["completeness_mean"],
        }
    )
