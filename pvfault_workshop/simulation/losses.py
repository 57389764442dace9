"""What takes power from an array without being a fault: dirt, dust, snow, curtailment, trips.

Here: when and how much of each, for every device by the same rule, faulty or not. Not here: clouds and fog
(`weather.py`), clipping (`inverter.py`), errors of sensors (`sensors.py`).

What comes over a whole plant (dust, rain, the orders of the grid's operator) is drawn by site, so that neighbours
show it at the same time.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pvfault.readings import READINGS_PER_DAY
from pvfault_workshop.simulation.weather import CLEAR

MOST_SOILING = 0.3
CURTAILED_DAYS = 0.08  # of the sites, and of the devices that obey, see `Habits`
TRIPS = 0.01  # a day and device: the grid's voltage or frequency leaves its limits, or somebody works at the plant


@dataclass(frozen=True)
class Habits:
    """How one device gets dirty and obeys.

    Attributes
    ----------
    soiling_rate : float
        Share of the light lost in a dry day.
    curtailed : bool
        Whether the grid's operator can limit its power.
    rows : int
        Parts of a module that snow frees one after the other: its sub-strings where it lies on its long side, else 1.
    """

    soiling_rate: float
    curtailed: bool
    rows: int


def draw_habits(site, rng):
    """Draw how a device gets dirty and obeys.

    Parameters
    ----------
    site : Site
    rng : numpy.random.Generator

    Returns
    -------
    Habits
        0.02 to 0.4 % a day, more where the sky is clear: A. Kimber et al., "The effect of soiling on large
        grid-connected photovoltaic systems in California and the southwest region of the United States", IEEE 4th World
        Conference on Photovoltaic Energy Conversion, 2006, found 0.1 to 0.3 % a day there.
    """
    rate = np.exp(rng.uniform(np.log(0.0002), np.log(0.002))) * (1 + 2 * max(site.sky[CLEAR] - 0.3, 0))
    return Habits(soiling_rate=float(rate), curtailed=bool(rng.random() < 0.25), rows=int(rng.choice([1, 3])))


def soiling(habits, site, day, seed):
    """Share of the light that dirt takes through a day.

    It grows until rain washes it off, every two to eight weeks; now and then dust comes down within two hours and takes
    3 to 15 % at once.

    Parameters
    ----------
    habits : Habits
    site : Site
    day : datetime.date
    seed : int
        Of the fleet.

    Returns
    -------
    loss : ndarray, shape (4320,)
    dust : bool
        Whether the dust comes down on this day.
    """
    days, falls, hour, dust = _dry_spell(site, day, seed)
    settled = np.clip((site.solar_hours() - hour) / 2, 0, 1) if falls == days else float(falls < days)
    loss = np.minimum(habits.soiling_rate * days + dust * settled, MOST_SOILING)
    return np.broadcast_to(loss, READINGS_PER_DAY), bool(dust > 0 and falls == days)


@lru_cache(maxsize=256)
def _dry_spell(site, day, seed):
    """Days since it rained at a site; after how many of them dust comes down, at which hour, and how much."""
    dry = int(site.generator(seed, 6).integers(14, 57))
    number, days = divmod(day.toordinal() + int(site.generator(seed, 7).integers(dry)), dry)
    period = site.generator(seed, 8, number)
    dusty, falls, hour, dust = period.random(), period.integers(dry), period.uniform(8, 15), period.uniform(0.03, 0.15)
    return days, falls, hour, dust * (dusty < 0.3 * site.sky[CLEAR])


def power_limit(habits, site, day, seed, rng):
    """Power to which a device is limited through a day, by order or because it has tripped.

    Parameters
    ----------
    habits : Habits
    site : Site
    day : datetime.date
    seed : int
        Of the fleet.
    rng : numpy.random.Generator
        Of the device's day.

    Returns
    -------
    limit : ndarray, shape (4320,)
        Share of the rated power; 0 where the inverter is off, infinite where nothing limits it.
    events : tuple of str
        "curtailment", "trip".

    Notes
    -----
    60, 30 and 0 % are the steps of the German feed-in management (§ 9 EEG) below 100 %.
    """
    hour, limit, events = site.solar_hours(), np.full(READINGS_PER_DAY, np.inf), []
    ordered, start, length, share = _order(site, day, seed)
    if ordered and habits.curtailed:
        limit[(hour >= start) & (hour < start + length)] = share
        events.append("curtailment")
    tripped, start, length = rng.random(), rng.uniform(7, 17), np.exp(rng.normal(np.log(0.4), 0.8))
    if tripped < TRIPS:
        limit[(hour >= start) & (hour < start + length)] = 0.0
        events.append("trip")
    return limit, tuple(events)


@lru_cache(maxsize=256)
def _order(site, day, seed):
    """Whether the grid's operator limits a site on a day; from which hour on, for how many, and to which share."""
    rng = site.generator(seed, 9, day.toordinal())
    ordered, start, length = rng.random() < CURTAILED_DAYS, rng.uniform(8, 14), rng.uniform(0.5, 5)
    return ordered, start, length, rng.choice([0.6, 0.3, 0.0], p=[0.5, 0.35, 0.15])


def snow_cover(weather, tilt, irradiance):
    """Share of each module that snow covers through a day: it slides off once it is warm and bright enough.

    Parameters
    ----------
    weather : Weather
        A whole day.
    tilt : float
        [°]
    irradiance : ndarray, shape (n,)
        On the plane. [W/m²]

    Returns
    -------
    ndarray, as `irradiance`

    References
    ----------
    .. [1] B. Marion et al., "Measured and modeled photovoltaic system energy losses from snow for Colorado and
       Wisconsin locations", Solar Energy 97, 2013, 112-121 (as `pvlib.snow.coverage_nrel`).
    """
    share, slot = weather.snow
    slides = (weather.air > irradiance / -80) * (0.197 * np.sin(np.radians(tilt)) * 24 / len(irradiance))
    slides[: slot + 1] = 0
    covered = np.clip(share - np.cumsum(slides), 0, None)
    covered[:slot] = 0
    return covered
