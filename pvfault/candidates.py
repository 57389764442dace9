"""Sets of faults that hold the truth with a stated confidence, beside a verdict's one name.

Here: what a set is, the least probabilities that it goes by, how these are kept in a weights file. Not here: how they
are found (`pvfault_workshop/candidates.py`), and the names themselves (`verdicts.py`).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pvfault.faults import FAULTS
from pvfault.tables import CANDIDATES_HOLD
from pvfault.versions import version_of

_ATTRIBUTE = "candidate_sets"


@dataclass(frozen=True)
class CandidateSets:
    """From which probability on a class is in a set, and of which network.

    A set holds the name of the verdict, whatever its probability, and each other class that is as probable as its own
    least probability, or more. So it is never empty and never contradicts the name. With a least probability for each
    class, the set holds the truth as often of each of them, and no other rule that does so has smaller sets [1]_.

    Attributes
    ----------
    version : str
        Of the weights: on the probabilities of other ones the numbers say nothing.
    windows, days : ndarray of float, shape (6,)
        The least probabilities in windows, and in the `strongest` windows of days, in the order of `FAULTS`. Above 1:
        only by name.

    References
    ----------
    .. [1] M. Sadinle, J. Lei and L. Wasserman, "Least ambiguous set-valued classifiers with bounded error levels",
       Journal of the American Statistical Association 114, 2019, 223-234.
    """

    version: str
    windows: np.ndarray
    days: np.ndarray

    def of_windows(self, probabilities, fault):
        """Which classes are in the sets of windows: `members` by their least probabilities."""
        return members(probabilities, fault, self.windows)

    def of_days(self, probabilities, fault):
        """Which classes are in the sets of days, from what `strongest` gives: as in `of_windows`."""
        return members(probabilities, fault, self.days)


def strongest(probabilities):
    """How probable each class is in that window of a day in which it is most probable.

    A day's set goes by this, not by the posterior of its verdict: in that, what begins in the last light is as probable
    on every healthy day, and half of the weak faults are hardly more, so that sets that hold these hold all on each
    healthy day: 3.2 names instead of 1.2 on days of the validation sites, at as many faults held.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, 24, 6)
        NaN for windows that are not `ok`.

    Returns
    -------
    ndarray of float, shape (n, 6)
        NaN where no window could be judged.
    """
    usable = np.isfinite(probabilities).all(axis=-1)
    most = np.where(usable[..., None], probabilities, 0.0).max(axis=1)
    return np.where(usable.any(axis=1)[:, None], most, np.nan)


def members(probabilities, fault, least):
    """Which classes are in each set.

    Parameters
    ----------
    probabilities : ndarray, shape (n, 6)
        NaN where nothing was judged.
    fault : ndarray of int, shape (n,)
        What each is called, position in `FAULTS`; below 0 where nothing was judged.
    least : ndarray, shape (6,)

    Returns
    -------
    ndarray of bool, shape (n, 6)
        In the order of `FAULTS`.

    Examples
    --------
    >>> probabilities = np.array([[0.0, 0.45, 0.4, 0.05, 0.1, 0.0]])
    >>> members(probabilities, np.array([1]), np.array([2.0, 0.3, 0.3, 0.5, 0.2, 0.5])).astype(int)
    array([[0, 1, 1, 0, 0, 0]])
    """
    inside = probabilities >= least
    rows = np.flatnonzero(fault >= 0)
    inside[rows, fault[rows]] = True
    return inside


def write_candidate_sets(weights: Path, windows, days) -> None:
    """Keep least probabilities in a weights file, so that they go wherever the weights go; its version is another then.

    Parameters
    ----------
    weights : Path
    windows, days : ndarray, shape (6,)
    """
    import h5py  # slow to load, and most who know what a set is read no weights

    kept = {
        "confidence": CANDIDATES_HOLD,
        **{
            name: dict(zip(FAULTS, least.tolist(), strict=True))
            for name, least in (("windows", windows), ("days", days))
        },
    }
    with h5py.File(weights, "r+") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(kept)


def read_candidate_sets(weights: Path) -> CandidateSets | None:
    """Read what `write_candidate_sets` kept.

    Parameters
    ----------
    weights : Path
        That `lenet` has found to be a network.

    Returns
    -------
    CandidateSets or None
        None of weights that have none: verdicts by them have no candidates.
    """
    import h5py

    with h5py.File(weights, "r") as file:
        kept = json.loads(file.attrs.get(_ATTRIBUTE, "null"))
    if kept is None:
        return None
    windows, days = (np.array([kept[name][fault] for fault in FAULTS]) for name in ("windows", "days"))
    return CandidateSets(version_of(weights.read_bytes()), windows, days)
