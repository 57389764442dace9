"""How sure a score is: intervals of confidence over devices.

Here: devices drawn with replacement, and what scores become of the draws. Not here: the scores (`scores.py`), what
they are of (`comparison.py`).

Hours of one device are alike, so whole devices are drawn, with all their windows.
"""

from dataclasses import dataclass

import numpy as np

from pvfault.evaluation.scores import N_CLASSES

DRAWS = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A score with its interval of 95 % confidence over devices."""

    value: float
    low: float
    high: float

    def __format__(self, form):
        form = form or ".3f"
        return f"{self.value:{form}} ({self.low:{form}} to {self.high:{form}})"


def count_by_device(device, truth, found, n_devices=None):
    """Confusion matrix of each device.

    Parameters
    ----------
    device, truth, found : ndarray of int, shape (n,)
    n_devices : int, optional
        Devices are 0 to n_devices - 1; by default those that occur.

    Returns
    -------
    ndarray of int, shape (n_devices, 6, 6)
    """
    if n_devices is None:
        occurring, device = np.unique(device, return_inverse=True)
        n_devices = len(occurring)
    cell = (device * N_CLASSES + truth) * N_CLASSES + found
    return np.bincount(cell, minlength=n_devices * N_CLASSES**2).reshape(n_devices, N_CLASSES, N_CLASSES)


class Resampling:
    """Devices drawn again and again with replacement, the same ones for every judge.

    B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993, section 13.3 (percentile intervals).

    Parameters
    ----------
    n_devices : int
    seed : int
    """

    def __init__(self, n_devices, seed=0):
        rng = np.random.default_rng(seed)
        self._weights = rng.multinomial(n_devices, np.full(n_devices, 1 / n_devices), DRAWS).astype(float)

    def draw(self, by_device):
        """Confusion matrix of all devices, and of each draw of them.

        Parameters
        ----------
        by_device : ndarray of int, shape (n_devices, 6, 6)

        Returns
        -------
        whole : ndarray of int, shape (6, 6)
        drawn : ndarray of float, shape (DRAWS, 6, 6)
        """
        drawn = self._weights @ by_device.reshape(len(by_device), -1)
        return by_device.sum(axis=0), drawn.reshape(-1, N_CLASSES, N_CLASSES)


def to_estimate(value, draws) -> Estimate:
    """Give a score with the percentiles of its draws."""
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))
