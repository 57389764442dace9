"""Scores: how right a network is, by window and by device-day.

Confusion matrices, F1 scores, grouped classes, calibration.
"""

import numpy as np

from pvfault.faults import ARC_FAULT, FAULTS, LINE_GROUND, LINE_LINE, NONE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.verdicts import name_windows

N_CLASSES = len(FAULTS)
SHORT = "short"
# At an array's terminals, a line-line and a line-ground fault over the same modules are the same circuit.
GROUPS = {NONE: NONE, LINE_LINE: SHORT, LINE_GROUND: SHORT, OPEN_CIRCUIT: OPEN_CIRCUIT}
GROUPS |= {PARTIAL_SHADING: PARTIAL_SHADING, ARC_FAULT: ARC_FAULT}

# What a network is to reach on devices, sites and days that it was not trained on.
LEAST_FAULTY_F1 = 0.97
LEAST_GROUPED_F1 = {"windows": 0.90, "device-days": 0.93}
LEAST_REFERENCE_F1 = (0.97, 0.94)  # windows of the reference array: clean, noisy
MOST_FALSE_ALARMS = 1.0  # a device-year
MOST_CALIBRATION_ERROR = 0.02
LEAST_FOUND_SOON = 0.95  # of the faults that must be found soon
NEAR_THE_CEILING = 0.02

CONFIDENCE_BINS = 15
GROUP_NAMES = tuple(dict.fromkeys(GROUPS.values()))


def confusion_matrix(truth, found, n_classes=N_CLASSES):
    """Count how often each class was taken for each.

    Parameters
    ----------
    truth, found : ndarray of int, shape (n,)
    n_classes : int

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        Rows are the truth.

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    return np.bincount(truth * n_classes + found, minlength=n_classes**2).reshape(n_classes, n_classes)


def f1_scores(confusion):
    """F1 score of each class: harmonic mean of precision and recall.

    Parameters
    ----------
    confusion : ndarray of int, shape (..., k, k)
        Rows are the truth.

    Returns
    -------
    ndarray, shape (..., k)
        0 for a class that neither was nor was found.

    Examples
    --------
    >>> f1_scores(np.array([[1, 1], [0, 1]])).round(3)
    array([0.667, 0.667])
    """
    total = confusion.sum(axis=-2) + confusion.sum(axis=-1)
    hits = 2 * np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.divide(hits, total, out=np.zeros(total.shape), where=total > 0)


def group_confusion(confusion, groups):
    """Add up the rows and columns of classes that belong together.

    Parameters
    ----------
    confusion : ndarray of int, shape (..., k, k)
    groups : ndarray of int, shape (k,)
        The group of each class, 0 to m - 1.

    Returns
    -------
    ndarray of int, shape (..., m, m)

    Examples
    --------
    >>> group_confusion(np.arange(9).reshape(3, 3), np.array([0, 1, 1]))
    array([[ 0,  3],
           [ 9, 24]])
    """
    member = (groups[:, None] == np.arange(groups.max() + 1)).astype(int)
    return member.T @ confusion @ member


def group_shorts(classes):
    """Map classes to groups in which line-line and line-ground are one.

    Parameters
    ----------
    classes : ndarray of int, shape (n,)
        Positions in `FAULTS`.

    Returns
    -------
    ndarray of int, shape (n,)
        Positions in `GROUP_NAMES`.
    """
    return np.array([GROUP_NAMES.index(GROUPS[fault]) for fault in FAULTS])[classes]


def score(truth, found):
    """All scores of one set of answers.

    Parameters
    ----------
    truth, found : ndarray of int, shape (n,)
        Positions in `FAULTS`.

    Returns
    -------
    dict
        `confusion`, `f1` (shape 6), `macro_f1`, `grouped_f1` (shape 5), `grouped_macro_f1`, `faulty_f1` (faulty
        against healthy), `false_alarms` (share of the healthy ones called faulty), `missed` (share of the faulty ones
        called healthy).
    """
    confusion = confusion_matrix(truth, found)
    grouped = f1_scores(confusion_matrix(group_shorts(truth), group_shorts(found), len(GROUP_NAMES)))
    faulty = confusion_matrix((truth > 0).astype(int), (found > 0).astype(int), 2)
    f1 = f1_scores(confusion)
    return {
        "confusion": confusion,
        "f1": f1,
        "macro_f1": float(f1.mean()),
        "grouped_f1": grouped,
        "grouped_macro_f1": float(grouped.mean()),
        "faulty_f1": float(f1_scores(faulty)[1]),
        "false_alarms": float(faulty[0, 1] / max(faulty[0].sum(), 1)),
        "missed": float(faulty[1, 0] / max(faulty[1].sum(), 1)),
    }


def confidence_bins(probabilities, truth):
    """In which of the bins of `reliability` each window is, how sure it is called so, and whether rightly."""
    found, confidence = name_windows(probabilities)
    return np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1), confidence, found == truth


def reliability(probabilities, truth):
    """How often windows are called rightly, by how sure they are called so: bins of equal width.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
    truth : ndarray of int, shape (n,)
        Positions in `FAULTS`.

    Returns
    -------
    counts : ndarray of int, shape (15,)
        Windows by their confidence, the probability of what they are called.
    confidence, right : ndarray, shape (15,)
        Its sum over the windows of a bin, and how many of them are called rightly.

    Examples
    --------
    >>> counts, confidence, right = reliability(np.array([[0.75, 0, 0, 0.25, 0, 0]] * 4), np.array([0, 0, 0, 3]))
    >>> print(counts[11], confidence[11], right[11])
    4 3.0 3.0
    """
    which, confidence, right = confidence_bins(probabilities, truth)
    return tuple(np.bincount(which, values, CONFIDENCE_BINS) for values in (None, confidence, right))


def calibration_error(probabilities, truth):
    """Expected calibration error of what windows are called.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
    truth : ndarray of int, shape (n,)

    Returns
    -------
    float
        Mean distance between confidence and share of right answers over the bins of `reliability`, weighted by their
        size.

    References
    ----------
    .. [1] C. Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.

    Examples
    --------
    >>> round(calibration_error(np.array([[0.75, 0, 0, 0.25, 0, 0]] * 4), np.array([0, 0, 0, 3])), 6)
    0.0
    """
    _, confidence, right = reliability(probabilities, truth)
    return float(np.abs(confidence - right).sum() / max(len(truth), 1))
