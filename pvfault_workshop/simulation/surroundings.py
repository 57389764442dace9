"""Statistics of what surrounds an hour, for judges that see no image: the days before, its day, its neighbours.

Here: which these are, and computing them for labelled windows. Not here: statistics of the hour itself
(`pvfault/hourly_statistics.py`), who judges by them (`pvfault_workshop/evaluation/contenders.py`).
"""

import warnings

import numpy as np

from pvfault import reference
from pvfault.hourly_statistics import LEAST_IRRADIANCE, STATISTICS
from pvfault.reference import COURSE
from pvfault.windows import SLOTS, WINDOWS_PER_DAY

# What is compared with the hours before and the rest of the day.
DAY_STATISTICS = (
    "voltage_mean", "voltage_std", "voltage_step_mean", "voltage_max", "current_ratio_q50", "current_ratio_std",
    "power_ratio_mean", "power_ratio_q50", "power_ratio_std", "power_ratio_min", "power_ratio_max",
    "power_ratio_step_mean", "current_on_irradiance", "current_off_irradiance", "irradiance_mean",
)  # fmt: skip
# Of voltage and current relative to what the days before let expect; then their course and surplus, and how far the
# surplus is from a whole number of modules or strings.
DEVIATIONS = (
    *(f"{signal}_{summary}" for signal in ("voltage", "current") for summary in ("mean", "q10", "q50", "q90", "std")),
    *(f"{signal}_course_{step}" for step in range(COURSE) for signal in ("voltage", "current")),
    "modules_surplus", "strings_surplus", "modules_remainder", "strings_remainder",
)  # fmt: skip
# What is compared with the neighbours under the same sky.
NEIGHBOUR_STATISTICS = (
    "voltage_mean", "current_ratio_q50", "power_ratio_mean", "power_ratio_q50", "power_ratio_std", "voltage_step_mean",
    "current_on_irradiance", "current_off_irradiance",
)  # fmt: skip


def compare_with_days_before(values, hour, ratings, background):
    """How hours differ from what their devices' days before let expect, shape (n, len(DEVIATIONS))."""
    voltage, current, temperature, irradiance = values.astype(np.float64).transpose(2, 0, 1)
    expected = reference.expect(
        background.references, temperature, irradiance, hour[:, None] + np.arange(SLOTS) / SLOTS
    )
    columns = []
    for measured, healthy, rated in zip((voltage, current), expected, ratings.T, strict=True):
        deviation = (measured - healthy) / np.maximum(healthy, LEAST_IRRADIANCE * rated[:, None])
        columns += [deviation.mean(axis=1), *np.quantile(deviation, (0.1, 0.5, 0.9), axis=1), deviation.std(axis=1)]
    course, surplus = background.course.reshape(len(values), -1), background.surplus
    return np.column_stack([*columns, course, surplus, np.abs(surplus - np.round(surplus))]).astype(np.float32)


def look_at_the_day(statistics, owner, hour):
    """What the other hours of a device's day are like, shape (n, 4 * len(DAY_STATISTICS))."""
    own = statistics[:, [STATISTICS.index(name) for name in DAY_STATISTICS]]
    day = np.full((owner.max(initial=-1) + 1, WINDOWS_PER_DAY, len(DAY_STATISTICS)), np.nan, np.float32)
    day[owner, hour] = own
    before = np.full_like(day, np.nan)
    before[:, 1:] = day[:, :-1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN")  # nobody was judged by then, or on that day
        so_far = [np.full_like(day[:, 0], np.nan)]
        so_far += [np.nanmedian(day[:, :last], axis=1) for last in range(1, WINDOWS_PER_DAY)]
        middle, spread = np.nanmedian(day, axis=1), np.nanmax(day, axis=1) - np.nanmin(day, axis=1)
    return np.column_stack([before[owner, hour], np.stack(so_far, axis=1)[owner, hour], middle[owner], spread[owner]])


def compare_with_neighbours(statistics, owner, hour, number, site):
    """Median, over the other devices of the site, of some statistics of the same hour; NaN where there is none.

    The healthy twin of a device is no neighbour, neither of it nor of others.
    """
    _, original = np.unique(number, return_index=True)
    arranged = np.full((len(number), WINDOWS_PER_DAY, len(NEIGHBOUR_STATISTICS)), np.nan, np.float32)
    arranged[owner, hour] = statistics[:, [STATISTICS.index(name) for name in NEIGHBOUR_STATISTICS]]
    median = np.full_like(arranged, np.nan)
    for day in range(len(number)):
        beside = original[(site[original] == site[day]) & (number[original] != number[day])]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN slice")  # nobody was judged in that hour
            if len(beside):
                median[day] = np.nanmedian(arranged[beside], axis=0)
    return median[owner, hour]
