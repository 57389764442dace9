"""What devices that are not registered should give on a date, from the dates of a file before and behind it.

Jobs make a date when the ones behind it are not there yet; of those before, `rows/references.py` tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from pvfault import reference
from pvfault.estimates import Estimate, estimate_day, healthy_hours
from pvfault.readings import MEASUREMENTS
from pvfault.registry import EMPTY_REGISTRY
from pvfault.rows.sifting import sift_readings


@dataclass(frozen=True)
class Neighbourhood:
    """Hourly means of devices that are not registered, with what is healthy among them.

    Attributes
    ----------
    means : dict of str to dict of date to ndarray, shape (24, 4)
        As `learn_references` takes them.
    healthy : dict of str to dict of date to ndarray, shape (24, 4)
        The same; NaN in hours that lie below the best of all dates.
    ratings : dict of str to ndarray, shape (2,)
        Of the best dates; NaN where nothing tells them.
    """

    means: dict[str, dict[date, np.ndarray]]
    healthy: dict[str, dict[date, np.ndarray]]
    ratings: dict[str, np.ndarray]

    @classmethod
    def of(cls, days: Iterator[tuple[date, pa.Table]]) -> "Neighbourhood":
        """From the readings of each date, sorted by device and time, each pair once."""
        means: dict[str, dict[date, np.ndarray]] = {}
        found: dict[str, dict[date, Estimate]] = {}
        for day, readings in days:
            for device, hourly, estimate in _look(day, readings):
                means.setdefault(device, {})[day] = hourly
                found.setdefault(device, {})[day] = estimate
        healthy, ratings = {}, {}
        for device, by_day in found.items():
            is_healthy, ratings[device] = healthy_hours(list(by_day.values()))
            healthy[device] = {
                day: np.where(which[:, None], means[device][day], np.nan)
                for day, which in zip(by_day, is_healthy, strict=True)
            }
        return cls(means, healthy, ratings)

    def references(self, day: date) -> dict[str, np.ndarray]:
        """What each device should give on a date by what it gave on others, as `references_by_device` has it.

        Devices of which no other date tells anything are left out.
        """
        devices = [device for device, days in self.means.items() if day in days and len(days) > 1]
        devices = [device for device in devices if np.isfinite(self.ratings[device]).all()]
        if not devices:
            return {}
        around = [day + timedelta(days=sign * back) for sign in (-1, 1) for back in reference.HISTORY]
        ratings = np.stack([self.ratings[device] for device in devices])
        healthy = np.stack([_history(self.healthy[device], around) for device in devices])
        learned = reference.or_typical(reference.learn_references(healthy, ratings), ratings)
        before = np.stack([_history(self.means[device], around[: len(reference.HISTORY)]) for device in devices])
        levels = reference.measure_levels(before, learned).reshape(len(devices), -1)
        return dict(zip(devices, np.concatenate([learned, levels], axis=1), strict=True))


def _look(day, readings):
    """Of each device of a date, its hourly means and what its readings tell of it."""
    sifted = sift_readings(readings, day, EMPTY_REGISTRY)
    for number, name in enumerate(sifted.devices):
        own = sifted.of(number)
        yield name, sifted.hourly_means[number], estimate_day(sifted.second[own], sifted.of_the_array[own])


def _history(by_day, days):
    """Hourly means of some dates, shape (n_days, 24, 4); NaN for those that are not there."""
    unknown = np.full((24, len(MEASUREMENTS)), np.nan)
    return np.stack([by_day.get(day, unknown) for day in days])
