"""How often sets of candidates hold the truth, and how large they are.

Of windows or of days, on any test: whoever has truth, sets and devices can have them scored.
"""

from dataclasses import dataclass

import numpy as np

from pvfault.candidates import CandidateSets, strongest
from pvfault.faults import FAULTS, NONE
from pvfault.verdicts import combine_windows, name_windows
from pvfault_workshop.evaluation.comparison import Days
from pvfault_workshop.evaluation.intervals import Estimate, Resampling, to_estimate
from pvfault_workshop.evaluation.scores import GROUP_NAMES, group_shorts
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day

FAULTY, ALL = "faulty", "all"


@dataclass(frozen=True)
class SetScore:
    """What the sets of some windows or days are worth.

    Attributes
    ----------
    name : str
        Their class, or `FAULTY` or `ALL`.
    n : int
    coverage : Estimate
        Share of the sets that hold the truth.
    by_device : float
        The same where each device weighs alike, however many windows it has: what is calibrated.
    size : float
        Mean number of names in a set.
    circuits : float
        The same, where line_line and line_ground count once: at the terminals they are one.
    named : float
        Share of those whose one name is the truth.
    named_group : float
        The same with the two shorts as one.
    """

    name: str
    n: int
    coverage: Estimate
    by_device: float
    size: float
    circuits: float
    named: float
    named_group: float


def score_candidates(sets: CandidateSets | None, probabilities, windows: LabelledWindows) -> dict[str, list[SetScore]]:
    """Score a network's sets of windows and of device-days.

    Parameters
    ----------
    sets : CandidateSets or None
        The network's.
    probabilities : ndarray, shape (n, 6)
        The network's.
    windows : LabelledWindows

    Returns
    -------
    dict of str to list of SetScore
        By unit, `windows` and `device-days`; empty for a network without sets.
    """
    if sets is None:
        return {}
    fault = name_windows(probabilities)[0]
    days, arranged = Days.of(windows), by_device_day(probabilities, windows)
    verdict = combine_windows(arranged).fault
    return {
        "windows": score_sets(sets.of_windows(probabilities, fault), fault, windows.label, windows.device),
        "device-days": score_sets(sets.of_days(strongest(arranged), verdict), verdict, days.truth, days.device),
    }


def score_sets(inside, fault, truth, device) -> list[SetScore]:
    """Score sets by class, of all faulty ones and of all.

    Parameters
    ----------
    inside : ndarray of bool, shape (n, 6)
        Which classes are in each set, as `pvfault.candidates.members` gives it.
    fault, truth : ndarray of int, shape (n,)
        What each is called and what it is, positions in `FAULTS`.
    device : ndarray, shape (n,)
        Whose it is; intervals are over devices.

    Returns
    -------
    list of SetScore
        Without classes that do not occur.
    """
    rows = {name: truth == position for position, name in enumerate(FAULTS)}
    rows |= {FAULTY: truth != FAULTS.index(NONE), ALL: np.ones(len(truth), bool)}
    return [_score(name, inside[own], fault[own], truth[own], device[own]) for name, own in rows.items() if own.any()]


def _score(name, inside, fault, truth, device):
    held = inside[np.arange(len(truth)), truth]
    _, owner = np.unique(device, return_inverse=True)
    by_device = np.stack([np.bincount(owner, held), np.bincount(owner)], axis=1)
    (holds, number), drawn = Resampling(len(by_device)).draw(by_device)
    groups = group_shorts(np.arange(len(FAULTS)))
    circuits = np.stack([inside[:, groups == group].any(axis=1) for group in range(len(GROUP_NAMES))], axis=1)
    return SetScore(
        name=name,
        n=len(truth),
        coverage=to_estimate(float(holds / number), drawn[:, 0] / drawn[:, 1]),
        by_device=float((by_device[:, 0] / by_device[:, 1]).mean()),
        size=float(inside.sum(axis=1).mean()),
        circuits=float(circuits.sum(axis=1).mean()),
        named=float((fault == truth).mean()),
        named_group=float((group_shorts(fault) == group_shorts(truth)).mean()),
    )
