"""What an image says in numbers beside its deviations: marks.

Here: which marks there are, how they are measured, on which scale they stand. Not here: how an image shows them
(`scalogram.py`), what the days before let expect (`reference.py`), statistics for judges without an image
(`hourly_statistics.py`).

A mark is a number of the hour by its name, or, where one of `WAYS` follows the name, how that number of the hour
stands to those of the hours before it on the same date and under the same sun. Names begin with the signal. `voltage`,
`current` and `power` are deviations from what the days before let expect; `rated_voltage`, `rated_current` and
`rated_power` are relative to the ratings, `power_ratio` and `current_ratio` to what the irradiance promises of them.
"""

from functools import cache

import numpy as np

from pvfault import reference
from pvfault.expected_power import STC_IRRADIANCE
from pvfault.hourly_statistics import RELATIONS, SIGNALS, SUMMARIES, relate, relative_signals, summarise
from pvfault.reference import HISTORY, N_VOLTAGE, Background
from pvfault.windows import WINDOWS_PER_DAY

BOUND = 2.5

# Marks that differ from a middle to both sides: the middle, and the unit from which on they grow by their logarithm.
# Medians of 26,112 training windows and of their distances from it; the middle of a surplus and of the day is 0.
# `pvfault derive marks` finds them again, as it does the sizes and which marks there are.
CHANGES = {
    "voltage_mean": (-0.0032, 0.01),
    "voltage_min": (-0.033, 0.026),
    "voltage_q10": (-0.018, 0.016),
    "voltage_q25": (-0.01, 0.011),
    "voltage_q50": (-0.0027, 0.0079),
    "voltage_max": (0.014, 0.016),
    "current_mean": (-0.023, 0.033),
    "current_min": (-0.12, 0.096),
    "current_q50": (-0.018, 0.026),
    "current_q75": (-0.006, 0.025),
    "current_max": (0.016, 0.042),
    "current_q10": (-0.059, 0.051),
    "power_mean": (-0.078, 0.077),
    "power_min": (-0.19, 0.16),
    "power_q10": (-0.14, 0.12),
    "power_q25": (-0.099, 0.09),
    "power_q50": (-0.065, 0.066),
    "power_max": (-0.00063, 0.076),
    "rated_voltage_mean": (0.91, 0.058),
    "rated_voltage_min": (0.87, 0.069),
    "rated_voltage_q10": (0.89, 0.065),
    "rated_voltage_max": (0.96, 0.058),
    "rated_power_q10": (0.19, 0.15),
    "rated_power_q25": (0.24, 0.18),
    "power_ratio_min": (0.7, 0.18),
    "power_ratio_q10": (0.77, 0.14),
    "current_ratio_min": (0.8, 0.13),
    "current_ratio_q75": (0.94, 0.05),
    "current_ratio_drift": (-0.00049, 0.011),
    "temperature_mean": (33, 11),
    "temperature_max": (36, 12),
    "irradiance_q75": (0.5, 0.28),
    "irradiance_max": (0.58, 0.28),
    "voltage_on_temperature": (0.00011, 0.0016),
    "modules_surplus": (0, 0.085),
    "strings_surplus": (0, 0.12),
    "from_noon": (0, 2.6),
    "voltage_1_days_ago": (0.98, 0.012),
    "voltage_2_days_ago": (0.98, 0.012),
    "voltage_3_days_ago": (0.98, 0.012),
    "voltage_56_to_154_days_ago": (0.99, 0.0087),
    "current_1_days_ago": (0.99, 0.037),
    "current_2_days_ago": (0.99, 0.036),
    "current_56_to_154_days_ago": (0.99, 0.028),
    "voltage_1_hours_ago": (0.98, 0.02),
    "current_1_hours_ago": (0.97, 0.052),
    "voltage_min_hour_before": (-0.029, 0.022),
    "voltage_mean_hour_before": (-0.0025, 0.0081),
    "power_q50_hour_before": (-0.052, 0.056),
    "current_std_against_earlier": (-0.003, 0.011),
    "irradiance_mean_against_earlier": (0.12, 0.18),
    "rated_voltage_mean_against_earlier": (-0.014, 0.02),
    "rated_voltage_max_against_earlier": (-0.013, 0.018),
    "current_ratio_q50_against_earlier": (0.005, 0.03),
}  # fmt: skip
# Marks of one sign that run over decades: median and spread (nine in ten lie within 3.3 of it) of their natural
# logarithms in the same windows, but for those where they are 0.
SIZES = {
    "voltage_std": (-4.6, 1.1),
    "voltage_step_max": (-4.2, 1.4),
    "current_std": (-3.8, 1.2),
    "current_step_max": (-3.4, 1.6),
    "power_std": (-3.8, 1.3),
    "power_step_mean": (-5, 1.1),
    "power_step_max": (-3.5, 1.7),
    "current_off_irradiance": (-5, 1.1),
    "rated_voltage_step_mean": (-5.5, 0.7),
    "rated_power_std": (-3.1, 0.99),
    "rated_power_step_mean": (-5.6, 0.94),
    "rated_current_step_max": (-4.1, 1.4),
    "current_ratio_step_mean": (-4.7, 1.1),
    "power_ratio_std": (-3.7, 1.4),
    "temperature_std": (0.5, 0.75),
    "irradiance_mean": (-0.84, 0.79),
    "irradiance_std": (-2.8, 0.86),
    "irradiance_step_mean": (-5.7, 0.95),
    "irradiance_step_std": (-5.7, 1.1),
    "without_current": (-1.8, 1.3),
    "modules_remainder": (-2.7, 1.4),
    "strings_remainder": (-2.5, 1.4),
    "modules": (2.2, 0.5),
    "strings": (1.1, 0.73),
    "current_off_irradiance_range": (-4.6, 1.5),
    "voltage_step_mean_range": (-6.1, 0.7),
    "voltage_mean_range": (-3.6, 1.3),
    "voltage_std_range": (-4.3, 1.5),
    "power_max_range": (-2.1, 1.4),
    "current_mean_range": (-2.7, 1.4),
    "voltage_max_range": (-3.3, 1.2),
    "voltage_step_max_range": (-4.5, 1.5),
    "voltage_on_temperature_range": (-4.4, 1.3),
    "irradiance_mean_range": (-0.49, 0.76),
    "current_step_mean_earlier": (-4.7, 0.96),
    "current_off_irradiance_earlier": (-4.9, 1),
}  # fmt: skip
MARKS = (*CHANGES, *SIZES)

CHANGE_SPREAD = 1.6
LEAST_SIZE = 0.001
_HOURS_BACK = 23
WAYS = ("against_earlier", "earlier", "hour_before", "range")
_LONG_AGO = (56, 154)  # days


def measure_marks(values, deviations, owner, hour, background: Background):
    """Measure the marks of the windows of a date.

    The marks of a window hang on the windows of its device up to it on the same date, and on no later or other ones.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    deviations : ndarray, shape (n, 180, 2)
        Of voltage and current, as `reference.deviate` gives them.
    owner, hour : ndarray of int, shape (n,)
        Which device, and which hour of the date, UTC.
    background : Background
        Of the windows.

    Returns
    -------
    ndarray of float64, shape (n, len(MARKS))
        On scales on which nine in ten windows lie within ±2, none beyond ±2.5; NaN where nothing is known.
    """
    # A window's marks do not depend on the windows beside it, whatever the order of additions inside.
    return np.round(to_scale(measure_numbers(values, deviations, owner, hour, background)), reference.DIGITS)


def to_scale(numbers, changes=CHANGES, sizes=SIZES):
    """Bring numbers to the scales of marks.

    Parameters
    ----------
    numbers : dict of str to ndarray, shape (n,)
    changes, sizes : dict of str to (float, float)
        Middle and unit of numbers that differ from it to both sides, and median and spread of the logarithms of those
        of one sign, by name.

    Returns
    -------
    ndarray of float64, shape (n, len(changes) + len(sizes))
        None beyond ±2.5; NaN where nothing is known.
    """
    columns = [np.arcsinh((numbers[name] - middle) / unit) / CHANGE_SPREAD for name, (middle, unit) in changes.items()]
    columns += [(np.log(numbers[name] + LEAST_SIZE) - middle) / spread for name, (middle, spread) in sizes.items()]
    return np.clip(np.column_stack(columns), -BOUND, BOUND)


def measure_numbers(values, deviations, owner, hour, background, names=MARKS):
    """Measure what marks say, before it is brought to their scales.

    Parameters
    ----------
    values, deviations, owner, hour, background
        As for `measure_marks`.
    names : tuple of str
        That are wanted; others may come with them.

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    numbers = _of_hour(values, deviations, hour, background, names) | _of_course(background.course)
    so_far = _hours_so_far(owner, hour, background.references[:, -1])
    for name, way in (_split(wanted) for wanted in names):
        if way:
            numbers[f"{name}_{way}"] = _compare(np.where(so_far >= 0, numbers[name][so_far], np.nan), way)
    return numbers


def _hours_so_far(owner, hour, noon):
    """Which windows are the `_HOURS_BACK` before each and itself, shape (n, _HOURS_BACK + 1); -1 where none is."""
    rows = np.full((owner.max(initial=-1) + 1, _HOURS_BACK + WINDOWS_PER_DAY), -1)
    rows[owner, _HOURS_BACK + hour] = np.arange(len(owner))
    since_midnight = (hour - noon + 12) % 24  # of the sun
    # Dates are of UTC: in America a date begins with the evening before.
    same_day = np.arange(_HOURS_BACK, -1, -1) <= since_midnight[:, None]
    return np.where(same_day, rows[owner[:, None], hour[:, None] + np.arange(_HOURS_BACK + 1)], -1)


def _split(mark):
    """The name of the number of a mark, and the way in which it is seen, if it is not of the hour alone."""
    way = next((way for way in WAYS if mark.endswith(f"_{way}")), None)
    return (mark.removesuffix(f"_{way}"), way) if way else (mark, None)


def _compare(so_far, way):
    """How the last of the hours of a day, shape (n, hours), stands to those before it."""
    if way == "range":
        return np.fmax.reduce(so_far, axis=1) - np.fmin.reduce(so_far, axis=1)
    if way == "hour_before":
        return so_far[:, -2]
    earlier = _mean_known(so_far[:, :-1])
    return earlier if way == "earlier" else so_far[:, -1] - earlier


def _of_hour(values, deviations, hour, background, wanted):
    """What is measured of the hours themselves."""
    _, current, temperature, irradiance = np.moveaxis(np.asarray(values, np.float64), -1, 0)
    by_deviation = dict(zip(("voltage", "current"), np.moveaxis(deviations, -1, 0), strict=True))
    by_deviation["power"] = (1 + by_deviation["voltage"]) * (1 + by_deviation["current"]) - 1
    names = (f"rated_{signal}" if signal in by_deviation else signal for signal in SIGNALS)
    by_rating = dict(zip(names, np.moveaxis(relative_signals(values, background.ratings), -1, 0), strict=True))
    numbers = {}
    for signal, slots in (by_deviation | by_rating).items():
        numbers |= {f"{signal}_{summary}": n for summary, n in summarise(slots, _summaries_of(signal, wanted)).items()}
    per_light = current / background.references[:, N_VOLTAGE, None]
    relations = relate(1 + by_deviation["voltage"], per_light, temperature, irradiance / STC_IRRADIANCE)
    numbers |= dict(zip(RELATIONS, relations.T, strict=True))
    for k, part in enumerate(("modules", "strings")):
        surplus = background.surplus[:, k]
        numbers |= {
            part: background.layout[:, k],
            f"{part}_surplus": surplus,
            f"{part}_remainder": np.abs(surplus - np.round(surplus)),
        }
    return numbers | {"from_noon": (hour + 0.5 - background.references[:, -1] + 12) % 24 - 12}


@cache
def _summaries_of(signal, wanted):
    """The summaries of a signal that numbers of some names are made of."""
    names = {_split(name)[0] for name in wanted}
    return tuple(summary for summary in SUMMARIES if f"{signal}_{summary}" in names)


def _of_course(course):
    """Voltage and current on single dates, long ago and in the hours before, as shares of what is typical."""
    dates, hours = course[:, : len(HISTORY)], course[:, len(HISTORY) : -1]
    back = np.array(HISTORY[::-1])
    steps = {f"{days}_days_ago": dates[:, -1 - position] for position, days in enumerate(HISTORY)}
    first, last = _LONG_AGO
    steps[f"{first}_to_{last}_days_ago"] = _mean_known(dates[:, (back >= first) & (back <= last)])
    steps["1_hours_ago"] = hours[:, -1]
    return {
        f"{signal}_{step}": level[:, k]
        for k, signal in enumerate(("voltage", "current"))
        for step, level in steps.items()
    }


def _mean_known(values):
    """Mean over the second axis of what is known there; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
