"""What each device should give, from hourly means of its dates before.

Here: the rows, how they are looked up, and which dates they are learned from. Not here: how a reference is learned
(`pvfault/reference.py`), how tasks come to those of their devices (`spark_jobs/references.py`).
"""

from collections.abc import Collection
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault import reference
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.rows.columns import device_codes, midnight_us
from pvfault.tables import CURTAILED, WINDOW_START
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY

# Hourly means of a device's dates before, of which `reference_rows` makes what it should give.
HISTORY_COLUMNS = tuple(f"mean_{name}" for name in MEASUREMENTS)
# What `reference_rows` reads of each hour.
HOUR_COLUMNS = (DEVICE_ID, WINDOW_START, "quality", *HISTORY_COLUMNS)
_NUMBERS = pa.list_(pa.float64())
REFERENCE_SCHEMA = pa.schema(
    [
        pa.field(DEVICE_ID, pa.string(), nullable=False),
        pa.field("reference", _NUMBERS, nullable=False),
        # Of voltage and current on each of the dates, one date after the other; NaN for a date without light.
        pa.field("levels", _NUMBERS, nullable=False),
    ]
)
# Devices that are fitted at once: each takes 113 kB meanwhile.
DEVICES_AT_ONCE = 250
NO_LEVELS = np.full(2 * len(reference.HISTORY), np.nan)


def history_dates(day: date) -> list[date]:
    """The dates before a date of which hourly means are looked at, yesterday first."""
    return [day - timedelta(days=back) for back in reference.HISTORY]


def history_made_since(used: Collection[str], made: Collection[date], day: date) -> list[date]:
    """The dates before a date that would be looked at if it was made now, and were not when it was.

    Its verdicts are those of the history that was there: made again, it would be judged beside these dates too.

    Parameters
    ----------
    used : collection of str
        The dates that it was judged beside, in ISO format, as the figure `history` of its report has them.
    made : collection of date
        The dates that have scalograms now.
    day : date

    Returns
    -------
    list of date
        Yesterday first.

    Examples
    --------
    >>> history_made_since(["2024-05-31"], [date(2024, 5, 30), date(2024, 5, 31)], date(2024, 6, 1))
    [datetime.date(2024, 5, 30)]
    """
    return [before for before in history_dates(day) if before in made and before.isoformat() not in used]


def reference_rows(hours: pa.Table, day: date, registry: Registry) -> pa.Table:
    """What devices should give on a date, from hourly means of the dates before.

    Parameters
    ----------
    hours : pa.Table
        `HOUR_COLUMNS` of whole devices, in any order. Hours outside `history_dates` are not looked at, nor are those
        that are curtailed: what the array gave then is the inverter's doing.
    day : date
    registry : Registry

    Returns
    -------
    pa.Table
        Rows of `REFERENCE_SCHEMA`, sorted; without the devices that had no hour in the light.
    """
    hour_us = hours[WINDOW_START].cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() - midnight_us(day)
    back, hour = np.divmod(hour_us // (WINDOW_S * 1_000_000), WINDOWS_PER_DAY)
    place = np.full(reference.HISTORY[-1] + 1, -1)
    place[list(reference.HISTORY)] = np.arange(len(reference.HISTORY))
    date_number = np.where((back < 0) & (back >= -reference.HISTORY[-1]), place[np.clip(-back, 0, len(place) - 1)], -1)
    known = (date_number >= 0) & np.asarray(pc.not_equal(hours["quality"], CURTAILED))
    hours, hour, date_number = hours.filter(pa.array(known)), hour[known], date_number[known]
    devices, device = device_codes(hours[DEVICE_ID])
    means = np.column_stack([pc.fill_null(hours[n].cast(pa.float64()), np.nan).to_numpy() for n in HISTORY_COLUMNS])
    by_device = np.argsort(device, kind="stable")
    edges = [*range(0, len(devices), DEVICES_AT_ONCE), len(devices)]
    fitted = []
    for first, end in pairwise(edges):
        rows = by_device[slice(*np.searchsorted(device, [first, end], sorter=by_device))]
        history = np.full((end - first, len(reference.HISTORY), WINDOWS_PER_DAY, len(HISTORY_COLUMNS)), np.nan)
        history[device[rows] - first, date_number[rows], hour[rows]] = means[rows]
        fitted.append(_fit(devices[first:end], history, registry))
    return pa.concat_tables([REFERENCE_SCHEMA.empty_table(), *fitted]).sort_by(DEVICE_ID)


def _fit(devices, history, registry):
    """Rows of `REFERENCE_SCHEMA` of those devices whose history has an hour in the light."""
    learned = reference.learn_references(history, registry.ratings(devices))
    levels = reference.measure_levels(history, learned).reshape(len(devices), 2 * len(reference.HISTORY))
    columns = [pa.array(devices, pa.string()), pa.array(list(learned), _NUMBERS), pa.array(list(levels), _NUMBERS)]
    rows = pa.table(columns, schema=REFERENCE_SCHEMA)
    return rows.filter(pa.array(~np.isnan(learned).any(axis=1)))


def references_by_device(rows: pa.Table) -> dict[str, np.ndarray]:
    """Rows of `REFERENCE_SCHEMA`, to be looked up by device: the reference with the levels behind it."""
    both = [np.stack(rows[name].to_numpy()) if len(rows) else np.empty((0, 0)) for name in ("reference", "levels")]
    return dict(zip(rows[DEVICE_ID].to_pylist(), np.concatenate(both, axis=1), strict=True))
