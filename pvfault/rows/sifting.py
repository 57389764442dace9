"""Readings of one date as arrays, sifted: which of them tell of an array, and which are set aside and as what.

Here, once, for all that looks at readings: windows, ratings that are estimated from them, and the look at columns and
units. Not here: what is looked for (`soundness.py`, `silence.py`, `curtailment.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from pvfault import reference
from pvfault.curtailment import is_curtailed
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault.registry import Registry
from pvfault.rows.columns import device_codes, microseconds_of_day
from pvfault.rows.references import NO_LEVELS
from pvfault.silence import is_silent
from pvfault.soundness import Unsound, find_unsound
from pvfault.tables import CURTAILED, NOT_REPORTING, SPARSE
from pvfault.windows import Windows, cut_windows


@dataclass(frozen=True)
class Sifted:
    """Readings of one date, device by device and in order of time.

    Attributes
    ----------
    devices : list of str
    device : ndarray of int, shape (n,)
        Position in `devices`.
    second : ndarray, shape (n,)
        Of the date.
    as_they_came : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.
    unsound : Unsound
    references : ndarray, shape (n_devices, 11)
        What each should give, as other dates tell; NaN where they do not.
    levels : ndarray, shape (n_devices, len(HISTORY), 2)
        Of the dates before; NaN where there are none.
    ratings : ndarray, shape (n_devices, 2)
        Of the registry, or else of the references; NaN where neither tells.
    """

    devices: list[str]
    device: np.ndarray
    second: np.ndarray
    as_they_came: np.ndarray
    unsound: Unsound
    references: np.ndarray
    levels: np.ndarray
    ratings: np.ndarray

    @cached_property
    def said(self) -> np.ndarray:
        """Without what stands still or is a placeholder; shape (n, 4). What is too much for the ratings is said."""
        silent = is_silent(self.device, self.second, self.as_they_came)  # also where that is too much for the ratings
        return _without(self.as_they_came, self.unsound.still | silent)

    @cached_property
    def of_the_array(self) -> np.ndarray:
        """Without what is unsound, or the inverter's doing; shape (n, 4)."""
        return _without(self._sound, self._curtailed)

    @cached_property
    def windows(self) -> Windows:
        """The hours of all devices."""
        aside = {SPARSE: self.unsound.repeated, NOT_REPORTING: self.unsound.silent, CURTAILED: self._curtailed}
        return cut_windows(self.device, self.second, self._sound, len(self.devices), set_aside=aside, by_interval=True)

    @cached_property
    def hourly_means(self) -> np.ndarray:
        """Of the arrays, shape (n_devices, 24, 4).

        The level of an hour that the inverter limits is not the array's: it is as if nothing were known.
        """
        means = self.windows.hourly_means
        means[(self.windows.quality == CURTAILED).reshape(means.shape[:2])] = np.nan
        return means

    def of(self, number: int) -> slice:
        """Where one device's readings stand."""
        return slice(*np.searchsorted(self.device, [number, number + 1]))

    @cached_property
    def _sound(self):
        return _without(self.as_they_came, np.any(self.unsound, axis=0))

    @cached_property
    def _curtailed(self):
        return is_curtailed(self.device, self.second, self._sound, self.references, self.ratings)


def sift_readings(
    readings: pa.Table, day: date, registry: Registry, references: Mapping[str, np.ndarray] | None = None
) -> Sifted:
    """Find out which readings of a date tell of their arrays.

    Parameters
    ----------
    readings : pa.Table
        Readings of `day` (UTC), sorted by deviceID and timestamp, each pair once; all of a device's readings.
    day : date
    registry : Registry
    references : mapping, optional
        What devices should give, as `references_by_device` has it.

    Returns
    -------
    Sifted
    """
    devices, device = device_codes(readings[DEVICE_ID])
    second = microseconds_of_day(readings[TIMESTAMP], day) / 1e6
    measurements = np.column_stack([readings[name].to_numpy() for name in MEASUREMENTS])
    own, levels, ratings = _what_is_known(registry, references or {}, devices)
    unsound = find_unsound(device, second, measurements, ratings)
    return Sifted(devices, device, second, measurements, unsound, own, levels, ratings)


def _what_is_known(registry, references, devices):
    """References, levels of the dates before, and ratings of devices, shapes (n, 11), (n, len(HISTORY), 2) and (n, 2).

    Where a device is not registered, its history tells its ratings; NaN where there is none.
    """
    unknown = np.full(reference.SIZE + len(NO_LEVELS), np.nan)
    known = np.array([references.get(name, unknown) for name in devices]).reshape(-1, len(unknown))
    own, levels = np.split(known, [reference.SIZE], axis=1)
    ratings = np.where(np.isnan(given := registry.ratings(devices)), reference.ratings_of(own), given)
    return own, levels.reshape(len(devices), len(reference.HISTORY), 2), ratings


def _without(measurements, which):
    """The same, NaN where readings are left out."""
    left = measurements.copy()
    left[which] = np.nan
    return left
