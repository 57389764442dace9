"""One evaluation: test sets, everybody's answers, and what they are worth.

Here: which devices are simulated for what, who answers, and which answers are kept between runs. Not here: how a score
is computed (`comparison.py`), who the judges are (`contenders.py`), how they judge days (`day_rules.py`), the report
(`report.py`).
"""

import hashlib
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pvfault.evaluation import contenders
from pvfault.evaluation.alarms import FalseAlarms, count_false_alarms, detection_delay, must_be_found_soon
from pvfault.evaluation.comparison import (
    GROUPED,
    Answers,
    Column,
    Days,
    Estimate,
    compare,
    compare_sets,
    day_columns,
    window_columns,
)
from pvfault.evaluation.contenders import (
    IMAGE_BOOSTING,
    STRONG_BOOSTING,
    fit_boosting,
    fit_ceiling,
    fit_rule,
    fit_strong_boosting,
    grouped_macro_f1,
)
from pvfault.evaluation.day_rules import choose_day_rules, combine, describe_without_limit
from pvfault.evaluation.limits import Limits, find_limits
from pvfault.evaluation.scores import calibration_error
from pvfault.faults import FAULTS
from pvfault.simulation.labelled import LabelledWindows, by_device_day
from pvfault.simulation.labelling import TEST, TRAINING, VALIDATION, simulate_windows
from pvfault.simulation.parts import keep_windows, plan_part, prepare_parts
from pvfault.verdicts import expected_power

MODEL, BOOSTING, RULE, CEILING = "model", "gradient boosting", "expected-power rule", "ceiling"
BASELINES = (BOOSTING, RULE)
EVERY_20_S = "20 s"
REFERENCE = {"reference, clean": "reference, clean", "reference, noisy": "reference"}
CADENCES = {EVERY_20_S: 20, "1 min": 60, "5 min": 300}
CLEAN = "20 s, no errors"
FLEET_PART, VALIDATION_PART, TRUTH = "fleet", "validation", "truth"
FAULTY_SHARE = 0.5
OTHER_DEVICES = 384


@dataclass(frozen=True)
class Plan:
    """How much is simulated.

    Attributes
    ----------
    devices : int
        Of the fleet that is tested, one day each, half of them faulty. Slower cadences and the reference array are
        tested on `OTHER_DEVICES`.
    training_devices : int
        Faulty ones, each with its healthy twin, that the network was trained on, and the baselines are.
    ceiling : int
        How many times as many the ceiling's classifiers are fitted on.
    seed : int
        Of whatever the classifiers draw.
    workers : int
        Processes that simulate.
    """

    devices: int
    training_devices: int
    ceiling: int
    seed: int = 1
    workers: int = 2


@dataclass(frozen=True)
class Progress:
    """How the user is told what is done: a step around a block, and how far it is."""

    step: Callable[[str], AbstractContextManager]
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Part:
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
    def of(cls, windows, answers) -> "Part":
        """Let everybody judge the days."""
        verdicts = {a.name: a.judge_days(by_device_day(a.probabilities, windows)) for a in answers}
        return cls(windows, Days.of(windows), answers, verdicts)

    def of_devices(self, number):
        """The same for the first devices alone."""
        kept = self.windows.device < number
        answers = [replace(answer, probabilities=answer.probabilities[kept]) for answer in self.answers]
        return Part.of(self.windows.select(kept), answers)


@dataclass(frozen=True)
class Evaluation:
    """Everything the report shows.

    Attributes
    ----------
    plan : Plan
    version : str
        Of the weights.
    parts : dict of str to Part
        The fleet; its first devices at each cadence, and with sensors without errors; the reference array.
    columns : list of Column
    false_alarms : dict of str to FalseAlarms
        By judge, on the fleet.
    delays : dict of str to ndarray
        Of the device-days that must be found soon, by judge. [h]
    calibration : dict of str to float
        Expected calibration error on the fleet's windows, of judges that give probabilities.
    slower : dict of str to Estimate
        By how much the model's macro-F1 by window changes at a slower cadence, by its name.
    clean : Estimate
        By how much it changes with sensors without errors.
    limits : Limits
    notes : list of str
        What was fitted on how much, and how the ceiling grew with it.
    """

    plan: Plan
    version: str
    parts: dict[str, Part]
    columns: list[Column]
    false_alarms: dict[str, FalseAlarms]
    delays: dict[str, np.ndarray]
    calibration: dict[str, float]
    slower: dict[str, Estimate]
    clean: Estimate
    limits: Limits
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
            probabilities[name] = classifier.predict(whole.images)
        windows[name] = whole.without_images()
    others, notes = _other_answers(plan, windows, folder, progress)
    with progress.step("Scores and their intervals"):
        truth = others.pop(TRUTH)[VALIDATION_PART].astype(int)
        day_rules = {judge: choose_day_rules(truth, answers[VALIDATION_PART]) for judge, answers in others.items()}
        parts = {}
        for name, part in windows.items():
            rest = [Answers(judge, answers[name], day_rules[judge][0]) for judge, answers in others.items()]
            parts[name] = Part.of(part, [Answers(MODEL, probabilities[name], combine), *rest])
        parts[EVERY_20_S] = parts[FLEET_PART].of_devices(_other_devices(plan))
        return _score(plan, classifier.version, parts, [*notes, _note_without_limit(parts[FLEET_PART], day_rules)])


def _tests(plan):
    """The test sets: how many devices, and the options of `simulate_fleets`."""
    common = {"faulty": FAULTY_SHARE, "twins": False}
    slower = {name: common | {"cadences": (seconds,)} for name, seconds in CADENCES.items() if name != EVERY_20_S}
    reference = {name: common | {"arrays": (arrays,)} for name, arrays in REFERENCE.items()}
    others = slower | {CLEAN: common | {"arrays": ("any, clean",)}} | reference
    return {FLEET_PART: (plan.devices, common)} | {
        name: (_other_devices(plan), options) for name, options in others.items()
    }


def _other_devices(plan):
    """Devices of all tests but that of the fleet: the first ones of the fleet, or as many reference arrays."""
    return min(plan.devices, OTHER_DEVICES)


def _test_windows(name, devices, options, plan, folder, progress):
    """Windows of one test set."""
    with progress.step(f"{devices:,} devices simulated: {name}"):

        def simulate():
            return simulate_windows(
                TEST, devices, workers=plan.workers, report=lambda done: progress.tell(f"{done:,}"), **options
            )

        return keep_windows(folder / f"evaluated {name}", {"devices": devices} | options, simulate)


def _other_answers(plan, windows, folder, progress):
    """What baselines and ceiling say of the test windows and of the validation windows, fitted now or kept from before.

    Answers are kept under a name that says what they are for: another test set, plan or judge has another name.
    """
    kept = folder / f"answers-{_fingerprint(plan, windows)}.npz"
    if kept.exists():
        with np.load(kept) as file:
            notes = file["notes"].tolist()
            flat = {name: file[name] for name in file.files if name != "notes"}
    else:
        flat, notes = _fit_others(plan, windows, folder, progress)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, notes=np.array(notes), **flat)
    answers = {}
    for name, value in flat.items():
        judge, part = name.split("/")
        answers.setdefault(judge, {})[part] = value
    return answers, notes


def _fingerprint(plan, windows):
    """What the others' answers depend on: test windows, training data as planned, and the judges' code."""
    known = hashlib.sha256(repr((plan.training_devices, plan.ceiling, plan.seed, TRAINING, VALIDATION)).encode())
    for code in (contenders, expected_power, _fit_others, _fit_ceiling):
        known.update(inspect.getsource(code).encode())
    for part in windows.values():
        for values in (
            part.statistics, part.day_statistics, part.deviations, part.neighbours, part.label, part.device_day,
        ):  # fmt: skip
            known.update(np.ascontiguousarray(values))
    return known.hexdigest()[:16]


def _fit_others(plan, windows, folder, progress):
    """Fit baselines and ceiling; their answers, and notes on what they were given."""
    with progress.step("Windows that the network was trained on"):
        training, validation = _parts(plan, folder, progress).values()
    judges, notes = {}, []
    with progress.step(f"{BOOSTING} fitted on {len(training):,} windows"):
        judges[BOOSTING] = fit_boosting(training, validation, seed=plan.seed)
    with progress.step(f"{RULE} fitted on {len(validation):,} windows"):
        judges[RULE] = fit_rule(validation)
    if plan.ceiling:
        judges[CEILING], notes = _fit_ceiling(plan, training, validation, windows[FLEET_PART], progress)
    with progress.step("Their answers"):
        answers = {f"{judge}/{name}": ask(part) for judge, ask in judges.items() for name, part in windows.items()}
        for judge, ask in judges.items():
            answers[f"{judge}/{VALIDATION_PART}"] = by_device_day(ask(validation), validation)
    answers[f"{TRUTH}/{VALIDATION_PART}"] = Days.of(validation).truth
    return {name: np.asarray(value, np.float32) for name, value in answers.items()}, notes


def _parts(plan, folder, progress):
    """The windows that the network was trained and calibrated on, without their images."""
    return prepare_parts(
        plan.training_devices, folder, names=(TRAINING.name, VALIDATION.name), images=False, workers=plan.workers,
        report=lambda name, count, done: progress.tell(f"{name}, {done:,} of {count:,} devices"),
    )  # fmt: skip


def _fit_ceiling(plan, training, validation, fleet, progress):
    """The best of the strong classifiers on ever more data, with notes on how the score grew with it."""
    if plan.ceiling > 1:
        devices, options = plan_part(TRAINING.name, plan.training_devices * plan.ceiling)
        with progress.step(f"{devices:,} faulty devices simulated for the {CEILING}"):
            training = simulate_windows(
                TRAINING, devices, images=False, workers=plan.workers,
                report=lambda done: progress.tell(f"{done:,}"), **options,
            )  # fmt: skip
    curve = []
    for times in (plan.ceiling / 8, plan.ceiling / 4, plan.ceiling / 2):
        part = training.select(training.device < plan.training_devices * times)
        if len(np.unique(part.label)) < len(FAULTS):
            continue
        with progress.step(f"{STRONG_BOOSTING} fitted on {len(part):,} windows"):
            judge = fit_strong_boosting(part, validation, seed=plan.seed)
        curve.append((times, grouped_macro_f1(judge(validation), validation.label)))
    with progress.step(f"{CEILING} fitted on {len(training):,} windows"):
        scores, judges = fit_ceiling(training, validation, seed=plan.seed)
    curve.append((plan.ceiling, scores[STRONG_BOOSTING]))
    best = max(scores, key=scores.get)
    known = grouped_macro_f1(judges[IMAGE_BOOSTING](fleet), fleet.label)
    notes = [
        f"The ceiling is {best}, fitted on {len(training):,} windows of "
        f"{plan.ceiling * plan.training_devices:,} faulty devices and their healthy twins, {plan.ceiling}× the "
        "gradient boosting's. Macro-F1 on the validation windows, shorts as one: "
        + ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
        + ".",
        f"{STRONG_BOOSTING.capitalize()} by the amount of data: "
        + ", ".join(f"{times:g}× {score:.3f}" for times, score in curve)
        + "".join(f"; continued to 10× by its own gains: {score:.3f}" for score in extrapolate(curve))
        + ".",
        f"Where the gap to the ceiling is: {IMAGE_BOOSTING}, without later hours of the day and without the "
        f"neighbours, has macro-F1 {known:.3f} on the fleet's windows. What it lacks to the ceiling is what an hour's "
        "image does not know; what the network lacks to it is what a network makes of as many windows.",
    ]
    return judges[best], notes


def extrapolate(curve, times=10):
    """Continue a learning curve: every doubling of the data gains the same share of what the doubling before gained.

    Parameters
    ----------
    curve : list of (float, float)
        How many times the data, each twice the one before, and the score.
    times : int

    Returns
    -------
    list of float
        One score; none from a curve of fewer than three points.

    Examples
    --------
    >>> [round(score, 3) for score in extrapolate([(1, 0.80), (2, 0.84), (4, 0.86)], 8)]
    [0.87]
    """
    if len(curve) < 3:
        return []
    (_, first), (_, second), (last_times, last) = curve[-3:]
    gain = last - second
    share = min(max(gain / max(second - first, 1e-9), 0.0), 0.95)
    doublings = np.log2(times / last_times)
    return [float(last + gain * share * (1 - share**doublings) / (1 - share))]


def _note_without_limit(part, day_rules):
    """What the others' days would be worth if they could give as many false alarms as they like."""
    verdicts = {
        answer.name: day_rules[answer.name][1](by_device_day(answer.probabilities, part.windows))
        for answer in part.answers
        if answer.name in day_rules
    }
    return describe_without_limit(part.days.truth, verdicts)


def _score(plan, version, parts, notes):
    """All scores of all parts."""
    fleet = parts[FLEET_PART]
    soon = must_be_found_soon(fleet.days)
    delays, calibration = {}, {}
    for answer in fleet.answers:
        arranged = by_device_day(answer.probabilities, fleet.windows)
        delays[answer.name] = detection_delay(fleet.days, arranged, answer.judge_days)[soon]
        if answer.name != RULE:  # its answers are 0 and 1
            calibration[answer.name] = calibration_error(answer.probabilities, fleet.windows.label)
    columns = [*window_columns(fleet.windows, fleet.answers), *day_columns(fleet.days, fleet.verdicts)]
    for breakdown, names in (("cadence and errors", (*CADENCES, CLEAN)), ("reference array", REFERENCE)):
        for name in names:
            columns += _whole_columns(breakdown, name, parts[name])
    return Evaluation(
        plan=plan,
        version=version,
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
        notes=notes,
    )


def _whole_columns(breakdown, name, part):
    """All windows and all device-days of a part as two columns."""
    found = {answer.name: answer.probabilities.argmax(axis=1) for answer in part.answers}
    yield compare(breakdown, name, "windows", part.windows.device, part.windows.label, found)
    yield compare(breakdown, name, "device-days", part.days.device, part.days.truth, part.verdicts)


def _compare_set(plan, parts, name):
    """What the model gains (or, below 0, loses) by window in another set of the same devices."""
    sets = [
        (part.windows.device, part.windows.label, part.answers[0].probabilities.argmax(axis=1))
        for part in (parts[EVERY_20_S], parts[name])
    ]
    return compare_sets(GROUPED, sets, _other_devices(plan))[1]
