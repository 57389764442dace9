"""Hours in which anybody sees that strings are open, and what the network's answer becomes there.

The current of a whole number of strings is missing, the voltage is where it was, and both hardly scatter. The network
is right about nearly all of these hours on plants like those that it was trained on, and called one in four of them
shading on plants of another simulation. So what such hours have turned out to be is weighed against its answer.

Here: which hours these are, by their marks, and the combination of both judges. Not here: what marks are (`marks.py`),
what an hour is called by its probabilities (`verdicts.py`).
"""

import numpy as np

from pvfault.faults import FAULTS, NONE
from pvfault.marks import CHANGE_SPREAD, CHANGES, LEAST_SIZE, MARKS, SIZES

# Strings that are missing differ from a whole number by less, the voltage from what is expected by less, and the
# current scatters by less, as a share of what is expected.
FROM_WHOLE, FROM_EXPECTED, MOST_SCATTER = 0.1, 0.02, 0.05
# Of the strings, how many are missing at least: below a quarter, half of such hours are healthy ones of arrays whose
# irradiance sensor sees more light than they.
LEAST_SHARE = 0.24

# What such hours are where they are faulty, in the order of `FAULTS`, and how much that counts beside the network:
# `pvfault derive open-strings` finds both on the validation windows, of which 256 of 20,630 are such hours, of 68
# devices. Each device counts once, since hours of a device are alike. The cross-entropy there falls from 0.628 to
# 0.505, and hardly changes between 0.5 and 0.9.
SHARES = np.array([0.0, 0.146, 0.016, 0.795, 0.027, 0.016])
WEIGHT = 0.7


def shows_open_strings(marks):
    """In which hours anybody sees that strings are open.

    Parameters
    ----------
    marks : ndarray, shape (n, len(MARKS))
        As `measure_marks` gives them.

    Returns
    -------
    ndarray of bool, shape (n,)
        False where the number of strings is not known, and where all are missing.
    """
    surplus, strings, voltage, scatter = (
        _number(marks, name) for name in ("strings_surplus", "strings", "voltage_mean", "current_std")
    )
    missing = np.round(-surplus)
    with np.errstate(invalid="ignore"):
        is_part = (missing >= 1) & (missing < strings - 0.5) & (missing > LEAST_SHARE * strings)
        is_whole = np.abs(surplus + missing) < FROM_WHOLE
        return is_part & is_whole & (np.abs(voltage) < FROM_EXPECTED) & (scatter < MOST_SCATTER)


def weigh_in(probabilities, shown, *, shares=SHARES, weight=WEIGHT):
    """Combine the network's answer with what hours that show open strings are.

    With p the network's probabilities and q the `shares`, a fault's probability becomes
    (1 - p(none)) ((1 - w) p(fault) / (1 - p(none)) + w q(fault)), a linear pool of both (Stone, 1961) [1]_; whether
    anything is wrong at all stays the network's answer.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
        In the order of `FAULTS`.
    shown : ndarray of bool, shape (n,)
        As `shows_open_strings` gives it.
    shares : ndarray, shape (6,)
    weight : float

    Returns
    -------
    ndarray, shape (n, 6)
        The same where nothing is shown.

    References
    ----------
    .. [1] M. Stone, "The opinion pool", Annals of Mathematical Statistics 32, 1961, 1339-1342.

    Examples
    --------
    >>> answer = np.array([[0.0, 0.0, 0.0, 0.01, 0.99, 0.0]])
    >>> print(FAULTS[weigh_in(answer, np.array([True])).argmax()])
    open_circuit
    """
    none = FAULTS.index(NONE)
    faulty = 1 - probabilities[:, none, None]
    pooled = (1 - weight) * probabilities + weight * faulty * shares
    pooled[:, none] = probabilities[:, none]
    return np.where(np.asarray(shown)[:, None], pooled, probabilities).astype(probabilities.dtype)


def _number(marks, name):
    """What a mark says, from its place on its scale; bounded as that is."""
    place = marks[:, MARKS.index(name)].astype(np.float64)
    if name in CHANGES:
        middle, unit = CHANGES[name]
        return middle + unit * np.sinh(CHANGE_SPREAD * place)
    middle, spread = SIZES[name]
    return np.exp(middle + spread * place) - LEAST_SIZE
