"""What a registry may say of a device, guessed from its own readings.

Here: clear hours, the ratings that they show and how far these scatter, whole numbers of modules and strings of a known
module. Not here: ratings that a verdict stands on without a registry (`estimates.py`), modules' data sheets
(`pvfault_workshop/module_library.py`).

A guess is a start for whoever looks at the data sheet. A fault that was there all the time is part of it.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from pvfault.estimates import estimate_day
from pvfault.expected_power import STC_IRRADIANCE, STC_TEMPERATURE
from pvfault.readings import is_plausible
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT
from pvfault.windows import WINDOW_S

# An hour is clear if its light lies this close to a straight line, as a share of its mean: what the sun's height bends
# in an hour is less, and clouds are more.
STEADY = 0.02
BRIGHT = 500.0  # W/m²: at less, the sun stands low, and sensor and array see different skies
LEAST_READINGS = 4  # of an hour; every 15 min
# Where hours agree better than that, the coefficients of the module, wiring, dirt and the irradiance sensor do not. Of
# voltage and current.
LEAST_DOUBT = (0.04, 0.05)
# So far from a whole number of modules or strings, the module or the unit is another.
WHOLE = 0.25
_SPREAD = (0.1, 0.5, 0.9)


class Range(NamedTuple):
    """A value, and between what it lies."""

    low: float
    middle: float
    high: float


class Guess(NamedTuple):
    """What is guessed of a device.

    Attributes
    ----------
    voltage, current : Range or None
        V_mp and I_mp of the array at standard test conditions; None without a clear hour. [V], [A]
    clear_hours, days : int
        Hours that tell, and dates that they are of.
    warnings : tuple of str
        Why the guess may be wrong.
    """

    voltage: Range | None
    current: Range | None
    clear_hours: int
    days: int
    warnings: tuple[str, ...]


class Count(NamedTuple):
    """How many modules or strings.

    Attributes
    ----------
    number, low, high : int
        The nearest whole number, and between what it lies.
    exact : float
        Before rounding.
    """

    number: int
    low: int
    high: int
    exact: float

    @property
    def is_whole(self) -> bool:
        """Whether it lies near a whole number, or the range is too wide to tell."""
        return abs(self.exact - self.number) <= WHOLE or self.high > self.low


def guess_ratings(days: Iterable[tuple[np.ndarray, np.ndarray]]) -> Guess:
    """Guess a device's ratings from the clear hours of some dates.

    Parameters
    ----------
    days : iterable of (second, measurements)
        Of each date: seconds since midnight, ascending, shape (n,), and measurements, shape (n, 4).

    Returns
    -------
    Guess

    Examples
    --------
    >>> second = np.arange(6 * 3600, 18 * 3600, 300.0)
    >>> light = 1000 * np.sin(np.pi * (second / 3600 - 6) / 12)
    >>> guess = guess_ratings([(second, np.column_stack([580 + 0 * light, light * 0.055, 25 + 0 * light, light]))])
    >>> f"{guess.voltage.middle:.0f} V, {guess.current.middle:.1f} A"
    '580 V, 55.0 A'
    """
    shown, warnings, dates = [], [], 0
    for second, measurements in days:
        estimate = estimate_day(second, measurements)
        faulty = estimate.below.any(axis=1)
        of_day = _clear_hours(second, measurements, without=faulty)
        if faulty.any():
            warnings.append(
                f"voltage or current over light steps by {estimate.below.max():.0%} within a day: the guess is of the "
                "hours before or behind, and a fault may be in the file"
            )
        shown += of_day
        dates += bool(of_day)
    if not shown:
        return Guess(None, None, 0, 0, ("no clear hour above 500 W/m²; name files of clearer days",))
    voltage, current = (_range(values, doubt) for values, doubt in zip(np.array(shown).T, LEAST_DOUBT, strict=True))
    if dates < 3:
        of = "only one date has" if dates == 1 else f"only {dates} dates have"
        warnings.append(f"{of} clear hours; dirt or a fault of these days is in the guess")
    return Guess(voltage, current, len(shown), dates, tuple(dict.fromkeys(warnings)))


def count_units(rating: Range, of_one: float) -> Count:
    """How many modules in series, or strings in parallel, a rating is of.

    Parameters
    ----------
    rating : Range
    of_one : float
        V_mp or I_mp of one module.

    Examples
    --------
    >>> count_units(Range(570.0, 585.0, 590.0), 32.6)
    Count(number=18, low=17, high=18, exact=17.94478527607362)
    """
    number = max(round(rating.middle / of_one), 1)
    low, high = (max(round(bound / of_one), 1) for bound in (rating.low, rating.high))
    return Count(number, low, high, rating.middle / of_one)


def _clear_hours(second, measurements, without):
    """Voltage at 25 °C and current at 1000 W/m² of each clear hour."""
    usable = is_plausible(measurements)
    second, measurements = second[usable], measurements[usable].astype(np.float64)
    hour = (second // WINDOW_S).astype(int)
    shown = []
    for each in np.unique(hour):
        own = measurements[hour == each]
        voltage, current, temperature, irradiance = own.T
        if without[each] or len(own) < LEAST_READINGS or irradiance.mean() < BRIGHT:
            continue
        since = second[hour == each] - second[hour == each].mean()
        bent = irradiance - np.polyval(np.polyfit(since, irradiance, 2), since)
        if bent.std() > STEADY * irradiance.mean():
            continue
        at_25 = voltage / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature - STC_TEMPERATURE))
        shown.append((np.median(at_25), np.median(current / irradiance) * STC_IRRADIANCE))
    return shown


def _range(values, doubt):
    """Quantiles of what hours show, no closer together than sensors allow."""
    low, middle, high = np.quantile(values, _SPREAD)
    return Range(min(low, middle * (1 - doubt)), middle, max(high, middle * (1 + doubt)))
