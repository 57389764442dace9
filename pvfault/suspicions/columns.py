"""Columns that hold something else than they are taken for."""

from itertools import combinations

import numpy as np

from pvfault.readings import MEASUREMENTS
from pvfault.suspicions.day import DeviceDay, number, slope
from pvfault.suspicions.suspicion import AC_FOR_DC, POWER_FOR_CURRENT, SAME_COLUMNS, SWAPPED_COLUMNS, Suspicion

# From dim to bright light; with less, a flat column may be flat by chance.
LIGHT_RANGE = 2.5
# Exponents of light: about 1 of a current, 0.04 of a voltage.
LIKE_CURRENT, LIKE_VOLTAGE = (0.75, 1.3), 0.25
# Nominal voltages of grids, between phases and to neutral, as far as inverters feed into them. [V]
GRIDS = np.array([115, 120, 127, 208, 220, 230, 240, 277, 380, 400, 415, 480, 690, 800])
NEAR_GRID = 0.06
AC_SCATTER = 0.01
# An array's voltage falls by some per cent from a cool morning to a hot noon; a grid's does not know of it.
LEAST_WARMING = 18.0  # K
FALLS_BY = -0.001  # 1/K: less than a third of what any module's does
# The same numbers, but for how many digits of each are written.
SAME_SHARE, SAME = 1e-3, 0.06
DARK_SHARE = 0.01  # of the day's light
# A current that is a power goes with the voltage too.
POWER_NEAR = 0.3


def same_columns(day: DeviceDay) -> Suspicion | None:
    """Two measurements that are the same number throughout."""
    for first, second in combinations(MEASUREMENTS, 2):
        a, b = getattr(day, first)[day.lit], getattr(day, second)[day.lit]
        if np.ptp(a) > 0 and np.allclose(a, b, rtol=SAME_SHARE, atol=SAME):
            return Suspicion(
                SAME_COLUMNS,
                True,
                f"{first} and {second} are the same number in all {len(a)} readings in the light "
                f"({number(a.min())} to {number(a.max())}): one column was read twice",
                f"--map {first}=COLUMN --map {second}=COLUMN, each with a column of its own",
            )
    return None


def swapped_columns(day: DeviceDay) -> Suspicion | None:
    """A voltage that goes with light, and a current that does not."""
    used = day.lit & (day.voltage > 0) & (day.current > 0)
    light = np.log(day.irradiance[used & (day.irradiance > 0)])
    used &= day.irradiance > 0
    if len(light) < 10 or np.ptp(np.quantile(light, [0.1, 0.9])) < np.log(LIGHT_RANGE):
        return None
    of_voltage, fits = slope(np.log(day.voltage[used]), light)
    of_current, _ = slope(np.log(day.current[used]), light)
    if not (LIKE_CURRENT[0] < of_voltage < LIKE_CURRENT[1] and fits > 0.9 and not abs(of_current) > LIKE_VOLTAGE):
        return None
    brighter = day.irradiance >= np.quantile(day.irradiance[used], 0.9)
    return Suspicion(
        SWAPPED_COLUMNS,
        True,
        f"voltage grows with the light to the power of {of_voltage:.2f} (to {number(np.median(day.voltage[brighter]))} "
        f"V) and current stays at {number(np.median(day.current[used]))} A: a voltage hardly moves with light, a "
        "current goes in proportion",
        "swap the two columns: --map voltage=CURRENT_COLUMN --map current=VOLTAGE_COLUMN",
    )


def power_for_current(day: DeviceDay) -> Suspicion | None:
    """A current that is as large as a power, in W or kW."""
    shares = day.current_share
    if not len(shares) or not day.light_is_w_per_m2:
        return None
    voltage, share = float(np.median(day.voltage[day.works & day.lit])), float(np.median(shares))
    if share > 5 and abs(np.log(share / voltage)) < POWER_NEAR:
        return Suspicion(
            POWER_FOR_CURRENT,
            True,
            f"current is {number(day.top_current)} at most, {number(share)} times what rated_current = "
            f"{number(day.rated_current)} A and the light promise, which is the voltage ({number(voltage)} V): it is "
            "a power in W",
            "map current to a column in A; of a power P in W it is P / voltage",
        )
    as_kw = abs(share / (voltage / 1000) - 1) < 0.12
    if as_kw and _goes_with_voltage(day):
        return Suspicion(
            POWER_FOR_CURRENT,
            False,
            f"current is {number(share)} of what rated_current and the light promise, which is the voltage in kV "
            f"({number(voltage / 1000)}), and falls with heat as a power does: it may be a power in kW",
            "map current to a column in A; of a power P in kW it is 1000 P / voltage",
        )
    return None


def ac_for_dc(day: DeviceDay) -> Suspicion | None:
    """A voltage that is a grid's: near a nominal one, steady, whatever the heat; and there at night."""
    working = day.voltage[day.works]
    middle = float(np.median(working))
    nominal = GRIDS[np.argmin(np.abs(GRIDS / middle - 1))]
    if abs(middle / nominal - 1) > NEAR_GRID or np.std(working) > AC_SCATTER * middle:
        return None
    dark = (day.irradiance < DARK_SHARE * day.top_irradiance) & (day.current < 0.01 * day.top_current)
    at_night = day.voltage[dark]
    told = (
        f"voltage is {number(middle)} V within {100 * np.std(working) / middle:.1f} % while the array works, near the "
        f"grid's {nominal:g} V"
    )
    remedy = "map voltage and current to the columns of the DC side (U_dc, I_dc, MPPT, PV1)"
    # One that stands still to the last digit is a logger that has stopped.
    if len(at_night) >= 6 and abs(np.median(at_night) / middle - 1) < NEAR_GRID and len(np.unique(at_night)) > 3:
        return Suspicion(
            AC_FOR_DC,
            True,
            f"{told}, and {number(np.median(at_night))} V in {len(at_night)} readings without light: it is not of "
            "an array",
            remedy,
        )
    warm = day.works & day.lit & np.isfinite(day.temperature)
    if not day.temperature_is_celsius or warm.sum() < 10 or np.ptp(day.temperature[warm]) < LEAST_WARMING:
        return None
    falls, _ = slope(day.voltage[warm] / middle, day.temperature[warm])
    if falls < FALLS_BY:
        return None
    return Suspicion(
        AC_FOR_DC,
        False,
        f"{told}, and does not fall from {number(day.temperature[warm].min())} to "
        f"{number(day.temperature[warm].max())} °C, as an array's does by 0.35 % for each °C",
        remedy,
    )


def _goes_with_voltage(day: DeviceDay) -> bool:
    """Whether current per light falls with temperature as a power does (-0.4 %/K) and no current (+0.05 %/K)."""
    used = day.works & day.lit & np.isfinite(day.temperature)
    if not day.temperature_is_celsius or used.sum() < 10 or np.ptp(day.temperature[used]) < LEAST_WARMING:
        return False
    per_light = np.log(day.current[used] / day.irradiance[used])
    falls, fits = slope(per_light, day.temperature[used])
    return -0.006 < falls < -0.0028 and fits < -0.8
