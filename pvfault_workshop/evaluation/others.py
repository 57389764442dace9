"""What the others answer to the same windows: the baselines and the ceiling, fitted now or kept from before.

Here: on which windows each of them is fitted, what is noted about that, and for how long its answers stand. Not here:
the classifiers (`contenders.py`), the windows that they are asked about (`run.py`), how they judge days
(`day_rules.py`).
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pvfault.expected_power import expected_power
from pvfault.faults import FAULTS
from pvfault_workshop.evaluation import contenders
from pvfault_workshop.evaluation.comparison import Days
from pvfault_workshop.evaluation.contenders import (
    IMAGE_BOOSTING,
    STRONG_BOOSTING,
    Judge,
    fit_boosting,
    fit_rule,
    fit_strong,
    fit_strong_boosting,
    grouped_macro_f1,
)
from pvfault_workshop.evaluation.plan import BOOSTING, CEILING, FLEET_PART, RULE, VALIDATION_PART, Plan, Progress
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day
from pvfault_workshop.simulation.parts import prepare_more_training, prepare_parts
from pvfault_workshop.simulation.splits import TRAINING, VALIDATION, plan_part

EIGHTHS_OF_TRAINING = (1, 2, 4)


@dataclass(frozen=True)
class Other:
    """What one of the others answers.

    Attributes
    ----------
    answers : dict of str to ndarray of float32, shape (n, 6)
        Probabilities of the windows of each test set; those of `VALIDATION_PART` by day, shape (n_days, 24, 6).
    truth : ndarray of int, shape (n_days,)
        Of the validation days.
    figures : dict
        What `describe_ceiling` says, for the ceiling.
    """

    answers: dict[str, np.ndarray]
    truth: np.ndarray
    figures: dict


@dataclass(frozen=True)
class _Known:
    """What the others are fitted and asked on."""

    plan: Plan
    windows: dict[str, LabelledWindows]
    parts: Callable[[], tuple[LabelledWindows, LabelledWindows]]
    folder: Path
    progress: Progress


def ask_others(plan: Plan, windows: dict[str, LabelledWindows], folder: Path, progress: Progress) -> dict[str, Other]:
    """Ask the baselines and, if it is wanted, the ceiling.

    Parameters
    ----------
    plan : Plan
    windows : dict of str to LabelledWindows
        The test sets.
    folder : Path
        Where answers are kept, under a name that says what they are for: another test set, plan or classifier has
        another name.
    progress : Progress

    Returns
    -------
    dict of str to Other
        By judge.

    Raises
    ------
    PvfaultError
        If so few devices are simulated for training that a class is missing.
    """

    @cache
    def parts():
        with progress.step("Windows that the network was trained on"):
            return _prepare(plan, folder, progress)

    known = _Known(plan, windows, parts, folder, progress)
    fits = {BOOSTING: _fit_boosting, RULE: _fit_rule} | ({CEILING: _fit_ceiling} if plan.ceiling else {})
    return {judge: _ask(judge, fit, known) for judge, fit in fits.items()}


def _ask(judge, fit, known):
    """The answers of one of them, from its file or anew."""
    path = known.folder / f"answers of {judge}-{_fingerprint(judge, fit, known)}.npz"
    if not path.exists():
        ask, figures = fit(known)
        with known.progress.step(f"answers of {judge}"):
            _, validation = known.parts()
            answers = {name: np.asarray(ask(part), np.float32) for name, part in known.windows.items()}
            days = by_device_day(ask(validation), validation).astype(np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, figures=json.dumps(figures), truth=Days.of(validation).truth, **answers | {VALIDATION_PART: days}
        )
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    return Other(truth=kept.pop("truth"), figures=json.loads(str(kept.pop("figures"))), answers=kept)


def _fingerprint(judge, fit, known):
    """What answers depend on: test windows, training data as planned, and the judges' code."""
    plan = known.plan
    planned = [plan_part(name, plan.training_devices) for name in (TRAINING.name, VALIDATION.name)]
    grown = (plan.ceiling, EIGHTHS_OF_TRAINING) if judge == CEILING else ()
    amounts = (planned, grown, plan.seed)
    digest = hashlib.sha256(repr(amounts).encode())
    for code in (contenders, expected_power, fit, _learning_curve, _fit_on_more):
        digest.update(inspect.getsource(code).encode())
    for part in known.windows.values():
        for values in (
            part.statistics, part.day_statistics, part.deviations, part.neighbours, part.label, part.device_day,
        ):  # fmt: skip
            digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()[:16]


def _prepare(plan, folder, progress):
    """The windows that the network was trained and calibrated on, without their images."""
    parts = prepare_parts(
        plan.training_devices, folder, names=(TRAINING.name, VALIDATION.name), images=False, workers=plan.workers,
        report=lambda name, count, done: progress.tell(f"{name}, {done:,} of {count:,} devices"),
    )  # fmt: skip
    return parts[TRAINING.name], parts[VALIDATION.name]


def _fit_boosting(known) -> tuple[Judge, dict]:
    training, validation = known.parts()
    with known.progress.step(f"{BOOSTING} fitted on {len(training):,} windows"):
        return fit_boosting(training, validation, seed=known.plan.seed), {}


def _fit_rule(known) -> tuple[Judge, dict]:
    _, validation = known.parts()
    with known.progress.step(f"{RULE} fitted on {len(validation):,} windows"):
        return fit_rule(validation), {}


def _fit_ceiling(known) -> tuple[Judge, dict]:
    """The best of several strong classifiers, and of the strongest one on many more windows."""
    plan, fleet = known.plan, known.windows[FLEET_PART]
    training, validation = known.parts()
    curve = _learning_curve(known)
    with known.progress.step(f"strong classifiers fitted on {len(training):,} windows"):
        scores, judges = fit_strong(training, validation, seed=plan.seed)
    curve.append((1, scores[STRONG_BOOSTING]))
    on_fleet = {name: grouped_macro_f1(judges[name](fleet), fleet.label) for name in (STRONG_BOOSTING, IMAGE_BOOSTING)}
    if plan.ceiling > 1:
        score, judge, amount = _fit_on_more(known)
        curve.append((plan.ceiling, score))
        most = f"{STRONG_BOOSTING} on {amount}"
        scores[most], judges[most] = score, judge
    best = max(scores, key=scores.get)
    on_fleet[CEILING] = grouped_macro_f1(judges[best](fleet), fleet.label)
    return judges[best], {
        "windows": len(training), "scores": scores, "best": best, "curve": curve, "on_fleet": on_fleet
    }  # fmt: skip


def describe_ceiling(figures: dict) -> list[str]:
    """Say what the ceiling was fitted on, and where its lead comes from.

    Parameters
    ----------
    figures : dict
        Of `Other`.

    Returns
    -------
    list of str
    """
    scores = ", ".join(f"{name} {score:.3f}" for name, score in figures["scores"].items())
    curve = ", ".join(f"{times:g}× {score:.3f}" for times, score in figures["curve"])
    on_fleet = figures["on_fleet"]
    return [
        f"Strong classifiers fitted on the {figures['windows']:,} windows that the network was trained on, where "
        f"nothing else is said; macro-F1 on the validation windows, shorts as one: {scores}.",
        f"The ceiling is {figures['best']}.",
        f"{STRONG_BOOSTING.capitalize()} by the amount of data: {curve}.",
        f"Where the gap to the ceiling is: on the fleet's windows the ceiling has macro-F1 {on_fleet[CEILING]:.3f}, "
        f"{STRONG_BOOSTING} fitted on no more windows than the network {on_fleet[STRONG_BOOSTING]:.3f}, and "
        f"{IMAGE_BOOSTING}, without later hours of the day and without the neighbours, {on_fleet[IMAGE_BOOSTING]:.3f}. "
        "What the second lacks to the first is devices; what the third lacks to the second is what an hour's image "
        "does not know; a network above the third makes more of as many windows than trees do, one below it less.",
    ]


def _learning_curve(known):
    """Score of the strongest classifier on parts of the training windows, by their share."""
    training, validation = known.parts()
    curve = []
    for eighths in EIGHTHS_OF_TRAINING:
        part = training.select(training.device % 8 < eighths)
        if len(np.unique(part.label)) < len(FAULTS):
            continue
        with known.progress.step(f"{STRONG_BOOSTING} fitted on {len(part):,} windows"):
            judge = fit_strong_boosting(part, validation, seed=known.plan.seed)
        curve.append((eighths / 8, grouped_macro_f1(judge(validation), validation.label)))
    return curve


def _fit_on_more(known):
    """The strongest classifier on many more windows: its score, itself, and on how many."""
    plan, (training, validation) = known.plan, known.parts()
    devices = plan.training_devices * plan.ceiling
    with known.progress.step(f"{devices:,} faulty devices simulated for the {CEILING}"):
        more = prepare_more_training(
            training, plan.training_devices, plan.ceiling, known.folder, workers=plan.workers,
            report=lambda done: known.progress.tell(f"{done:,}"),
        )  # fmt: skip
    amount = f"{len(more):,} windows of {devices:,} faulty devices and their twins, {plan.ceiling}× the fleets"
    with known.progress.step(f"{STRONG_BOOSTING} fitted on {len(more):,} windows"):
        judge = fit_strong_boosting(more, validation, seed=plan.seed)
    return grouped_macro_f1(judge(validation), validation.label), judge, amount
