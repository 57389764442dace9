"""One device: an array, its inverter, its sensors, its place, and perhaps its fault.

Here: how devices are drawn, and their readings of one solar day. Not here: fleets and tables of readings
(`fleet.py`), the physics itself (`array.py`, `inverter.py`, `faults.py`).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pvlib

from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S
from pvfault.simulation.array import ArrayShape, read_curves, tabulate
from pvfault.simulation.faults import NOTHING, Fault
from pvfault.simulation.inverter import Inverter, operate
from pvfault.simulation.modules import load_modules, module_temperature
from pvfault.simulation.sensors import Sensors, draw_sensors, measure
from pvfault.simulation.sites import Site
from pvfault.simulation.weather import irradiance_on_plane

# Cells are warmer than the back of their module by 3 K at 1,000 W/m²: D. King et al., "Photovoltaic array performance
# model", SAND2004-3535, 2004, table 1 (glass/cell/polymer sheet, open rack).
CELL_RISE = 3.0
DARK = 1.0  # W/m²: below, nothing is solved
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
        Share of the light that dirt, age and tolerance leave.
    stretch : float
        Voltage relative to the data sheet, by tolerance and age.
    delay : int
        Slots by which clouds reach it later than the site.
    heat : dict of float
        Keywords of `module_temperature`.
    inverter : Inverter
    sensors : Sensors
    seed : tuple of int
        Of everything random in its days.
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
    delay: int
    heat: dict
    inverter: Inverter
    sensors: Sensors
    seed: tuple[int, ...]
    fault: Fault | None = None
    onset: datetime | None = None

    @property
    def rated_voltage(self):
        """V_mp of the array at standard test conditions, in V."""
        return self.shape.module.voltage * self.shape.in_series

    @property
    def rated_current(self):
        """I_mp of the array at standard test conditions, in A."""
        return self.shape.module.current * self.shape.in_parallel

    @cached_property
    def healthy_table(self):
        """Curves of the array without its fault."""
        return tabulate(self.shape, [lambda nodes: nodes.array((self.shape.in_parallel, nodes.healthy()))])

    @cached_property
    def faulty_table(self):
        """Curves of the array with its fault."""
        return tabulate(self.shape, self.fault.states, self.fault.depths)

    def healthy_twin(self):
        """Copy the device without its fault; everything random in its days stays the same."""
        return replace(self, fault=None, onset=None)


def draw_device(name, site, seed, rng):
    """Draw a healthy device.

    Parameters
    ----------
    name : str
    site : Site
    seed : tuple of int
    rng : numpy.random.Generator

    Returns
    -------
    Device
    """
    shape = draw_shape(rng)
    rated = (shape.module.voltage * shape.in_series, shape.module.current * shape.in_parallel)
    power = rated[0] * rated[1]
    facing = 180 if site.latitude > 0 else 0
    return Device(
        name=name,
        site=site,
        shape=shape,
        tilt=float(np.clip(0.75 * abs(site.latitude) + rng.normal(0, 6), 5, 45)),
        azimuth=facing + (rng.normal(0, 20) if rng.random() < 0.85 else rng.choice([-90, 90])),
        light=(1 - min(rng.gamma(2, 0.012), 0.08)) * (1 - rng.uniform(0, 0.04)) * (1 + rng.uniform(-0.005, 0.02)),
        stretch=1 + 0.005 * rng.standard_normal() - rng.uniform(0, 0.01),
        delay=int(rng.integers(0, 4)),
        heat={"u0": rng.uniform(22, 28), "u1": rng.uniform(4, 8), "time_constant_s": rng.uniform(250, 600)},
        inverter=Inverter(
            limit=power * (rng.uniform(0.7, 0.95) if rng.random() < 0.25 else 1.5),
            start=power * rng.uniform(0.003, 0.01),
            scans=bool(rng.random() < 0.5),
            inertia=rng.uniform(0.02, 0.5),
            dither=rng.uniform(0.002, 0.012),
        ),
        sensors=draw_sensors(*rated, rng),
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
    return ArrayShape(module, in_series, in_parallel, blocking=bool(in_parallel > 2 and rng.random() < 0.25))


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
    """

    truth: np.ndarray
    readings: np.ndarray
    received: np.ndarray


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
    tracker, sensor, burst = (np.random.default_rng([*device.seed, day.toordinal(), part]) for part in range(3))
    beam, diffuse, cos_incidence = irradiance_on_plane(weather, device.tilt, device.azimuth)
    beam, diffuse = np.roll(beam, device.delay), np.roll(diffuse, device.delay)
    # Glass reflects a flat beam: ASHRAE 93-77 with b = 0.05, through pvlib.
    incidence = np.degrees(np.arccos(np.clip(cos_incidence, 0, 1)))
    effective = device.light * (beam * np.nan_to_num(pvlib.iam.ashrae(incidence)) + diffuse)
    temperature = module_temperature(weather.air, weather.wind, beam + diffuse, **device.heat)
    state, depth = _schedule(device, day, beam / np.maximum(beam + diffuse, 1e-6), burst)
    steps = tracker.choice([-1.0, 0.0, 1.0], READINGS_PER_DAY)
    electrical = np.zeros((READINGS_PER_DAY, 2))
    lit = np.flatnonzero(effective > DARK)
    if len(lit):
        conditions = (depth[lit], effective[lit], temperature[lit] + CELL_RISE * effective[lit] / 1000)
        electrical[lit] = _solve(device, state[lit], conditions, steps[lit])
    truth = np.column_stack([electrical, temperature, beam + diffuse])
    readings, received = measure(device.sensors, truth, sensor)
    return Day(truth, readings, received)


def _solve(device, state, conditions, steps):
    """Voltage and current of the lit slots."""
    depth, irradiance, temperature = conditions
    struck = state != NOTHING
    current, open_voltage = read_curves(device.healthy_table, np.zeros(len(state), int), depth, irradiance, temperature)
    if struck.any():
        current[struck] = read_curves(
            device.faulty_table, state[struck], depth[struck], irradiance[struck], temperature[struck]
        )[0]
    voltage, drawn = operate(device.inverter, current, open_voltage, steps)
    # The electronics of an input take some milliamperes: in the last light they pull the voltage down.
    voltage = voltage * device.stretch * np.where(drawn > 0, 1, -np.expm1(-irradiance / 8))
    if device.fault is not None and device.fault.dead_input:
        voltage = np.where(struck, 0, voltage)
    return np.column_stack([voltage, drawn])


def _schedule(device, day, beam_share, rng):
    """State and depth of the fault in every slot of a day; nothing before its onset."""
    if device.fault is None:
        return np.full(READINGS_PER_DAY, NOTHING), np.ones(READINGS_PER_DAY)
    seconds = np.arange(READINGS_PER_DAY) * SAMPLE_PERIOD_S
    hour = seconds / 3600 - device.site.day_offset + device.site.longitude / 15
    state, depth = device.fault.schedule(beam_share, hour, rng)
    begun = seconds >= (device.onset - day_begins(device.site, day)).total_seconds()
    return np.where(begun, state, NOTHING), depth
