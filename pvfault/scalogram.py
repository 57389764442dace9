"""Images of windows: the Morlet scalogram.

Here: the four channels, the transform as one matrix, pooling and quantisation. Not here: what a window is
(`windows.py`), what its marks are (`marks.py`), what an image is taken for (`lenet.py`).
"""

from functools import cache

import numpy as np
import pywt
from scipy.ndimage import uniform_filter1d
from threadpoolctl import ThreadpoolController

from pvfault import reference
from pvfault.marks import measure_marks
from pvfault.windows import SLOTS

WAVELET = "morl"
SCALES = np.arange(1, 65)
# The wavelet is sampled at 2**12 points, and not at as many as the version of pywt at hand takes by itself: with 2**10,
# as earlier ones, the matrix below differs by up to 29 % of its largest coefficient, and trained weights know this one.
PRECISION = 12
PADDED = 192  # 180 slots and 6 zeros on each side: divisible into 64 columns of 3
COLUMNS = 64
POOL = PADDED // COLUMNS
CHANNELS = 4
GAIN = 20.0
SHIFT = 4.0
# In each of two channels: how many marks, of how many slots, and the period of their wave in slots.
BANDS = ((30, 6, 3), (15, 12, 9))
PER_UNIT = 0.4  # an image, which has 33 steps between 1 and e, tells a thirteenth of a unit
CLOUD_SLOTS = 21  # 7 min: what passes faster would lie over the marks
SHAPE = (len(SCALES), COLUMNS, CHANNELS)
BYTES = int(np.prod(SHAPE))

# Magnitudes run from the noise of a good sensor (a few 1/1000 of the rated value) to a full-scale window whose edges
# (about 1.7 at scale 64) meet deep passing clouds. Quantised by their logarithm, one step is 3 % of the value.
FLOOR = 1 / 256
CEILING = 8.0

# How near to the next byte a magnitude is looked at once more, in steps of a byte.
_UNDECIDED = 1e-3

# No sensor and no ratio comes near; beyond it, float32 would overflow.
_LARGEST_SIGNAL = 2.0**20

# Windows for one matrix product, always as many: BLAS adds up a product in an order that may depend on its size, on the
# number of threads, and on whether a row stands at an edge that no whole tile of its kernel covers. 192 rows and 12,288
# columns are multiples of every tile (4, 6, 8, 12, 16, 24, 32, 48, 64). OpenBLAS' kernel for Haswell and Zen takes rows
# by twelve, as two times six that it does not treat alike; so a window has its first two channels in the first six and
# the others in the last, wherever it stands. A window thus has the same image in a stream and in a batch; without all
# this, 3 pixels of 1.6 million differed. 192 rows of 12,288 float32 are 9 MB; fewer cost more (48: 1.3 times the time),
# more gain 5 %. One thread does a product: with two, 5 of 15 million pixels differed.
_CHUNK = 48
_ROWS = (_CHUNK // 3, 2, 3, 2)  # twelves, sixes, windows, channels


def signals_of(values, owner, hour, background):
    """What the images of the windows of a date are made of.

    Parameters
    ----------
    values : ndarray, shape (n, 180, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    owner, hour : ndarray of int, shape (n,)
        Which device, and which hour of the date, UTC.
    background : pvfault.reference.Background
        Of the windows.

    Returns
    -------
    ndarray of float64, shape (n, 180, 4)
        As `normalise` gives them.
    """
    return normalise(*known_of(values, owner, hour, background))


def known_of(values, owner, hour, background):
    """What images say of the windows of a date.

    Parameters
    ----------
    values, owner, hour, background
        As `signals_of` takes them.

    Returns
    -------
    tuple of ndarray
        Deviations, irradiance and marks, as `normalise` takes them.
    """
    deviations = reference.deviate(values, hour, background.references)
    return deviations, values[..., 3], measure_marks(values, deviations, owner, hour, background)


def normalise(deviations, irradiance, marks):
    """Bring what is known of windows to order one, as four signals.

    A fault of 4 % is a small step in a measurement and a large one in its deviation. Deviations are compressed
    (inverse hyperbolic sine) so that 1 % and 100 % are both seen, and shifted, since the magnitude of the transform
    has no sign. The transform shows no level that stays, nor do magnitudes show how two signals go together; so marks
    are given as the amplitude of a wave, which it shows where it is: 30 beside each other as a wave of 3 slots, 15 more
    as one of 9 slots, at scales (2.4 and 7.3) at which neither sees the other.

    Parameters
    ----------
    deviations : ndarray, shape (n, 180, 2)
        Of voltage and current, as `reference.deviate` gives them.
    irradiance : ndarray, shape (n, 180)
        [W/m²]
    marks : ndarray, shape (n, len(MARKS))
        As `measure_marks` gives them.

    Returns
    -------
    ndarray of float64, shape (n, 180, 4)
        Deviation of the voltage; deviation of the current; waves of the first half of the marks; irradiance over
        1000 W/m², smoothed, plus waves of the second half. Their amplitude is e to the power of 0.4 times the mark;
        what is not known is absent.
    """
    signals = np.empty((*irradiance.shape, CHANNELS))
    # 0.05 more a per cent near 0, and above 0 even for a deviation of -1.
    signals[..., :2] = 1 + np.arcsinh(GAIN * deviations) / SHIFT
    amplitudes = np.nan_to_num(np.exp(PER_UNIT * marks)).reshape(len(marks), 2, sum(band[0] for band in BANDS))
    signals[..., 2:] = sum(_draw(band, amplitudes) for band in range(len(BANDS))).transpose(0, 2, 1)
    light = irradiance.astype(np.float64) / 1000
    signals[..., 3] += uniform_filter1d(light, CLOUD_SLOTS, axis=1, mode="nearest")
    return signals


def _draw(band, amplitudes):
    """Waves of one band, shape (n, 2, 180)."""
    first = sum(marks for marks, _, _ in BANDS[:band])
    marks, slots, period = BANDS[band]
    wave = np.sqrt(2) * np.cos(2 * np.pi / period * (np.arange(SLOTS) + 0.5))
    return amplitudes[..., first : first + marks].repeat(slots, axis=-1) * wave


def transform(windows):
    """Scalograms of windows: the magnitude of their continuous wavelet transform, pooled and quantised.

    Equal to `pywt.cwt(padded, scales 1..64, "morl", precision=12)`, magnitude, mean over 3 columns, then `quantise`.
    The transform is linear in the window, so `pywt.cwt` of the identity is its matrix and one product serves many
    windows. A window's image does not depend on the windows beside it.

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
    rows = np.empty((*_ROWS, SLOTS), np.float32)
    coefficients = np.empty((_CHUNK * CHANNELS, transform_matrix().shape[1]), np.float32)
    for first in range(0, len(windows), _CHUNK):
        chunk = windows[first : first + _CHUNK].transpose(0, 2, 1)
        # What the last chunk does not fill keeps the signals of the one before it, and is not looked at.
        np.clip(chunk, -_LARGEST_SIGNAL, _LARGEST_SIGNAL, out=signals[: len(chunk)], casting="same_kind")
        rows[:] = signals.reshape(-1, 3, 2, 2, SLOTS).transpose(0, 2, 1, 3, 4)
        with _blas().limit(limits=1):
            np.matmul(rows.reshape(-1, SLOTS), transform_matrix(), out=coefficients)
        level = quantise(_pool(coefficients)).reshape(*_ROWS, *SHAPE[:2])
        image = level.transpose(0, 2, 4, 5, 1, 3).reshape(_CHUNK, *SHAPE)
        images[first : first + _CHUNK] = image[: len(chunk)]
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
    # Unlike `log`, `log1p` is not computed for several numbers at once: three times faster, and the same byte wherever
    # their difference, below 1e-4 of a step, does not decide it.
    level = _steps(np.log(magnitude * np.float32(1 / FLOOR) + np.float32(1)))
    quantised = level.astype(np.uint8)
    level -= quantised
    level -= np.float32(0.5)
    undecided = np.abs(level, out=level) > np.float32(0.5 - _UNDECIDED)
    quantised[undecided] = _steps(np.log1p(magnitude[undecided] * np.float32(1 / FLOOR))).astype(np.uint8)
    return quantised


def _steps(logarithm):
    """Logarithms of 1 + magnitude / `FLOOR` in steps of a byte, half a step up; overwrites them."""
    logarithm *= np.float32(255 / np.log1p(CEILING / FLOOR))
    logarithm += np.float32(0.5)
    return np.minimum(logarithm, np.float32(255), out=logarithm)


@cache
def _blas():
    """What sets the number of threads of the libraries that multiply matrices."""
    return ThreadpoolController().select(user_api="blas")


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
    coefficients, _ = pywt.cwt(identity, SCALES, WAVELET, precision=PRECISION)  # (scale, slot, time)
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
