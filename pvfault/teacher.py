"""What boosted trees think of the training windows, for the network to learn from.

Here: probabilities of windows by trees that have not seen their devices. Not here: how the network is trained with them
(`training.py`), the trees and what they see (`evaluation/contenders.py`).
"""

import numpy as np
from sklearn.model_selection import PredefinedSplit, cross_val_predict

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
        Every fault among them.
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
    probabilities = cross_val_predict(
        strong_boosting(seed), features, windows.label, cv=PredefinedSplit(fold), method="predict_proba"
    ).astype(np.float32)
    return SHARE * probabilities + (1 - SHARE) * np.eye(len(FAULTS), dtype=np.float32)[windows.label]
