"""Readings in which the inverter takes less than the array has to give: by order, at its limit, or because it is off.

An array that may not give its power is pushed up its curve, towards the open-circuit voltage: its voltage is above what
is expected while its current is below, and both lie on the curve of a healthy array. No fault does that. An open string
takes current and leaves the voltage, a short circuit takes voltage, and a shadow takes current at a voltage that is
lower than the healthy array's at that current, because part of the array gives none.

All strings at once at open-circuit voltage is not a string either, but the inverter or a switch, which come back. A
switch, a fuse or a contact of the whole array that is open stays so, and a loose contact or an arc comes and goes all
day. So such readings are curtailed only if the array gives power later in the day's light, for some minutes at least,
and a few times a day at most; else they are judged, and the network calls them an open circuit or an arc. A day is
judged without its neighbours, so that a device has the verdict beside others that it has alone.
"""

import numpy as np

from pvfault import reference
from pvfault.readings import is_plausible
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT
from pvfault.silence import AWAKE

# Shares of the expected voltage and current between which nothing is said: sensors, light and a tracker that wanders
# miss by some per cent, and what the network was trained beside has inverters at their limits.
LEAST_VOLTAGE, MOST_CURRENT = 1.07, 0.8
# A healthy curve by shares of the maximum's voltage and current: i = I_SC (1 - exp((v - V_OC) / BEND)), through the
# maximum at (1, 1), with the medians of the CEC library that pvlib ships.
V_OC, I_SC = 1.23, 1.06
BEND = (V_OC - 1) / -np.log1p(-1 / I_SC)
# How far below the curve a reading may lie, of the voltage: ratings, the temperature of the cells, other modules.
BELOW_CURVE = 0.04
# Above V_oc in the cold there is nothing.
MOST_VOLTAGE = 1.4
# Current shares at which nothing flows, and at which an array is back.
IDLE, BACK = 0.08, 0.25
# An order, and a trip with the wait after it, last ten minutes and more: three readings every 5 min, never quite on
# time. Of 96 simulated days with arcs or open strings, 2 stand so long and so seldom at open-circuit voltage; without
# both bounds it was one window in eight with an arc, and one in twenty with an open circuit.
LASTS_S = 540.0
MOST_TIMES = 3
# What a device without ratings gives when it is not limited: as much current per light as a fifth of its day exceeds.
_UNLIMITED, _NEAR = 0.8, 0.85


def is_curtailed(device, second, measurements, references, ratings):
    """Which readings are of an array that the inverter limits.

    Parameters
    ----------
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.
    references : ndarray, shape (n_devices, 11)
        What devices should give; NaN where it is not known.
    ratings : ndarray, shape (n_devices, 2)
        Rated voltage [V] and current [A], for devices without reference; NaN where they are not known: then the day's
        own readings tell, and a device that is limited all day looks healthy.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found = np.zeros(len(device), bool)
    usable = np.flatnonzero(is_plausible(measurements) & (measurements[:, 3] >= AWAKE))
    if not len(usable):
        return found
    owner = device[usable]
    known = _known(owner, measurements[usable], references, ratings)
    voltage, current = _shares(owner, second[usable], measurements[usable], known)
    raised = (voltage > LEAST_VOLTAGE) & (voltage < MOST_VOLTAGE) & (current < MOST_CURRENT)
    idle = raised & (current < IDLE)
    on_curve = raised & (voltage > _voltage_at(current) - BELOW_CURVE)
    is_inverter = _comes_back(owner, current) & _is_seldom(owner, idle)
    found[usable] = _lasting(owner, second[usable], (on_curve | idle) & (~idle | is_inverter))
    return found


def _comes_back(owner, current):
    """Which readings have one of the same device after them in which its array gives power."""
    last = np.full(owner[-1] + 1, -1)
    gives = np.flatnonzero(current > BACK)
    np.maximum.at(last, owner[gives], gives)
    return np.arange(len(owner)) < last[owner]


def _is_seldom(owner, idle):
    """Which readings are of a device that stops no more than a few times a day."""
    begins = idle.copy()
    begins[1:] &= ~idle[:-1] | (owner[1:] != owner[:-1])
    return np.bincount(owner[begins], minlength=owner[-1] + 1)[owner] <= MOST_TIMES


def _lasting(owner, second, marked):
    """Marked readings of one device that stand together for long enough."""
    begins = np.ones(len(owner), bool)
    begins[1:] = (owner[1:] != owner[:-1]) | (marked[1:] != marked[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(owner)) - 1
    return marked & (second[last] - second[first] >= LASTS_S)[np.cumsum(begins) - 1]


def _known(owner, measurements, references, ratings):
    """References of all devices, of those without any from the ratings, or from the day's readings in good light."""
    ratings = np.array(ratings, np.float64)
    for unknown in np.flatnonzero(np.isnan(references).any(axis=1) & np.isnan(ratings).any(axis=1)):
        first, end = np.searchsorted(owner, [unknown, unknown + 1])
        if end > first:
            ratings[unknown] = _unlimited(measurements[first:end])
    return reference.or_typical(references, ratings)


def _unlimited(measurements):
    """Ratings of which a device's readings without a limit would be typical."""
    voltage, current, temperature, irradiance = measurements.astype(np.float64).T
    per_light = current / irradiance * 1000
    most = np.quantile(per_light, _UNLIMITED)
    at_25 = voltage / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature - 25))
    near = per_light >= _NEAR * most
    return np.maximum([np.median(at_25[near]), most / reference.TYPICAL[reference.N_VOLTAGE]], 1e-3)


def _shares(owner, second, measurements, references):
    """Voltage and current as shares of what is expected; 1 where a cheap look already says that nothing limits."""
    voltage, current, temperature, irradiance = measurements.astype(np.float64).T
    rated = reference.ratings_of(references)[owner]
    at_25 = voltage / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature - 25))
    shares = np.ones((2, len(owner)))
    shares[1] = current / (rated[:, 1] * irradiance / 1000)
    # The expected voltage is within some per cent of the rated one at 25 °C.
    high = np.flatnonzero((at_25 > (LEAST_VOLTAGE - 0.06) * rated[:, 0]) & (shares[1] < 1))
    expected = reference.expect(
        references[owner[high]], temperature[high, None], irradiance[high, None], second[high, None] / 3600
    )
    shares[:, high] = voltage[high] / expected[0][:, 0], current[high] / expected[1][:, 0]
    return shares


def _voltage_at(current):
    """Voltage of a healthy curve at a current, both as shares of the maximum's."""
    return V_OC + BEND * np.log(np.clip(1 - current / I_SC, 1e-3, 1))
