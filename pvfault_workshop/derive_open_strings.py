"""What hours that show open strings are, and how much that counts beside the network: measured on simulated plants.

Windows of the validation sites, simulated as those that a network is chosen by, are judged by the network. Of those in
which `shows_open_strings`, the shares of the faults and the weight with the least cross-entropy are what stands in
`pvfault/open_strings.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pvfault.faults import FAULTS, NONE
from pvfault.open_strings import SHARES, WEIGHT, shows_open_strings, weigh_in
from pvfault.verdicts import name_windows
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED
from pvfault_workshop.recipe import Recipe
from pvfault_workshop.simulation.labelling import simulate_fleets
from pvfault_workshop.simulation.splits import VALIDATION, plan_part

DEVICES = 1_032
WEIGHTS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Found:
    """What windows with open strings turned out to be.

    Attributes
    ----------
    windows : int
        That were looked at.
    counts : ndarray of int, shape (6,)
        Those that show open strings, by what they are.
    devices : ndarray, shape (6,)
        The same, each device counting as one.
    shares : ndarray, shape (6,)
        Of the faulty ones of these devices, with one more of each fault.
    cross_entropy : dict of float to float
        Of the windows that show open strings, by the weight of these shares; each device counts as one.
    scores : dict of str to (float, float)
        Of all windows, by the network alone and with the shares and the weight of the code.
    """

    windows: int
    counts: np.ndarray
    devices: np.ndarray
    shares: np.ndarray
    cross_entropy: dict[float, float]
    scores: dict[str, tuple[float, float]]


def derive_open_strings(
    classifier, devices: int = DEVICES, *, workers: int = 1, report: Callable[[int], None] = lambda _done: None
) -> Found:
    """Judge simulated windows, and look at those that show open strings.

    Parameters
    ----------
    classifier : pvfault.lenet.Classifier
    devices : int
        Faulty ones, each with its healthy twin.
    workers : int
        Processes.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    Found
    """
    _, _, options = plan_part(VALIDATION.name, Recipe.devices)[0]
    parts = [
        (fleet.label, fleet.device, shows_open_strings(fleet.marks), classifier.predict(fleet.images))
        for fleet in simulate_fleets(VALIDATION, devices, workers=workers, report=report, **options)
    ]
    return describe(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def describe(label, device, shown, probabilities) -> Found:
    """What windows turned out to be.

    Parameters
    ----------
    label, device : ndarray of int, shape (n,)
    shown : ndarray of bool, shape (n,)
        Which windows show open strings.
    probabilities : ndarray, shape (n, 6)
        The network's.

    Returns
    -------
    Found
    """
    _, own, windows = np.unique(device[shown], return_inverse=True, return_counts=True)
    part = 1 / windows[own]
    devices = np.bincount(label[shown], part, minlength=len(FAULTS))
    faulty = np.where(np.arange(len(FAULTS)) == FAULTS.index(NONE), 0, devices + 1)
    shares = faulty / faulty.sum()
    in_code = weigh_in(probabilities, shown, shares=SHARES, weight=WEIGHT)
    return Found(
        windows=len(label),
        counts=np.bincount(label[shown], minlength=len(FAULTS)),
        devices=devices,
        shares=shares,
        cross_entropy={
            weight: _cross_entropy(
                weigh_in(probabilities, shown, shares=shares, weight=weight)[shown], label[shown], part
            )
            for weight in WEIGHTS
        },
        scores={
            metric.name: tuple(metric.score_all(label, name_windows(each)[0]) for each in (probabilities, in_code))
            for metric in (FOUND, GROUPED)
        },
    )


def _cross_entropy(probabilities, label, part):
    """Mean of windows that count as parts of their devices; NaN without any."""
    of_truth = probabilities[np.arange(len(label)), label]
    loss = -np.log(np.maximum(of_truth, _LEAST_PROBABILITY))
    return float(np.average(loss, weights=part)) if len(label) else np.nan
