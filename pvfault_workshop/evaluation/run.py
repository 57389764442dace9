"""One evaluation: test sets, everybody's answers, and what they are worth.

Which devices are simulated for the test, the network's answers, and all scores of everybody. What the others answer is
in `others.py`, how a score is computed in `comparison.py`.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pvfault.open_strings import shows_open_strings, weigh_in
from pvfault_workshop.evaluation.alarms import FalseAlarms, count_false_alarms, detection_delay, must_be_found_soon
from pvfault_workshop.evaluation.candidate_sets import SetScore, score_candidates
from pvfault_workshop.evaluation.comparison import (
    GROUPED,
    Answers,
    Column,
    Days,
    compare,
    compare_sets,
    day_columns,
    window_columns,
)
from pvfault_workshop.evaluation.day_rules import choose_day_rules, combine, describe_without_limit
from pvfault_workshop.evaluation.intervals import Estimate, estimate_calibration_error
from pvfault_workshop.evaluation.limits import Limits, find_limits
from pvfault_workshop.evaluation.others import ask_others, describe_ceiling
from pvfault_workshop.evaluation.plan import (
    CADENCES,
    CEILING,
    CLEAN,
    EVERY_20_S,
    FAULTY_SHARE,
    FLEET_PART,
    MODEL,
    OTHER_DEVICES,
    REFERENCE,
    RULE,
    VALIDATION_PART,
    Plan,
    Progress,
)
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day
from pvfault_workshop.simulation.labelling import simulate_fleets
from pvfault_workshop.simulation.parts import keep_windows
from pvfault_workshop.simulation.splits import TEST


@dataclass(frozen=True)
class JudgedWindows:
    """Windows that everybody has judged.

    Attributes
    ----------
    windows : LabelledWindows
        Without their images.
    days : Days
    answers : list of Answers
        The model's first.
    verdicts : dict of str to ndarray of int, shape (n_days,)
        By judge.
    """

    windows: LabelledWindows
    days: Days
    answers: list[Answers]
    verdicts: dict

    @classmethod
    def of(cls, windows, answers) -> "JudgedWindows":
        """Let everybody judge the days."""
        verdicts = {a.name: a.judge_days(by_device_day(a.probabilities, windows)) for a in answers}
        return cls(windows, Days.of(windows), answers, verdicts)

    def of_devices(self, number):
        """The same for the first devices alone."""
        kept = self.windows.device < number
        answers = [replace(answer, probabilities=answer.probabilities[kept]) for answer in self.answers]
        return JudgedWindows.of(self.windows.select(kept), answers)


@dataclass(frozen=True)
class Evaluation:
    """Everything the report shows.

    Attributes
    ----------
    plan : Plan
    version : str
        Of the weights.
    parts : dict of str to JudgedWindows
        The fleet; its first devices at each cadence, and with sensors without errors; the reference array.
    columns : list of Column
    false_alarms : dict of str to FalseAlarms
        By judge, on the fleet.
    delays : dict of str to ndarray
        Of the device-days that must be found soon, by judge. [h]
    calibration : dict of str to Estimate
        Expected calibration error on the fleet's windows, of judges that give probabilities.
    slower : dict of str to Estimate
        By how much the model's macro-F1 by window changes at a slower cadence, by its name.
    clean : Estimate
        By how much it changes with sensors without errors.
    limits : Limits
    sets : dict of str to list of SetScore
        The model's on the fleet, as `score_candidates` gives them.
    ceiling_notes : list of str
        What the ceiling was fitted on, and how it grew with that; empty without a ceiling.
    notes : list of str
        What else is to be known.
    """

    plan: Plan
    version: str
    parts: dict[str, JudgedWindows]
    columns: list[Column]
    false_alarms: dict[str, FalseAlarms]
    delays: dict[str, np.ndarray]
    calibration: dict[str, Estimate]
    slower: dict[str, Estimate]
    clean: Estimate
    limits: Limits
    sets: dict[str, list[SetScore]]
    ceiling_notes: list[str]
    notes: list[str]


def evaluate(plan: Plan, classifier, folder: Path, progress: Progress) -> Evaluation:
    """Score a network beside the baselines and the ceiling.

    Parameters
    ----------
    plan : Plan
    classifier : pvfault.lenet.Classifier
    folder : Path
        Where simulated windows and the others' answers are kept, for the next network on the same test.
    progress : Progress

    Returns
    -------
    Evaluation

    Raises
    ------
    PvfaultError
        If so few devices are simulated for training that a class is missing.
    """
    windows, probabilities = {}, {}
    for name, (devices, options) in _tests(plan).items():
        whole = _test_windows(name, devices, options, plan, folder, progress)
        with progress.step(f"{len(whole):,} windows judged by the model: {name}"):
            probabilities[name] = weigh_in(classifier.predict(whole.images), shows_open_strings(whole.marks))
        windows[name] = whole.without_images()
    others = ask_others(plan, windows, folder, progress)
    with progress.step("Scores and their intervals"):
        day_rules = {judge: choose_day_rules(o.truth, o.answers[VALIDATION_PART]) for judge, o in others.items()}
        parts = {}
        for name, part in windows.items():
            rest = [Answers(judge, o.answers[name], day_rules[judge][0]) for judge, o in others.items()]
            parts[name] = JudgedWindows.of(part, [Answers(MODEL, probabilities[name], combine), *rest])
        parts[EVERY_20_S] = parts[FLEET_PART].of_devices(_other_devices(plan))
        ceiling_notes = describe_ceiling(others[CEILING].figures) if plan.ceiling else []
        notes = [_note_without_limit(parts[FLEET_PART], day_rules)]
        return _score(plan, classifier, parts, ceiling_notes, notes)


def _tests(plan):
    """The test sets: how many devices, and the options of `simulate_fleets`."""
    common = {"faulty": FAULTY_SHARE, "twins": False}
    slower = {name: common | {"cadences": (seconds,)} for name, seconds in CADENCES.items() if name != EVERY_20_S}
    reference = {name: common | {"arrays": (arrays,)} for name, arrays in REFERENCE.items()}
    others = slower | {CLEAN: common | {"arrays": ("any, clean",)}}
    amounts = ((plan.devices, {FLEET_PART: common} | reference), (_other_devices(plan), others))
    return {name: (devices, options) for devices, tests in amounts for name, options in tests.items()}


def _other_devices(plan):
    """Devices of the tests that compare with the fleet's first ones."""
    return min(plan.devices, OTHER_DEVICES)


def _test_windows(name, devices, options, plan, folder, progress):
    """Windows of one test set."""
    with progress.step(f"{devices:,} devices simulated: {name}"):

        def simulate():
            return simulate_fleets(
                TEST, devices, workers=plan.workers, report=lambda done: progress.tell(f"{done:,}"), **options
            )

        return keep_windows(folder / f"evaluated {name}", {"devices": devices} | options, simulate)


def _note_without_limit(part, day_rules):
    """What the others' days would be worth if they could give as many false alarms as they like."""
    verdicts = {
        answer.name: day_rules[answer.name][1](by_device_day(answer.probabilities, part.windows))
        for answer in part.answers
        if answer.name in day_rules
    }
    return describe_without_limit(part.days.truth, verdicts)


def _score(plan, classifier, parts, ceiling_notes, notes):
    """All scores of all parts."""
    fleet = parts[FLEET_PART]
    soon = must_be_found_soon(fleet.days)
    delays, calibration = {}, {}
    for answer in fleet.answers:
        arranged = by_device_day(answer.probabilities, fleet.windows)
        delays[answer.name] = detection_delay(fleet.days, arranged, answer.judge_days)[soon]
        if answer.name != RULE:  # its answers are 0 and 1
            calibration[answer.name] = estimate_calibration_error(
                fleet.windows.device, answer.probabilities, fleet.windows.label
            )
    columns = [*window_columns(fleet.windows, fleet.answers), *day_columns(fleet.days, fleet.verdicts)]
    for breakdown, names in (("cadence and errors", (*CADENCES, CLEAN)), ("reference array", REFERENCE)):
        for name in names:
            columns += _whole_columns(breakdown, name, parts[name])
    return Evaluation(
        plan=plan,
        version=classifier.version,
        parts=parts,
        columns=columns,
        false_alarms={
            judge: count_false_alarms(fleet.days.truth, verdict) for judge, verdict in fleet.verdicts.items()
        },
        delays=delays,
        calibration=calibration,
        slower={name: _compare_set(plan, parts, name) for name in CADENCES if name != EVERY_20_S},
        clean=_compare_set(plan, parts, CLEAN),
        limits=find_limits(fleet, delays),
        sets=score_candidates(classifier.sets, fleet.answers[0].probabilities, fleet.windows),
        ceiling_notes=ceiling_notes,
        notes=notes,
    )


def _whole_columns(breakdown, name, part):
    """All windows and all device-days of a part as two columns."""
    found = {answer.name: answer.found for answer in part.answers}
    yield compare(breakdown, name, "windows", part.windows.device, part.windows.label, found)
    yield compare(breakdown, name, "device-days", part.days.device, part.days.truth, part.verdicts)


def _compare_set(plan, parts, name):
    """What the model gains (or, below 0, loses) by window in another set of the same devices."""
    sets = [
        (part.windows.device, part.windows.label, part.answers[0].found) for part in (parts[EVERY_20_S], parts[name])
    ]
    return compare_sets(GROUPED, sets, _other_devices(plan))[1]
