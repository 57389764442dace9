"""What the network's probabilities are worth where ratings are estimated from the readings themselves.

Beside ratings of the registry the network has learned how often it is right. Beside estimated ones it is not as often:
a string that opens is a shadow to it, for hours. What tells them apart is there, though: a string opens in an instant
and for good, and takes current and no voltage (`estimates.py` finds such steps). So a logistic regression, fitted on
simulated devices without a registry by `pvfault derive estimates`, says how probable each fault is when the network
says this and the day has such a step.
"""

import numpy as np

from pvfault.faults import FAULTS

# Less is as good as nothing: what the network is surer of than that, it has not learned from so few examples.
LEAST = 0.003
# What each fault's weight is made of: the network's log-odds of each fault against none, a step of the current alone and
# its size, one of the voltage alone, one of both, and a constant.
TERMS = (*(f"log-odds of {fault}" for fault in FAULTS[1:]), "current", "size of current", "voltage", "both", "constant")
WEIGHTS = np.eye(len(FAULTS) - 1, len(TERMS))


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
    steps = [alone, alone * np.asarray(below)[:, 1], voltage & ~current, voltage & current, np.ones(len(logs))]
    return np.column_stack([logs[:, 1:] - logs[:, :1], *steps])


def calibrate(probabilities, below, weights=WEIGHTS):
    """How probable each class is, where ratings are estimated.

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
    A shadow, says the network, but in all hours behind a step the current lies a quarter lower, and the voltage does not:

    >>> shadow = np.array([[0.1, 0.02, 0.02, 0.06, 0.8, 0.0]])
    >>> FAULTS[calibrate(shadow, np.array([[0.0, 0.25]])).argmax()]
    'open_circuit'
    """
    logits = terms_of(probabilities, below) @ weights.T
    logits = np.column_stack([np.zeros(len(logits)), logits])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
