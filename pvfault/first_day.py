"""What a registered device gives on its first day, before any date tells it: its data sheet, and the day itself.

A data sheet is good to some per cent, sensors' gains included, and a fault that leaves the voltage where it was looks
like another one if all day has been one per cent above the sheet. So the level of the day's healthy hours takes the
sheet's place where it is as near to it as arrays are. Farther off is a fault that was there all day, and the sheet
stays. Not here: how a day's readings tell their healthy level, and devices that are not registered (`estimates.py`).
"""

import numpy as np

from pvfault.estimates import estimate_day

# How far a healthy array may be from its data sheet: voltage and current over light, below and above, as shares.
BELOW, ABOVE = (0.03, 0.05), (0.03, 0.08)


def rate_first_days(first, device, second, measurements, ratings):
    """Ratings of which a day's healthy hours are typical, of devices on their first day.

    Parameters
    ----------
    first : ndarray of bool, shape (n_devices,)
        Which devices are registered and have no date before.
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray, shape (n, 4)
        In the order of `MEASUREMENTS`; NaN for what is left out.
    ratings : ndarray, shape (n_devices, 2)
        Of the registry. [V], [A]

    Returns
    -------
    ndarray of float64, shape (n_devices, 2)
        `ratings` where the day does not tell, or tells what no healthy array gives.
    """
    rated = np.array(ratings, np.float64)
    for number in np.flatnonzero(first):
        own = slice(*np.searchsorted(device, [number, number + 1]))
        found = estimate_day(second[own], measurements[own])
        if not found.reason:
            share = found.ratings / rated[number]
            near = (share > 1 - np.array(BELOW)) & (share < 1 + np.array(ABOVE))
            rated[number] = np.where(near, found.ratings, rated[number])
    return rated
