"""Fleets of simulated devices, some of them faulty.

Here: who is in a fleet, which faults it has since when, and its tables: registry, labels, readings of a date. Not
here: a single device (`devices.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa

from pvfault.dates import midnight, midnight_ms
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.readings import (
    DEVICE_ID,
    DEVICE_ID_LENGTH,
    READING_SCHEMA,
    READINGS_PER_DAY,
    SAMPLE_PERIOD_S,
    TIMESTAMP_TYPE,
)
from pvfault.registry import REGISTRY_SCHEMA
from pvfault_workshop.simulation.array import ArrayShape
from pvfault_workshop.simulation.devices import HISTORY_STEP, Device, draw_device, simulate_coarsely, simulate_day
from pvfault_workshop.simulation.faults import draw_fault
from pvfault_workshop.simulation.sensors import CADENCES
from pvfault_workshop.simulation.sites import TEST_SITES, Site
from pvfault_workshop.simulation.weather import simulate_weather

FAULTY_SHARE = 0.25
# From so many devices on, every fault occurs at least once.
ENOUGH_FOR_ALL = 20
BEGUN_BEFORE = 0.4  # share of the faults that were there before the first date
_ID_LETTERS = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"))

LABEL_SCHEMA = pa.schema(
    [
        pa.field(DEVICE_ID, pa.string(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),
        pa.field("onset", TIMESTAMP_TYPE, nullable=False),
        pa.field("severity", pa.float64(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Fleet:
    """A simulated fleet.

    Attributes
    ----------
    devices : tuple of Device
        Sorted by deviceID.
    seed : int
        Of the weather.
    """

    devices: tuple[Device, ...]
    seed: int
    _days: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def registry(self) -> pa.Table:
        """The device registry: one row a device, columns of `pvfault.registry.REGISTRY_SCHEMA`."""
        rows = [
            {
                DEVICE_ID: device.name,
                "rated_voltage": round(device.rated_voltage, 2),
                "rated_current": round(device.rated_current, 2),
                "site": device.site.name,
                "latitude": device.site.latitude,
                "longitude": device.site.longitude,
                "timezone": device.site.timezone,
                "modules_in_series": device.shape.in_series,
                "strings_in_parallel": device.shape.in_parallel,
            }
            for device in self.devices
        ]
        return pa.Table.from_pylist(rows, schema=REGISTRY_SCHEMA)

    @property
    def labels(self) -> pa.Table:
        """The truth: one row a faulty device, columns of `LABEL_SCHEMA`.

        Severity is the share of the array's power at standard test conditions that the fault takes at its worst.
        """
        rows = [
            {
                DEVICE_ID: device.name,
                "fault": device.fault.name,
                "onset": device.onset,
                "severity": device.fault.severity,
                "description": device.fault.description,
            }
            for device in self.devices
            if device.fault is not None
        ]
        return pa.Table.from_pylist(rows, schema=LABEL_SCHEMA)

    def readings(self, day: date) -> pa.Table:
        """All readings of one UTC date.

        Parameters
        ----------
        day : datetime.date

        Returns
        -------
        pa.Table
            Of `READING_SCHEMA`, sorted by timestamp and deviceID, at the cadence of each device; lost readings are left
            out. The same whichever other dates are asked for.
        """
        values = np.empty((READINGS_PER_DAY, len(self.devices), 4), np.float32)
        received = np.empty((READINGS_PER_DAY, len(self.devices)), bool)
        for column, device in enumerate(self.devices):
            values[:, column], received[:, column] = self._utc_day(device, day)
        self._forget_before(day)
        slot, device = np.nonzero(received)
        time = (midnight_ms(day) + slot * SAMPLE_PERIOD_S * 1000) * 1000
        measured = values[received]
        names = pa.array([device.name for device in self.devices], pa.string())
        return pa.table(
            [names.take(pa.array(device)), pa.array(time).cast(TIMESTAMP_TYPE), *(pa.array(m) for m in measured.T)],
            schema=READING_SCHEMA,
        )

    def _utc_day(self, device, day):
        """Put the readings of a UTC date together from the solar days that touch it."""
        ahead = round(device.site.day_offset * 3600 / SAMPLE_PERIOD_S)
        if ahead == 0:
            return self._solar_day(device, day)
        # East of Greenwich the solar day begins earlier: its last hours are in the next one.
        days = (day, day + timedelta(days=1)) if ahead > 0 else (day - timedelta(days=1), day)
        both = [np.concatenate(parts) for parts in zip(*(self._solar_day(device, d) for d in days), strict=True)]
        first = ahead % READINGS_PER_DAY
        return tuple(part[first : first + READINGS_PER_DAY] for part in both)

    def _solar_day(self, device, day):
        """Simulate a solar day; it is kept where the next date needs them again."""
        key = (device.name, day)
        if key not in self._days:
            done = simulate_day(device, day, site_weather(self.seed, device.site, day))
            if device.site.day_offset == 0:
                return done.readings, done.received
            self._days[key] = (done.readings, done.received)
        return self._days[key]

    def _forget_before(self, day):
        """Drop the solar days that the next date does not touch."""
        for key in [key for key in self._days if key[1] < day]:
            del self._days[key]


@lru_cache(maxsize=256)
def site_weather(seed, site, day):
    """Weather of a solar day at a site, the same for all its devices.

    Parameters
    ----------
    seed : int
    site : Site
    day : datetime.date

    Returns
    -------
    Weather
    """
    return simulate_weather(site, day, site.generator(seed, 1, day.toordinal()))


@lru_cache(maxsize=1024)
def _coarse_weather(seed, site, day):
    """As `site_weather`, averaged as `simulate_coarsely` wants it."""
    return site_weather(seed, site, day).average(HISTORY_STEP)


def simulate_history(device, days):
    """Hourly means of some days, for what a device is like when nothing happens.

    Parameters
    ----------
    device : Device
        Of a fleet.
    days : list of datetime.date

    Returns
    -------
    ndarray of float32, shape (len(days), 24, 4)
        As `simulate_coarsely` says, under the sky that the fleet's devices share.
    """
    return simulate_coarsely(device, days, [_coarse_weather(device.seed[0], device.site, day) for day in days])


def simulate_fleet(
    devices: int, dates: list[date], seed: int, *, sites: tuple[Site, ...] = TEST_SITES, faulty: float = FAULTY_SHARE,
    cadences: tuple[int, ...] = CADENCES[:1], shape: ArrayShape | None = None, draw: Callable = draw_fault,
    clean: bool = False,
) -> Fleet:  # fmt: skip
    """Simulate a fleet in which some devices are, or become, faulty.

    Parameters
    ----------
    devices : int
        How many.
    dates : list of datetime.date
        The dates that will be looked at; faults begin before them or in their daylight.
    seed : int
        The same seed gives the same fleet and weather.
    sites : tuple of Site
        Where devices can stand. By default sites that the network was not trained on.
    faulty : float
        Share of faulty devices; 20 devices or more have every fault at least once, unless it is 0.
    cadences : tuple of int
        Of `pvfault_workshop.simulation.sensors.CADENCES`, one of which each device has; all else is the
        same whichever. [s]
    shape : ArrayShape, optional
        Of every array; else each is drawn.
    draw : callable
        As `draw_fault`, which draws the faults.
    clean : bool
        Whether the sensors make no errors and lose nothing; all else is the same as with their errors.

    Returns
    -------
    Fleet

    Raises
    ------
    PvfaultError
        If there is no device or no date, or a cadence that no logger has.

    Examples
    --------
    >>> fleet = simulate_fleet(20, [date(2025, 6, 1)], seed=1)
    >>> sorted(set(fleet.labels["fault"].to_pylist()))
    ['arc_fault', 'line_ground', 'line_line', 'open_circuit', 'partial_shading']
    """
    if devices < 1 or not dates:
        raise PvfaultError(
            f"a fleet of {devices} devices on {len(dates)} dates cannot be simulated: give at least one of each"
        )
    if not cadences or not set(cadences) <= set(CADENCES):
        raise PvfaultError(
            f"cadences {list(cadences)} cannot be simulated: give one or more of {', '.join(map(str, CADENCES))} s"
        )
    rng = np.random.default_rng([seed, 0])
    faults = _deal_faults(devices, faulty, rng)
    drawn = []
    for number, (name, fault) in enumerate(zip(_draw_names(devices, rng), faults, strict=True)):
        own = np.random.default_rng([seed, 2, number])
        device = draw_device(
            name, sites[own.integers(len(sites))], (seed, 3, number), own, shape=shape, cadences=cadences
        )
        if fault:
            device = strike(device, fault, dates, np.random.default_rng([seed, 4, number]), draw)
        drawn.append(device.with_clean_sensors() if clean else device)
    return Fleet(tuple(drawn), seed)


def strike(device, fault, dates, rng, draw=draw_fault):
    """Give a device a fault.

    Parameters
    ----------
    device : Device
    fault : str
    dates : list of datetime.date
        The fault begins in the 60 days before the first, or between half past 8 and half past 15 solar time of one of
        them; the same for every fault.
    rng : numpy.random.Generator
    draw : callable
        As `draw_fault`.

    Returns
    -------
    Device
    """
    days = sorted(dates)
    if rng.random() < BEGUN_BEFORE:
        onset = midnight(days[0]) - timedelta(seconds=round(rng.uniform(1, 60) * 86_400))
    else:
        day = days[rng.integers(len(days))]
        # The hour of the UTC date at which the sun says so.
        hour = (rng.uniform(8.5, 15.5) - device.site.longitude / 15) % 24
        onset = midnight(day) + timedelta(seconds=round(hour * 3600))
    return replace(device, fault=draw(fault, device.shape, rng), onset=onset)


def _deal_faults(devices, faulty, rng):
    """Deal a fault to each device, empty for the healthy ones; as many of each kind as of the others."""
    kinds = list(FAULTS[1:])
    count = round(devices * faulty)
    if faulty > 0 and devices >= ENOUGH_FOR_ALL:
        count = max(count, len(kinds))
    rng.shuffle(kinds)
    dealt = [kinds[number % len(kinds)] for number in range(count)] + [""] * (devices - count)
    return [dealt[number] for number in rng.permutation(devices)]


def _draw_names(devices, rng):
    """Distinct deviceIDs, sorted."""
    names = set()
    while len(names) < devices:
        names.add("".join(rng.choice(_ID_LETTERS, DEVICE_ID_LENGTH)))
    return sorted(names)
