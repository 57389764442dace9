"""What was to be reached, whether it is, and where somebody else is ahead of the model."""

from dataclasses import dataclass

import numpy as np

from pvfault_workshop.evaluation.alarms import SOON
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED, Column
from pvfault_workshop.evaluation.intervals import Estimate, estimate_share
from pvfault_workshop.evaluation.plan import BASELINES, CEILING, MODEL, REFERENCE
from pvfault_workshop.evaluation.run import Evaluation
from pvfault_workshop.evaluation.scores import (
    LEAST_FAULTY_F1,
    LEAST_FOUND_SOON,
    LEAST_GROUPED_F1,
    LEAST_REFERENCE_F1,
    MOST_CALIBRATION_ERROR,
    MOST_FALSE_ALARMS,
    NEAR_THE_CEILING,
)

# Scores of the whole fleet: by name, the unit, the metric and the least that is to be reached.
FLEET_SCORES = {
    "F1, faulty against healthy, by window": ("windows", FOUND, LEAST_FAULTY_F1),
    "F1, faulty against healthy, by device-day": ("device-days", FOUND, LEAST_FAULTY_F1),
    "macro-F1, shorts as one, by window": ("windows", GROUPED, LEAST_GROUPED_F1["windows"]),
    "macro-F1, shorts as one, by device-day": ("device-days", GROUPED, LEAST_GROUPED_F1["device-days"]),
}
FALSE_ALARMS = f"at most {MOST_FALSE_ALARMS:.0f} false alarm a device-year"
FOUND_SOON = f"open strings and shorts of 10 % of a string found within {SOON:.0f} h of daylight"
CALIBRATION = "expected calibration error"


@dataclass(frozen=True)
class Goal:
    """Something that was to be reached, what was, and what the ceiling has; empty where that is not known."""

    text: str
    found: str
    reached: bool
    ceiling: str = ""


def goals(evaluation: Evaluation, ceiling: dict[str, float]) -> list[Goal]:
    """What was to be reached, from the figures.

    Parameters
    ----------
    evaluation : Evaluation
    ceiling : dict of str to float
        The ceiling's figures, by the name of what is to be reached; empty if there is no ceiling.

    Returns
    -------
    list of Goal
    """
    return [
        *_of_the_fleet(evaluation, ceiling),
        _few_false_alarms(evaluation, ceiling),
        _found_soon(evaluation, ceiling),
        *_of_the_network(evaluation, ceiling),
        _ahead_of_baselines(evaluation),
        *_of_the_reference_array(evaluation, ceiling),
        *_near_the_ceiling(evaluation, ceiling),
    ]


def _of_the_fleet(evaluation, ceiling):
    for name, (unit, metric, least) in FLEET_SCORES.items():
        yield _at_least(name, whole(evaluation, unit).scores[metric.name], least, ceiling)


def _at_least(name, scores, least, ceiling):
    own = scores[MODEL]
    return Goal(f"{name} ≥ {least:.2f}", f"{own}", own.value >= least, _of_ceiling(ceiling, name, ".3f"))


def _of_ceiling(ceiling, name, form):
    """What the ceiling has of something, if that is known."""
    return format(ceiling[name], form) if name in ceiling else ""


def _few_false_alarms(evaluation, ceiling):
    alarms = evaluation.false_alarms[MODEL]
    return Goal(
        FALSE_ALARMS,
        f"{alarms.a_year:.2f}, with 95 % confidence at most {alarms.at_most:.2f}",
        alarms.a_year <= MOST_FALSE_ALARMS,
        _of_ceiling(ceiling, FALSE_ALARMS, ".2f"),
    )


def _found_soon(evaluation, ceiling):
    delays = evaluation.delays[MODEL]
    soon = estimate_share(delays <= SOON)
    return Goal(
        f"{FOUND_SOON} ≥ {LEAST_FOUND_SOON:.0%}",
        f"{soon:.1%} of {len(delays):,}",
        soon.value >= LEAST_FOUND_SOON,
        _of_ceiling(ceiling, FOUND_SOON, ".1%"),
    )


def _of_the_network(evaluation, ceiling):
    yield Goal(
        f"{CALIBRATION} ≤ {MOST_CALIBRATION_ERROR}",
        f"{evaluation.calibration[MODEL]}",
        evaluation.calibration[MODEL].value <= MOST_CALIBRATION_ERROR,
        _of_ceiling(ceiling, CALIBRATION, ".3f"),
    )
    slower = evaluation.slower["1 min"]
    lost = Estimate(-slower.value, -slower.high, -slower.low)
    yield Goal("a reading a minute loses at most 0.01", f"{lost}", lost.value <= 0.01)


def _ahead_of_baselines(evaluation):
    behind = baselines_ahead(evaluation)
    comparisons = sum(len(set(BASELINES) & set(d)) for c in evaluation.columns for d in c.differences.values())
    return Goal(
        "F1 above both baselines' in every column",
        f"behind in {len(behind)} of {comparisons} comparisons, in {sum(a.sure for a in behind)} beyond doubt",
        not behind,
    )


def reference_scores(evaluation: Evaluation):
    """Of the reference array: what is to be reached, everybody's scores of it, and the least."""
    for name, least in zip(REFERENCE, LEAST_REFERENCE_F1, strict=True):
        for column in evaluation.columns:
            if (column.name, column.unit) == (name, "windows"):
                yield f"{name}: macro-F1, shorts as one, by window", column.scores[GROUPED.name], least


def _of_the_reference_array(evaluation, ceiling):
    for name, scores, least in reference_scores(evaluation):
        yield _at_least(name, scores, least, ceiling)


def _near_the_ceiling(evaluation, ceiling):
    for name, (unit, metric, _) in FLEET_SCORES.items():
        if metric is GROUPED and name in ceiling:
            gap = ceiling[name] - whole(evaluation, unit).scores[metric.name][MODEL].value
            text = f"within {NEAR_THE_CEILING} of the ceiling, {name}"
            yield Goal(text, f"{gap:.3f} below" if gap > 0 else f"{-gap:.3f} above", gap <= NEAR_THE_CEILING)


@dataclass(frozen=True)
class Ahead:
    """Where somebody else scores higher than the model."""

    judge: str
    metric: str
    column: Column
    difference: Estimate

    @property
    def sure(self):
        """Whether the interval of the difference leaves no doubt."""
        return self.difference.high < 0


def baselines_ahead(evaluation: Evaluation) -> list[Ahead]:
    """Where a baseline's score is above the model's, largest difference first."""
    return _ahead(evaluation, BASELINES, 0.0)


def quieter_baselines(evaluation: Evaluation) -> list[str]:
    """Say which baselines give fewer false alarms than the model, and what they find."""
    alarms, delays = evaluation.false_alarms, evaluation.delays
    return [
        f"{judge} gives fewer false alarms, {alarms[judge].count} against {alarms[MODEL].count} of "
        f"{alarms[MODEL].days:,}, and finds {np.mean(delays[judge] <= SOON):.0%} of the faults that must be found soon "
        f"in time against {np.mean(delays[MODEL] <= SOON):.0%}"
        for judge in BASELINES
        if alarms[judge].count < alarms[MODEL].count
    ]


def ceiling_ahead(evaluation: Evaluation) -> list[Ahead]:
    """Where the ceiling's score is above the model's by more than `NEAR_THE_CEILING`, largest difference first."""
    return _ahead(evaluation, (CEILING,), NEAR_THE_CEILING)


def _ahead(evaluation, judges, margin):
    found = [
        Ahead(judge, metric, column, difference)
        for column in evaluation.columns
        for metric, by_judge in column.differences.items()
        for judge, difference in by_judge.items()
        if judge in judges and -difference.value > margin
    ]
    return sorted(found, key=lambda ahead: ahead.difference.value)


def whole(evaluation, unit):
    """The column of everything."""
    return next(c for c in evaluation.columns if (c.breakdown, c.unit) == ("all", unit))
