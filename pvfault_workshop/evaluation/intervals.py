"""How sure a score is: intervals of confidence over devices.

Hours of one device are alike, so whole devices are drawn, with all their windows.
"""

from dataclasses import dataclass

import numpy as np

from pvfault_workshop.evaluation.scores import CONFIDENCE_BINS, N_CLASSES, confidence_bins

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
        """Sums over all devices, and over each draw of them, as of their confusion matrices.

        Parameters
        ----------
        by_device : ndarray, shape (n_devices, ...)

        Returns
        -------
        whole : ndarray, shape (...)
        drawn : ndarray of float, shape (DRAWS, ...)
        """
        drawn = self._weights @ by_device.reshape(len(by_device), -1)
        return by_device.sum(axis=0), drawn.reshape(-1, *by_device.shape[1:])


def estimate_share(holds) -> Estimate:
    """Estimate the share of devices for which something holds.

    Parameters
    ----------
    holds : ndarray of bool, shape (n_devices,)

    Returns
    -------
    Estimate
    """
    whole, drawn = Resampling(len(holds)).draw(holds)
    return to_estimate(float(whole / len(holds)), drawn / len(holds))


def estimate_calibration_error(device, probabilities, truth) -> Estimate:
    """Estimate the expected calibration error of what windows are called.

    Parameters
    ----------
    device : ndarray of int, shape (n,)
    probabilities : ndarray, shape (n, 6)
    truth : ndarray of int, shape (n,)

    Returns
    -------
    Estimate
        What is drawn scatters more than what it is drawn from, and the error is a mean of distances: the interval lies
        rather too high.
    """
    occurring, device = np.unique(device, return_inverse=True)
    which, confidence, right = confidence_bins(probabilities, truth)
    by_device = np.zeros((len(occurring), CONFIDENCE_BINS + 1))
    np.add.at(by_device, (device, which), confidence - right)
    by_device[:, -1] = np.bincount(device)

    def error(sums):
        return np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1]

    whole, drawn = Resampling(len(occurring)).draw(by_device)
    return to_estimate(float(error(whole)), error(drawn))


def to_estimate(value, draws) -> Estimate:
    """Give a score with the percentiles of its draws."""
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))
