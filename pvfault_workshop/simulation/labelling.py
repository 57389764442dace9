"""Simulated devices to windows with their truth.

Here: fleets of devices on their dates, and how their windows are cut and labelled. Not here: which devices and days
there are for training, validation and test (`splits.py`), the simulation of a device (`devices.py`), the windows as a
type (`labelled.py`), training with them (`pvfault_workshop/training.py`), scores (`pvfault_workshop/evaluation`).

The windows take the way of production: readings with errors and gaps, `cut_windows`, ratings as the registry has
them, `transform`. Every faulty device-day comes with its healthy twin, the same device under the same sky with the
same noise, so that nothing but the fault tells them apart.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np

from pvfault import reference, scalogram
from pvfault.faults import FAULTS, NONE
from pvfault.hourly_statistics import hourly_statistics
from pvfault.readings import SAMPLE_PERIOD_S
from pvfault.reference import HISTORY, Background, background_of
from pvfault.windows import DARK_BELOW, SLOTS, WINDOWS_PER_DAY, cut_windows
from pvfault_workshop.simulation.devices import CONFUSERS, Day, Device, day_begins, simulate_day
from pvfault_workshop.simulation.fleet import simulate_fleet, simulate_history, site_weather
from pvfault_workshop.simulation.labelled import LabelledWindows, join_windows
from pvfault_workshop.simulation.literature_array import simulate_reference_fleet
from pvfault_workshop.simulation.splits import Split
from pvfault_workshop.simulation.surroundings import compare_with_days_before, compare_with_neighbours, look_at_the_day

# A fault counts in a window if it changes voltage and current there by this much together. It is about what the
# sensors can tell; a shadow outside its hours, or an arc that rests, leaves a window healthy.
LEAST_EFFECT = 0.02
# Devices that share a date and, by fours or so, a site and its weather: the inverters of a plant are neighbours.
FLEET = 24
SITES_OF_A_FLEET = 6
# About half of the windows are healthy: alone, a window that shows little should be taken for healthy.
HEALTHY_SHARE = 0.45
# Arrays of any size, or that of the literature; with all errors of a fleet's sensors, or with sensors without errors.
ARRAYS = {
    "any": simulate_fleet,
    "any, clean": partial(simulate_fleet, clean=True),
    "reference": simulate_reference_fleet,
    "reference, clean": partial(simulate_reference_fleet, clean=True),
}


def simulate_windows(split: Split, devices: int, **options) -> LabelledWindows:
    """Simulate one day of each of some devices, and label its windows.

    Parameters
    ----------
    split : Split
    devices : int
    **options
        As `simulate_fleets` has them.

    Returns
    -------
    LabelledWindows
    """
    return join_windows(list(simulate_fleets(split, devices, **options)))


def simulate_fleets(
    split: Split, devices: int, *, faulty: float = 1.0, twins: bool = True, thinned: bool = False,
    cadences: tuple[int, ...] = (SAMPLE_PERIOD_S,), histories: tuple[int, ...] = (HISTORY[-1],),
    unknown_layouts: float = 0.0, arrays: tuple[str, ...] = ("any",), images: bool = True, workers: int = 1,
    first_fleet: int = 0, report: Callable[[int], None] = lambda _done: None,
) -> Iterator[LabelledWindows]:  # fmt: skip
    """Simulate as `simulate_windows`, fleet by fleet, so that not all images have to be in memory at once.

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
    cadences : tuple of int
        Of `pvfault_workshop.simulation.sensors.CADENCES`; each device, with its twin, sends at one of them,
        at random. [s]
    histories : tuple of int
        Days before that are known of a device and its twin, one of these at random.
    unknown_layouts : float
        Share of devices whose registry does not say how many modules and strings they have.
    arrays : tuple of str
        Of `ARRAYS`; fleets have them in turn.
    images : bool
        Whether the windows are transformed.
    workers : int
        Processes; the result does not depend on it.
    first_fleet : int
        Fleets before this one are left out, as if they had been simulated already.
    report : callable
        Called with the number of devices that are done, of a fleet before its windows are yielded.

    Yields
    ------
    LabelledWindows
        Of at most `FLEET` devices; devices are numbered on from the fleets before, device-days from the first one here.
    """
    wanted = _Wanted(split, faulty, twins, thinned, cadences, histories, unknown_layouts, arrays, images)
    jobs = _deal(wanted, devices, first_fleet)
    first_day = 0
    for (_, number, _), (part, days) in zip(jobs, _map(_simulate_fleet_windows, jobs, workers), strict=True):
        report(min((number + 1 - first_fleet) * FLEET, devices))
        yield replace(part, device_day=part.device_day + first_day, device=part.device + number * FLEET)
        first_day += days


@dataclass(frozen=True)
class Hours:
    """Hours in the light of a fleet's device-days, as production sees them, before anything is made of them.

    Attributes
    ----------
    values : ndarray of float32, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    owner, hour : ndarray of int, shape (n,)
        Which device-day, and which hour of it.
    label : ndarray of int, shape (n,)
        Position in `FAULTS`.
    background : Background
        Of the hours.
    mean_irradiance : ndarray, shape (n,)
        [W/m²]
    history : ndarray of float32, shape (n_days, len(HISTORY), 24, 4)
        Hourly means of the days before each device-day.
    ratings : ndarray, shape (n_days, 2)
        As the registry has them.
    """

    values: np.ndarray
    owner: np.ndarray
    hour: np.ndarray
    label: np.ndarray
    background: Background
    mean_irradiance: np.ndarray
    history: np.ndarray
    ratings: np.ndarray


def simulate_hours(
    split: Split, devices: int, *, faulty: float = 1.0, twins: bool = True,
    cadences: tuple[int, ...] = (SAMPLE_PERIOD_S,), histories: tuple[int, ...] = (HISTORY[-1],),
    unknown_layouts: float = 0.0, arrays: tuple[str, ...] = ("any",), workers: int = 1,
    report: Callable[[int], None] = lambda _done: None,
) -> Iterator[Hours]:  # fmt: skip
    """Simulate what `simulate_fleets` makes windows of, fleet by fleet.

    Parameters
    ----------
    split, devices, faulty, twins, cadences, histories, unknown_layouts, arrays, workers, report
        As for `simulate_fleets`.

    Yields
    ------
    Hours
        Of at most `FLEET` devices.
    """
    wanted = _Wanted(split, faulty, twins, False, cadences, histories, unknown_layouts, arrays, False)
    jobs = _deal(wanted, devices)
    for (_, number, _), hours in zip(jobs, _map(_simulate_fleet_hours, jobs, workers), strict=True):
        report(min((number + 1) * FLEET, devices))
        yield hours


@dataclass(frozen=True)
class _Wanted:
    """What is asked of every fleet."""

    split: Split
    faulty: float
    twins: bool
    thinned: bool
    cadences: tuple[int, ...]
    histories: tuple[int, ...]
    unknown_layouts: float
    arrays: tuple[str, ...]
    images: bool


@dataclass(frozen=True)
class _DeviceDay:
    """One device-day of a fleet as simulated, with its days before, the label of each hour and the onset in hours."""

    number: int
    device: Device
    simulated: Day
    history: np.ndarray
    labels: np.ndarray
    onset: float
    effect: np.ndarray
    layout: tuple[float, float]


def _deal(wanted, devices, first_fleet=0):
    """What is asked of each fleet, its number, and its devices."""
    sizes = [min(FLEET, devices - first) for first in range(0, devices, FLEET)]
    return [(wanted, first_fleet + position, size) for position, size in enumerate(sizes)]


def _map(function, jobs, workers):
    """Map in this process, or in some new ones (not forked: TensorFlow's threads do not survive that)."""
    if workers == 1:
        yield from map(function, jobs)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(function, jobs)


def _simulate_fleet_windows(job):
    """Labelled windows of one fleet on its date, and how many device-days they are of."""
    wanted = job[0]
    days, day, rng = _simulate_fleet_days(job)
    windows = _cut(days, images=wanted.images, kept=(lambda label: thin(label, rng)) if wanted.thinned else None)
    return replace(windows, day=np.full(len(windows), np.datetime64(day))), len(days)


def _simulate_fleet_hours(job):
    """The hours of one fleet on its date."""
    return _see(_simulate_fleet_days(job)[0])


def _simulate_fleet_days(job):
    """The device-days of one fleet, their date, and what decides by chance of them."""
    wanted, number, devices = job
    split, seed = wanted.split, wanted.split.seed + number
    # 157 and 365 have no common factor: the dates of successive fleets run through all seasons.
    day = split.first + timedelta(days=number * 157 % 365)
    rng = np.random.default_rng([seed, 5])
    sites = [split.sites[k] for k in rng.permutation(len(split.sites))[:SITES_OF_A_FLEET]]
    simulate = ARRAYS[wanted.arrays[number % len(wanted.arrays)]]
    fleet = simulate(devices, [day], seed, sites=tuple(sites), faulty=wanted.faulty, cadences=wanted.cadences)
    days = []
    for position, device in enumerate(fleet.devices):
        known = int(rng.choice(wanted.histories))
        weather = site_weather(seed, device.site, day)
        labelled = _label_day(position, device, day, weather, known, twins=wanted.twins)
        if rng.random() < wanted.unknown_layouts:
            labelled = [replace(each, layout=(np.nan, np.nan)) for each in labelled]
        days += labelled
    return days, day, rng


def _label_day(position, device, day, weather, known, *, twins):
    """The day of a device with the label of each of its hours, and that of its healthy twin."""
    healthy, nothing = np.zeros(WINDOWS_PER_DAY, int), np.zeros(WINDOWS_PER_DAY)
    layout = (device.shape.in_series, device.shape.in_parallel)
    simulated = simulate_day(device, day, weather)
    if device.fault is None:
        return [_DeviceDay(position, device, simulated, _history(device, day, known), healthy, np.nan, nothing, layout)]
    without = device.healthy_twin()
    twin = simulate_day(without, day, weather)
    effect = measure_effect(simulated.truth, twin.truth)
    shows = effect >= LEAST_EFFECT
    labels = np.where(shows, FAULTS.index(device.fault.name), FAULTS.index(NONE))
    onset = (device.onset - day_begins(device.site, day)).total_seconds() / 3600 if shows.any() else np.nan
    history = _history(device, day, known)
    faulty = _DeviceDay(position, device, simulated, history, labels, onset, effect, layout)
    if not twins:
        return [faulty]
    history = _without_fault(history, device, day, known)
    return [faulty, _DeviceDay(position, without, twin, history, healthy, np.nan, nothing, layout)]


def _history(device, day, known):
    """Hourly means of the dates of `HISTORY`, NaN for those farther back than is known, shape (len(HISTORY), 24, 4)."""
    history = np.full((len(HISTORY), WINDOWS_PER_DAY, 4), np.nan, np.float32)
    days = _days_before(day, known)
    if days:
        history[: len(days)] = simulate_history(device, days)
    return history


def _without_fault(history, device, day, known):
    """The history of a device's healthy twin: that of the device, but for the dates on which it had its fault."""
    dates = _days_before(day, known)
    rows = [row for row, date in enumerate(dates) if device.onset < day_begins(device.site, date + timedelta(days=1))]
    if not rows:
        return history
    history = history.copy()
    history[rows] = simulate_history(device.healthy_twin(), [dates[row] for row in rows])
    return history


def _days_before(day, known):
    """Dates of `HISTORY`, as far back as is known."""
    return [day - timedelta(days=back) for back in HISTORY if back <= known]


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


def _see(days):
    """The hours of device-days, as production cuts them and knows of their devices' days before."""
    received = np.stack([day.simulated.received for day in days])
    owner, slot = np.nonzero(received)
    measurements = np.stack([day.simulated.readings for day in days])[received]
    windows = cut_windows(owner, slot * float(SAMPLE_PERIOD_S), measurements, len(days))
    owner, hour = np.divmod(windows.judged, WINDOWS_PER_DAY)
    ratings = np.array([(round(day.device.rated_voltage, 2), round(day.device.rated_current, 2)) for day in days])
    history = np.stack([day.history for day in days])
    references = reference.or_typical(reference.learn_references(history, ratings), ratings)
    before = reference.measure_levels(history, references)
    layouts = np.array([day.layout for day in days])
    return Hours(
        values=windows.values,
        owner=owner,
        hour=hour,
        label=np.stack([day.labels for day in days])[owner, hour],
        background=background_of(owner, hour, windows.hourly_means, before, references, ratings, layouts),
        mean_irradiance=windows.mean_irradiance[windows.judged].astype(float),
        history=history,
        ratings=ratings,
    )


def _cut(days, *, images, kept=None):
    """Windows of device-days as production cuts and transforms them; `kept` picks some of them by their labels."""
    seen = _see(days)
    owner, hour, label = seen.owner, seen.hour, seen.label
    number = np.array([day.number for day in days])
    site = np.array([day.device.site.name for day in days])
    statistics = hourly_statistics(seen.values, seen.ratings[owner])
    pictured = np.arange(len(owner)) if kept is None else kept(label)

    def of_day(value, dtype=float):
        return np.array([value(day) for day in days], dtype)[owner]

    everything = LabelledWindows(
        images=np.empty((len(owner), 0), np.uint8),
        marks=np.empty((len(owner), 0), np.float32),
        statistics=statistics,
        day_statistics=look_at_the_day(statistics, owner, hour),
        deviations=compare_with_days_before(seen.values, hour, seen.ratings[owner], seen.background),
        neighbours=compare_with_neighbours(statistics, owner, hour, number, site),
        label=label,
        device_day=owner,
        device=number[owner],
        day=np.full(len(owner), np.datetime64("NaT", "D")),
        site=site[owner],
        hour=hour,
        onset=of_day(lambda day: day.onset),
        severity=np.where(label > 0, of_day(lambda day: day.device.fault.severity if day.device.fault else 0.0), 0.0),
        effect=np.stack([day.effect for day in days])[owner, hour],
        irradiance=seen.mean_irradiance,
        modules=of_day(lambda day: day.device.shape.in_series, int),
        strings=of_day(lambda day: day.device.shape.in_parallel, int),
        cadence=of_day(lambda day: day.device.sensors.cadence_s, int),
        noise=of_day(lambda day: _measure_noise(day.device, day.simulated)),
        confusers=of_day(lambda day: sum(1 << CONFUSERS.index(name) for name in day.simulated.confusers), int),
    )
    chosen = everything.select(pictured)
    if not images:
        return chosen
    known = scalogram.known_of(seen.values, owner, hour, seen.background)
    *signals, marks = (part[pictured] for part in known)
    images = scalogram.transform(scalogram.normalise(*signals, marks))
    return replace(chosen, images=images, marks=marks.astype(np.float32))


def _measure_noise(device, day):
    """Error of a day's readings in daylight, relative to the ratings."""
    lit = day.received & (day.truth[:, 3] >= DARK_BELOW)
    if not lit.any():
        return np.nan
    scale = (device.rated_voltage, device.rated_current, 1000.0)
    return np.sqrt(np.mean(((day.readings - day.truth)[lit][:, [0, 1, 3]] / scale) ** 2))


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
