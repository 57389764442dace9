"""Rows of one or several files become readings: each device and time once.

Here: rows that repeat, complete or contradict each other, inputs that have rows of their own, and weather that stands
in rows of its own. Arrays only; not here: where they come from (`reader.py`).
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS
from pvfault_files.values import take_together, to_float32

WEATHER = ""  # the device of rows that have weather alone and name none
# Weather is taken from a row as far away as the windows fill gaps (5 min).
_FURTHEST_US = 300_000_000


class ContradictionError(PvfaultError):
    """Rows of one device and time have other values."""


@dataclass
class Rows:
    """Rows that may be parts of readings.

    Attributes
    ----------
    names : list of str
        Of devices.
    devices : ndarray of int32, shape (n,)
        Places in `names`.
    times : ndarray of int64, shape (n,)
        Microseconds since 1970, UTC.
    values : list of ndarray of float32, shape (n,)
        In the order of `MEASUREMENTS`; NaN where there is none.
    inputs : ndarray of int32, shape (n,), or None
        Number of the input that a row is of; -1 for none. None if there are none.
    """

    names: list[str]
    devices: np.ndarray
    times: np.ndarray
    values: list[np.ndarray]
    inputs: np.ndarray | None = None

    def __len__(self):
        return len(self.times)

    def take(self, rows) -> None:
        """Keep rows, in their order; one column after the other, so that two whole tables are never held."""
        self.devices = self.devices[rows]
        self.times = self.times[rows]
        for place in range(len(self.values)):
            self.values[place] = self.values[place][rows]
            # What Arrow has read is Arrow's memory, which it would keep.
            pa.default_memory_pool().release_unused()
        if self.inputs is not None:
            self.inputs = self.inputs[rows]


@dataclass
class Settled:
    """What became of rows.

    Attributes
    ----------
    duplicates : int
    remarks : list of str
    """

    duplicates: int = 0
    remarks: list[str] = field(default_factory=list)


def join(parts: list[Rows]) -> Rows:
    """Put rows of several files together; the parts are emptied."""
    if len(parts) == 1:
        return parts[0]
    names = list(dict.fromkeys(name for part in parts for name in part.names))
    place = {name: number for number, name in enumerate(names)}
    devices = [np.array([place[name] for name in part.names], np.int32)[part.devices] for part in parts]
    inputs = None
    if any(part.inputs is not None for part in parts):
        inputs = np.concatenate([np.full(len(p), -1, np.int32) if p.inputs is None else p.inputs for p in parts])
    values = [np.concatenate([part.values.pop(0) for part in parts]) for _ in MEASUREMENTS]
    return Rows(names, np.concatenate(devices), np.concatenate([part.times for part in parts]), values, inputs)


def settle(rows: Rows, *, sum_inputs: bool = True) -> Settled:
    """Make each device and time once, in the order of time and of the names' places; in place.

    Parameters
    ----------
    rows : Rows
    sum_inputs : bool
        Whether inputs with rows of their own are taken together.

    Raises
    ------
    ContradictionError
        If rows of one device and time have other values.
    """
    settled = Settled()
    _sort(rows)
    _merge(rows, settled)
    if rows.inputs is not None and sum_inputs:
        _sum_inputs(rows, settled)
    _join_weather(rows, settled)
    return settled


def _sort(rows):
    """By time, device and input."""
    keys = [rows.times, rows.devices, *([] if rows.inputs is None else [rows.inputs])]
    key = _one_key(keys)
    if key is None:
        order = np.lexsort(keys[::-1])
    elif (key[1:] >= key[:-1]).all():
        return
    else:
        order = np.argsort(key, kind="stable")
    del key, keys
    rows.take(order)


def _one_key(keys):
    """One number that sorts as several do; None if it does not fit into 64 bits."""
    if not len(keys[0]):
        return keys[0]
    lows, highs = [int(key.min()) for key in keys], [int(key.max()) for key in keys]
    sizes = [high - low + 1 for low, high in zip(lows, highs, strict=True)]
    if math.prod(sizes) >= 2**62:
        return None
    one = keys[0] - lows[0]
    # In place: of a year of a plant, each array is a quarter of a gigabyte.
    for key, low, size in zip(keys[1:], lows[1:], sizes[1:], strict=True):
        one *= size
        one += key
        one -= low
    return one


def _same_as_before(rows):
    """Which rows have the time, device and input of the row before."""
    same = np.zeros(len(rows), bool)
    if len(rows) > 1:
        same[1:] = (rows.times[1:] == rows.times[:-1]) & (rows.devices[1:] == rows.devices[:-1])
        if rows.inputs is not None:
            same[1:] &= rows.inputs[1:] == rows.inputs[:-1]
    return same


def _merge(rows, settled):
    """Make one row of those that repeat or complete each other."""
    same = _same_as_before(rows)
    if not same.any():
        return
    starts = np.flatnonzero(~same)
    equal = same.copy()
    conflict = np.zeros(len(starts), bool)
    merged = []
    for place, values in enumerate(rows.values):
        low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        conflict |= low < high
        before = np.concatenate([values[:1], values[:-1]])
        equal &= (values == before) | (np.isnan(values) & np.isnan(before))
        merged.append((place, low))
    if conflict.any():
        _refuse(rows, starts, np.flatnonzero(conflict))
    settled.duplicates += int(equal.sum())
    completed = int(same.sum()) - int(equal.sum())
    rows.take(starts)
    for place, low in merged:
        rows.values[place] = low
    if completed and rows.inputs is None:
        settled.remarks.append(f"{completed:,} rows completed another one of the same device and time.")


def _refuse(rows, starts, conflicts):
    """Raise for rows that contradict each other."""
    start = int(starts[conflicts[0]])
    name = rows.names[rows.devices[start]]
    stop = start + 1
    while stop < len(rows) and rows.times[stop] == rows.times[start] and rows.devices[stop] == rows.devices[start]:
        stop += 1
    place = next(
        p
        for p in range(len(MEASUREMENTS))
        if len({float(v) for v in rows.values[p][start:stop] if not np.isnan(v)}) > 1
    )
    found = list(dict.fromkeys(f"{value:g}" for value in rows.values[place][start:stop] if not np.isnan(value)))[:3]
    when = np.datetime_as_string(rows.times[start].astype("datetime64[us]"), "s").replace("T", " ")
    error = ContradictionError(
        f"{len(conflicts):,} times of one device have rows with other values, for example {name or 'the weather'} at "
        f"{when} UTC "
        f"with {MEASUREMENTS[place]} {' and '.join(found)}"
    )
    error.times = rows.times[starts[conflicts]]
    raise error


def _sum_inputs(rows, settled):
    """Make one row of a device's inputs; a time at which one is missing has no current, as a part is no sum."""
    of_input = rows.inputs >= 0
    if not of_input.any():
        rows.inputs = None
        return
    inputs = np.unique(rows.inputs[of_input])
    expected = np.zeros(len(rows.names), int)
    pairs = np.unique(np.stack([rows.devices[of_input], rows.inputs[of_input]]), axis=1)
    np.add.at(expected, pairs[0], 1)
    starts = np.flatnonzero(~_same_as_before(Rows(rows.names, rows.devices, rows.times, [])))
    group = np.repeat(np.arange(len(starts)), np.diff([*starts, len(rows)]))
    by_input = np.full((len(MEASUREMENTS), len(inputs), len(starts)), np.nan)
    for place, values in enumerate(rows.values):
        by_input[place, np.searchsorted(inputs, rows.inputs[of_input]), group[of_input]] = values[of_input]
    present = np.zeros((len(inputs), len(starts)), bool)
    present[np.searchsorted(inputs, rows.inputs[of_input]), group[of_input]] = True
    count = present.sum(axis=0)
    whole = count == expected[rows.devices[starts]]
    voltage, current = by_input[MEASUREMENTS.index("voltage")], by_input[MEASUREMENTS.index("current")]
    absent = ~present
    currents = list(np.where(absent, 0.0, current))
    summed = take_together("current", currents, [])
    weighted = take_together("voltage", list(np.where(absent, 0.0, voltage)), currents)
    mean = np.where(absent, 0.0, voltage).sum(axis=0) / np.maximum(count, 1)
    weighted = np.where(summed > 0, weighted, mean)
    results = {"current": np.where(whole, summed, np.nan), "voltage": np.where(count > 0, weighted, np.nan)}
    values = []
    for place, name in enumerate(MEASUREMENTS):
        if name in results:
            values.append(to_float32(results[name]))
        else:
            values.append(np.fmax.reduceat(rows.values[place], starts))
    rows.take(starts)
    rows.values, rows.inputs = values, None
    settled.remarks.append(
        f"Up to {int(count.max())} inputs have rows of their own: current is their sum, voltage their mean weighted "
        f"by current; "
        "--inputs devices takes each for a device of its own."
    )


def _join_weather(rows, settled):
    """Bring weather that stands in rows of its own to the electrical rows beside it."""
    electrical = ~(np.isnan(rows.values[0]) & np.isnan(rows.values[1]))
    weather = ~(np.isnan(rows.values[2]) & np.isnan(rows.values[3]))
    count = len(rows.names)

    def has(which):
        return np.bincount(rows.devices[which], minlength=count) > 0

    with_both = has(electrical & weather)
    if with_both.all():
        return
    with_current, with_weather = has(electrical), has(weather)
    apart = with_current & with_weather & ~with_both
    stations = with_weather & ~with_current
    without = with_current & ~with_weather
    if without.any() and stations.sum() > 1:
        named = ", ".join(repr(rows.names[d]) for d in np.flatnonzero(stations)[:4])
        raise PvfaultError(
            f"{int(stations.sum())} sources have weather alone ({named}), and {int(without.sum())} devices have "
            f"none. Expected one "
            "source of weather; leave away the files or rows of the others."
        )
    if not apart.any() and not (without.any() and stations.any()):
        return
    station = int(np.flatnonzero(stations)[0]) if without.any() and stations.any() else None
    furthest = 0
    rows.values[2:] = [values.copy() for values in rows.values[2:]]  # Arrow's are not to be written to
    for device in np.flatnonzero(apart | (without if station is not None else False)):
        target = np.flatnonzero(electrical & (rows.devices == device))
        source = np.flatnonzero(weather & (rows.devices == (device if apart[device] else station)))
        furthest = max(furthest, _bring(rows, target, source))
    kept = electrical | ~(apart | stations)[rows.devices]
    rows.take(np.flatnonzero(kept))
    settled.remarks.append(
        f"Weather stands in rows of its "
        f"own{f' ({rows.names[station]})' if station is not None and rows.names[station] else ''}: "
        f"each electrical row has the nearest, at most {furthest / 1e6:g} s apart."
    )


def _bring(rows, target, source):
    """Give each target row the weather of the nearest source row; the greatest distance that occurs."""
    times, wanted = rows.times[source], rows.times[target]
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        nearest = np.zeros(len(wanted), int)
    else:
        nearest = np.where(wanted - times[after - 1] <= times[after] - wanted, after - 1, after)
    distance = np.abs(times[nearest] - wanted)
    near = distance <= min(_FURTHEST_US, max(_step(times), _step(wanted)) / 2)
    for place in (2, 3):
        rows.values[place][target[near]] = rows.values[place][source[nearest[near]]]
    return int(distance[near].max()) if near.any() else 0


def _step(times):
    """Median step between times, in microseconds."""
    return float(np.median(np.diff(times))) if len(times) > 1 else _FURTHEST_US
