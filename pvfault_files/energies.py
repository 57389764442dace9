"""Irradiance that is written as an energy: how long each value was gathered, which its rows tell.

Here: the interval of each device's rows, and the refusal where they keep none. Not here: units (`units.py`).
"""

import numpy as np

from pvfault.errors import PvfaultError

# Steps that are the interval, or a whole number of them, within this share; and how many of the steps have to be.
_JITTER, _REGULAR_SHARE = 0.05, 0.98
_LEAST_STEPS = 2


def seconds_gathered(
    where: str, unit: str, names: list[str], devices: np.ndarray, instants: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """How long each value was gathered, by the interval that its device's rows keep.

    Parameters
    ----------
    where, unit : str
        The column and its unit, as messages call them.
    names : list of str
        Of devices.
    devices, instants : ndarray, shape (n,)
        Places in `names`, and microseconds since 1970.
    values : ndarray, shape (n,)
        Rows without a value do not count.

    Returns
    -------
    ndarray, shape (n,)
        NaN for devices without a value. [s]

    Raises
    ------
    PvfaultError
        If a device's rows keep no interval.
    """
    seconds = np.full(len(instants), np.nan)
    has_value = np.isfinite(values)
    for device in np.unique(devices[has_value]):
        steps = np.diff(np.unique(instants[has_value & (devices == device)])) / 1e6
        if not _is_regular(steps):
            raise PvfaultError(
                f"{where} is in {unit}, an energy: how many W/m² that is hangs on how long each value was gathered, "
                f"and the rows of {names[device] or 'the file'} do not tell, {_told(steps)}. Expected one interval. "
                f"Export irradiance in W/m², or if all values are of one length of time, give the factor to W/m² with "
                f"--unit irradiance=W/m² --scale irradiance=FACTOR."
            )
        seconds[devices == device] = np.median(steps)
    return seconds


def tell_gathered(name: str, unit: str, seconds: np.ndarray) -> str:
    """What is said of it."""
    each = np.unique(seconds[np.isfinite(seconds)])
    lengths = " to ".join(f"{length:g}" for length in dict.fromkeys((each[0], each[-1]))) if len(each) else "no"
    return f"{name}: irradiance in {unit} was taken for what {lengths} s gathered, the interval of the rows."


def _is_regular(steps):
    """Whether all but a few steps are an interval, or a gap of whole ones."""
    if len(steps) < _LEAST_STEPS:
        return False
    count = steps / np.median(steps)
    return (np.abs(count - np.maximum(np.rint(count), 1)) <= _JITTER).mean() >= _REGULAR_SHARE


def _told(steps):
    if len(steps) < _LEAST_STEPS:
        return "because there are too few"
    low, high = np.quantile(steps, [0.1, 0.9])
    return f"because they are {low:g} to {high:g} s apart"
