"""What was to be reached, whether it is, and where somebody else is ahead of the model.

Here: the goals, and the comparisons that the model loses. Not here: the figures themselves (`run.py`, `comparison.py`),
how they are shown (`report.py`, `model_card.py`).
"""

from dataclasses import dataclass

import numpy as np

from pvfault.evaluation.alarms import SOON
from pvfault.evaluation.comparison import FOUND, GROUPED, Column
from pvfault.evaluation.intervals import Estimate, estimate_share
from pvfault.evaluation.plan import BASELINES, CEILING, MODEL, REFERENCE
from pvfault.evaluation.run import Evaluation
from pvfault.evaluation.scores import (
    LEAST_FAULTY_F1,
    LEAST_FOUND_SOON,
    LEAST_GROUPED_F1,
    LEAST_REFERENCE_F1,
    MOST_CALIBRATION_ERROR,
    MOST_FALSE_ALARMS,
    NEAR_THE_CEILING,
)


@dataclass(frozen=True)
class Goal:
    """Something that was to be reached, what was, and what the ceiling has; empty where that is not asked."""

    text: str
    found: str
    reached: bool
    ceiling: str = ""


def goals(evaluation: Evaluation) -> list[Goal]:
    """What was to be reached, from the figures.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    list of Goal
    """
    return [
        *_of_the_fleet(evaluation),
        _few_false_alarms(evaluation),
        _found_soon(evaluation),
        *_of_the_network(evaluation),
        _ahead_of_baselines(evaluation),
        *_of_the_reference_array(evaluation),
        *_near_the_ceiling(evaluation),
    ]


def _of_the_fleet(evaluation):
    windows, days = (whole(evaluation, unit) for unit in ("windows", "device-days"))
    yield _at_least("F1, faulty against healthy, by window", windows, FOUND, LEAST_FAULTY_F1)
    yield _at_least("F1, faulty against healthy, by device-day", days, FOUND, LEAST_FAULTY_F1)
    yield _at_least("macro-F1, shorts as one, by window", windows, GROUPED, LEAST_GROUPED_F1["windows"])
    yield _at_least("macro-F1, shorts as one, by device-day", days, GROUPED, LEAST_GROUPED_F1["device-days"])


def _at_least(text, column, metric, least):
    scores = column.scores[metric.name]
    own = scores[MODEL]
    return Goal(f"{text} ≥ {least:.2f}", f"{own}", own.value >= least, _of_ceiling(scores, lambda s: f"{s.value:.3f}"))


def _of_ceiling(by_judge, form):
    """What the ceiling has, if there is one."""
    return form(by_judge[CEILING]) if CEILING in by_judge else ""


def _few_false_alarms(evaluation):
    alarms = evaluation.false_alarms[MODEL]
    return Goal(
        f"at most {MOST_FALSE_ALARMS:.0f} false alarm a device-year",
        f"{alarms.a_year:.2f}, with 95 % confidence at most {alarms.at_most:.2f}",
        alarms.a_year <= MOST_FALSE_ALARMS,
        _of_ceiling(evaluation.false_alarms, lambda own: f"{own.a_year:.2f}"),
    )


def _found_soon(evaluation):
    soon = {judge: estimate_share(delays <= SOON) for judge, delays in evaluation.delays.items()}
    return Goal(
        f"open strings and shorts of 10 % of a string found within {SOON:.0f} h of daylight ≥ {LEAST_FOUND_SOON:.0%}",
        f"{soon[MODEL]:.1%} of {len(evaluation.delays[MODEL]):,}",
        soon[MODEL].value >= LEAST_FOUND_SOON,
        _of_ceiling(soon, lambda own: f"{own.value:.1%}"),
    )


def _of_the_network(evaluation):
    yield Goal(
        f"expected calibration error ≤ {MOST_CALIBRATION_ERROR}",
        f"{evaluation.calibration[MODEL]}",
        evaluation.calibration[MODEL].value <= MOST_CALIBRATION_ERROR,
        _of_ceiling(evaluation.calibration, lambda own: f"{own.value:.3f}"),
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


def _of_the_reference_array(evaluation):
    for name, least in zip(REFERENCE, LEAST_REFERENCE_F1, strict=True):
        for column in evaluation.columns:
            if (column.name, column.unit) == (name, "windows"):
                yield _at_least(f"{name}: macro-F1, shorts as one, by window", column, GROUPED, least)


def _near_the_ceiling(evaluation):
    for column in (whole(evaluation, unit) for unit in ("windows", "device-days")):
        if CEILING in column.scores[GROUPED.name]:
            gap = -column.differences[GROUPED.name][CEILING].value
            text = f"within {NEAR_THE_CEILING} of the ceiling, macro-F1, shorts as one, by {column.unit[:-1]}"
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
