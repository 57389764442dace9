"""What the network learns of the training windows beside their labels.

Here: probabilities of windows by boosted trees that have not seen their devices, and the statistics that these trees
decide by. Not here: how the network is trained with them (`training.py`), the trees and what they see
(`evaluation/contenders.py`).
"""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from pvfault.evaluation.contenders import day_features, strong_boosting
from pvfault.faults import FAULTS
from pvfault.simulation import reference
from pvfault.simulation.labelled import LabelledWindows

FOLDS = 2
# Much of what a window shows cannot be named for sure; a probability says how much, which a label does not. On the
# array of the literature most can be, and trees that were fitted on half of the devices are less right than a network
# that learns the labels alone.
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
    features = day_features(windows)
    # A device and its healthy twin are in the same fold.
    fold = np.random.default_rng(0).integers(0, FOLDS, windows.device.max() + 1)[windows.device]
    probabilities = cross_val_predict(
        strong_boosting(seed), features, windows.label, cv=PredefinedSplit(fold), method="predict_proba"
    ).astype(np.float32)
    of_the_literature = (windows.modules == reference.MODULES) & (windows.strings == reference.STRINGS)
    share = np.where(of_the_literature, 0, SHARE).astype(np.float32)[:, None]
    return share * probabilities + (1 - share) * np.eye(len(FAULTS), dtype=np.float32)[windows.label]


def describe(windows: LabelledWindows) -> np.ndarray:
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
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return np.clip(make_pipeline(fill, ranks).fit_transform(day_features(windows)), -3, 3).astype(np.float32)
