"""What an image says in numbers beside its deviations: marks.

Here: which marks there are, how they are measured, on which scale they stand. Not here: how an image shows them
(`scalogram.py`), what the days before let expect (`reference.py`), statistics for judges without an image
(`hourly_statistics.py`).
"""

import numpy as np

from pvfault import reference
from pvfault.hourly_statistics import LEAST_IRRADIANCE, RELATIONS, drift, relate
from pvfault.reference import HISTORY, N_VOLTAGE, Background
from pvfault.verdicts import STC_IRRADIANCE
from pvfault.windows import WINDOWS_PER_DAY

BOUND = 2.5

# Of the course, the farthest first: single dates, but means of those far back, and hours.
_LONG_AGO, _WEEKS_AGO = (56, 154), (21, 42)
_DAYS_AGO = (14, 10, 7, 5, 3, 2, 1)
_HOURS_AGO = (6, 5, 4, 3, 2, 1)
_STEPS = (
    *(f"{first}_to_{last}_days_ago" for first, last in (_LONG_AGO, _WEEKS_AGO)),
    *(f"{days}_days_ago" for days in _DAYS_AGO),
    *(f"{hours}_hours_ago" for hours in _HOURS_AGO),
)

# Of the hour itself. Voltage and current as deviations from what is expected, power as that of both.
_SUMMARIES = ("mean", "std", "min", "q10", "q50", "q90", "max", "step_mean", "step_max", "drift")
_ARRAY = ("modules_surplus", "strings_surplus", "modules", "strings")
_LIGHT = ("irradiance", "irradiance_std", "irradiance_step_mean", "irradiance_drift")
_HOUR = (
    *_ARRAY, "temperature", "from_noon", *_LIGHT, *(f"voltage_{summary}" for summary in _SUMMARIES),
    *(f"current_{summary}" for summary in _SUMMARIES), "power_min", "power_q50", "power_max", *RELATIONS,
)  # fmt: skip

# Of the hours before it on the same date and under the same sun: how the hour differs from their mean, the last one of
# them, the range of all up to it. Dates are of UTC: in America a date begins with the evening before.
_HOURS_BACK = 23
_AGAINST_EARLIER = (
    "voltage_mean", "current_mean", "power_q50", "voltage_std", "voltage_step_mean", "current_std",
    "current_on_irradiance", "current_off_irradiance",
)  # fmt: skip
_HOUR_BEFORE = (
    "voltage_std", "voltage_step_mean", "current_std", "current_on_irradiance", "current_off_irradiance", "power_min",
    "without_current",
)  # fmt: skip
_RANGE = (
    "voltage_mean", "current_mean", "power_q50", "voltage_std", "voltage_step_mean", "current_on_irradiance",
    "current_off_irradiance",
)  # fmt: skip

MARKS = (
    *(f"{signal}_{step}" for signal in ("voltage", "current") for step in _STEPS),
    *(f"{name}_against_earlier" for name in _AGAINST_EARLIER),
    *(f"{name}_hour_before" for name in _HOUR_BEFORE),
    *_HOUR,
    *(f"{name}_range" for name in _RANGE),
)

# Middle and spread of what is neither a deviation nor a size: counts, logarithms, degrees, hours, shares.
_LEVELS = {
    "modules_surplus": (0.0, 4 / 3), "strings_surplus": (0.0, 4 / 3), "modules": (2.5, 0.5), "strings": (1.0, 0.7),
    "temperature": (30.0, 12.0), "from_noon": (0.0, 3.0), "irradiance": (-0.8, 0.8), "without_current": (0.5, 1 / 3),
}  # fmt: skip
_SIZES = (
    *(f"{signal}_{size}" for signal in ("voltage", "current") for size in ("std", "step_mean", "step_max")),
    "irradiance_std", "irradiance_step_mean", "current_off_irradiance", "jumps",
)  # fmt: skip
# Deviations from which on a mark grows by their logarithm.
_UNITS = {
    "voltage": 0.003, "current": 0.008, "power": 0.008, "irradiance": 0.008, "current_on_irradiance": 0.015,
    "voltage_on_temperature": 0.0005,
}  # fmt: skip
_COURSE_UNIT = 0.01
_LEAST_SIZE = 0.0005


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
        On scales on which most windows lie within ±2, none beyond ±2.5; NaN where nothing is known.
    """
    of_hour = _measure_hours(values, deviations, hour, background)
    since_midnight = (hour - background.references[:, -1] + 12) % 24  # of the sun
    same_day = np.arange(_HOURS_BACK, -1, -1) <= since_midnight[:, None]
    so_far = {}
    for name in {*_AGAINST_EARLIER, *_HOUR_BEFORE, *_RANGE}:
        days = np.full((owner.max(initial=-1) + 1, WINDOWS_PER_DAY), np.nan)
        days[owner, hour] = of_hour[name]
        so_far[name] = np.where(same_day, _back(days)[owner, hour], np.nan)
    columns = [
        *(_deviation(step - 1, _COURSE_UNIT) for step in _shorten(background.course)),
        *(_change(name, of_hour[name] - _mean_known(so_far[name][:, :-1])) for name in _AGAINST_EARLIER),
        *(_scale(name, so_far[name][:, -2]) for name in _HOUR_BEFORE),
        *(_scale(name, of_hour[name]) for name in _HOUR),
        *(_size(np.fmax.reduce(so_far[name], axis=1) - np.fmin.reduce(so_far[name], axis=1)) for name in _RANGE),
    ]
    # A window's marks do not depend on the windows beside it, whatever the order of additions inside.
    return np.round(np.clip(np.column_stack(columns), -BOUND, BOUND), reference.DIGITS)


def _measure_hours(values, deviations, hour, background):
    """What is measured of the hours themselves, by its name, each of shape (n,)."""
    _, current, temperature, irradiance = np.moveaxis(np.asarray(values, np.float64), -1, 0)
    voltage_deviation, current_deviation = np.moveaxis(deviations, -1, 0)
    light, references = irradiance / STC_IRRADIANCE, background.references
    relations = relate(1 + voltage_deviation, current / references[:, N_VOLTAGE, None], temperature, light)
    power = (1 + voltage_deviation) * (1 + current_deviation) - 1
    numbers = {
        "modules_surplus": background.surplus[:, 0],
        "strings_surplus": background.surplus[:, 1],
        "modules": np.log(background.layout[:, 0]),
        "strings": np.log(background.layout[:, 1]),
        "temperature": temperature.mean(axis=1),
        "from_noon": (hour + 0.5 - references[:, -1] + 12) % 24 - 12,
        "irradiance": np.log(np.maximum(light.mean(axis=1), LEAST_IRRADIANCE)),
        "irradiance_std": light.std(axis=1),
        "irradiance_step_mean": np.abs(np.diff(light, axis=1)).mean(axis=1),
        "irradiance_drift": drift(light),
        "power_min": power.min(axis=1),
        "power_q50": np.median(power, axis=1),
        "power_max": power.max(axis=1),
        **dict(zip(RELATIONS, relations.T, strict=True)),
    }
    for signal, deviation in (("voltage", voltage_deviation), ("current", current_deviation)):
        steps = np.abs(np.diff(deviation, axis=1))
        summaries = (
            deviation.mean(axis=1), deviation.std(axis=1), deviation.min(axis=1),
            *np.quantile(deviation, (0.1, 0.5, 0.9), axis=1), deviation.max(axis=1), steps.mean(axis=1),
            steps.max(axis=1), drift(deviation),
        )  # fmt: skip
        numbers |= {f"{signal}_{summary}": n for summary, n in zip(_SUMMARIES, summaries, strict=True)}
    return numbers


def _shorten(course):
    """The steps of the course that are marks, voltage first, each of shape (n,)."""
    dates, hours = course[:, : len(HISTORY)], course[:, len(HISTORY) : -1]
    back = np.array(HISTORY[::-1])
    spans = [*(_LONG_AGO, _WEEKS_AGO), *((days, days) for days in _DAYS_AGO)]
    steps = [_mean_known(dates[:, (back >= first) & (back <= last)]) for first, last in spans]
    steps += [hours[:, -ago] for ago in _HOURS_AGO]
    return [step[:, signal] for signal in range(2) for step in steps]


def _mean_known(values):
    """Mean over the second axis of what is known there; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _back(days):
    """The `_HOURS_BACK` before each hour, and the hour itself, shape (n, 24, _HOURS_BACK + 1); NaN before the date."""
    padded = np.concatenate([np.full((len(days), _HOURS_BACK), np.nan), days], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, _HOURS_BACK + 1, axis=1)


def _scale(name, number):
    """A number of the hour on the scale of marks."""
    if name in _LEVELS:
        middle, spread = _LEVELS[name]
        return (number - middle) / spread
    if name in _SIZES:
        return _size(number)
    return _change(name, number - (1 if name == "current_on_irradiance" else 0))


def _change(name, number):
    """A deviation, or a change of any number, on the scale of marks."""
    return _deviation(number, _UNITS.get(name) or _UNITS[name.split("_")[0]])


def _size(number):
    """What has no sign and runs over decades: 0 for 0.9 %, 1 for 3.3 %."""
    return (np.log(number + _LEAST_SIZE) + 4.7) / 1.3


def _deviation(number, unit):
    """What has a sign and runs over decades: as it is near 0, by its logarithm far from it."""
    return np.arcsinh(number / unit) / 2
