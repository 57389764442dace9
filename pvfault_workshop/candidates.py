"""How probable a class must be to be in a set of candidates: conformal prediction on windows beside the training.

Here: the least probabilities of `pvfault.candidates`, found so that the sets hold the truth as often as they say, and
put into weights that are there. How often they do on other windows is scored in `evaluation/candidate_sets.py`.
"""

import shutil
from pathlib import Path

import numpy as np

from pvfault.candidates import strongest, write_candidate_sets
from pvfault.faults import FAULTS
from pvfault.lenet import read_version
from pvfault.tables import CANDIDATES_HOLD
from pvfault.verdicts import combine_windows, name_windows
from pvfault_workshop.evaluation.comparison import Days
from pvfault_workshop.evaluation.model_card import with_sets
from pvfault_workshop.publishing import card_of, publish, replace_text, written_beside
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day

# What is named is in the set, whatever its probability; a probability that none can have stands for that.
BY_NAME = 2.0


def calibrate(probabilities, windows: LabelledWindows):
    """Find the least probabilities of a network.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
        The network's.
    windows : LabelledWindows
        They are of; it was not trained on them.

    Returns
    -------
    windows, days : ndarray, shape (6,)
        As `pvfault.candidates.write_candidate_sets` takes them.
    """
    days, arranged = Days.of(windows), by_device_day(probabilities, windows)
    return (
        least_probabilities(probabilities, name_windows(probabilities)[0], windows.label, windows.device),
        least_probabilities(strongest(arranged), combine_windows(arranged).fault, days.truth, days.device),
    )


def least_probabilities(probabilities, fault, truth, device, confidence=CANDIDATES_HOLD):
    """How probable each class must be, so that sets hold the truth of a new device's window as often as is asked for.

    Windows of one device share its array, sky and sensors, so that a thousand of them say less than a thousand devices
    do. Devices are exchangeable, windows are not: all windows of a device together count as one draw, and the device to
    come counts as one more, of which the worst is assumed. Each class stands for itself, or the common ones would be
    covered at the cost of the rare ones.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
    fault, truth, device : ndarray of int, shape (n,)
        What each window, or day, is called and what it is, positions in `FAULTS`, and whose it is.
    confidence : float
        How often the truth is to be in the set, of each class.

    Returns
    -------
    ndarray of float, shape (6,)
        0 to 1: 0 for a class of too few devices, which is then in every set. `BY_NAME` where the name is right so often
        that nothing need be added.

    References
    ----------
    .. [1] Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical data", Journal of the
       Royal Statistical Society B, 2025 (the draw within a device, and the device to come).
    .. [2] R. Dunn, L. Wasserman and A. Ramdas, "Distribution-free prediction sets for two-layer hierarchical models",
       Journal of the American Statistical Association 118, 2023, 2491-2502.
    .. [3] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning 92, 2013, 349-376
       (a threshold for each class).
    """
    least = np.zeros(len(FAULTS))
    for position in range(len(FAULTS)):
        own = truth == position
        _, owner, counts = np.unique(device[own], return_inverse=True, return_counts=True)
        by_name = fault[own] == position
        reached = np.where(by_name, BY_NAME, probabilities[own, position])
        least[position] = np.quantile(
            np.append(reached, 0.0),
            1 - confidence,
            weights=np.append(1 / counts[owner], 1.0),
            method="inverted_cdf",
        )
    return least


def put_candidates(weights: Path, least, scores) -> str:
    """Put least probabilities into weights that are there, and their scores into the card, as one step.

    The network stays the same and answers the same, but the file is another version, so that verdicts without
    candidates can be told from those with them; the card says the new version wherever it said the old one.

    Parameters
    ----------
    weights : Path
    least : tuple of ndarray
        As `calibrate` gives it.
    scores : dict of str to list of SetScore
        On the test windows, as `score_candidates` gives them.

    Returns
    -------
    str
        The new version.
    """
    with written_beside(weights) as new:
        shutil.copyfile(weights, new)
        write_candidate_sets(new, *least)
        before, version = read_version(weights), read_version(new)
        present = card_of(weights)
        card = present.read_text(encoding="utf-8") if present.is_file() else f"# Model card: version {before}\n"
        replace_text(new.with_suffix(".md"), with_sets(card, scores).replace(before, version))
        publish(new, weights)
    return version
