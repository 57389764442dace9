"""One device: an array, its inverter, its instruments, its place, and perhaps its fault.

Here: how devices are drawn, their readings of one solar day, and the hourly means of the days before. Not here: fleets
and tables of readings (`fleet.py`), the physics itself (`array.py`, `inverter.py`, `faults.py`, `losses.py`).
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pvlib

from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S
from pvfault_workshop.simulation.array import SHARES, SNOW_LIGHT, ArrayShape, Nodes, read_curves, tabulate
from pvfault_workshop.simulation.faults import NOTHING, Fault, Moments
from pvfault_workshop.simulation.inverter import Inverter, operate
from pvfault_workshop.simulation.losses import Habits, draw_habits, power_limit, snow_cover, soiling
from pvfault_workshop.simulation.modules import load_modules, module_temperature
from pvfault_workshop.simulation.sensors import (
    CADENCES,
    Sensors,
    Station,
    draw_sensors,
    draw_station,
    mean_error,
    measure,
    perfect_sensors,
)
from pvfault_workshop.simulation.sites import Site
from pvfault_workshop.simulation.weather import irradiance_on_plane

# Cells are warmer than the back of their module by 3 K at 1,000 W/m²: D. King et al., "Photovoltaic array performance
# model", SAND2004-3535, 2004, table 1 (glass/cell/polymer sheet, open rack).
CELL_RISE = 3.0
DARK = 1.0  # W/m²: below, nothing is solved
CALIBRATION_DAYS = 730  # of irradiance sensors: every second year, IEC 61724-1:2021
HISTORY_STEP = 90  # slots: the days before are solved every 30 min
# How far (share of the voltage) and how long [s] trackers depart from the maximum. Of a measured inverter, the voltage
# has a standard deviation of 1.3 % in calm hours, and an autocorrelation of 0.56, 0.46, 0.22 and 0.07 after 1, 2, 5 and
# 10 min (docs/real_data.md); others are steadier.
WANDER = (0.0005, 0.025)
WANDER_S = (60.0, 600.0)
MOST_VOLTS = 1000.0  # of the open array at standard test conditions and 25 K less; the usual limit on roofs


@dataclass(frozen=True)
class Device:
    """A simulated device.

    Attributes
    ----------
    name : str
        deviceID.
    site : Site
    shape : ArrayShape
    tilt, azimuth : float
        Of the plane; clockwise from north. [°]
    light : float
        Share of the light that age and tolerance leave.
    stretch : float
        Voltage relative to the data sheet, by tolerance and age.
    delay : float
        Time by which clouds reach it later than the site. [s]
    heat : dict of float
        Keywords of `module_temperature`.
    inverter : Inverter
    habits : Habits
        How it gets dirty, and whether it obeys the grid's operator.
    station : Station
        Where irradiance and temperature are measured.
    sensors : Sensors
    calibrated : datetime.date
        Once; and again every other year.
    seed : tuple of int
        Of everything random in its days; the first is that of its fleet.
    fault : Fault or None
    onset : datetime or None
        When the fault begins. (UTC)
    """

    name: str
    site: Site
    shape: ArrayShape
    tilt: float
    azimuth: float
    light: float
    stretch: float
    delay: float
    heat: dict
    inverter: Inverter
    habits: Habits
    station: Station
    sensors: Sensors
    calibrated: date
    seed: tuple[int, ...]
    fault: Fault | None = None
    onset: datetime | None = None
    _tables: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def rated_voltage(self):
        """V_mp of the array at standard test conditions, in V."""
        return self.shape.module.voltage * self.shape.in_series

    @property
    def rated_current(self):
        """I_mp of the array at standard test conditions, in A."""
        return self.shape.module.current * self.shape.in_parallel

    def table(self, faulty, snow=0.0):
        """Curves of the array, with or without its fault; solved once.

        Parameters
        ----------
        faulty : bool
        snow : float
            Share of the sub-strings of every module that lie under snow.

        Returns
        -------
        CurveTable
        """
        # Kept here too: a large plant has more arrays than `tabulate` remembers.
        if (faulty, snow) not in self._tables:
            states, depths = (self.fault.states, self.fault.depths) if faulty else ((Nodes.whole_array,), (1.0,))
            self._tables[faulty, snow] = tabulate(self.shape, states, depths, snow)
        return self._tables[faulty, snow]

    def drifted(self, day):
        """Years since the sensors were calibrated."""
        return (day - self.calibrated).days % CALIBRATION_DAYS / 365.25

    def with_clean_sensors(self):
        """Copy the device with sensors in the plane of the array that make no errors and lose nothing."""
        return replace(self, sensors=perfect_sensors(self.sensors.cadence_s), station=Station(self.tilt, self.azimuth))

    def healthy_twin(self):
        """Copy the device without its fault; everything random in its days stays the same."""
        return replace(self, fault=None, onset=None)


def draw_device(name, site, seed, rng, *, shape=None, cadences=CADENCES[:1]):
    """Draw a healthy device.

    Parameters
    ----------
    name : str
    site : Site
    seed : tuple of int
    rng : numpy.random.Generator
    shape : ArrayShape, optional
        Instead of a drawn one.
    cadences : tuple of int
        Of which it has one. [s]

    Returns
    -------
    Device
    """
    shape = shape or draw_shape(rng)
    tracker = np.random.default_rng([*seed, 2])
    rated = (shape.module.voltage * shape.in_series, shape.module.current * shape.in_parallel)
    power = rated[0] * rated[1]
    facing = 180 if site.latitude > 0 else 0
    tilt = float(np.clip(0.75 * abs(site.latitude) + rng.normal(0, 6), 5, 45))
    azimuth = facing + (rng.normal(0, 20) if rng.random() < 0.85 else rng.choice([-90, 90]))
    return Device(
        name=name,
        site=site,
        shape=shape,
        tilt=tilt,
        azimuth=azimuth,
        light=(1 - rng.uniform(0, 0.02)) * (1 - rng.uniform(0, 0.04)) * (1 + rng.uniform(-0.005, 0.02)),
        stretch=1 + 0.005 * rng.standard_normal() - rng.uniform(0, 0.01),
        delay=rng.uniform(0, 80),
        heat={"u0": rng.uniform(22, 28), "u1": rng.uniform(4, 8), "time_constant_s": rng.uniform(250, 600)},
        inverter=Inverter(
            limit=power * (rng.uniform(0.7, 0.95) if rng.random() < 0.25 else 1.5),
            start=power * rng.uniform(0.003, 0.01),
            scans=bool(rng.random() < 0.5),
            inertia=0.02 + 0.83 * rng.uniform() ** 2,  # most follow within 20 s, the slowest within two minutes
            dither=rng.uniform(0.002, 0.012),
            wander=float(np.exp(tracker.uniform(*np.log(WANDER)))),
            wander_s=float(np.exp(tracker.uniform(*np.log(WANDER_S)))),
            wait=int(rng.integers(1, 16)),  # 20 s to 5 min, as grid codes ask for before feeding in
        ),
        habits=draw_habits(site, rng),
        station=draw_station(tilt, azimuth, rng),
        sensors=draw_sensors(*rated, rng, cadences),
        calibrated=date(2010, 1, 1) + timedelta(days=int(rng.integers(CALIBRATION_DAYS))),
        seed=seed,
    )


def draw_shape(rng):
    """Draw an array: 4 to 24 modules (fewer of thin film, whose voltage is high) by 1 to 12 strings.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    ArrayShape
    """
    modules = load_modules()
    module = modules[rng.integers(len(modules))]
    most = int(min(24, MOST_VOLTS / (1.08 * module.open_voltage)))
    in_series = int(rng.integers(min(4, most - 1), most + 1))
    # Small inputs are the most common: a string inverter has one to three strings on each of its trackers.
    in_parallel = int(rng.choice(np.arange(1, 13), p=(weights := 1 / np.arange(1, 13) ** 0.7) / weights.sum()))
    # Strings need protection from the others once there are more than two of them.
    protection = rng.random()
    return ArrayShape(
        module,
        in_series,
        in_parallel,
        blocking=bool(in_parallel > 2 and protection < 0.25),
        fused=bool(in_parallel > 2 and 0.25 <= protection < 0.75),
    )


CONFUSERS = (
    "broken_clouds", "fog", "snow", "soiling", "dust", "clipping", "curtailment", "trip",
    "shaded_sensor", "misaligned_sensor", "distant_sensor", "air_temperature", "stuck_sensor", "lost_readings",
)  # fmt: skip


@dataclass(frozen=True)
class Day:
    """One solar day of one device, in slots of 20 s.

    Attributes
    ----------
    truth : ndarray, shape (4320, 4)
        Voltage [V], current [A], module temperature [°C], irradiance of the plane [W/m²], without errors.
    readings : ndarray of float32, shape (4320, 4)
        The same as measured.
    received : ndarray of bool, shape (4320,)
    confusers : tuple of str
        What is there without being a fault, and might be taken for one: some of `CONFUSERS`.
    """

    truth: np.ndarray
    readings: np.ndarray
    received: np.ndarray
    confusers: tuple[str, ...]


def day_begins(site, day):
    """Start of a site's solar day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=site.day_offset)


def simulate_day(device, day, weather):
    """Simulate one solar day of one device.

    Parameters
    ----------
    device : Device
    day : datetime.date
    weather : Weather
        Of that day at the device's site.

    Returns
    -------
    Day
        Before its onset, a fault changes no reading: all random numbers are those of the healthy twin.
    """
    sensor, tracker = (np.random.default_rng([*device.seed, day.toordinal(), part]) for part in (1, 0))
    departures = device.inverter.draw_departures(READINGS_PER_DAY, tracker)
    passed = _pass_day(device, day, weather)
    electrical = _work(device, [passed], device.inverter, departures)
    truth = np.column_stack([electrical, passed.temperature, passed.total])
    seen = np.column_stack([electrical, *_at_sensors(device, weather, passed)])
    readings, received, stuck = measure(device.sensors, seen, device.drifted(day), sensor)
    confusers = {*passed.events, *_standing_confusers(device)}
    confusers |= {"clipping"} if electrical.prod(axis=1).max() > 0.97 * device.inverter.limit else set()
    confusers |= {"stuck_sensor"} if stuck else set()
    expected = READINGS_PER_DAY * SAMPLE_PERIOD_S / device.sensors.cadence_s
    confusers |= {"lost_readings"} if received.sum() < 0.97 * expected else set()
    return Day(truth, readings, received, tuple(name for name in CONFUSERS if name in confusers))


def simulate_coarsely(device, days, weathers):
    """Hourly means of some solar days, without simulating them at full cadence.

    These days are solved at once, for the mean sky of every `HISTORY_STEP`. Dirt, dust, snow, limits, the place of the
    sensors and their lasting errors are those of the days themselves; noise, lost readings, and the minutes by which
    clouds reach one place after the other, are left out. A fault is in them from its onset on.

    Parameters
    ----------
    device : Device
    days : list of datetime.date
    weathers : list of Weather
        Of these days, averaged over `HISTORY_STEP`.

    Returns
    -------
    ndarray of float32, shape (len(days), 24, 4)
        Voltage, current, temperature, irradiance, hours of the solar day; as measured. [V], [A], [°C], [W/m²]
    """
    # A tracker is where it wants to be long before the next step.
    inverter = replace(device.inverter, inertia=0.0, wait=1)
    passed = [_pass_day(device, day, weather) for day, weather in zip(days, weathers, strict=True)]
    electrical = _work(device, passed, inverter, np.zeros(sum(len(each.total) for each in passed)))
    means = np.empty((len(days), 24, 4), np.float32)
    each_day = zip(days, weathers, passed, np.split(electrical, len(days)), strict=True)
    for row, (day, weather, each, own) in enumerate(each_day):
        seen = np.column_stack([own, *_at_sensors(device, weather, each)])
        means[row] = mean_error(device.sensors, seen, device.drifted(day)).reshape(24, -1, 4).mean(axis=1)
    return means


@dataclass(frozen=True)
class _PassedDay:
    """What a day does to a device, in slots of 20 s or in longer steps.

    Attributes
    ----------
    hour : ndarray, shape (n,)
        Solar time.
    total, effective : ndarray, shape (n,)
        Irradiance of the plane, and what reaches the cells of it. [W/m²]
    temperature : ndarray, shape (n,)
        Of the modules. [°C]
    covered : ndarray, shape (n,)
        Share of each module's rows that lie under snow.
    state, depth : ndarray, shape (n,)
        Of the fault.
    allowed : ndarray, shape (n,)
        Share of the rated power.
    events : tuple of str
    """

    hour: np.ndarray
    total: np.ndarray
    effective: np.ndarray
    temperature: np.ndarray
    covered: np.ndarray
    state: np.ndarray
    depth: np.ndarray
    allowed: np.ndarray
    events: tuple[str, ...]


def _pass_day(device, day, weather):
    """Let a day pass over a device."""
    step = READINGS_PER_DAY // len(weather.beam)
    slots = np.arange(step // 2, READINGS_PER_DAY, step)
    burst, grid = (np.random.default_rng([*device.seed, day.toordinal(), part]) for part in (2, 3))
    dirt, dust = soiling(device.habits, device.site, day, device.seed[0])
    allowed, events = power_limit(device.habits, device.site, day, device.seed[0], grid)
    local = weather.delay(device.delay) if step == 1 else weather
    beam, diffuse, cos_incidence = irradiance_on_plane(local, device.tilt, device.azimuth)
    total = beam + diffuse
    covered = _snow_rows(device, local, device.tilt, total)
    # Glass reflects a flat beam: ASHRAE 93-77 with b = 0.05, through pvlib.
    incidence = np.degrees(np.arccos(np.clip(cos_incidence, 0, 1)))
    effective = device.light * (1 - dirt[slots]) * (beam * np.nan_to_num(pvlib.iam.ashrae(incidence)) + diffuse)
    effective = np.where(covered == 1, SNOW_LIGHT, 1) * effective
    temperature = module_temperature(local.air, local.wind, total, **device.heat, period_s=SAMPLE_PERIOD_S * step)
    hour = device.site.solar_hours()
    state, depth = _schedule(device, day, beam, total, hour, slots, burst)
    happened = {"dust": dust, "soiling": dirt[-1] > 0.03}
    names = (*weather.events, *events, *(name for name, present in happened.items() if present))
    return _PassedDay(hour[slots], total, effective, temperature, covered, state, depth, allowed[slots], names)


def _work(device, passed, inverter, departures):
    """Voltage and current of the device through some days, shape (n, 2)."""
    effective, temperature, covered, state, depth, allowed = (
        np.concatenate([getattr(each, name) for each in passed])
        for name in ("effective", "temperature", "covered", "state", "depth", "allowed")
    )
    electrical = np.zeros((len(effective), 2))
    lit = np.flatnonzero(effective > DARK)
    if len(lit):
        cells = temperature[lit] + CELL_RISE * effective[lit] / 1000
        conditions = (depth[lit], effective[lit], cells, np.where(covered[lit] < 1, covered[lit], 0))
        limit = allowed[lit] * device.rated_voltage * device.rated_current
        electrical[lit] = _solve(device, state[lit], conditions, inverter, departures[lit], limit)
    return electrical


def _at_sensors(device, weather, passed):
    """Temperature and irradiance where the sensors are."""
    station = device.station
    there = weather.delay(device.delay - station.lead) if len(weather.beam) == READINGS_PER_DAY else weather
    irradiance = station.irradiance(there, passed.hour)
    if not station.cleared and weather.snow[0]:
        beam, diffuse, _ = irradiance_on_plane(there, station.tilt, station.azimuth)
        covered = _snow_rows(device, there, station.tilt, beam + diffuse)
        irradiance = irradiance * np.where(covered > 0, SNOW_LIGHT, 1)
    return (there.air if station.measures_air else passed.temperature), irradiance


def _snow_rows(device, weather, tilt, irradiance):
    """Share of each module's rows that are covered, also those that are covered in part."""
    if weather.snow[0] == 0:
        return np.zeros(len(irradiance))
    rows = device.habits.rows
    return np.ceil(snow_cover(weather, tilt, irradiance) * rows - 1e-9) / rows


def _standing_confusers(device):
    """What is wrong with where a device is measured, every day."""
    station = device.station
    turned = abs(np.sin(np.radians(device.tilt)) * (station.azimuth - device.azimuth))
    standing = {
        "shaded_sensor": bool(station.shades),
        "misaligned_sensor": max(abs(station.tilt - device.tilt), turned) > 4,
        "distant_sensor": abs(station.lead) > 30,
        "air_temperature": station.measures_air,
    }
    return {name for name, present in standing.items() if present}


def _solve(device, state, conditions, inverter, departures, limit):
    """Voltage and current of the lit slots."""
    depth, irradiance, temperature, snow = conditions
    current, open_voltage = np.empty((len(state), len(SHARES)), np.float32), np.empty(len(state))
    for share in np.unique(snow):
        for faulty in np.unique(state[snow == share] != NOTHING):
            rows = np.flatnonzero((snow == share) & ((state != NOTHING) == faulty))
            table = device.table(bool(faulty), float(share))
            which = state[rows] if faulty else np.zeros(len(rows), int)
            current[rows], open_voltage[rows] = read_curves(
                table, which, depth[rows], irradiance[rows], temperature[rows]
            )
    voltage, drawn = operate(inverter, current, open_voltage, departures, limit)
    # The electronics of an input take some milliamperes: in the last light they pull the voltage down.
    voltage = voltage * device.stretch * np.where(drawn > 0, 1, -np.expm1(-irradiance / 8))
    if device.fault is not None and device.fault.dead_input:
        voltage = np.where(state == len(device.fault.states) - 1, 0, voltage)
    return np.column_stack([voltage, drawn])


def _schedule(device, day, beam, total, hour, slots, rng):
    """State and depth of the fault in some slots of a day; nothing before its onset."""
    end = day_begins(device.site, day) + timedelta(days=1)
    if device.fault is None or device.onset >= end:
        return np.full(len(slots), NOTHING), np.ones(len(slots))
    seconds = np.arange(READINGS_PER_DAY) * SAMPLE_PERIOD_S
    age = (seconds - (device.onset - day_begins(device.site, day)).total_seconds()) / 3600
    share = np.interp(np.arange(READINGS_PER_DAY), slots, beam / np.maximum(total, 1e-6))
    state, depth = device.fault.schedule(Moments(share, hour, age, rng))
    return np.where(age >= 0, state, NOTHING)[slots], depth[slots]
