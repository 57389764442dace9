"""Readings in which a device says nothing: zeros in full light, placeholders, and values said again to fill the time.

Loggers write them where an answer of the inverter is missing. Values that stand still for long are in `soundness.py`.
"""

import numpy as np

from pvfault.readings import MEASUREMENTS
from pvfault.windows import DARK_BELOW

# Light in which every inverter has started: until then, zeros are sleep. [W/m²]
AWAKE = 150.0
# Zeros between readings with power are none of sleep in less light either, but for a start that is tried twice. [s]
SILENT_S = 600.0
# Power, as shares of what the day's best readings have: more than the noise of a dead input.
_USUALLY, _GIVES = 0.95, (0.3, 0.01)
# Full registers of 16 bits, with and without a sign, and what programs put for "no value"; at any number of decimals.
_FULL = (65535, 65534, 32767, -32768, 9999, 99999, -1, -99, -999, -9999)
_NUMBERS = np.unique(np.float32([full / decimals for full in _FULL for decimals in (1, 10, 100, 1000)]))
# Such a number may be measured by chance, once; not again and again to the last digit, beside what is usual.
_TIMES = 3
_USUAL_VOLTAGE, _USUAL_CURRENT = 1.3, 1.5
_HIGH_VOLTAGE, _ALL_CURRENT = 1.08, 0.85
# What a sensor of temperature says that has just been switched on (DS18B20: 85 °C), or has nothing to say. [°C]
_NO_TEMPERATURE = np.float32([-1.0, 0.0, 85.0, 99.9, 100.0])
_OFF_TEMPERATURE = 20.0

# A day with fewer changes tells no rhythm.
_CHANGES = 20
# Of the changes that keep a rhythm: chance gives half of them at every second reading, a third at every third.
_RHYTHM_SHARE = 0.85
_LONGEST_RHYTHM = 30


def is_silent(device, second, measurements):
    """Which readings are zeros of voltage and current in the light, or placeholders.

    Zeros are silence only if power comes back within the day: a voltage that has collapsed until the end of the light
    may be an array that is off, and is judged. An open circuit of some strings, or behind the meter of a voltage, has
    its voltage still.

    Parameters
    ----------
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> light = np.full(6, 800.0)
    >>> readings = np.column_stack([[500, 0, 0, 0, 510, 0], [7, 0, 0, 0, 7, 0], light / 20, light])
    >>> is_silent(np.zeros(6, int), np.arange(6) * 300.0, readings).astype(int).tolist()
    [0, 1, 1, 1, 0, 0]
    """
    if not len(second):
        return np.zeros(0, bool)
    return _zeros(device, second, measurements) | _placeholders(device, measurements)


def is_repeated(device, second, measurements):
    """Which readings say the one before them again, of devices whose logger fills the time between two readings.

    Such a device changes its voltage and current at every second, third ... reading only, all day. The first of each
    such group is what was measured, and the device's interval is that between them.

    Parameters
    ----------
    device, second, measurements
        As for `is_silent`.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    repeated = np.zeros(len(second), bool)
    voltage, current, _, irradiance = np.asarray(measurements, np.float32).T
    same = np.zeros(len(second), bool)
    same[1:] = (device[1:] == device[:-1]) & (voltage[1:] == voltage[:-1]) & (current[1:] == current[:-1])
    flows = (irradiance > DARK_BELOW) & (voltage > 0) & (current > 0)
    n_devices = int(device[-1]) + 1 if len(device) else 0
    often = np.bincount(device[same & flows], minlength=n_devices)
    # A rhythm has at least one repetition for each change.
    for one in np.flatnonzero(2 * often >= np.bincount(device[flows], minlength=n_devices) - _CHANGES):
        first, end = np.searchsorted(device, [one, one + 1])
        own = slice(first, end)
        if often[one] >= _CHANGES and _keeps_rhythm(np.flatnonzero(~same[own] & flows[own])):
            repeated[own] = same[own] & flows[own]
    return repeated


def _zeros(device, second, measurements):
    """Zeros of both voltage and current in the light, before power comes back."""
    voltage, current, _, irradiance = np.asarray(measurements, np.float32).T
    zero = (voltage == 0) & (current == 0)
    found = zero & (irradiance > DARK_BELOW)
    for one in np.unique(device[found]):
        own = slice(*np.searchsorted(device, [one, one + 1]))
        found[own] &= _is_pause(second[own], zero[own], voltage[own], current[own], irradiance[own])
    return found


def _is_pause(second, zero, voltage, current, irradiance):
    """Which readings of one device belong to zeros between readings with power, or in the morning before them."""
    usual = np.nanquantile([voltage, current], _USUALLY, axis=1)
    gives = np.flatnonzero((voltage > usual[0] * _GIVES[0]) & (current > usual[1] * _GIVES[1]) & ~zero)
    if not len(gives) or (usual <= 0).any():
        return np.zeros(len(zero), bool)
    first = np.flatnonzero(zero & ~np.append(False, zero[:-1]))
    last = np.flatnonzero(zero & ~np.append(zero[1:], False))
    brightest = np.maximum.reduceat(np.where(zero, irradiance, -np.inf), first)
    after, between = last < gives[-1], (last < gives[-1]) & (first > gives[0])
    pause = (after & (brightest >= AWAKE)) | (between & (second[last] - second[first] >= SILENT_S))
    return zero & pause[np.cumsum(zero & ~np.append(False, zero[:-1])) - 1]


def _placeholders(device, measurements):
    """Numbers that stand for none, more than once, and beside what the device usually gives."""
    values = np.asarray(measurements, np.float32)
    suspect = np.zeros(len(values), bool)
    listed = _listed(values)
    for one in np.unique(device[listed.any(axis=1)]):
        first, end = np.searchsorted(device, [one, one + 1])
        suspect[first:end] = _placeholders_of_one(values[first:end], listed[first:end])
    return suspect


def _listed(values):
    """Which values may be placeholders by their looks and by the light, shape (n, 4)."""
    light = values[:, MEASUREMENTS.index("irradiance")]
    listed = np.column_stack([np.isin(column, _NUMBERS) for column in values.T])
    # Some tenths below zero are an offset; and without light, so is a whole digit.
    listed &= (np.abs(values) >= 1) & ((values > 0) | (light > DARK_BELOW)[:, None])
    listed[:, MEASUREMENTS.index("temperature")] = np.isin(values[:, 2], _NO_TEMPERATURE) & (light > AWAKE)
    listed[:, MEASUREMENTS.index("irradiance")] = np.isin(light, _NUMBERS) & (light < 0) & (values[:, 1] >= 0.1)
    return listed


def _placeholders_of_one(values, listed):
    """Of one device's readings, those with a placeholder that is beside what is usual, and there several times."""
    voltage, current, temperature, irradiance = values.T
    lit = (irradiance > DARK_BELOW) & ~listed[:, [0, 1, 3]].any(axis=1) & np.isfinite(values).all(axis=1)
    if not lit.any():
        return np.zeros(len(values), bool)
    usual_voltage, usual_temperature = np.median(voltage[lit]), np.median(temperature[lit])
    most_current = np.quantile(current[lit], 0.95)
    works = (current > 0) & (voltage > usual_voltage / 2)
    per_light = current / np.maximum(irradiance, DARK_BELOW)
    # An array that is pushed up its curve gives less.
    all_current = per_light > _ALL_CURRENT * np.median(per_light[lit])
    beside = np.column_stack(
        [
            (voltage < 0) | (voltage > np.where(all_current, _HIGH_VOLTAGE, _USUAL_VOLTAGE) * usual_voltage),
            (current < 0) | (current > _USUAL_CURRENT * most_current),
            np.abs(temperature - usual_temperature) > _OFF_TEMPERATURE,
            works & (current > 0.05 * most_current),
        ]
    )
    found = np.zeros(len(values), bool)
    for column in range(values.shape[1]):
        own = listed[:, column] & beside[:, column]
        for value in np.unique(values[own, column]):
            same = own & (values[:, column] == value)
            if same.sum() >= _TIMES:
                found |= same
    return found


def _keeps_rhythm(changes):
    """Whether changes stand at every k-th reading, for a k above 1."""
    steps = np.diff(changes)
    if len(steps) < _CHANGES:
        return False
    for rhythm in range(2, _LONGEST_RHYTHM + 1):
        if (steps % rhythm == 0).mean() >= _RHYTHM_SHARE and (steps == rhythm).mean() >= 0.5:
            return True
    return False
