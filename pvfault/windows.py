"""Cut a day of readings into one-hour windows.

Here: where windows start, which gaps are filled, and which windows cannot be judged and why. Not here: what a
plausible reading is (`readings.py`), images of windows (`scalogram.py`), any I/O.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pvfault.readings import SAMPLE_PERIOD_S, is_plausible
from pvfault.tables import DARK, INVALID, MISSING, OK, SPARSE

WINDOW_S = 3600
WINDOWS_PER_DAY = 24
SLOTS = WINDOW_S // SAMPLE_PERIOD_S

# A gap up to here is filled by a straight line: clouds move on within minutes. 5 min, and one slot more, because a
# logger that keeps 5 min is never quite on time, and half of its gaps are a second longer.
MAX_GAP_S = 300 + SAMPLE_PERIOD_S
# A logger that keeps an interval may lose one reading, or be late by a twelfth of it (a twentieth at 15 min), without
# losing the hour: between two readings that are twice its interval apart lies a single one that is not there. It keeps
# an interval if so many of the hour's steps are no more than a quarter off their median. Beyond 15 min an hour has too
# few readings to have a course.
LONGEST_INTERVAL_S = 960
LEAST_READINGS = 3
INTERVAL_JITTER = 1 / 4
REGULAR_SHARE = 0.7
MAX_UNCOVERED = 0.10  # share of the hour that longer gaps may take
DARK_BELOW = 50.0  # W/m²: below, most inverters have not started, and faults leave no trace

# One sorted axis of time holds all windows of all devices: window * _STRIDE + time inside the window. In integer
# microseconds, exact for any fleet, so that a window's values do not depend on its place in the table.
_MICROSECONDS = 1_000_000
_STRIDE = WINDOW_S * _MICROSECONDS


@dataclass(frozen=True)
class Windows:
    """The 24 windows of each of some devices on one date, device by device, hour by hour.

    Attributes
    ----------
    quality : ndarray of str, shape (n_devices * 24,)
        `missing` without a reading; else `dark` by `mean_irradiance`; else `ok` if the usable readings cover the hour,
        if not, and they would with the unusable ones, what most of these are set aside as, or `invalid`; else `sparse`.
    readings : ndarray of int32, shape (n_devices * 24,)
        How many readings came, usable or not.
    mean_power, mean_irradiance, mean_temperature : ndarray of float32, shape (n_devices * 24,)
        Means over the usable readings; NaN where there is none. Power is voltage times current. [W], [W/m²], [°C]
    mean_voltage, mean_current : ndarray of float32, shape (n_devices * 24,)
        The same. [V], [A]
    judged : ndarray of int, shape (n_judged,)
        Which of the windows are `ok`.
    values : ndarray of float32, shape (n_judged, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²] of the `ok` windows on the grid of 20 s.
    """

    quality: np.ndarray
    readings: np.ndarray
    mean_power: np.ndarray
    mean_irradiance: np.ndarray
    mean_temperature: np.ndarray
    mean_voltage: np.ndarray
    mean_current: np.ndarray
    judged: np.ndarray
    values: np.ndarray

    @property
    def hourly_means(self):
        """Voltage [V], current [A], temperature [°C] and irradiance [W/m²] of each hour, shape (n_devices, 24, 4)."""
        means = [self.mean_voltage, self.mean_current, self.mean_temperature, self.mean_irradiance]
        return np.stack(means, axis=-1).reshape(-1, WINDOWS_PER_DAY, len(means))


def cut_windows(
    device, second, measurements, n_devices, *, set_aside: Mapping[str, np.ndarray] | None = None,
    by_interval: bool = False,
) -> Windows:  # fmt: skip
    """Cut one date's readings into windows.

    A window is made of its own readings alone, so that it is the same whether a day or a stream is cut. Readings that
    cannot have been measured (`is_plausible`) count as gaps. A slot is covered between two usable readings at most
    `MAX_GAP_S` apart, before the first or after the last one by no more, and within half a slot of any. At most
    `MAX_UNCOVERED` of the slots may not be; they too lie on the straight line between their neighbours, or hold the
    nearest reading at the ends of the hour.

    Parameters
    ----------
    device : ndarray of int, shape (n,)
        Which device each reading is of: 0 to n_devices - 1, ascending.
    second : ndarray of float, shape (n,)
        Seconds since the date's midnight, in [0, 86400), ascending and distinct within a device; to the microsecond.
        [s]
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`; may be NaN or infinite.
    n_devices : int
        Devices without a reading have `missing` windows.
    set_aside : mapping of str to ndarray of bool, shape (n,), optional
        Readings that count as gaps for a reason, by the quality of an hour that has too many of them. Where they are
        plausible, they count in the hour's means all the same: the array gave what they say.
    by_interval : bool
        Whether gaps of one reading are filled whatever the interval that the hour's readings keep, up to
        `LONGEST_INTERVAL_S`. The windows that the network was trained beside are cut without.

    Returns
    -------
    Windows

    Raises
    ------
    ValueError
        If a reading is not of the date, or of no device, or the readings are not ascending by device and second.
    """
    window, key = _keys(device, second, n_devices)
    n_windows = n_devices * WINDOWS_PER_DAY
    readings = np.bincount(window, minlength=n_windows)
    usable = is_plausible(measurements)
    voltage, current, temperature, irradiance = measurements[usable].T.astype(np.float64)
    mean_power, mean_irradiance, mean_temperature, mean_voltage, mean_current = (
        _mean(values, window[usable], n_windows)
        for values in (voltage * current, irradiance, temperature, voltage, current)
    )

    quality = np.full(n_windows, OK, dtype=object)
    quality[mean_irradiance < DARK_BELOW] = DARK
    quality[readings == 0] = MISSING
    candidates = np.flatnonzero(quality == OK)

    aside = set_aside or {}
    judged = usable & ~np.any([np.zeros(len(key), bool), *aside.values()], axis=0)
    judged_key, judged_measurements = key[judged], measurements[judged]
    reach = _reach_of_intervals if by_interval else _fixed_reach
    neighbours = _neighbours(judged_key, candidates)
    fits = _fits(neighbours, *reach(judged_key, candidates))
    # The readings came, but too many of them cannot be used: a fault of the sensors, not of the communication.
    unfit = candidates[~fits]
    came = _fits(_neighbours(key, unfit), *reach(key, unfit))
    quality[unfit] = np.where(came, _reasons(window, judged, aside, n_windows)[unfit], SPARSE)
    return Windows(
        quality,
        readings.astype(np.int32),
        mean_power.astype(np.float32),
        mean_irradiance.astype(np.float32),
        mean_temperature.astype(np.float32),
        mean_voltage.astype(np.float32),
        mean_current.astype(np.float32),
        candidates[fits],
        _interpolate(judged_measurements, Neighbours(*(field[fits] for field in neighbours))),
    )


class Neighbours(NamedTuple):
    """The readings on either side of each slot of some windows, all of shape (n_windows, 180).

    Attributes
    ----------
    before, after : ndarray of int
        Index of the last reading at or before the slot and of the first at or after it; the other one of the two where
        the window has none. Meaningless for a window without readings.
    since, until : ndarray of float
        How far away they are, infinite where the window has none. [µs]
    """

    before: np.ndarray
    after: np.ndarray
    since: np.ndarray
    until: np.ndarray


def _keys(device, second, n_devices):
    """The window of each reading, and its place on the axis of all windows; refuses readings out of place."""
    microsecond = np.rint(second * _MICROSECONDS).astype(np.int64)
    outside = (microsecond < 0) | (microsecond >= WINDOWS_PER_DAY * _STRIDE) | (device < 0) | (device >= n_devices)
    if outside.any():
        raise ValueError(
            f"{outside.sum()} of {len(outside)} readings are not of this date (0 to 86,400 s) or not of devices 0 to "
            f"{n_devices - 1}; select one date's readings before they are cut"
        )
    key = device.astype(np.int64) * (WINDOWS_PER_DAY * _STRIDE) + microsecond
    if (np.diff(key) <= 0).any():
        raise ValueError(
            "readings are not ascending by device and second, or there twice; sort them and keep one of each"
        )
    return key // _STRIDE, key


def _mean(values, group, n_groups):
    """Mean of the values of each group, NaN for a group without any."""
    total = np.bincount(group, weights=values, minlength=n_groups)
    count = np.bincount(group, minlength=n_groups)
    return np.divide(total, count, out=np.full(n_groups, np.nan), where=count > 0)


def _neighbours(key, windows):
    """`Neighbours` of the slots of some windows among the readings at `key`, which is ascending."""
    start = windows[:, None] * _STRIDE
    slot = start + np.arange(SLOTS) * (SAMPLE_PERIOD_S * _MICROSECONDS)
    first, end = np.searchsorted(key, start), np.searchsorted(key, start + _STRIDE)
    before = np.searchsorted(key, slot, side="right") - 1
    after = np.searchsorted(key, slot)
    has_before, has_after = before >= first, after < end
    since = np.full(slot.shape, np.inf)
    until = np.full(slot.shape, np.inf)
    since[has_before] = slot[has_before] - key[before[has_before]]
    until[has_after] = key[after[has_after]] - slot[has_after]
    return Neighbours(np.where(has_before, before, after), np.where(has_after, after, before), since, until)


def _reasons(window, judged, aside, n_windows):
    """The quality of each window for want of readings: what more than half of the unusable ones are set aside as."""
    unusable = np.bincount(window[~judged], minlength=n_windows)
    reasons = np.full(n_windows, INVALID, dtype=object)
    for quality, readings in aside.items():
        reasons[2 * np.bincount(window[readings], minlength=n_windows) > unusable] = quality
    return reasons


def _fixed_reach(_key, windows):
    """The longest gap between two readings, and at the ends of the hour, that each window may have; in microseconds."""
    reach = np.full((len(windows), 1), float(MAX_GAP_S * _MICROSECONDS))
    return reach, reach


def _reach_of_intervals(key, windows):
    """The same where the interval that a window's readings keep allows more."""
    between, ends = (reach.copy() for reach in _fixed_reach(key, windows))
    first, end = np.searchsorted(key, windows * _STRIDE), np.searchsorted(key, (windows + 1) * _STRIDE)
    some = np.flatnonzero((end - first >= LEAST_READINGS) & (end - first < SLOTS / 5))
    for row in some:
        steps = np.diff(key[first[row] : end[row]])
        regular = np.abs(steps / np.median(steps) - 1) <= INTERVAL_JITTER
        if regular.mean() < REGULAR_SHARE:
            continue
        # In their mean, what makes one step longer makes the next one shorter.
        interval = steps[regular].mean()
        if interval <= LONGEST_INTERVAL_S * _MICROSECONDS:
            between[row] = max(between[row, 0], (2 + INTERVAL_JITTER) * interval)
            ends[row] = max(ends[row, 0], (1 + INTERVAL_JITTER) * interval)
    return between, ends


def _fits(neighbours, longest_between, longest_at_ends):
    """Which windows are covered well enough by their readings, shape (n_windows,)."""
    nearest = np.minimum(neighbours.since, neighbours.until)
    gap = neighbours.since + neighbours.until
    # Before the first reading and after the last one.
    at_ends = np.isinf(gap)
    short = np.where(at_ends, nearest <= longest_at_ends, gap <= longest_between)
    covered = short | (nearest <= SAMPLE_PERIOD_S / 2 * _MICROSECONDS)
    return (~covered).sum(axis=1) <= MAX_UNCOVERED * SLOTS


def _interpolate(measurements, neighbours):
    """Values on the grid, shape (n_windows, 180, 4), of windows that have a reading."""
    span = neighbours.since + neighbours.until
    # On a reading, before the first one and after the last one both neighbours are the same.
    between = np.isfinite(span) & (span > 0)
    weight = np.divide(neighbours.since, span, out=np.zeros(span.shape), where=between).astype(np.float32)[..., None]
    return measurements[neighbours.before] * (1 - weight) + measurements[neighbours.after] * weight
