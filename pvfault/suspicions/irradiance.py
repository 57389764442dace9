"""Irradiance in another unit, added up, averaged, or of another plane."""

import numpy as np

from pvfault.suspicions.day import DeviceDay, number, slope, spread
from pvfault.suspicions.suspicion import (
    IRRADIANCE_MEANS,
    IRRADIANCE_PLANE,
    IRRADIANCE_SUM,
    IRRADIANCE_UNIT,
    Suspicion,
)

# Highest irradiance of any day in kW/m², with room for cloud edges; in W/m² it is night.
MOST_KW = 2.5
# Cloud edges have been measured at up to 1.9 kW/m² (Gueymard, 2017), for minutes.
MOST_W = 1600.0
TOGETHER = 0.7
# A current beyond this share of what light and rating promise is no error of a sensor, as long as all of the day is.
# A shaded irradiance sensor gives as much and more, for hours.
MOST_SHARE = 1.6
# Of a current share that one factor makes, how far the quartiles are apart. Weather and a tilted sensor scatter it.
ONE_FACTOR = 0.35
NEAR_FACTOR = 0.2
# What a rating allows of the day's highest current, with cloud edges: then it is not the rating that is too small.
CURRENT_ALLOWED = 1.4
# A module warms by 0.02 to 0.05 K for each W/m², the air of a day by less.
MOST_WARMING = 0.1
MEANS_S = 1500.0
# Clear light over which current per light may not drift, and by how much it may: sensors stand some degrees beside.
BRIGHT, MOST_DRIFT = 200.0, 2.0
# Two planes on one input give more at both ends of the day than light between them promises, and less at noon.
MOST_HOLLOW = 1.25
# How far from a smooth course half of the readings may lie, in logarithms: of weather, and of the course itself.
SMOOTH, SMOOTH_OF_DRIFT = 0.03, 0.05
# The sun moves on: from one half hour to the next it makes no more of a drift than this. A string opens in an instant.
AT_ONCE, HALF_HOUR = 0.6, 0.5
# An inverter at its limit pushes the voltage up where it takes less current than the light allows, by so much of it.
PUSHED_UP = -0.08


def other_unit(day: DeviceDay) -> Suspicion | None:
    """Irradiance that cannot be in W/m²."""
    top = day.top_irradiance
    if 0 < top < MOST_KW and _together(day) > TOGETHER:
        return Suspicion(
            IRRADIANCE_UNIT,
            True,
            f"irradiance is {number(day.irradiance.max())} at most while {number(day.top_current)} A flow, and both "
            "go together: in W/m² that is night, in kW/m² it is daylight",
            "--unit irradiance=kW/m²",
        )
    if top > MOST_W:
        return Suspicion(
            IRRADIANCE_UNIT,
            True,
            f"irradiance is {number(top)} or more in a thirtieth of the readings; more than {MOST_W:,.0f} W/m² have "
            "been measured for minutes only",
            "--unit irradiance=UNIT or --scale irradiance=FACTOR, so that a clear noon is about 1000 W/m²",
        )
    shares = day.current_share
    if not len(shares):
        return _too_warm(day)
    low, middle = np.quantile(shares, [0.25, 0.5])
    if not (
        low > MOST_SHARE and spread(shares) < ONE_FACTOR and day.top_current <= CURRENT_ALLOWED * day.rated_current
    ):
        return None
    factor, unit = _named_factor(day, float(middle))
    is_certain = unit is not None and middle > 2.5
    known = f", as in {unit}" if unit else ""
    return Suspicion(
        IRRADIANCE_UNIT,
        is_certain,
        f"irradiance is {number(top)} W/m² at most, and the current, {number(day.top_current)} A of rated_current = "
        f"{number(day.rated_current)} A, {number(middle)} times what it promises all day{known}",
        f"--scale irradiance={factor:.3g}" if unit else "--unit irradiance=UNIT, or look at the irradiance sensor",
    )


def running_sum(day: DeviceDay) -> Suspicion | None:
    """Irradiance that is counted up through the day."""
    steps = np.diff(day.irradiance[day.works])
    working = day.current[day.works]
    falls_again = len(working) > 20 and np.median(working[-len(working) // 8 :]) < 0.6 * day.top_current
    rises = (steps > 0).mean() if len(steps) else 0.0
    if not (falls_again and rises > 0.8 and (steps < 0).mean() < 0.03):
        return None
    return Suspicion(
        IRRADIANCE_SUM,
        True,
        f"irradiance never falls from {number(day.irradiance[day.works][0])} in the morning to "
        f"{number(day.irradiance[day.works][-1])} in the evening, while the current does: it is counted up, an energy",
        "map irradiance to a column of power (W/m²), not of energy",
    )


def hourly_means(day: DeviceDay) -> Suspicion | None:
    """Irradiance that stays for half an hour and more, and then jumps, while the current moves."""
    light, current, hour = (values[day.works & day.lit] for values in (day.irradiance, day.current, day.hour))
    if len(light) < 30:
        return None
    begins = np.flatnonzero(np.concatenate([[True], np.diff(light) != 0]))
    moves = (np.diff(current) != 0).mean() > 0.5
    held_s = np.diff(np.append(hour[begins], hour[-1])) * 3600
    if len(begins) < 4 or not moves or np.median(held_s) < MEANS_S or len(light) < 4 * len(begins):
        return None
    return Suspicion(
        IRRADIANCE_MEANS,
        False,
        f"irradiance has {len(begins)} values in {len(light)} readings in the light, each for "
        f"{np.median(held_s) / 60:.0f} min, while the current moves: it is a mean, and within an hour current and "
        "light do not belong together",
        "map irradiance to a column that is measured as often as the current",
    )


def other_plane(day: DeviceDay) -> Suspicion | None:
    """Current per light that drifts smoothly through the day, as it does where both face other ways."""
    used = day.works & (day.irradiance > BRIGHT)
    if not day.light_is_w_per_m2 or used.sum() < 20 or np.ptp(day.hour[used]) < 5:
        return None
    ratio, hour = np.log(day.current[used] / day.irradiance[used]), day.hour[used]
    fitted = np.polyval(np.polyfit(hour - hour.mean(), ratio, 4), hour - hour.mean())
    drift = float(np.exp(np.ptp(fitted)))
    hollow = float(np.exp(min(fitted[0], fitted[-1]) - fitted.min()))
    if (drift < MOST_DRIFT and hollow < MOST_HOLLOW) or np.median(
        np.abs(ratio - fitted)
    ) > SMOOTH + SMOOTH_OF_DRIFT * np.log(drift):
        return None
    pushed, goes_with = slope(np.log(day.voltage[used]), ratio)
    if _greatest_jump(ratio, hour) > AT_ONCE * np.log(drift) or (pushed < PUSHED_UP and goes_with < -0.7):
        return None
    first, last = (float(1000 * np.exp(fitted[end])) for end in (0, -1))
    lowest, highest = (float(1000 * np.exp(end)) for end in (fitted.min(), fitted.max()))
    return Suspicion(
        IRRADIANCE_PLANE,
        False,
        f"current per kW/m² goes smoothly from {number(first)} A in the morning to {number(last)} A in the evening "
        f"({number(lowest)} to {number(highest)} A): irradiance of another plane, say the horizontal, or parts of the "
        "array that face other ways, such as east and west on one input",
        "map irradiance to that of the array's plane; an input of two planes has no irradiance of its own",
    )


def _greatest_jump(values, hour) -> float:
    """How far the medians of two half hours, one before and one behind a moment, are apart at most."""
    moments = np.arange(hour[0] + HALF_HOUR, hour[-1] - HALF_HOUR, HALF_HOUR / 6)
    first, middle, end = (np.searchsorted(hour, moments + away) for away in (-HALF_HOUR, 0.0, HALF_HOUR))
    jumps = [
        abs(np.median(values[b:c]) - np.median(values[a:b]))
        for a, b, c in zip(first, middle, end, strict=True)
        if a < b < c
    ]
    return float(max(jumps, default=0.0))


def _together(day: DeviceDay) -> float:
    """How well current follows irradiance over all readings."""
    return slope(day.current, day.irradiance)[1]


def _named_factor(day: DeviceDay, share: float) -> tuple[float, str | None]:
    """The factor to W/m² of the unit that makes current so much larger than it promises, and its name."""
    interval = day.interval_s
    units = {
        3600 / interval: f"Wh/m² of {interval:.0f} s each",
        1000 / interval: f"kJ/m² of {interval:.0f} s each",
        10.0: "mW/cm²",
        10_000 / interval: f"J/cm² of {interval:.0f} s each",
    }
    # Dirt, age and open strings make the current smaller, nothing makes it larger.
    near = {factor: abs(np.log(share / (0.95 * factor))) for factor in units if factor > MOST_SHARE}
    best = min(near, key=near.get, default=1.0)
    return (best, units[best]) if near and near[best] < NEAR_FACTOR else (share, None)


def _too_warm(day: DeviceDay) -> Suspicion | None:
    """Irradiance that is too small for the warmth that goes with it; of a device without ratings."""
    used = day.lit & np.isfinite(day.temperature)
    if day.top_irradiance > 300 or used.sum() < 20 or np.ptp(day.temperature[used]) < 10:
        return None
    warming, fits = slope(day.temperature[used], day.irradiance[used])
    if warming < MOST_WARMING or fits < TOGETHER or _together(day) < 0.95:
        return None
    return Suspicion(
        IRRADIANCE_UNIT,
        False,
        f"irradiance is {number(day.top_irradiance)} W/m² at most, and the temperature rises by {warming:.2f} °C for "
        f"each W/m² of it; a module's rises by 0.02 to 0.05 °C",
        f"--unit irradiance=UNIT; energies of {day.interval_s:.0f} s in Wh/m² are "
        f"--scale irradiance={3600 / day.interval_s:.3g}",
    )
