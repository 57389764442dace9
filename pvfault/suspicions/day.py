"""One device-day as what is suspected of it looks at it."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from pvfault.places import Place
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT

# Fewer readings with current, or within a shorter time, say too little.
LEAST_READINGS = 10
LEAST_HOURS = 2.0
# A day's highest values, of which a few may be wrong.
_TOP = 0.97
# Of its highest value, from where on irradiance, whatever its unit, is daylight, and a current is more than an offset.
LIGHT_SHARE, CURRENT_SHARE = 0.15, 0.05


@dataclass(frozen=True)
class DeviceDay:
    """Readings of a device on a date, without those that are not finite, and what the registry says of it.

    Attributes
    ----------
    device : str
    date : date
    hour : ndarray, shape (n,)
        Of the day, UTC.
    voltage, current, irradiance : ndarray, shape (n,)
        As they came, in whatever unit.
    temperature : ndarray, shape (n,)
        As it came; NaN where there is none.
    rated_voltage, rated_current, strings : float
        NaN where they are not known.
    place : Place or None
    """

    device: str
    date: date
    hour: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    temperature: np.ndarray
    irradiance: np.ndarray
    rated_voltage: float
    rated_current: float
    strings: float
    place: Place | None

    @cached_property
    def top_irradiance(self) -> float:
        """What only a thirtieth of the irradiances exceeds."""
        return float(np.quantile(self.irradiance, _TOP))

    @cached_property
    def top_current(self) -> float:
        """What only a thirtieth of the currents exceeds."""
        return float(np.quantile(self.current, _TOP))

    @cached_property
    def lit(self) -> np.ndarray:
        """Readings in the day's own light."""
        return self.irradiance > LIGHT_SHARE * self.top_irradiance if self.top_irradiance > 0 else self.works

    @cached_property
    def works(self) -> np.ndarray:
        """Readings in which the array gives power."""
        return (self.current > CURRENT_SHARE * self.top_current) & (self.voltage > 0)

    @cached_property
    def interval_s(self) -> float:
        """Median time between readings."""
        return float(np.median(np.diff(self.hour))) * 3600

    @cached_property
    def light_is_w_per_m2(self) -> bool:
        """Whether the irradiance has values that daylight has in W/m²."""
        return 100 <= self.top_irradiance <= 1600

    @cached_property
    def temperature_is_celsius(self) -> bool:
        """Whether the temperature has values that a module has in °C."""
        known = self.temperature[np.isfinite(self.temperature)]
        return bool(len(known)) and np.quantile(known, 0.03) >= -40 and np.quantile(known, _TOP) <= 95

    @cached_property
    def voltage_share(self) -> np.ndarray:
        """Voltage over the rated one, brought to 25 °C, where the array works in the light; empty if not registered."""
        if np.isnan(self.rated_voltage):
            return np.empty(0)
        temperature = self.temperature if self.temperature_is_celsius else np.full(len(self.hour), 40.0)
        used = self.works & self.lit & np.isfinite(temperature)
        at_25 = self.voltage[used] / (1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature[used] - 25))
        return at_25 / self.rated_voltage

    @cached_property
    def current_share(self) -> np.ndarray:
        """Current over the rated one and the light in kW/m², where the array works; empty if not registered."""
        used = self.works & self.lit
        if np.isnan(self.rated_current) or self.top_irradiance <= 0:
            return np.empty(0)
        return self.current[used] / (self.irradiance[used] / 1000) / self.rated_current


def see_day(device, day, hour, measurements, ratings, layout, place) -> DeviceDay | None:
    """A device's day, or None if too few of its readings have current.

    Parameters
    ----------
    device : str
    day : date
    hour : ndarray, shape (n,)
    measurements : ndarray, shape (n, 4)
        In the order of `MEASUREMENTS`.
    ratings, layout, place : ndarray, shape (2,)
        Rated voltage and current; modules and strings; latitude and longitude; NaN where they are not known.
    """
    v, i, t, g = np.asarray(measurements, np.float64).T
    # What has the sign of a placeholder is none of the day's values.
    used = np.isfinite(v) & np.isfinite(i) & np.isfinite(g) & (v >= -10) & (i >= -10) & (g >= -20)
    if used.sum() < LEAST_READINGS:
        return None
    temperature = np.where(np.isfinite(t) & (t > -100), t, np.nan)[used]
    where = None if np.isnan(place).any() else Place(*place.tolist())
    seen = DeviceDay(device, day, hour[used], v[used], i[used], temperature, g[used], *ratings, layout[1], where)
    working = seen.hour[seen.works]
    if seen.top_current <= 0 or len(working) < LEAST_READINGS or np.ptp(working) < LEAST_HOURS:
        return None
    return seen


def slope(values, by) -> tuple[float, float]:
    """Slope of a straight line through values, and how well it fits (their correlation); NaN of a constant."""
    if len(values) < LEAST_READINGS or np.ptp(by) == 0 or np.ptp(values) == 0:
        return np.nan, np.nan
    covariance = np.cov(values, by)
    return float(covariance[0, 1] / covariance[1, 1]), float(
        covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    )


def spread(values) -> float:
    """How far apart the quartiles of positive values are, as a share of their median."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float((high - low) / middle)


def number(value: float) -> str:
    """A number as a sentence has it.

    >>> [number(value) for value in (0.9127, 51.24, 586.8, 26500.0, -1)]
    ['0.91', '51.2', '587', '26,500', '-1']
    """
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1 else f"{value:.2g}"
