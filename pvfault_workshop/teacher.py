"""What the network learns of the training windows beside their labels.

Probabilities of windows by boosted trees that have not seen their devices, and the statistics that these trees decide
by. The trees themselves are in `evaluation/contenders.py`: they also compete with the network.
"""

import numpy as np
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.preprocessing import QuantileTransformer

from pvfault.faults import FAULTS
from pvfault_workshop.evaluation.contenders import day_features, strong_boosting
from pvfault_workshop.simulation.labelled import LabelledWindows
from pvfault_workshop.simulation.literature_array import is_reference_size

FOLDS = 2
# Trees of a fold, and the share of the statistics that a split may choose from. On devices that they have not seen, the
# log loss of one fold is 0.586, 0.593 and 0.619 after 60, 100 and 150 trees; once they are softened by a power of 0.7,
# for more trees are surer of themselves, 0.604, 0.578 and 0.572.
TREES = 100
FEATURES = 0.25
# Much of what a window shows cannot be named for sure; a probability says how much, which a label does not. On the
# array of the literature most can be, and there the network does better with labels alone.
SHARE = 0.5


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
        Half of the trees' probability and half of the label; on arrays as large as that of the literature the label
        alone.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network", arXiv 1503.02531, 2015.
    """
    target = np.eye(len(FAULTS), dtype=np.float32)[windows.label]
    fleet = np.flatnonzero(~is_reference_size(windows.modules, windows.strings))
    others = windows.without_images().select(fleet)
    # A device and its healthy twin are in the same fold.
    fold = np.random.default_rng(0).integers(0, FOLDS, others.device.max() + 1)[others.device]
    trees = strong_boosting(seed).set_params(max_iter=TREES, max_features=FEATURES)
    probabilities = cross_val_predict(
        trees, day_features(others), others.label, cv=PredefinedSplit(fold), method="predict_proba"
    ).astype(np.float32)
    target[fleet] = SHARE * probabilities + (1 - SHARE) * target[fleet]
    return target


def rank_statistics(windows: LabelledWindows) -> np.ndarray:
    """Statistics of the windows, of their days and neighbours, for the network to tell from the image.

    What the trees decide by is more than a label says of a window. A network that can tell these numbers has found in
    the image what there is to decide by.

    Parameters
    ----------
    windows : LabelledWindows

    Returns
    -------
    ndarray of float32, shape (n, n_features)
        `contenders.day_features`, each by its rank as a normal deviate within ±3; what is not known is in the middle.

    References
    ----------
    .. [1] R. Caruana, "Multitask learning", Machine Learning 28, 1997, 41-75.
    """
    ranks = QuantileTransformer(
        n_quantiles=min(1000, len(windows)), output_distribution="normal", subsample=50_000, random_state=0
    )
    return np.nan_to_num(np.clip(ranks.fit_transform(day_features(windows)), -3, 3)).astype(np.float32)
