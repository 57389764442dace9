"""Which readings tell of an array, and which only of a meter or logger that is broken.

What an array of some ratings gives at most, and values that stand still while the light moves. Values that no device
can have measured are in `readings.py`, zeros and placeholders in `silence.py`, what an inverter limits in
`curtailment.py`.

The network was trained beside simulated windows that are not sifted by these rules: their readings lie within the
ratings, and hardly any of them stands still.
"""

from typing import NamedTuple

import numpy as np

from pvfault.readings import MEASUREMENTS, PLAUSIBLE, is_plausible
from pvfault.registry import SMALLEST_ESTIMATE, VOLTAGE_TEMPERATURE_COEFFICIENT
from pvfault.silence import is_repeated, is_silent
from pvfault.windows import DARK_BELOW, WINDOW_S

# What an array gives at most, over its rated voltage and current. Of the modules of the CEC library that pvlib ships,
# V_oc is 1.23 times V_mp in the median and grows by 0.34 % with each kelvin less: at -25 °C it is 1.53 times V_mp in
# the median of crystalline modules, 1.6 in the highest of a thousand, and 1.74 in the median of thin films. I_sc is
# 1.07 times I_mp, 1.3 of thin films; at 75 °C under 1.9 kW/m², which has been measured at cloud edges (Gueymard, Solar
# Energy 153, 2017), that makes 2.2 and 2.6 times, and the rear side of a module adds up to a fifth.
MOST_VOLTAGE = 1.8
MOST_CURRENT = 3.0
# Where the day's own readings alone tell what is usual: three in four of those in the light give no more. Above the
# median, because a fault may last for most of the day; not higher, because absurd values may last for hours.
_USUAL = 0.75

# Shorter stretches, or of fewer readings, stay the same by chance. [s]
STILL_S = 600
STILL_READINGS = 4
# More than the noise and the last digit of an irradiance sensor. [W/m²]
LIGHT_MOVES = 20.0
# An array at its maximum answers to light by its current, in proportion; one whose inverter limits it answers by its
# voltage, by at least n V_t / V_oc for each e-fold of light: 0.026 V of 0.65 V in a cell. A stretch stands still only
# where either would have moved by two last digits, so that neither a coarse logger nor a limit looks like it.
VOLTAGE_BY_LIGHT = 0.04
DIGITS = 2
# Where all four values stand still, the light cannot tell; but in an hour the sun itself moves by more than a digit.
ALL_STILL_S = 3000
# Last digits that loggers keep, V or A: all values of a logger are multiples of its own.
_LAST_DIGITS = (0.01, 0.1, 1.0)


class Unsound(NamedTuple):
    """Readings that do not tell of the array, of shape (n,) each.

    Attributes
    ----------
    beyond : ndarray of bool
        Above what the ratings allow.
    still : ndarray of bool
        Of a stretch that stands still.
    silent : ndarray of bool
        Zeros or placeholders, of a device that is not heard at the moment (`silence.py`).
    repeated : ndarray of bool
        The same once more, by a logger that fills the time between two readings.
    """

    beyond: np.ndarray
    still: np.ndarray
    silent: np.ndarray
    repeated: np.ndarray


class Doubt(NamedTuple):
    """How many readings of a device on a date do not tell of its array, and count as gaps.

    Attributes
    ----------
    device : str
    readings : int
        That came.
    beyond, still : int
        Those among them above what the ratings allow, and the others that stand still while the light moves.
    """

    device: str
    readings: int
    beyond: int
    still: int


def find_unsound(device, second, measurements, ratings) -> Unsound:
    """Find the readings that lie beyond what their device can give, or that stand still.

    Parameters
    ----------
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.
    ratings : ndarray, shape (n_devices, 2)
        Rated voltage [V] and current [A]; NaN where they are not known: then what the device's own readings usually
        give stands for them, and without any in the light there is no limit.

    Returns
    -------
    Unsound
    """
    repeated = is_repeated(device, second, measurements)
    still = stands_still(device, second, measurements) & ~repeated
    limits = np.array(ratings, np.float64)
    for unrated in np.flatnonzero(np.isnan(limits).any(axis=1)):
        first, end = np.searchsorted(device, [unrated, unrated + 1])
        limits[unrated] = _usual(measurements[first:end][~still[first:end]])
    limits *= (MOST_VOLTAGE, MOST_CURRENT)
    beyond = is_plausible(measurements) & (measurements[:, :2] > limits[device]).any(axis=1)
    silent = is_silent(device, second, measurements) & ~beyond & ~still
    return Unsound(beyond, still, silent, repeated & ~beyond)


def doubts_of(devices, device, unsound) -> list[Doubt]:
    """A `Doubt` for each device that has unsound readings.

    Parameters
    ----------
    devices : sequence of str
    device : ndarray of int, shape (n,)
        Of each reading, its device's position.
    unsound : Unsound
    """
    readings, beyond, still = (
        np.bincount(of, minlength=len(devices)).tolist()
        for of in (device, device[unsound.beyond], device[unsound.still & ~unsound.beyond])
    )
    found = (Doubt(*doubt) for doubt in zip(devices, readings, beyond, still, strict=True))
    return [doubt for doubt in found if doubt.beyond or doubt.still]


def may_be_unsound(counts, voltage, current, ratings):
    """Which devices may have a `Doubt`: no other has readings beyond or still. A fraction of `find_unsound`'s time.

    Parameters
    ----------
    counts : ndarray of int, shape (n_devices,)
        Readings of each device, which stand one device after the other, sorted by time.
    voltage, current : ndarray of float32, shape (n,)
        [V] and [A].
    ratings : ndarray, shape (n_devices, 2)
        As `find_unsound` takes them.

    Returns
    -------
    ndarray of int
        Positions of devices.
    """
    first = np.cumsum(counts) - counts
    most = np.column_stack([np.maximum.reduceat(voltage, first), np.maximum.reduceat(current, first)])
    # NaN, of readings as of ratings, is within nothing.
    within = (most <= ratings * (MOST_VOLTAGE, MOST_CURRENT)).all(axis=1)
    same = (voltage[1:] == voltage[:-1]) & (current[1:] == current[:-1]) & (voltage[1:] > 0) & (current[1:] > 0)
    stretch = same[: len(same) - STILL_READINGS + 2].copy()
    for step in range(1, STILL_READINGS - 1):
        stretch &= same[step : step + len(stretch)]
    holds = np.searchsorted(first, np.flatnonzero(stretch), side="right") - 1
    return np.union1d(np.flatnonzero(~within), holds)


def _usual(measurements):
    """What a device without ratings usually gives, brought to standard test conditions: voltage [V], current [A]."""
    lit = measurements[is_plausible(measurements) & (measurements[:, MEASUREMENTS.index("irradiance")] > DARK_BELOW)]
    if not len(lit):
        return np.inf, np.inf
    voltage, current, temperature, irradiance = lit.astype(np.float64).T
    at_25 = voltage / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature - 25))
    usual = np.quantile([at_25, current / irradiance * 1000], _USUAL, axis=1)
    # An array that is open for most of the day tells nothing of what it gives before.
    return np.where(usual > SMALLEST_ESTIMATE, usual, np.inf)


def stands_still(device, second, measurements):
    """Which readings belong to a stretch whose voltage and current do not move by a digit while the light does.

    A stretch is looked at as far as the end of each hour that it reaches into: what comes later changes nothing.

    Parameters
    ----------
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where no power flows: in the night, and at an open circuit, light moves nothing.

    Examples
    --------
    >>> light = np.linspace(400, 600, 60)
    >>> readings = np.column_stack([np.full(60, 500.2), np.full(60, 5.37), np.full(60, 40.0), light])
    >>> bool(stands_still(np.zeros(60, int), np.arange(60) * 60.0, readings).all())
    True
    """
    voltage, current, temperature, irradiance = np.asarray(measurements, np.float32).T
    flows = is_plausible(measurements) & (voltage > 0) & (current > 0)
    held = _Stretches(device, second, voltage, current)
    darkest, brightest = held.extremes(np.where(flows, irradiance, np.nan))
    risen = np.log(np.maximum(brightest / darkest, 1.0))
    v, i = (np.where(flows, value, 0.0).astype(np.float64) for value in (voltage, current))
    digit_v, digit_i = (_finest_so_far(device, _last_digit(value)) for value in (v, i))
    would_show = (i * -np.expm1(-risen) >= DIGITS * digit_i) & (v * VOLTAGE_BY_LIGHT * risen >= DIGITS * digit_v)
    moves = (brightest - darkest >= LIGHT_MOVES) & would_show
    whole = _Stretches(device, second, voltage, current, temperature, irradiance)
    lit = irradiance > DARK_BELOW
    still = (held.last_for(STILL_S) & moves)[held.end] | (whole.last_for(ALL_STILL_S) & lit)[whole.end]
    return flows & still


class _Stretches:
    """Stretches of readings of one device that have the same values."""

    def __init__(self, device, second, *values):
        begins = np.ones(len(second), bool)
        begins[1:] = np.any([value[1:] != value[:-1] for value in (device, *values)], axis=0)
        self._second = second
        self._number = np.cumsum(begins) - 1
        self._first = np.flatnonzero(begins)[self._number]
        hour = second // WINDOW_S
        ends = np.ones(len(second), bool)
        ends[:-1] = begins[1:] | (hour[1:] != hour[:-1])
        # The last reading of each one's stretch in its own hour.
        self.end = np.flatnonzero(ends)[np.cumsum(ends) - ends]

    def last_for(self, seconds):
        """Which readings stand so long after the first of their stretch, and have enough of them between."""
        count = np.arange(len(self._second)) - self._first + 1
        return (self._second - self._second[self._first] >= seconds) & (count >= STILL_READINGS)

    def extremes(self, irradiance):
        """Least and most light from the first reading of each one's stretch up to it, of NaN none."""
        light = np.clip(irradiance.astype(np.float64), DARK_BELOW, PLAUSIBLE["irradiance"][1])
        # Stretches one above the other, so that each begins anew.
        floor = 2 * PLAUSIBLE["irradiance"][1] * self._number
        return floor - np.fmax.accumulate(floor - light), np.fmax.accumulate(floor + light) - floor


def _finest_so_far(device, digit):
    """The finest last digit that each reading's device has shown on the day up to it."""
    # Devices one below the other, so that each begins anew.
    step = _LAST_DIGITS[-1] + 1
    return np.minimum.accumulate(digit - step * device) + step * device


def _last_digit(values):
    """The coarsest of the usual last digits of which each value is a multiple."""
    digit = np.full(values.shape, _LAST_DIGITS[0])
    for coarser in _LAST_DIGITS[1:]:
        count = values / coarser
        # As near as a float32 comes to it.
        digit[np.abs(count - np.rint(count)) <= 2e-7 * np.abs(count)] = coarser
    return digit
