"""What the instruments of a plant make of voltage, current, temperature and irradiance.

Here: where irradiance and temperature are measured, and what comes out of the sensors: lag, gain, offset, drift, noise,
resolution, cadence and clock, values that are stuck, readings that get lost. Not here: the true values (`devices.py`).

The errors do not depend on whether a device is faulty, and are drawn from a generator of their own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S
from pvfault_workshop.simulation.weather import irradiance_on_plane

# Spread of gain (relative), of offset and of noise (relative to full scale) for voltage, current, temperature and
# irradiance. Inverters' own meters are good to about 1 %, Pt1000 sensors to 0.5 K on a module of which one point is
# measured, reference cells and pyranometers in the field to 2 or 3 % (IEC 61724-1:2021, class B).
GAIN = np.array([0.004, 0.008, 0.005, 0.015])
OFFSET = np.array([0.0008, 0.0012, 0.008, 0.001])
NOISE = np.array([0.0006, 0.0012, 0.0015, 0.001])
# Spread of the change of gain in a year: 1 to 1.5 % is what ISO 9060:2018 allows a pyranometer of class B or C.
DRIFT = np.array([0.0005, 0.001, 0.0005, 0.006])
# Time constants at most: filters of meters, a thermometer glued to glass, a thermopile (20 s to 95 % in ISO 9060:2018,
# class B, so 7 s) behind a logger's filter. [s]
MOST_LAG = np.array([8.0, 8.0, 90.0, 15.0])
# Last digits that interfaces report. [V], [A], [°C], [W/m²]
RESOLUTIONS = ((0.01, 0.1, 1.0), (0.01, 0.02, 0.1), (0.01, 0.1, 0.5, 1.0), (0.1, 1.0, 1.0, 5.0))
CADENCES = (20, 60, 300)  # s, of the loggers on the market: every reading of ours, one of three, one of 15


@dataclass(frozen=True)
class Station:
    """Where a plant measures irradiance and temperature: not quite where its array is.

    Attributes
    ----------
    tilt, azimuth : float
        Of the irradiance sensor. [°]
    lead : float
        By which clouds reach the sensor before the array, negative where after. [s]
    shades : tuple of tuple of float
        Shadows on the sensor alone, each day at their solar time: middle [h], length [h], share of the beam.
    measures_air : bool
        Whether the thermometer hangs in the air instead of on a module.
    cleared : bool
        Whether the irradiance sensor is kept free of snow.
    """

    tilt: float
    azimuth: float
    lead: float = 0.0
    shades: tuple[tuple[float, float, float], ...] = ()
    measures_air: bool = False
    cleared: bool = True

    def irradiance(self, weather, hour):
        """Irradiance where the sensor is.

        Parameters
        ----------
        weather : Weather
            As it is at the sensor.
        hour : ndarray, shape (n,)
            Solar time.

        Returns
        -------
        ndarray, shape (n,)
            [W/m²]
        """
        beam, diffuse, _ = irradiance_on_plane(weather, self.tilt, self.azimuth)
        for middle, length, opacity in self.shades:
            # The edge of a shadow takes a tenth of its time to cross the sensor's mount.
            inside = np.clip((1 - np.abs(hour - middle) / (length / 2)) * 5, 0, 1)
            beam = beam * (1 - opacity * inside)
        return beam + diffuse


@dataclass(frozen=True)
class Sensors:
    """Errors of one device's four sensors, of its logger and of its connection.

    Attributes
    ----------
    gain : ndarray, shape (4,)
    offset : ndarray, shape (4,)
        [V], [A], [K], [W/m²]
    noise : ndarray, shape (4,)
        Standard deviation, in the same units.
    resolution : ndarray, shape (4,)
        In the same units.
    loss : float
        Share of single readings that get lost.
    outages : float
        Interruptions of the connection, on average a day.
    level : float
        Quality of the instruments as one number: gain, offset and noise were drawn this many times as wide as usual.
    drift : ndarray, shape (4,)
        Change of the gain in a year.
    lag : ndarray, shape (4,)
        Time constant. [s]
    cadence_s : int
        One of `CADENCES`. [s]
    averages : bool
        Whether a slow logger reports the mean of the time since its last reading, else the value of the moment.
    phase, jitter : float
        When readings are taken within their slots, and how much that varies. [s]
    bursts : float
        Times of a bad connection, in which most readings get lost, on average a day.
    sticks : float
        Times at which a value, or all four, stays as it was, on average a day.
    """

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray
    resolution: np.ndarray
    loss: float
    outages: float
    level: float
    drift: np.ndarray
    lag: np.ndarray
    cadence_s: int
    averages: bool
    phase: float
    jitter: float
    bursts: float
    sticks: float


def draw_station(tilt, azimuth, rng):
    """Draw where a plant measures.

    Parameters
    ----------
    tilt, azimuth : float
        Of the array. [°]
    rng : numpy.random.Generator

    Returns
    -------
    Station
        Most are mounted well: a degree or two off the array's plane and within 10 s of its clouds. One in six stands
        in another plane, one in eight is shaded at some time of the day, one in eight stands so far that clouds take
        up to three minutes, and one plant in eight measures the air's temperature.
    """
    off = rng.normal(0, (10, 25)) if rng.random() < 0.17 else rng.normal(0, 1, 2)
    lead = rng.uniform(-180, 180) if rng.random() < 0.12 else rng.normal(0, 10)
    shades = ()
    if rng.random() < 0.12:
        shades = tuple(
            (float(rng.uniform(7.5, 16.5)), float(rng.uniform(0.4, 3)), float(rng.uniform(0.4, 1)))
            for _ in range(rng.integers(1, 3))
        )
    return Station(
        tilt=float(np.clip(tilt + off[0], 0, 90)),
        azimuth=float(azimuth + off[1]),
        lead=float(lead),
        shades=shades,
        measures_air=bool(rng.random() < 0.12),
        cleared=bool(rng.random() < 0.5),
    )


def draw_sensors(rated_voltage, rated_current, rng, cadences=CADENCES[:1]):
    """Draw the errors of a device's sensors.

    Parameters
    ----------
    rated_voltage, rated_current : float
        Of the array; the range of the sensors goes with it. [V], [A]
    rng : numpy.random.Generator
    cadences : tuple of int
        Of `CADENCES`, one of which it has. [s]

    Returns
    -------
    Sensors
    """
    scale = np.array([rated_voltage, rated_current, 60.0, 1000.0])
    resolution = np.array([rng.choice(choices) for choices in RESOLUTIONS])
    level = float(np.exp(np.clip(rng.normal(0, 0.3), -0.6, 0.6)))
    return Sensors(
        gain=1 + level * GAIN * rng.standard_normal(4).clip(-2.5, 2.5),
        offset=level * OFFSET * scale * rng.standard_normal(4).clip(-2.5, 2.5),
        noise=level * NOISE * scale * rng.uniform(0.5, 1.8, 4),
        # A meter whose last digit is more than half a per cent of its range is not sold for that range.
        resolution=np.minimum(resolution, [0.005 * scale[0], 0.005 * scale[1], 1.0, 5.0]),
        loss=float(rng.choice([0, 0.001, 0.005, 0.02])),
        outages=float(rng.choice([0, 0.3, 1.5], p=[0.6, 0.3, 0.1])),
        level=level,
        drift=DRIFT * rng.standard_normal(4).clip(-2.5, 2.5),
        lag=MOST_LAG * rng.random(4),
        cadence_s=int(cadences[int(rng.random() * len(cadences))]),
        averages=bool(rng.random() < 0.4),
        phase=float(rng.uniform(0, SAMPLE_PERIOD_S)),
        jitter=float(rng.choice([0.2, 2.0, 6.0], p=[0.6, 0.3, 0.1])),
        bursts=float(rng.choice([0, 0.5], p=[0.85, 0.15])),
        sticks=float(rng.choice([0, 0.3], p=[0.85, 0.15])),
    )


def perfect_sensors(cadence_s=SAMPLE_PERIOD_S):
    """Sensors without any error, for comparison.

    Parameters
    ----------
    cadence_s : int
        [s]

    Returns
    -------
    Sensors
    """
    none = np.zeros(4)
    return Sensors(
        gain=none + 1, offset=none, noise=none, resolution=none + 1e-6, loss=0.0, outages=0.0, level=0.0, drift=none,
        lag=none, cadence_s=cadence_s, averages=False, phase=0.0, jitter=0.0, bursts=0.0, sticks=0.0,
    )  # fmt: skip


def measure(sensors, values, years, rng):
    """Measure a day.

    Parameters
    ----------
    sensors : Sensors
    values : ndarray, shape (4320, 4)
        As they are where the sensors are.
    years : float
        Since the sensors were calibrated.
    rng : numpy.random.Generator

    Returns
    -------
    readings : ndarray of float32, shape (4320, 4)
    received : ndarray of bool, shape (4320,)
        False where no reading was taken, or it was lost.
    stuck : bool
        Whether any value of the day is stuck.
    """
    # All numbers are drawn at once, so that another cadence leaves the noise as it is.
    noise, lost = rng.standard_normal(values.shape), rng.random(len(values))
    shift = rng.standard_normal(len(values)) * sensors.jitter
    polled, moment = _poll(sensors, shift)
    seen = _sample(_lag(values, sensors), moment, sensors)
    noisy = seen * (sensors.gain + sensors.drift * years) + sensors.offset + sensors.noise * noise
    readings = (np.round(noisy / sensors.resolution) * sensors.resolution).astype(np.float32)
    stuck = _stick(readings, sensors.sticks, rng)
    received = polled & (lost >= sensors.loss)
    for slots, share in _interruptions(sensors, rng):
        received[slots] &= lost[slots] >= share
    return readings, received, stuck


def mean_error(sensors, values, years):
    """What remains of the errors in means over an hour: those that do not average out.

    Parameters
    ----------
    sensors : Sensors
    values : ndarray, shape (..., 4)
    years : float
        Since the sensors were calibrated.

    Returns
    -------
    ndarray, shape (..., 4)
        The values with gain, drift and offset.
    """
    return values * (sensors.gain + sensors.drift * years) + sensors.offset


def _lag(values, sensors):
    """Values behind a first-order lag."""
    keep = np.exp(-SAMPLE_PERIOD_S / np.maximum(sensors.lag, 1e-3))
    if (keep < 1e-3).all():
        return values
    columns = [
        lfilter([1 - k], [1, -k], column, zi=[k * column[0]])[0] for k, column in zip(keep, values.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def _poll(sensors, shift):
    """Slots for which there is a reading, and the moments at which it was taken, counted in slots.

    A reading is stamped with the next slot: what happens after its time cannot be in it.
    """
    slot = np.arange(READINGS_PER_DAY)
    early = np.clip(sensors.phase + shift, 0, SAMPLE_PERIOD_S) / SAMPLE_PERIOD_S
    moment = np.maximum(slot - early, 0)
    step = sensors.cadence_s // SAMPLE_PERIOD_S
    if step == 1:
        return np.ones(len(slot), bool), moment
    # The clock of a slow logger lets its readings fall into earlier or later slots.
    at = np.clip(slot[::step] + (sensors.phase + shift[::step]) / SAMPLE_PERIOD_S, 0, READINGS_PER_DAY - 1)
    stamp = np.ceil(at).astype(int)
    polled = np.zeros(len(slot), bool)
    polled[stamp] = True
    moment[stamp] = at
    return polled, moment


def _sample(values, moment, sensors):
    """Values at given moments, or their means over the time since the reading before."""
    step = sensors.cadence_s // SAMPLE_PERIOD_S
    if sensors.averages and step > 1:
        total = np.cumsum(np.concatenate([np.repeat(values[:1], step, axis=0), values]), axis=0)
        values = (total[step:] - total[:-step]) / step
    below = np.minimum(moment.astype(int), len(values) - 2)
    part = (moment - below)[:, None]
    return values[below] * (1 - part) + values[below + 1] * part


def _stick(readings, rate, rng):
    """Hold values, in place, from some moments on for 5 min to some hours; whether any was held."""
    starts = rng.integers(0, len(readings), rng.poisson(rate))
    for start in starts:
        until = start + int(np.exp(rng.uniform(np.log(15), np.log(720))))
        columns = slice(None) if rng.random() < 0.5 else rng.integers(4)
        readings[start:until, columns] = readings[start, columns]
    return len(starts) > 0


def _interruptions(sensors, rng):
    """Times of a lost connection (1 to 40 min, some up to 8 h) or a bad one (10 min to 4 h), and the share lost."""
    for start in rng.integers(0, READINGS_PER_DAY, rng.poisson(sensors.outages)):
        longest = 1440 if rng.random() < 0.1 else 120
        yield slice(start, start + int(np.exp(rng.uniform(np.log(3), np.log(longest))))), 1.0
    for start in rng.integers(0, READINGS_PER_DAY, rng.poisson(sensors.bursts)):
        yield slice(start, start + int(np.exp(rng.uniform(np.log(30), np.log(720))))), rng.uniform(0.3, 0.9)
