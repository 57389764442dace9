"""Windows with their truth, from simulated devices.

Here: which devices and days are simulated for training, validation and test, and how their windows are labelled. Not
here: the simulation of a device (`devices.py`), training with the windows (`pvfault/training.py`).

The windows take the way of production: readings with errors and gaps, `cut_windows`, ratings as the registry has
them, `transform`. Every faulty device-day comes with its healthy twin, the same device under the same sky with the
same noise, so that nothing but the fault tells them apart.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from pvfault import scalogram
from pvfault.faults import FAULTS, NONE
from pvfault.readings import SAMPLE_PERIOD_S
from pvfault.simulation.devices import simulate_day
from pvfault.simulation.fleet import simulate_fleet, site_weather
from pvfault.simulation.sites import TEST_SITES, TRAINING_SITES, VALIDATION_SITES, Site
from pvfault.windows import SLOTS, WINDOWS_PER_DAY, cut_windows

# A fault counts in a window if it changes voltage and current there by this much together. It is about what the
# sensors can tell; a shadow outside its hours, or an arc that rests, leaves a window healthy.
LEAST_EFFECT = 0.02
# Devices that share a date, so that they share the weather of their sites.
FLEET = 24
# About half of the windows are healthy: alone, a window that shows little should be taken for healthy.
HEALTHY_SHARE = 0.45


@dataclass(frozen=True)
class Split:
    """Where and when the devices of one part of the data are simulated.

    Attributes
    ----------
    name : str
    sites : tuple of Site
    first : date
        The fleets' dates are spread over the year from here on.
    seed : int
    """

    name: str
    sites: tuple[Site, ...]
    first: date
    seed: int


TRAINING = Split("training", TRAINING_SITES, date(2021, 1, 1), 1_000_000)
VALIDATION = Split("validation", VALIDATION_SITES, date(2022, 1, 1), 2_000_000)
TEST = Split("test", TEST_SITES, date(2024, 1, 1), 4_000_000)


@dataclass(frozen=True)
class LabelledWindows:
    """Images with their truth.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 64, 64, 4)
    label : ndarray of int, shape (n,)
        Position in `FAULTS`.
    device_day : ndarray of int, shape (n,)
        Which device-day each window is of.
    hour : ndarray of int, shape (n,)
        0 to 23.
    severity : ndarray of float, shape (n,)
        Of the fault; 0 for healthy windows.
    """

    images: np.ndarray
    label: np.ndarray
    device_day: np.ndarray
    hour: np.ndarray
    severity: np.ndarray

    def __len__(self):
        return len(self.label)

    def select(self, which):
        """Pick some of the windows, by index or mask."""
        return LabelledWindows(**{name: values[which] for name, values in vars(self).items()})


def simulate_windows(
    split: Split, devices: int, *, faulty: float = 1.0, twins: bool = True, thinned: bool = False, workers: int = 1,
    report: Callable[[int], None] = lambda _done: None,
) -> LabelledWindows:  # fmt: skip
    """Simulate one day of each of some devices, and label its windows.

    Parameters
    ----------
    split : Split
    devices : int
    faulty : float
        Share of faulty devices.
    twins : bool
        Whether the healthy twin of each faulty device-day is added, as a device-day of its own.
    thinned : bool
        Whether healthy windows are left out at random, so that `HEALTHY_SHARE` remain; for training only.
    workers : int
        Processes; the result does not depend on it.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    LabelledWindows
    """
    jobs = [
        (split, number, min(FLEET, devices - first), faulty, twins, thinned)
        for number, first in enumerate(range(0, devices, FLEET))
    ]
    parts, days, done = [], 0, 0
    for (part, part_days), job in zip(_map(_simulate_fleet_windows, jobs, workers), jobs, strict=True):
        parts.append(LabelledWindows(**(vars(part) | {"device_day": part.device_day + days})))
        days += part_days
        done += job[2]
        report(done)
    return LabelledWindows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _map(function, jobs, workers):
    """Map in this process, or in some new ones (not forked: TensorFlow's threads do not survive that)."""
    if workers == 1:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(function, jobs)


def _simulate_fleet_windows(job):
    """Labelled windows of one fleet on its date, and how many device-days they are of."""
    split, number, devices, faulty, twins, thinned = job
    seed = split.seed + number
    # 157 and 365 have no common factor: the dates of successive fleets run through all seasons.
    day = split.first + timedelta(days=number * 157 % 365)
    fleet = simulate_fleet(devices, [day], seed, sites=split.sites, faulty=faulty)
    readings, labels, ratings, severity = [], [], [], []
    for device in fleet.devices:
        for simulated, label in _label_day(device, day, site_weather(seed, device.site, day), twins=twins):
            readings.append(simulated)
            labels.append(label)
            ratings.append((round(device.rated_voltage, 2), round(device.rated_current, 2)))
            severity.append(device.fault.severity if device.fault and label.any() else 0.0)
    rng = np.random.default_rng([seed, 5]) if thinned else None
    return _cut(readings, np.array(labels), np.array(ratings), np.array(severity), rng), len(readings)


def _label_day(device, day, weather, *, twins):
    """The day of a device with the label of each of its hours, and that of its healthy twin."""
    healthy = np.zeros(WINDOWS_PER_DAY, int)
    simulated = simulate_day(device, day, weather)
    if device.fault is None:
        return [(simulated, healthy)]
    twin = simulate_day(device.healthy_twin(), day, weather)
    shows = measure_effect(simulated.truth, twin.truth) >= LEAST_EFFECT
    labelled = (simulated, np.where(shows, FAULTS.index(device.fault.name), FAULTS.index(NONE)))
    return [labelled, (twin, healthy)] if twins else [labelled]


def measure_effect(faulty, healthy):
    """How much a fault changes each hour of a day.

    Parameters
    ----------
    faulty, healthy : ndarray, shape (4320, 4)
        True values of a device and of its healthy twin; voltage and current are compared.

    Returns
    -------
    ndarray, shape (24,)
        Mean absolute change of the voltage plus that of the current, each relative to its healthy mean; 0 in the dark.
    """
    change = np.abs(faulty - healthy)[:, :2].reshape(WINDOWS_PER_DAY, SLOTS, 2).mean(axis=1)
    level = np.abs(healthy)[:, :2].reshape(WINDOWS_PER_DAY, SLOTS, 2).mean(axis=1)
    return np.divide(change, level, out=np.zeros_like(change), where=level > 0).sum(axis=1)


def _cut(days, labels, ratings, severity, rng):
    """Windows of device-days as production cuts and transforms them; with a generator, thinned."""
    received = np.stack([day.received for day in days])
    device, slot = np.nonzero(received)
    measurements = np.stack([day.readings for day in days])[received]
    windows = cut_windows(device, slot * float(SAMPLE_PERIOD_S), measurements, len(days))
    owner, hour = np.divmod(windows.judged, WINDOWS_PER_DAY)
    kept = np.arange(len(owner)) if rng is None else thin(labels[owner, hour], rng)
    owner, hour = owner[kept], hour[kept]
    label = labels[owner, hour]
    return LabelledWindows(
        images=scalogram.transform(scalogram.normalise(windows.values[kept], ratings[owner])),
        label=label,
        device_day=owner,
        hour=hour,
        severity=np.where(label > 0, severity[owner], 0.0),
    )


def thin(label, rng):
    """Leave out healthy windows until `HEALTHY_SHARE` are healthy.

    Parameters
    ----------
    label : ndarray of int, shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int
        The windows that remain, ascending; the faulty ones all do.
    """
    healthy, faulty = np.flatnonzero(label == 0), np.flatnonzero(label > 0)
    wanted = min(len(healthy), round(len(faulty) * HEALTHY_SHARE / (1 - HEALTHY_SHARE)))
    return np.sort(np.concatenate([rng.choice(healthy, wanted, replace=False), faulty]))


def by_device_day(values, windows: LabelledWindows):
    """Arrange what is known of windows as a day of 24 hours for each device-day.

    Parameters
    ----------
    values : ndarray, shape (n, ...)
    windows : LabelledWindows

    Returns
    -------
    ndarray of float, shape (n_device_days, 24, ...)
        NaN where there is no window. Device-days without any window are left out.
    """
    days, position = np.unique(windows.device_day, return_inverse=True)
    arranged = np.full((len(days), WINDOWS_PER_DAY, *np.shape(values)[1:]), np.nan)
    arranged[position, windows.hour] = values
    return arranged
