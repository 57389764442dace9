"""Why a score is not higher: how much of what is asked shows at all.

How far healthy hours are from what is expected of them, beside what faults change; scores of faults that change enough;
how soon faults are found by the size of the array. Faults that are the same circuit are in `same_circuits.py`.
"""

from dataclasses import dataclass

import numpy as np

from pvfault_workshop.evaluation.alarms import SOON, must_be_found_soon
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED, STRINGS, in_parts
from pvfault_workshop.simulation.labelled import LabelledWindows
from pvfault_workshop.simulation.labelling import LEAST_EFFECT
from pvfault_workshop.simulation.surroundings import DEVIATIONS

LEAST_EFFECTS = (LEAST_EFFECT, 0.05, 0.1, 0.2, 0.4)
# Of the healthy hours; the rest is farther from what is expected than the bound.
USUAL = 0.95


@dataclass(frozen=True)
class Limits:
    """What stands between the scores and 1.

    Attributes
    ----------
    usual : float
        Deviation of voltage and current together, as shares, that 95 % of the healthy hours keep below.
    hidden : float
        Share of the faulty hours in which the fault changes less than that.
    by_least_effect : list of tuple
        (least effect, faulty hours, {judge: (F1 of faulty against healthy, macro-F1)}), of the healthy hours and of
        faulty ones in which the fault changes so much or more.
    soon_by_strings : list of tuple
        (strings in parallel, device-days, {judge: share found soon}), of the faults that must be found soon.
    """

    usual: float
    hidden: float
    by_least_effect: list
    soon_by_strings: list


def find_limits(fleet, delays) -> Limits:
    """Find what stands between the scores and 1.

    Parameters
    ----------
    fleet : pvfault_workshop.evaluation.run.JudgedWindows
    delays : dict of str to ndarray
        Of the device-days that must be found soon, by judge. [h]

    Returns
    -------
    Limits
    """
    windows = fleet.windows
    usual, hidden = overlap(windows)
    found = {answer.name: answer.found for answer in fleet.answers}
    by_least_effect = []
    for least in LEAST_EFFECTS:
        kept = (windows.label == 0) | (windows.effect >= least)
        scores = {
            judge: tuple(metric.score_all(windows.label[kept], answer[kept]) for metric in (FOUND, GROUPED))
            for judge, answer in found.items()
        }
        by_least_effect.append((least, int((kept & (windows.label > 0)).sum()), scores))
    strings = fleet.days.strings[must_be_found_soon(fleet.days)]
    soon_by_strings = [
        (name, int(inside.sum()), {judge: float(np.mean(delay[inside] <= SOON)) for judge, delay in delays.items()})
        for name, inside in in_parts(STRINGS, strings)
        if inside.any()
    ]
    return Limits(usual, hidden, by_least_effect, soon_by_strings)


def overlap(windows: LabelledWindows) -> tuple[float, float]:
    """How far healthy hours are from what is expected, and how many faults change less than that.

    Parameters
    ----------
    windows : LabelledWindows

    Returns
    -------
    usual, hidden : float
        As `Limits` has them.
    """
    means = [np.abs(windows.deviations[:, DEVIATIONS.index(f"{signal}_mean")]) for signal in ("voltage", "current")]
    healthy = windows.label == 0
    usual = float(np.quantile(sum(means)[healthy], USUAL))
    return usual, float((windows.effect[~healthy] < usual).mean())
