"""Temperatures in °F or K, or none at all."""

import numpy as np

from pvfault.suspicions.day import DeviceDay, number, slope
from pvfault.suspicions.suspicion import TEMPERATURE_CONSTANT, TEMPERATURE_UNIT, Suspicion

KELVIN = (200.0, 400.0)
# No air and no module is so warm without sun; no module is so hot in it.
MOST_AT_NIGHT, MOST_BY_DAY = 46.0, 98.0
DARK = 5.0  # W/m²
# How much a module warms for each W/m²: 0.02 to 0.045 K, as °F 1.8 times that.
STEEP = 0.05
# How much a voltage falls for each degree: 0.35 % for each °C (0.26 to 0.45), 0.19 % for each °F.
FLAT = -0.0024
# Voltage over the rated one, if °F are taken for °C, and if they are not.
TOO_HIGH, RIGHT = 1.08, (0.94, 1.05)
STEADY_HOURS = 5.0


def not_celsius(day: DeviceDay) -> Suspicion | None:
    """Temperatures that are in another unit."""
    known = day.temperature[np.isfinite(day.temperature)]
    if not len(known):
        return None
    low, middle, high = np.quantile(known, [0.03, 0.5, 0.97])
    if KELVIN[0] < low and high < KELVIN[1]:
        return Suspicion(
            TEMPERATURE_UNIT,
            True,
            f"temperature is {number(low)} to {number(high)}: as °C it is not of this world, as K it is "
            f"{number(low - 273.15)} to {number(high - 273.15)} °C",
            "--unit temperature=K",
        )
    if not (_celsius_of(low) > -40 and _celsius_of(high) < 95):
        return None
    night = day.temperature[(day.irradiance < DARK) & np.isfinite(day.temperature)]
    read = f"temperature is {number(low)} to {number(high)}"
    as_f = f"as °F it is {number(_celsius_of(low))} to {number(_celsius_of(high))} °C"
    if day.light_is_w_per_m2 and len(night) >= 4 and np.median(night) > MOST_AT_NIGHT and np.ptp(known) > 0:
        return Suspicion(
            TEMPERATURE_UNIT,
            True,
            f"{read}, and {number(np.median(night))} without light, where no air is warmer than {MOST_AT_NIGHT:.0f} "
            f"°C: {as_f}",
            "--unit temperature=F",
        )
    if high > MOST_BY_DAY:
        return Suspicion(
            TEMPERATURE_UNIT,
            True,
            f"{read}, and no module gets hotter than {MOST_BY_DAY:.0f} °C: {as_f}",
            "--unit temperature=F",
        )
    warming, falling = _warming(day), _falling(day)
    shares = day.voltage_share
    fits_rating = len(shares) > 0 and np.median(shares) > TOO_HIGH and _fits_as_fahrenheit(day)
    steep = warming > STEEP and middle > 30
    if not (steep and (falling > FLAT or fits_rating)):
        return None
    return Suspicion(
        TEMPERATURE_UNIT,
        False,
        f"{read}, rises by {warming:.3f} for each W/m² (0.02 to 0.045 °C is usual), and the voltage falls by "
        f"{-100 * falling:.2f} % for each degree of it (0.35 % is usual): {as_f}",
        "--unit temperature=F",
    )


def constant(day: DeviceDay) -> Suspicion | None:
    """One temperature for a whole day of sun."""
    lit = day.temperature[day.lit & np.isfinite(day.temperature)]
    if len(lit) < 20 or np.ptp(lit) > 0 or np.ptp(day.hour[day.lit]) < STEADY_HOURS or day.top_irradiance < 200:
        return None
    return Suspicion(
        TEMPERATURE_CONSTANT,
        False,
        f"temperature is {number(lit[0])} °C in all {len(lit)} readings in the light, up to "
        f"{number(day.top_irradiance)} W/m²: a module in the sun gets 20 to 40 °C warmer than the air, and what the "
        "voltage should be is wrong by 0.35 % for each °C",
        "map temperature to what a sensor measures",
    )


def _celsius_of(fahrenheit: float) -> float:
    return (fahrenheit - 32) / 1.8


def _warming(day: DeviceDay) -> float:
    """Degrees for each W/m²; 0 where they do not go together."""
    used = day.lit & np.isfinite(day.temperature)
    if not day.light_is_w_per_m2 or used.sum() < 20:
        return 0.0
    rises, fits = slope(day.temperature[used], day.irradiance[used])
    return rises if fits > 0.7 else 0.0


def _falling(day: DeviceDay) -> float:
    """Relative change of the voltage for each degree in good light; minus infinity where nothing can be said."""
    used = day.works & (day.irradiance > 0.4 * day.top_irradiance) & np.isfinite(day.temperature)
    if used.sum() < 20 or np.ptp(day.temperature[used]) < 12:
        return -np.inf
    falls, fits = slope(np.log(day.voltage[used]), day.temperature[used])
    return falls if fits < -0.6 else -np.inf


def _fits_as_fahrenheit(day: DeviceDay) -> bool:
    """Whether the voltage is what the rating promises if the temperature is in °F."""
    used = day.works & day.lit & np.isfinite(day.temperature)
    share = day.voltage[used] / (1 - 0.0035 * (_celsius_of(day.temperature[used]) - 25)) / day.rated_voltage
    return bool(RIGHT[0] < np.median(share) < RIGHT[1])
