"""How right a network is on the test windows, as its weights file and its model card say.

How a score is computed is in `scores.py`; the network beside other judges is in `run.py`.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pvfault.candidates import CandidateSets
from pvfault.lenet import Classifier
from pvfault.verdicts import combine_windows, name_windows
from pvfault_workshop.evaluation.alarms import FalseAlarms, count_false_alarms
from pvfault_workshop.evaluation.candidate_sets import SetScore, score_candidates
from pvfault_workshop.evaluation.comparison import SEVERITIES, Days
from pvfault_workshop.evaluation.scores import calibration_error, score
from pvfault_workshop.simulation.labelled import by_device_day


@dataclass(frozen=True)
class Scores:
    """How right a network is on windows that it was not trained on.

    Attributes
    ----------
    windows, days : dict
        As `evaluation.score` gives them.
    calibration : float
        Expected calibration error of the windows.
    found : list of tuple
        (from, to, device-days, share of them called faulty) by severity.
    false_alarms : FalseAlarms
    sets : dict of str to list of SetScore
        As `score_candidates` gives them.
    """

    windows: dict
    days: dict
    calibration: float
    found: list
    false_alarms: FalseAlarms
    sets: dict[str, list[SetScore]]

    def summary(self):
        """The scores that are one number each, by name."""
        return {
            "faulty_f1_windows": self.windows["faulty_f1"],
            "faulty_f1_days": self.days["faulty_f1"],
            "grouped_macro_f1_windows": self.windows["grouped_macro_f1"],
            "grouped_macro_f1_days": self.days["grouped_macro_f1"],
            "macro_f1_windows": self.windows["macro_f1"],
            "macro_f1_days": self.days["macro_f1"],
            "false_alarms_a_year": self.false_alarms.a_year,
            "calibration_error": self.calibration,
        }


def score_network(network, sets: CandidateSets, test):
    """Score a network by window and by device-day.

    Parameters
    ----------
    network : keras.Model
    sets : CandidateSets
        The network's.
    test : LabelledWindows

    Returns
    -------
    Scores
    """
    probabilities = Classifier(network, "test").predict(test.images)
    verdict = combine_windows(by_device_day(probabilities, test)).fault
    days = Days.of(test)
    truth, severity = days.truth, days.severity
    found = []
    for low, high in pairwise([*SEVERITIES.values(), 1.0]):
        inside = (truth > 0) & (severity >= low) & ((severity < high) | (high == 1.0))
        found.append((low, high, int(inside.sum()), float((verdict[inside] > 0).mean()) if inside.any() else np.nan))
    return Scores(
        windows=score(test.label, name_windows(probabilities)[0]),
        days=score(truth, verdict),
        calibration=calibration_error(probabilities, test.label),
        found=found,
        false_alarms=count_false_alarms(truth, verdict),
        sets=score_candidates(sets, probabilities, test),
    )
