"""Readings of any dates to verdicts, in one process.

What the Spark jobs do for a date, with the same functions (`rows/`), for readings that fit into memory. Here all dates
are there at once, so that a device that is not registered is held against the dates behind a date too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.reference import HISTORY
from pvfault.registry import Registry
from pvfault.rows.device_days import HOURLY_COLUMNS, device_day_rows
from pvfault.rows.estimates import Neighbourhood
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.references import HOUR_COLUMNS, reference_rows, references_by_device
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import DEVICE_DAY_SCHEMA, PREDICTION_SCHEMA, SCALOGRAM_SCHEMA

_EPOCH = date(1970, 1, 1)
_HOURS = pa.schema([*PREDICTION_SCHEMA, *(SCALOGRAM_SCHEMA.field(name) for name in HOURLY_COLUMNS)])


@dataclass(frozen=True)
class Judged:
    """What some readings are taken for.

    Attributes
    ----------
    hours : pa.Table
        Rows of `PREDICTION_SCHEMA` with `HOURLY_COLUMNS` behind: 24 windows for each device and date (UTC) with a
        reading, by date and device.
    device_days : pa.Table
        Rows of `DEVICE_DAY_SCHEMA`, by date and device.
    """

    hours: pa.Table
    device_days: pa.Table


def classify_readings(readings: pa.Table, registry: Registry, classifier) -> pa.Table:
    """What each hour of each device is taken for: the predictions of `judge_readings`, which takes the same."""
    return judge_readings(readings, registry, classifier).hours.select(PREDICTION_SCHEMA.names)


def judge_readings(
    readings: pa.Table, registry: Registry, classifier, *, doubts: Mapping[str, str] | None = None
) -> Judged:
    """What each hour and each day of each device is taken for.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, any devices, dates and order. Of readings of the same device and time the first one stays.
    registry : Registry
        Ratings of other devices are estimated from their readings, of all dates; where these cannot tell, an hour is
        `unsure` and says why.
    classifier : pvfault.lenet.Classifier
        Or whatever predicts as it does.
    doubts : mapping of str to str, optional
        Why the ratings of some devices are in doubt, by device: their hours are `unsure`.

    Returns
    -------
    Judged
    """
    others = Neighbourhood.of(_unregistered_days(readings, registry))
    hours, device_days = [_HOURS.empty_table()], [DEVICE_DAY_SCHEMA.empty_table()]
    before = [SCALOGRAM_SCHEMA.empty_table().select(HOUR_COLUMNS)]
    for day, of_day in days_of(readings):
        known = references_by_device(reference_rows(pa.concat_tables(before), day, registry))
        windows = scalogram_rows(of_day, day, registry, {**known, **others.references(day)})
        judged = prediction_rows(_doubted(windows, doubts or {}), classifier)
        judged = pa.table([*judged.columns, *(windows[name] for name in HOURLY_COLUMNS)], schema=_HOURS)
        hours.append(judged)
        device_days.append(device_day_rows(judged, day, registry, classifier.sets))
        before = [*before[-HISTORY[-1] :], windows.select(before[0].column_names)]
    return Judged(pa.concat_tables(hours), pa.concat_tables(device_days))


def _doubted(windows: pa.Table, doubts: Mapping[str, str]) -> pa.Table:
    """The same rows, with nothing to be said of the hours of devices whose ratings are in doubt."""
    doubted = pc.is_in(windows[DEVICE_ID], pa.array(doubts, pa.string()))
    if not pc.any(doubted).as_py():
        return windows
    because = pa.array([doubts.get(device) for device in windows[DEVICE_ID].to_pylist()], pa.string())
    instead = {
        "hidden_fault": pa.nulls(len(windows), windows.schema.field("hidden_fault").type),
        "unsure_because": because,
    }
    for name, values in instead.items():
        place = windows.schema.get_field_index(name)
        windows = windows.set_column(place, windows.schema.field(name), pc.if_else(doubted, values, windows[name]))
    return windows


def days_of(readings: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Readings date by date (UTC), sorted by device and time, each pair once."""
    day = pc.cast(readings[TIMESTAMP], pa.date32(), safe=False).cast(pa.int32()).to_numpy()
    if (np.diff(day) < 0).any():
        readings = readings.take(np.argsort(day, kind="stable"))
        day = np.sort(day)
    # Slices of readings in time order: looking for each date in all of them would take dates times as long.
    for first, end in pairwise([0, *(np.flatnonzero(np.diff(day)) + 1), len(day)]):
        if first < end:
            yield _EPOCH + timedelta(days=int(day[first])), distinct_readings(readings.slice(first, end - first))


def _unregistered_days(readings, registry) -> Iterator[tuple[date, pa.Table]]:
    """The readings of devices that are not registered, date by date."""
    registered = pc.is_in(readings[DEVICE_ID], pa.array(registry.devices, pa.string()))
    return days_of(readings.filter(pc.invert(registered)))


def distinct_readings(readings: pa.Table) -> pa.Table:
    """Readings sorted by device and time, the first one of each pair."""
    # Sorting with the row's number as last key keeps the order of duplicates.
    numbered = readings.append_column("row", pa.array(np.arange(len(readings))))
    ordered = numbered.sort_by([(DEVICE_ID, "ascending"), (TIMESTAMP, "ascending"), ("row", "ascending")])
    device = ordered[DEVICE_ID].to_numpy(zero_copy_only=False)
    time = ordered[TIMESTAMP].cast(pa.int64()).to_numpy()
    first = np.ones(len(ordered), bool)
    first[1:] = (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    return ordered.filter(pa.array(first)).drop_columns("row")
