"""Judges beside each other: scores in every column of the report.

What a judge said and what of it counts, columns (severity, irradiance, size, noise, cadence). False alarms and delays
are in `alarms.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pvfault.faults import FAULTS
from pvfault.verdicts import name_windows
from pvfault_workshop.evaluation.intervals import Estimate, Resampling, count_by_device, to_estimate
from pvfault_workshop.evaluation.scores import (
    N_CLASSES,
    confusion_matrix,
    f1_scores,
    group_confusion,
    group_shorts,
)
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day
from pvfault_workshop.simulation.labelling import LEAST_EFFECT

SHORTS = group_shorts(np.arange(N_CLASSES))
FAULTY = (np.arange(N_CLASSES) > 0).astype(int)

# Below 4 % there are a handful of arrays in thousands (`LEAST_SEVERITY`): by themselves, they would say nothing.
SEVERITIES = {"0% to 8%": 0, "8% to 15%": 0.08, "15% to 30%": 0.15, "30% to 100%": 0.3}
MODULES = {"3 to 6": 0, "7 to 12": 7, "13 to 18": 13, "19 to 24": 19}
STRINGS = {"1": 1, "2 to 3": 2, "4 to 6": 4, "7 to 12": 7}
# Parts of a breakdown by where they begin, and whether healthy ones stand beside each part.
_BREAKDOWNS = {
    "severity": (SEVERITIES, True),
    "effect in the hour": ({"2% to 5%": LEAST_EFFECT, "5% to 10%": 0.05, "10% to 20%": 0.1, "20% and more": 0.2}, True),
    "irradiance": (
        {"50 to 150 W/m²": 50, "150 to 300 W/m²": 150, "300 to 600 W/m²": 300, "600 W/m² and more": 600},
        False,
    ),
    "modules in series": (MODULES, False),
    "strings in parallel": (STRINGS, False),
    "error of the sensors": (
        {"0.0% to 0.5%": 0, "0.5% to 1.0%": 0.005, "1.0% to 2.0%": 0.01, "2.0% and more": 0.02},
        False,
    ),
}


@dataclass(frozen=True)
class Answers:
    """What one judge said of some windows.

    Attributes
    ----------
    name : str
    probabilities : ndarray, shape (n, 6)
    judge_days : callable
        From probabilities by hour, shape (n_days, 24, 6) with NaN where there is no window, to positions in `FAULTS`,
        shape (n_days,).
    """

    name: str
    probabilities: np.ndarray
    judge_days: Callable[[np.ndarray], np.ndarray]

    @cached_property
    def found(self) -> np.ndarray:
        """What each window is called: position in `FAULTS`, shape (n,)."""
        return name_windows(self.probabilities)[0]


@dataclass(frozen=True)
class Days:
    """The device-days of some windows, in the order of `by_device_day`.

    Attributes
    ----------
    truth : ndarray of int, shape (n,)
        Position in `FAULTS`: the fault that shows in at least one window.
    device : ndarray of int, shape (n,)
    severity, onset, noise : ndarray, shape (n,)
        As `LabelledWindows` has them; severity is 0 for healthy days.
    modules, strings : ndarray of int, shape (n,)
    confusers : ndarray of int, shape (n,)
        As `LabelledWindows` has them.
    lit : ndarray of bool, shape (n, 24)
        Hours with a window.
    """

    truth: np.ndarray
    device: np.ndarray
    severity: np.ndarray
    onset: np.ndarray
    noise: np.ndarray
    modules: np.ndarray
    strings: np.ndarray
    confusers: np.ndarray
    lit: np.ndarray

    @classmethod
    def of(cls, windows: LabelledWindows) -> "Days":
        """Gather them from windows."""
        label = by_device_day(windows.label, windows)
        first = np.unique(windows.device_day, return_index=True)[1]
        return cls(
            truth=np.nanmax(label, axis=1).astype(int),
            device=windows.device[first],
            severity=np.nanmax(by_device_day(windows.severity, windows), axis=1),
            onset=windows.onset[first],
            noise=windows.noise[first],
            modules=windows.modules[first],
            strings=windows.strings[first],
            confusers=windows.confusers[first],
            lit=np.isfinite(label),
        )


@dataclass(frozen=True)
class Metric:
    """A score of a confusion matrix.

    Attributes
    ----------
    name : str
    groups : ndarray of int, shape (6,)
        Which classes count as one.
    of_group : int or None
        The group whose F1 is meant; None for the mean over the groups.
    """

    name: str
    groups: np.ndarray
    of_group: int | None = None

    def compute(self, confusion, whole):
        """Compute the score of confusion matrices, shape (..., 6, 6).

        Means are taken over the groups that occur in `whole`, shape (6, 6), so that a resampled matrix has the same.
        """
        f1 = f1_scores(group_confusion(confusion, self.groups))
        if self.of_group is not None:
            return f1[..., self.of_group]
        return f1[..., group_confusion(whole, self.groups).sum(axis=1) > 0].mean(axis=-1)

    def score(self, whole, drawn):
        """Compute the score of all devices, and of each draw of them."""
        return float(self.compute(whole, whole)), self.compute(drawn, whole)

    def score_all(self, truth, found):
        """Compute the score of what was found, shape (n,), against the truth, shape (n,)."""
        confusion = confusion_matrix(truth, found, N_CLASSES)
        return float(self.compute(confusion, confusion))


GROUPED = Metric("macro-F1, shorts as one", SHORTS)
SIX = Metric("macro-F1, six classes", np.arange(N_CLASSES))
FOUND = Metric("F1, faulty against healthy", FAULTY, of_group=1)
METRICS = (GROUPED, SIX, FOUND)


@dataclass(frozen=True)
class Column:
    """Some of the windows or device-days that were judged, under a heading.

    Attributes
    ----------
    breakdown, name : str
        As in "irradiance", "150 to 300 W/m²".
    unit : str
        "windows" or "device-days".
    n : int
    scores : dict of str to dict of str to Estimate
        By the metric's name, then by the judge's.
    differences : dict of str to dict of str to Estimate
        The model's score less that of another judge.
    """

    breakdown: str
    name: str
    unit: str
    n: int
    scores: dict
    differences: dict


def compare(breakdown, name, unit, device, truth, found, metrics=METRICS, seed=0) -> Column:
    """Score judges on the same windows or device-days.

    Parameters
    ----------
    breakdown, name, unit : str
    device, truth : ndarray of int, shape (n,)
    found : dict of str to ndarray of int, shape (n,)
        By judge; the first one is the model.
    metrics : sequence of Metric
    seed : int

    Returns
    -------
    Column
    """
    by_device = {judge: count_by_device(device, truth, answer) for judge, answer in found.items()}
    model = next(iter(found))
    resampling = Resampling(len(by_device[model]), seed)
    confusions = {judge: resampling.draw(counts) for judge, counts in by_device.items()}
    scores, differences = {}, {}
    for metric in metrics:
        drawn = {judge: metric.score(*confusion) for judge, confusion in confusions.items()}
        scores[metric.name] = {judge: to_estimate(*pair) for judge, pair in drawn.items()}
        differences[metric.name] = {
            judge: to_estimate(drawn[model][0] - value, drawn[model][1] - draws)
            for judge, (value, draws) in drawn.items()
            if judge != model
        }
    return Column(breakdown, name, unit, len(truth), scores, differences)


def compare_sets(metric, sets, n_devices, seed=0) -> tuple[Estimate, Estimate]:
    """Score one judge on two sets of windows of the same devices.

    Parameters
    ----------
    metric : Metric
    sets : sequence of (ndarray, ndarray, ndarray)
        Device, truth and what was found, of each set.
    n_devices : int
    seed : int

    Returns
    -------
    second : Estimate
        The score on the second set.
    gain : Estimate
        The score on the second set less that on the first.
    """
    resampling = Resampling(n_devices, seed)
    (first, first_draws), (second, second_draws) = (
        metric.score(*resampling.draw(count_by_device(*windows, n_devices))) for windows in sets
    )
    return to_estimate(second, second_draws), to_estimate(second - first, second_draws - first_draws)


def window_columns(windows: LabelledWindows, answers: list[Answers]) -> Iterator[Column]:
    """Every column of one set of windows: all of them, then by severity, effect, irradiance, size and noise.

    Parameters
    ----------
    windows : LabelledWindows
    answers : list of Answers
        The first one is the model's.

    Yields
    ------
    Column
        A column of a severity or an effect has all healthy windows beside the faulty ones of it.
    """
    found = {answer.name: answer.found for answer in answers}
    values = {
        "severity": windows.severity,
        "effect in the hour": windows.effect,
        "irradiance": windows.irradiance,
        "modules in series": windows.modules,
        "strings in parallel": windows.strings,
        "error of the sensors": windows.noise,
    }
    for breakdown, name, which in _parts(values, windows.label):
        yield compare(
            breakdown, name, "windows", windows.device[which], windows.label[which],
            {judge: answer[which] for judge, answer in found.items()},
        )  # fmt: skip


def day_columns(days: Days, verdicts: dict) -> Iterator[Column]:
    """Every column of device-days: all of them, then by severity, size and noise.

    Parameters
    ----------
    days : Days
    verdicts : dict of str to ndarray of int, shape (n,)
        By judge; the first one is the model.

    Yields
    ------
    Column
    """
    values = {
        "severity": days.severity,
        "modules in series": days.modules,
        "strings in parallel": days.strings,
        "error of the sensors": days.noise,
    }
    for breakdown, name, which in _parts(values, days.truth):
        yield compare(
            breakdown, name, "device-days", days.device[which], days.truth[which],
            {judge: verdict[which] for judge, verdict in verdicts.items()},
        )  # fmt: skip


def _parts(values, truth):
    """Breakdowns with the parts of each: name of the breakdown, name of the part, mask."""
    yield "all", "all", np.ones(len(truth), bool)
    for breakdown, column in values.items():
        parts, beside_healthy = _BREAKDOWNS[breakdown]
        for name, inside in in_parts(parts, column):
            yield breakdown, name, (truth == 0) | ((truth > 0) & inside) if beside_healthy else inside


def in_parts(parts: dict[str, float], values) -> Iterator[tuple[str, np.ndarray]]:
    """Which values lie in which part: each begins at its number and ends where the next one begins."""
    for (name, low), high in zip(parts.items(), [*parts.values(), np.inf][1:], strict=True):
        yield name, (values >= low) & (values < high)


def confused_pairs(confusion):
    """How often two classes are taken for each other, most confused first.

    Parameters
    ----------
    confusion : ndarray of int, shape (6, 6)

    Returns
    -------
    list of (str, str, float)
        The two classes, and the share of their windows that carry the other one's name, the mean of both directions.
    """
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    pairs = [
        (FAULTS[a], FAULTS[b], float(share[a, b] + share[b, a]) / 2)
        for a in range(N_CLASSES)
        for b in range(a + 1, N_CLASSES)
    ]
    return sorted(pairs, key=lambda pair: -pair[2])
