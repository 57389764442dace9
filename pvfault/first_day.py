"""What a registered device gives on its first day, before any date tells it: its data sheet, and the day so far.

A data sheet is good to some per cent, sensors' gains included, and a fault that leaves the voltage where it was looks
like another one if all day has been one per cent above the sheet. So the level of the hours so far takes the sheet's
place where they are as near to it as healthy arrays are; what is farther off is a fault, and tells nothing. Not here:
devices that are not registered (`estimates.py`), what dates before tell (`reference.py`).
"""

import numpy as np

from pvfault import reference
from pvfault.estimates import CLEAR_LIGHT

# How far a healthy array may be from its data sheet: voltage and current over light, below and above, as shares.
BELOW, ABOVE = (0.03, 0.05), (0.03, 0.08)
# Faults take, so the level lies above the middle of the hours, as that of dates before does.
QUANTILE = 0.7


def rate_hours(means, ratings):
    """Ratings of which the hours of a day so far are typical.

    Parameters
    ----------
    means : ndarray, shape (n, 24, 4)
        Hourly means of voltage [V], current [A], temperature [°C] and irradiance [W/m²] of devices on their first day;
        NaN where there is none.
    ratings : ndarray, shape (n, 2)
        Of the registry. [V], [A]

    Returns
    -------
    ndarray of float64, shape (n, 24, 2)
        Of each hour, from the means up to its own; `ratings` until an hour tells anything.
    """
    shares = reference.measure_levels(means[:, :, None], reference.typical_references(ratings))
    with np.errstate(invalid="ignore"):
        near = (shares > 1 - np.array(BELOW)) & (shares < 1 + np.array(ABOVE))
        tells = np.where(near & (means[..., 3:] > CLEAR_LIGHT), shares, np.nan)
    level = np.ones(tells.shape)
    for hour in range(tells.shape[1]):
        so_far = tells[:, : hour + 1].swapaxes(1, 2)
        known = np.isfinite(so_far).any(axis=-1)
        level[:, hour][known] = np.nanquantile(so_far[known], QUANTILE, axis=-1)
    return np.round(level * np.asarray(ratings, np.float64)[:, None], reference.DIGITS)
