"""Cut a day of readings into one-hour windows.

Here: where windows start, which gaps are filled, and which windows cannot be judged and why. Not here: what a
plausible reading is (`readings.py`), images of windows (`scalogram.py`), any I/O.
"""

from dataclasses import dataclass

import numpy as np

from pvfault.readings import MEASUREMENTS, SAMPLE_PERIOD_S, is_plausible
from pvfault.tables import DARK, INVALID, MISSING, OK, SPARSE

WINDOW_S = 3600
WINDOWS_PER_DAY = 24
SLOTS = WINDOW_S // SAMPLE_PERIOD_S

MAX_GAP_S = 300  # a gap up to here is filled by a straight line: clouds move on within minutes
MAX_UNCOVERED = 0.10  # share of the hour that longer gaps may take
DARK_BELOW = 50.0  # W/m²: below, most inverters have not started, and faults leave no trace

# Room between the keys of two windows, so that one sorted axis of time holds all windows of all devices.
_STRIDE_S = 2 * WINDOW_S

_IRRADIANCE = MEASUREMENTS.index("irradiance")


@dataclass(frozen=True)
class Windows:
    """The 24 windows of each of some devices on one date, device by device, hour by hour.

    Attributes
    ----------
    quality : ndarray of str, shape (n_devices * 24,)
        `ok`, `dark`, `sparse`, `invalid` or `missing`.
    readings : ndarray of int32, shape (n_devices * 24,)
        How many readings came, usable or not.
    mean_irradiance : ndarray of float32, shape (n_devices * 24,)
        Mean over the usable readings; NaN where there is none. [W/m²]
    judged : ndarray of int, shape (n_judged,)
        Which of the windows are `ok`.
    values : ndarray of float32, shape (n_judged, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²] of the `ok` windows on the grid of 20 s.
    """

    quality: np.ndarray
    readings: np.ndarray
    mean_irradiance: np.ndarray
    judged: np.ndarray
    values: np.ndarray


def cut_windows(device, second, measurements, n_devices) -> Windows:
    """Cut one date's readings into windows.

    A window is made of its own readings alone, so that it is the same whether a day or a stream is cut. Readings that
    cannot have been measured (`is_plausible`) count as gaps. A slot between two usable readings at most 5 min apart,
    or before the first or after the last one by no more, is covered; beyond that the nearest reading is held.

    Parameters
    ----------
    device : ndarray of int, shape (n,)
        Which device each reading is of: 0 to n_devices - 1, ascending.
    second : ndarray of float, shape (n,)
        Seconds since the date's midnight, in [0, 86400), ascending and distinct within a device. [s]
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.
    n_devices : int
        Devices without a reading have `missing` windows.

    Returns
    -------
    Windows

    Raises
    ------
    ValueError
        If the readings are not ascending by device and second.
    """
    window = device * WINDOWS_PER_DAY + (second // WINDOW_S).astype(np.int64)
    key = window * _STRIDE_S + second % WINDOW_S
    if (np.diff(key) <= 0).any():
        raise ValueError("readings must be sorted by device and time, one for each")
    n_windows = n_devices * WINDOWS_PER_DAY
    usable = is_plausible(measurements)
    readings = np.bincount(window, minlength=n_windows)
    mean_irradiance = _mean(measurements[usable, _IRRADIANCE], window[usable], n_windows)

    quality = np.full(n_windows, OK, dtype=object)
    quality[mean_irradiance < DARK_BELOW] = DARK
    quality[readings == 0] = MISSING
    candidates = np.flatnonzero(quality == OK)

    fits = _coverage(key[usable], candidates) >= 1 - MAX_UNCOVERED
    # The readings came, but too many of them cannot be used: a fault of the sensors, not of the communication.
    came = _coverage(key, candidates[~fits]) >= 1 - MAX_UNCOVERED
    quality[candidates[~fits]] = np.where(came, INVALID, SPARSE)

    judged = candidates[fits]
    return Windows(
        quality,
        readings.astype(np.int32),
        mean_irradiance.astype(np.float32),
        judged,
        _interpolate(key[usable], measurements[usable], judged),
    )


def _mean(values, group, n_groups):
    """Mean of the values of each group, NaN for a group without any."""
    total = np.bincount(group, weights=values, minlength=n_groups)
    count = np.bincount(group, minlength=n_groups)
    return np.divide(total, count, out=np.full(n_groups, np.nan), where=count > 0)


def _slot_keys(windows):
    """Keys of the 180 slots of each window, flat."""
    return (windows[:, None] * _STRIDE_S + np.arange(SLOTS) * SAMPLE_PERIOD_S).ravel().astype(np.float64)


def _neighbours(key, slots):
    """For each slot, the readings of its own window at or before and at or after it; itself where there is none.

    Returns their indices and distances in seconds, infinite where there is no such reading.
    """
    after = np.searchsorted(key, slots)
    before = np.searchsorted(key, slots, side="right") - 1
    last = len(key) - 1
    window = slots // _STRIDE_S
    has_before = (before >= 0) & (key[np.maximum(before, 0)] // _STRIDE_S == window)
    has_after = (after <= last) & (key[np.minimum(after, last)] // _STRIDE_S == window)
    before = np.where(has_before, before, after)
    after = np.where(has_after, after, before)
    return (
        before,
        after,
        np.where(has_before, slots - key[np.clip(before, 0, last)], np.inf),
        np.where(has_after, key[np.clip(after, 0, last)] - slots, np.inf),
    )


def _coverage(key, windows):
    """Share of each window's slots that lie within reach of a reading."""
    if not len(windows) or not len(key):
        return np.zeros(len(windows))
    _, _, since, until = _neighbours(key, _slot_keys(windows))
    inside = np.isfinite(since) & np.isfinite(until)
    gap = np.where(inside, since + until, np.minimum(since, until))
    near = np.minimum(since, until) <= SAMPLE_PERIOD_S / 2
    return ((gap <= MAX_GAP_S) | near).reshape(-1, SLOTS).mean(axis=1)


def _interpolate(key, measurements, windows):
    """Values on the grid: a straight line between two readings, the nearest reading before the first and after the last."""
    if not len(windows):
        return np.empty((0, SLOTS, len(MEASUREMENTS)), np.float32)
    before, after, since, until = _neighbours(key, _slot_keys(windows))
    span = since + until
    inside = np.isfinite(span) & (span > 0)
    weight = np.divide(since, span, out=np.zeros(len(since)), where=inside).astype(np.float32)[:, None]
    values = measurements[before] * (1 - weight) + measurements[after] * weight
    return values.reshape(-1, SLOTS, len(MEASUREMENTS)).astype(np.float32)
