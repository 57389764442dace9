"""Ratings of the registry that are not V_mp and I_mp of the whole array, and values in mV, kV or mA."""

import numpy as np

from pvfault.suspicions.day import DeviceDay, number, spread
from pvfault.suspicions.suspicion import CURRENT_RATING, VOLTAGE_RATING, Suspicion

# Under cloud edges, and of a bifacial array, for a thirtieth of the day: beyond, a rating is not of this array.
MOST_CURRENT = 1.5
# V_oc at -25 °C is 1.53 times V_mp at 25 °C; an array that works, and so stands below V_oc, is below that.
MOST_VOLTAGE = 1.45
# V_mp over V_oc of the crystalline modules of the CEC library, the middle nine tenths, and what sensors and heat add.
MP_OVER_OC = (0.76, 0.85)
# Of the day's better hours: more than the rating says that it is irradiance or current that is wrong.
MOST_SHARE = 1.06
STEADY_VOLTAGE = 0.05
# No inverter works at less of the voltage that its array is rated at, and no short leaves it running there.
LEAST_VOLTAGE = 0.125
# An array that gives less of its current says nothing of its voltage: it may be open, and this the noise of its meters.
LEAST_CURRENT = 0.1
NEAR_STRINGS = 0.15
NEAR_POWER_OF_TEN = 0.25


def rated_current(day: DeviceDay) -> Suspicion | None:
    """A current that the rating does not allow in any light."""
    if np.isnan(day.rated_current) or not day.top_current > MOST_CURRENT * day.rated_current:
        return None
    times = _times(day)
    told = (
        f"current is {number(day.top_current)} A at most, {number(times)} times what rated_current = "
        f"{number(day.rated_current)} A allows in this light"
    )
    # Open strings make it smaller, nothing makes it larger.
    if day.strings > 1 and 1.5 < times < day.strings * (1 + NEAR_STRINGS):
        return Suspicion(
            CURRENT_RATING,
            True,
            f"{told}; the registry has {day.strings:.0f} strings in parallel, and the rating looks like that of one",
            f"rated_current = {number(day.strings * day.rated_current)} in the registry: of the whole array, the sum "
            "of its strings",
        )
    scale = _power_of_ten(times, (10, 100, 1000))
    if scale:
        unit = ", or --unit current=mA" if scale == 1000 else ""
        return Suspicion(CURRENT_RATING, True, told, f"--scale current={1 / scale:g}{unit}")
    return Suspicion(
        CURRENT_RATING,
        True,
        told,
        f"rated_current of the whole array in the registry, about {number(times * day.rated_current)}",
    )


def rated_voltage(day: DeviceDay) -> Suspicion | None:
    """A voltage that is not the rated one all day: V_oc, or one module's, or in another unit."""
    shares = day.voltage_share
    if len(shares) < 10 or day.top_current < LEAST_CURRENT * day.rated_current:
        return None
    middle = float(np.median(shares))
    found = f"voltage at 25 °C is {number(middle)} times rated_voltage = {number(day.rated_voltage)} V"
    if middle > MOST_VOLTAGE:
        scale = _power_of_ten(middle, (10, 100, 1000))
        whole = round(middle)
        mends = f"--scale voltage={1 / scale:g}, or " if scale else ""
        return Suspicion(
            VOLTAGE_RATING,
            True,
            f"{found} while the array works; even open and at -25 °C it is 1.5 times",
            f"{mends}rated_voltage of all modules in series in the registry, such as "
            f"{number(whole * day.rated_voltage)} for {whole} times as many",
        )
    if middle < LEAST_VOLTAGE:
        scale = _power_of_ten(1 / middle, (10, 100, 1000))
        mends = f"--scale voltage={scale:g}, or " if scale else ""
        kv = "--unit voltage=kV, or " if scale == 1000 else mends
        return Suspicion(
            VOLTAGE_RATING,
            True,
            f"{found} while {number(day.top_current)} A flow; no inverter works there",
            f"{kv}rated_voltage of the array in the registry",
        )
    current = float(np.quantile(day.current_share, 0.75)) if len(day.current_share) else np.nan
    if MP_OVER_OC[0] < middle < MP_OVER_OC[1] and spread(shares) < STEADY_VOLTAGE and current < MOST_SHARE:
        return Suspicion(
            VOLTAGE_RATING,
            False,
            f"{found} in every hour, and current in the better ones {number(current)} of what rated_current and the "
            "light promise: V_mp is 0.78 to 0.85 times V_oc and I_mp 0.93 times I_sc, so these ratings are likely "
            "those of open and short circuit; that a fifth of all modules has been shorted since before these "
            "readings is the other explanation",
            f"rated_voltage = V_mp, about {number(middle * day.rated_voltage)}, and rated_current = I_mp in the "
            "registry",
        )
    return None


def _times(day: DeviceDay) -> float:
    """How many times the rating allows the current is, by the light where this is W/m²."""
    highest = day.top_current / day.rated_current
    if not day.light_is_w_per_m2:
        return highest
    return float(np.median(day.current_share))


def _power_of_ten(times: float, powers) -> int | None:
    """The power of ten that a factor is near to, a little below, as arrays give a little less than their ratings."""
    return next((power for power in powers if abs(np.log(times / (0.95 * power))) < NEAR_POWER_OF_TEN), None)
