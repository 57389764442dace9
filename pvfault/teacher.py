"""What boosted trees think of the training windows, for the network to learn from.

Here: probabilities of windows by trees that have not seen their devices. Not here: how the network is trained with them
(`training.py`), the trees and what they see (`evaluation/contenders.py`).
"""

import numpy as np

from pvfault.evaluation.contenders import day_features, strong_boosting
from pvfault.faults import FAULTS
from pvfault.simulation.labelled import LabelledWindows

FOLDS = 3
# Much of what a window shows cannot be named for sure; a probability says how much, which a label does not.
SHARE = 0.7


def teach(windows: LabelledWindows, *, seed: int) -> np.ndarray:
    """What the network shall answer: labels softened by trees that were fitted on other devices.

    Parameters
    ----------
    windows : LabelledWindows
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, 6)
        0.7 of the trees' probability and 0.3 of the label.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", arXiv 1503.02531, 2015.
    """
    features = day_features(windows)
    # A device and its healthy twin are in the same fold.
    fold = np.random.default_rng(0).integers(0, FOLDS, windows.device.max() + 1)[windows.device]
    probabilities = np.zeros((len(windows), len(FAULTS)), np.float32)
    for number in range(FOLDS):
        held_out = fold == number
        if not held_out.any() or held_out.all():
            continue
        trees = strong_boosting(seed).fit(features[~held_out], windows.label[~held_out])
        # A class that the other folds do not have stays at 0.
        probabilities[np.ix_(held_out, trees.classes_)] = trees.predict_proba(features[held_out])
    label = np.eye(len(FAULTS), dtype=np.float32)[windows.label]
    untaught = probabilities.sum(axis=1) == 0
    probabilities[untaught] = label[untaught]
    return (SHARE * probabilities + (1 - SHARE) * label).astype(np.float32)
