"""Windows with their truth, and what they are told apart by when they are scored.

Here: the type, joining and checking its windows, arranging them by day. Not here: how windows are simulated and get
their labels (`labelling.py`), how they are kept (`parts.py`), scores (`pvfault_workshop/evaluation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.windows import WINDOWS_PER_DAY


@dataclass(frozen=True)
class LabelledWindows:
    """Windows with their truth, and what they are told apart by when they are scored.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 64, 64, 4)
        Shape (n, 0) where no images were asked for.
    marks : ndarray of float32, shape (n, len(MARKS))
        What the images say beside deviations and light, as `measure_marks` has it; NaN where nothing is known. Shape
        (n, 0) where no images were asked for.
    statistics : ndarray of float32, shape (n, len(STATISTICS))
        As `hourly_statistics` gives them.
    day_statistics : ndarray of float32, shape (n, 4 * len(DAY_STATISTICS))
        Of the device's own day: these statistics of the hour before, their median over all hours before, their median
        over the day, and their range over the day; NaN where there is nothing.
    deviations : ndarray of float32, shape (n, len(DEVIATIONS))
        How the hour differs from what the device's days before let expect, and what these days were like.
    neighbours : ndarray of float32, shape (n, len(NEIGHBOUR_STATISTICS))
        Median of these statistics, in the same hour, of the other devices of the same site; NaN where there is none.
    label : ndarray of int, shape (n,)
        Position in `FAULTS`.
    device_day : ndarray of int, shape (n,)
        Which device-day each window is of.
    device : ndarray of int, shape (n,)
        Which device; the healthy twin of a device is the same device.
    day : ndarray of datetime64[D], shape (n,)
    site : ndarray of str, shape (n,)
    hour : ndarray of int, shape (n,)
        Hours since the beginning of the site's solar day, 0 to 23.
    onset : ndarray of float, shape (n,)
        When the fault of the device-day began, since the beginning of the day, negative if before it; NaN for a
        device-day in which no fault shows. [h]
    severity : ndarray of float, shape (n,)
        Of the fault; 0 for healthy windows.
    effect : ndarray of float, shape (n,)
        What the fault changes in the window, as `measure_effect` has it, whether that makes it faulty or not.
    irradiance : ndarray of float, shape (n,)
        Mean over the window. [W/m²]
    modules, strings : ndarray of int, shape (n,)
        Modules in series and strings in parallel.
    cadence : ndarray of int, shape (n,)
        From one reading to the next. [s]
    noise : ndarray of float, shape (n,)
        Error of the device-day's readings in daylight: root of the mean square, over voltage, current and irradiance,
        each relative to its rated value.
    confusers : ndarray of int, shape (n,)
        What the device-day shows that is no fault: bit k stands for `CONFUSERS[k]`.
    """

    images: np.ndarray
    marks: np.ndarray
    statistics: np.ndarray
    day_statistics: np.ndarray
    deviations: np.ndarray
    neighbours: np.ndarray
    label: np.ndarray
    device_day: np.ndarray
    device: np.ndarray
    day: np.ndarray
    site: np.ndarray
    hour: np.ndarray
    onset: np.ndarray
    severity: np.ndarray
    effect: np.ndarray
    irradiance: np.ndarray
    modules: np.ndarray
    strings: np.ndarray
    cadence: np.ndarray
    noise: np.ndarray
    confusers: np.ndarray

    def __len__(self):
        return len(self.label)

    def select(self, which):
        """Pick some of the windows, by index or mask."""
        return replace(self, **{name: values[which] for name, values in vars(self).items()})

    def without_images(self):
        """The same windows, without the memory that their images take."""
        return replace(self, images=np.empty((len(self), 0), np.uint8))


def join_windows(parts: Sequence[LabelledWindows]) -> LabelledWindows:
    """Put windows of different device-days one behind the other."""
    return LabelledWindows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def check_classes(windows: LabelledWindows):
    """Refuse training windows among which a class is missing.

    Parameters
    ----------
    windows : LabelledWindows

    Raises
    ------
    PvfaultError
    """
    counts = np.bincount(windows.label, minlength=len(FAULTS))
    if (counts == 0).any():
        missing = ", ".join(np.array(FAULTS)[counts == 0])
        raise PvfaultError(f"{len(windows)} training windows, none of them {missing}; simulate more devices")


def by_device_day(values, windows: LabelledWindows):
    """Arrange what is known of windows as a day of 24 hours for each device-day.

    Parameters
    ----------
    values : ndarray, shape (n, ...)
    windows : LabelledWindows

    Returns
    -------
    ndarray of float, shape (n_device_days, 24, ...)
        NaN where there is no window. Device-days without any window are left out.
    """
    days, position = np.unique(windows.device_day, return_inverse=True)
    arranged = np.full((len(days), WINDOWS_PER_DAY, *np.shape(values)[1:]), np.nan)
    arranged[position, windows.hour] = values
    return arranged
