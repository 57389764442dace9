"""Images of windows: the Morlet scalogram.

Here: the four channels, the transform as one matrix, pooling and quantisation. Not here: what a window is
(`windows.py`), what an image is taken for (`lenet.py`).
"""

from functools import cache

import numpy as np
import pywt

from pvfault import reference
from pvfault.hourly_statistics import relate
from pvfault.reference import COURSE, N_VOLTAGE
from pvfault.windows import SLOTS

WAVELET = "morl"
SCALES = np.arange(1, 65)
PADDED = 192  # 180 slots and 6 zeros on each side: divisible into 64 columns of 3
COLUMNS = 64
POOL = PADDED // COLUMNS
CHANNELS = 4
GAIN = 20.0
SHIFT = 4.0
# What stands in the image beside the irradiance: marks, each as wide as 4 of its columns.
MARKS = (
    "modules_surplus", "strings_surplus", "temperature", "irradiance", "current_on_irradiance",
    "current_off_irradiance", "voltage_on_temperature", "without_current", "jumps", "voltage_step_mean",
    "voltage_step_max", "current_step_mean", "voltage_min", "voltage_max",
)  # fmt: skip
MARK_SLOTS = 4 * POOL
PER_UNIT = 0.7  # an image, which has 33 steps between 1 and e, tells a twentieth of a module or string
LEAST_MARK, MOST_MARK = -6.0, 2.5
DIM_LIGHT = 0.05  # of 1000 W/m²
SHAPE = (len(SCALES), COLUMNS, CHANNELS)
BYTES = int(np.prod(SHAPE))

# Magnitudes run from the noise of a good sensor (a few 1/1000 of the rated value) to a full-scale window whose edges
# (about 1.7 at scale 64) meet deep passing clouds. Quantised by their logarithm, one step is 3 % of the value.
FLOOR = 1 / 256
CEILING = 8.0

# Of unit amplitude; its scale in the transform is 3.25, at which the transform sees three or four slots at once.
_WAVE = np.sqrt(2) * np.cos(np.pi / 2 * (np.arange(SLOTS) + 0.5))

# No sensor and no ratio comes near; beyond it, float32 would overflow.
_LARGEST_SIGNAL = 2.0**20

# Windows for one matrix product, always as many: BLAS adds up a product in an order that may depend on its size, on the
# number of threads, and on whether a row stands at an edge that no whole tile of its kernel covers. With 192 rows and
# 12,288 columns, both multiples of every tile (4, 6, 8, 12, 16, 24, 32, 48, 64), all rows take the same way, so that a
# window has the same image in a stream and in a batch. With products of any size, 3 pixels of 1.6 million differed.
# 192 rows of 12,288 float32 are 9 MB; fewer cost more (48: 1.3 times the time), more gain 5 %.
_CHUNK = 48


def normalise(values, hour, background):
    """Bring the measurements of windows to order one, as deviations from what their devices should give.

    A fault of 4 % is a small step in a measurement and a large one in its deviation. Deviations are compressed
    (inverse hyperbolic sine) so that 1 % and 100 % are both seen, and shifted, since the magnitude of the transform
    has no sign. The transform shows no level that stays; so what stays is given as the amplitude of a wave of 4 slots,
    which it shows where it is. A step of the course is as wide as a column of the image. Nor do magnitudes show how two
    signals go together; marks, of which each has its place of 4 columns, do.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    hour : ndarray of int, shape (n,)
        Hour of the day at which each window begins, UTC.
    background : Background
        What `pvfault.reference` knows of the windows.

    Returns
    -------
    ndarray of float64, shape (n, 180, 4)
        Deviation of the voltage; deviation of the current; the wave whose amplitude is the course of the voltage in the
        first half of the window and that of the current in the second, absent where nothing is known; irradiance over
        1000 W/m², plus the wave whose amplitude is, in 12 slots for each of `MARKS`, e to the power of 0.7 times the
        mark: modules and strings of surplus, then levels, slopes and steps.
    """
    voltage, current, temperature, irradiance = values.astype(np.float64).transpose(2, 0, 1)
    clock = hour[:, None] + np.arange(SLOTS) / SLOTS
    references = background.references
    expected_voltage, expected_current = reference.expect(references, temperature, irradiance, clock)
    signals = np.empty(values.shape)
    signals[..., 0] = _compress((voltage - expected_voltage) / expected_voltage)
    # In dim light the error of the irradiance sensor is larger than the current: it shall not look like a fault.
    offset = DIM_LIGHT * references[:, N_VOLTAGE, None]
    signals[..., 1] = _compress((current - expected_current) / (expected_current + offset))
    course = np.nan_to_num(_compress(background.course - 1))
    signals[..., 2] = course.transpose(0, 2, 1).reshape(len(values), 2 * COURSE).repeat(POOL, axis=1) * _WAVE
    per_light = current / references[:, N_VOLTAGE, None]
    marks = _measure_marks(voltage / expected_voltage, per_light, temperature, irradiance / 1000, background.surplus)
    amplitude = np.nan_to_num(np.exp(PER_UNIT * np.clip(marks, LEAST_MARK, MOST_MARK))).repeat(MARK_SLOTS, axis=1)
    margin = (SLOTS - amplitude.shape[1]) // 2
    wave = np.pad(amplitude * _WAVE[: amplitude.shape[1]], ((0, 0), (margin, margin)))
    signals[..., 3] = irradiance / 1000 + wave
    return signals


def _measure_marks(voltage, current, temperature, light, surplus):
    """What the magnitudes of single channels do not show: how the signals go together, and what stays.

    Parameters
    ----------
    voltage, current : ndarray, shape (n, 180)
        Relative to that of a healthy device; the current to that at 1000 W/m².
    temperature, light : ndarray, shape (n, 180)
        [°C], [1000 W/m²]
    surplus : ndarray, shape (n, 2)

    Returns
    -------
    ndarray, shape (n, len(MARKS))
        Scaled so that most windows lie within ±2; NaN where nothing is known.
    """
    steps, current_steps = np.abs(np.diff(voltage, axis=1)), np.abs(np.diff(current, axis=1))
    slope, off, by_temperature, without_current, jumps = relate(voltage, current, temperature, light).T
    marks = np.column_stack(
        [
            surplus,
            (temperature.mean(axis=1) - 25) / 15,
            1.5 * np.log(np.maximum(light.mean(axis=1), 0.02)),
            np.arcsinh(10 * (slope - 1)),
            0.8 * np.log((off + 1e-4) / 0.02),
            np.arcsinh(300 * by_temperature),
            6 * without_current - 4,
            np.log(jumps + 0.005) + 1.5,
            0.8 * np.log((steps.mean(axis=1) + 1e-4) / 0.005),
            0.7 * np.log((steps.max(axis=1) + 1e-4) / 0.03),
            0.8 * np.log((current_steps.mean(axis=1) + 1e-4) / 0.01),
            np.arcsinh(GAIN * (voltage.min(axis=1) - 1)),
            np.arcsinh(GAIN * (voltage.max(axis=1) - 1)),
        ]
    )
    # Marks do not depend on the windows beside it, whatever the order of additions inside.
    return np.round(marks, reference.DIGITS)


def _compress(deviation):
    """A relative deviation as a level about 1: 0.05 more a per cent near 0, and above 0 even for -1."""
    return 1 + np.arcsinh(GAIN * deviation) / SHIFT


def transform(windows):
    """Scalograms of windows: the magnitude of their continuous wavelet transform, pooled and quantised.

    Equal to `pywt.cwt(padded, scales 1..64, "morl")`, magnitude, mean over 3 columns, then `quantise`. The transform
    is linear in the window, so `pywt.cwt` of the identity is its matrix and one product serves many windows. A
    window's image does not depend on the windows beside it.

    Parameters
    ----------
    windows : ndarray of float, shape (n, 180, 4)
        As `normalise` gives them.

    Returns
    -------
    ndarray of uint8, shape (n, 64, 64, 4)
        Scale, time, channel.

    Raises
    ------
    ValueError
        If a value is not finite: such a window is `invalid` and has no image.
    """
    if not np.isfinite(windows).all():
        raise ValueError("a window with values that are not finite has no scalogram")
    images = np.empty((len(windows), *SHAPE), np.uint8)
    signals = np.zeros((_CHUNK, CHANNELS, SLOTS), np.float32)
    coefficients = np.empty((_CHUNK * CHANNELS, transform_matrix().shape[1]), np.float32)
    for first in range(0, len(windows), _CHUNK):
        chunk = windows[first : first + _CHUNK].transpose(0, 2, 1)
        # What the last chunk does not fill keeps the signals of the one before it, and is not looked at.
        np.clip(chunk, -_LARGEST_SIGNAL, _LARGEST_SIGNAL, out=signals[: len(chunk)], casting="same_kind")
        np.matmul(signals.reshape(-1, SLOTS), transform_matrix(), out=coefficients)
        level = quantise(_pool(coefficients[: len(chunk) * CHANNELS]))
        images[first : first + _CHUNK] = level.reshape(len(chunk), CHANNELS, *SHAPE[:2]).transpose(0, 2, 3, 1)
    return images


def quantise(magnitude):
    """Magnitudes as bytes, by their logarithm: 0 for 0, 255 from `CEILING` on.

    Parameters
    ----------
    magnitude : ndarray of float, any shape

    Returns
    -------
    ndarray of uint8, same shape
    """
    steps = 255 / np.log1p(CEILING / FLOOR)
    level = magnitude * np.float32(1 / FLOOR)
    np.log1p(level, out=level)
    level *= np.float32(steps)
    level += np.float32(0.5)
    return np.minimum(level, np.float32(255), out=level).astype(np.uint8)


@cache
def transform_matrix():
    """The transform of one padded window, as a matrix.

    Returns
    -------
    ndarray of float32, shape (180, 3 * 64 * 64), read-only
        Columns in the order (position in its pool of 3, scale, column of the image), so that pooling adds three
        contiguous blocks.
    """
    padding = (PADDED - SLOTS) // 2
    identity = np.pad(np.eye(SLOTS), ((0, 0), (padding, padding)))
    coefficients, _ = pywt.cwt(identity, SCALES, WAVELET)  # (scale, slot, time)
    by_pool = coefficients.transpose(1, 0, 2).reshape(SLOTS, len(SCALES), COLUMNS, POOL)
    matrix = np.ascontiguousarray(by_pool.transpose(0, 3, 1, 2).reshape(SLOTS, -1), np.float32)
    matrix.flags.writeable = False  # every caller gets the same array
    return matrix


def _pool(coefficients):
    """Means of the magnitudes over 3 columns, shape (n, 64 * 64): scale, time. Spoils the coefficients."""
    np.abs(coefficients, out=coefficients)
    first, second, third = coefficients.reshape(len(coefficients), POOL, -1).transpose(1, 0, 2)
    pooled = first + second
    pooled += third
    pooled *= np.float32(1 / POOL)
    return pooled
