"""Readings of any dates to verdicts, in one process.

What the Spark jobs do for a date, with the same functions (`rows/`), for readings that fit into memory. Here all dates
are there at once, so that a device that is not registered is held against the dates behind a date too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pvfault.windows import WINDOWS_PER_DAY

Days = Callable[..., Iterator[tuple[date, pa.Table]]]
"""Gives dates and their readings as `days_of` does: of all devices (``unregistered=False``), or of those alone that are
not registered."""

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000
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
    return judge_days(as_days(readings, registry), registry, classifier, doubts=doubts)


def judge_days(days: Days, registry: Registry, classifier, *, doubts: Mapping[str, str] | None = None) -> Judged:
    """What `judge_readings` does, for readings that come date by date, so that one date is held at a time.

    Parameters
    ----------
    days : Days
    registry, classifier, doubts
        As `judge_readings` takes them.
    """
    hours, device_days = [_HOURS.empty_table()], [DEVICE_DAY_SCHEMA.empty_table()]
    for day, windows in cut_days(days, registry):
        judged = judge_windows(_doubted(windows, doubts or {}), day, registry, classifier)
        hours.append(judged.hours)
        device_days.append(judged.device_days)
    return Judged(pa.concat_tables(hours), pa.concat_tables(device_days))


def judge_windows(windows: pa.Table, day: date, registry: Registry, classifier) -> Judged:
    """What the hours and the day of devices are taken for, from the rows of `SCALOGRAM_SCHEMA` of a date."""
    hours = prediction_rows(windows, classifier)
    hours = pa.table([*hours.columns, *(windows[name] for name in HOURLY_COLUMNS)], schema=_HOURS)
    return Judged(hours, device_day_rows(hours, day, registry, classifier.sets))


def put_together(parts: Sequence[Judged]) -> Judged:
    """What was judged of groups of devices, as if it had been judged at once."""
    hours = pa.concat_tables([part.hours for part in parts]).combine_chunks()
    device_days = pa.concat_tables([part.device_days for part in parts]).combine_chunks()
    order = pc.sort_indices(device_days, [("date", "ascending"), (DEVICE_ID, "ascending")]).to_numpy().astype(np.int64)
    of_hours = (order[:, None] * WINDOWS_PER_DAY + np.arange(WINDOWS_PER_DAY)).ravel()
    return Judged(hours.take(of_hours), device_days.take(order))


def cut_days(days: Days, registry: Registry) -> Iterator[tuple[date, pa.Table]]:
    """Date by date (UTC), the rows of `SCALOGRAM_SCHEMA`, each beside all that the other dates tell of its devices.

    Parameters
    ----------
    days : Days
        Called once with each.
    registry : Registry
    """
    others = Neighbourhood.of(days(unregistered=True))
    before = [SCALOGRAM_SCHEMA.empty_table().select(HOUR_COLUMNS)]
    for day, of_day in days(unregistered=False):
        known = references_by_device(reference_rows(pa.concat_tables(before), day, registry))
        windows = scalogram_rows(of_day, day, registry, {**known, **others.references(day)})
        before = [*before[-HISTORY[-1] :], windows.select(before[0].column_names)]
        yield day, windows


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


def as_days(readings: pa.Table, registry: Registry) -> Days:
    """Readings that are all there, as `judge_days` and `cut_days` take them."""
    return lambda *, unregistered: days_of(_of_unregistered(readings, registry) if unregistered else readings)


def _of_unregistered(readings, registry):
    """The readings of devices that are not registered."""
    if set(pc.unique(readings[DEVICE_ID]).to_pylist()) <= set(registry.devices):
        return readings.slice(0, 0)
    return readings.filter(pc.invert(pc.is_in(readings[DEVICE_ID], pa.array(registry.devices, pa.string()))))


def days_of(readings: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Readings date by date (UTC), sorted by device and time, each pair once."""
    time = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    if not len(time):
        return
    if (time[1:] < time[:-1]).any():
        order = np.argsort(time, kind="stable")
        readings, time = readings.take(order), time[order]
    for day, begin, end in date_spans(time):
        yield day, distinct_readings(readings.slice(begin, end - begin))


def date_spans(time) -> Iterator[tuple[date, int, int]]:
    """Each date (UTC) that sorted times, in microseconds since 1970, have anything of, and where it begins and ends."""
    # Slices of times in order: looking for each date in all of them would take dates times as long.
    first, last = time[0] // _DAY_US, time[-1] // _DAY_US
    edges = np.searchsorted(time, np.arange(first, last + 2) * _DAY_US)
    for number, (begin, end) in enumerate(pairwise(edges.tolist())):
        if begin < end:
            yield _EPOCH + timedelta(days=int(first) + number), begin, end


def distinct_readings(readings: pa.Table) -> pa.Table:
    """Readings sorted by device and time, the first one of each pair."""
    encoded = pc.dictionary_encode(readings[DEVICE_ID]).combine_chunks()
    names = encoded.dictionary.to_pylist()
    place = np.empty(len(names), np.int64)
    place[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    device, time = place[encoded.indices.to_numpy()], readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    # Both keep the order of duplicates. Few devices are sorted by their bytes, which takes a fraction.
    if len(names) < 2**16 and not (time[1:] < time[:-1]).any():
        order = np.argsort(device.astype(np.uint16), kind="stable")
    else:
        order = np.lexsort((time, device))
    device, time = device[order], time[order]
    first = np.ones(len(order), bool)
    first[1:] = (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    return readings.take(order[first])
