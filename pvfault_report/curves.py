"""Readings of one device on one date: looked up, and thinned to what a screen shows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault.rows.columns import midnight_us

DAY_S = 86_400
# One for each pixel of a narrow curve: a step every 5 min.
PIXELS = 288


class ReadingsByDay:
    """Readings in time order, of which those of a device and date are found without looking at the others.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by timestamp; deviceID may be coded.
    """

    def __init__(self, readings: pa.Table):
        self._readings = readings
        self._us = readings[TIMESTAMP].cast(pa.int64()).to_numpy()

    @property
    def windows_at_most(self) -> int:
        """How many hours of devices there can be to judge."""
        hours = np.unique(self._us // 3_600_000_000).size
        return min(hours * len(pc.unique(self._readings[DEVICE_ID])), len(self._readings))

    def of(self, device, day):
        """Seconds since midnight, ascending, shape (n,), and measurements, shape (n, 4), of a device on a date."""
        first, end = np.searchsorted(self._us, [midnight_us(day), midnight_us(day) + DAY_S * 1_000_000])
        of_day = self._readings.slice(first, end - first)
        own = np.asarray(pc.equal(of_day[DEVICE_ID], device))
        second = (self._us[first:end][own] - midnight_us(day)) / 1e6
        return second, np.column_stack([of_day[name].to_numpy()[own] for name in MEASUREMENTS])


def thin(second, measurements):
    """The least and the most of each measurement in each of `PIXELS` steps of a day.

    Parameters
    ----------
    second : ndarray, shape (n,)
        Since midnight, ascending. [s]
    measurements : ndarray, shape (n, 4)

    Returns
    -------
    least, most : ndarray, shape (PIXELS, 4)
        NaN where there is no finite value.

    Examples
    --------
    >>> least, most = thin(np.array([0.0, 20.0, 300.0]), np.array([[1.0] * 4, [2.0] * 4, [np.nan] * 4]))
    >>> float(least[0, 0]), float(most[0, 0]), float(most[1, 0])
    (1.0, 2.0, nan)
    """
    pixel = (second * PIXELS // DAY_S).astype(int)
    finite = np.where(np.isfinite(measurements), measurements, np.nan)
    least, most = np.full((2, PIXELS, measurements.shape[1]), np.nan)
    np.fmin.at(least, pixel, finite)
    np.fmax.at(most, pixel, finite)
    return least, most
