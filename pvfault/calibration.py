"""What the network's probabilities are worth where ratings are estimated from the readings themselves.

Beside ratings of the registry the network has learned how often it is right. Beside estimated ones it is not as often:
a string that opens is a shadow to it, for hours. What tells them apart is there, though: a string opens in an instant
and for good, and takes current and no voltage (`estimates.py` finds such steps). So a logistic regression, fitted on
simulated devices without a registry by `pvfault derive estimates`, says how probable each fault is when the network
says this and the day has such a step.
"""

import numpy as np

from pvfault.faults import FAULTS, NONE, PARTIAL_SHADING
from pvfault.verdicts import name_windows

# Less is as good as nothing: what the network is surer of than that, it has not learned from so few examples.
LEAST = 0.003
# What each fault's weight is made of: the network's log-odds of each fault against none; whether current alone, voltage
# alone or both lie beyond a step; the log-odds of a shadow once more where current alone does, because there the
# network takes an open string for one; and a constant.
_STEPS = ("current", "shadow and current", "voltage", "both")
TERMS = (*(f"log-odds of {fault}" for fault in FAULTS[1:]), *_STEPS, "constant")
# `pvfault derive estimates`, held to the network's own probabilities, from 384 files of 1 and 4 days of the validation
# sites. On 288 files of the test sites, the calibration error of all that is called something goes from 0.031 to 0.020,
# and the confidence of shading, right 41 % of the time at 0.76, to 0.53.
WEIGHTS = np.array(
    [
        [0.73, 0, 0, 0, 0, 0.01, 0.03, -0.23, 0.11, -0.11],
        [0, 0.76, 0, 0, 0, 0.03, -0.14, 0.07, 0, -0.02],
        [0, 0, 0.64, 0, 0, 0.04, 0.32, -0.06, 0, -0.31],
        [0, 0, 0, 0.52, 0, -0.09, -0.24, 0.12, -0.04, -0.44],
        [0, 0, 0, 0, 0.78, -0.02, -0.07, 0.05, -0.02, -0.05],
    ]
)


def terms_of(probabilities, below):
    """What the weights of the faults are made of.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
        The network's, in the order of `FAULTS`.
    below : ndarray, shape (n, 2)
        How far voltage and current lie below the day's best hours, beyond a step, as shares.

    Returns
    -------
    ndarray, shape (n, len(TERMS))
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST))
    voltage, current = (np.asarray(below) > 0).T
    alone = current & ~voltage
    odds = logs[:, 1:] - logs[:, :1]
    shadow = alone * odds[:, FAULTS.index(PARTIAL_SHADING) - 1]
    return np.column_stack([odds, alone, shadow, voltage & ~current, voltage & current, np.ones(len(logs))])


def calibrate(probabilities, below, weights=WEIGHTS):
    """How probable each class is, where ratings are estimated and the network sees a fault.

    What looks healthy stays as it is: how often a fault hides in it is not in the hour (`HIDDEN_FAULT`).

    Parameters
    ----------
    probabilities, below
        As `terms_of` takes them.
    weights : ndarray, shape (5, len(TERMS))
        Of each fault.

    Returns
    -------
    ndarray of float32, shape (n, 6)

    Examples
    --------
    A shadow, says the network, but beyond a step the current lies a quarter lower, and the voltage does not:

    >>> shadow = np.array([[0.1, 0.02, 0.02, 0.06, 0.8, 0.0]])
    >>> FAULTS[calibrate(shadow, np.array([[0.0, 0.25]])).argmax()]
    'open_circuit'
    """
    logits = terms_of(probabilities, below) @ weights.T
    logits = np.column_stack([np.zeros(len(logits)), logits])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    return np.where(looks_healthy(probabilities)[:, None], probabilities, odds).astype(np.float32)


def looks_healthy(probabilities):
    """Which windows the network calls healthy; shape (n,)."""
    return name_windows(probabilities)[0] == FAULTS.index(NONE)
