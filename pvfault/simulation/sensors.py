"""What the sensors of a plant make of voltage, current, temperature and irradiance.

Here: gain, offset, noise, resolution, and readings that get lost. Not here: the true values (`fleet.py`).

The errors do not depend on whether a device is faulty, and are drawn from a generator of their own.
"""

from dataclasses import dataclass

import numpy as np

# Spread of gain (relative), of offset and of noise (relative to full scale) for voltage, current, temperature and
# irradiance. Inverters' own meters are good to about 1 %, Pt1000 sensors to 0.5 K on a module of which one point is
# measured, reference cells and pyranometers in the field to 2 or 3 % (IEC 61724-1:2021, class B).
GAIN = np.array([0.004, 0.008, 0.005, 0.015])
OFFSET = np.array([0.0008, 0.0012, 0.008, 0.001])
NOISE = np.array([0.0006, 0.0012, 0.0015, 0.001])
# Last digits that interfaces report. [V], [A], [°C], [W/m²]
RESOLUTIONS = ((0.01, 0.1, 1.0), (0.01, 0.02, 0.1), (0.01, 0.1, 0.5), (0.1, 1.0, 1.0))


@dataclass(frozen=True)
class Sensors:
    """Errors of one device's four sensors.

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
    """

    gain: np.ndarray
    offset: np.ndarray
    noise: np.ndarray
    resolution: np.ndarray
    loss: float
    outages: float


def draw_sensors(rated_voltage, rated_current, rng):
    """Draw the errors of a device's sensors.

    Parameters
    ----------
    rated_voltage, rated_current : float
        Of the array; the range of the sensors goes with it. [V], [A]
    rng : numpy.random.Generator

    Returns
    -------
    Sensors
    """
    scale = np.array([rated_voltage, rated_current, 60.0, 1000.0])
    resolution = np.array([rng.choice(choices) for choices in RESOLUTIONS])
    # A meter whose last digit is more than half a per cent of its range is not sold for that range.
    return Sensors(
        gain=1 + GAIN * rng.standard_normal(4).clip(-2.5, 2.5),
        offset=OFFSET * scale * rng.standard_normal(4).clip(-2.5, 2.5),
        noise=NOISE * scale * rng.uniform(0.4, 2.0, 4),
        resolution=np.minimum(resolution, 0.005 * scale),
        loss=float(rng.choice([0, 0.001, 0.005, 0.02])),
        outages=float(rng.choice([0, 0.3, 1.5], p=[0.6, 0.3, 0.1])),
    )


def measure(sensors, values, rng):
    """Measure a day.

    Parameters
    ----------
    sensors : Sensors
    values : ndarray, shape (n, 4)
        Truth. [V], [A], [°C], [W/m²]
    rng : numpy.random.Generator

    Returns
    -------
    readings : ndarray of float32, shape (n, 4)
    received : ndarray of bool, shape (n,)
        False where a reading was lost.
    """
    noisy = values * sensors.gain + sensors.offset + sensors.noise * rng.standard_normal(values.shape)
    readings = (np.round(noisy / sensors.resolution) * sensors.resolution).astype(np.float32)
    received = rng.random(len(values)) >= sensors.loss
    for start in rng.integers(0, len(values), rng.poisson(sensors.outages)):
        received[start : start + int(np.exp(rng.uniform(np.log(3), np.log(120))))] = False  # 1 min to 40 min
    return readings, received
