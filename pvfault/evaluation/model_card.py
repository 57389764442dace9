"""The model card: what a network was trained on, how right it is, and what it is not good for.

Here: scoring a network on the test windows, and the card's text. Not here: the scores themselves (`scores.py`).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import chi2

from pvfault.evaluation.scores import GROUP_NAMES, calibration_error, score
from pvfault.faults import FAULTS
from pvfault.lenet import Classifier
from pvfault.simulation.faults import LEAST_SEVERITY
from pvfault.simulation.labelled import LEAST_EFFECT, TEST, TRAINING, VALIDATION, by_device_day
from pvfault.verdicts import combine_windows

SEVERITIES = (0.04, 0.08, 0.15, 0.3, 1.0)


_CARD = """\
# Model card: LeNet-5 on scalograms, version {version}

Says what an hour of readings of one inverter input (voltage, current, module temperature, irradiance) shows: one of
{classes}. The version is the beginning of the
SHA-256 of the weights; every prediction carries it.

## Scores

On simulated devices, sites and dates that the network was not trained on. Not on measured faults: how much of this a
real plant keeps is not known yet.

{overall}

{false_days} healthy device-days were called faulty: {rate}.

{by_class}

With the two shorts as one:

{grouped}

Windows, truth by row:

{window_confusion}

Device-days, truth by row:

{day_confusion}

Faulty device-days that were called faulty, by severity (share of the array's power at standard test conditions that
the fault takes at its worst):

{found}

## Data

{data}

Simulated (`pvfault/simulation`): arrays of 4 to 24 modules × 1 to 12 strings of 15 module types at sub-string level,
clear, broken and overcast days, soiling, clipping, tracking errors, sensor errors, lost readings. The three parts
share no device, no site and no date. In training and validation each faulty device-day stands beside its healthy
twin; in training, healthy windows are thinned out. Half of the test devices are faulty.

A window is labelled faulty if the fault changes voltage and current in it by at least {least_effect} (mean absolute
changes, added): not before its onset, nor while a shadow or an arc is absent. A device-day is faulty if one of its
windows is. Faults that take less than {least_severity} of the array's power are drawn only where the array allows no
larger one. Onsets, severities and sensors follow the same rule for every fault.

## Protocol

Cross-entropy with equal weight for every fault, Adam, cosine learning rate. The epoch with the least loss on the
validation windows is kept, and its probabilities are calibrated there by a temperature. The network of this card was
fitted without the test windows, and they were simulated anew after its learning rate had been chosen (among three, on
smaller sets). Device-days are judged by `pvfault.verdicts.combine_windows`.

    {command}

took {minutes} min on 2 cores, simulation included; the same seed gives the same weights on the same kind of machine.

## Limits

- A short over some modules of a string and a ground fault over as many are the same circuit. No model can tell them
  apart from these four measurements: read either name as "a short". Only a short between two strings, which takes
  from both, differs.
- Nearly the same: a shorted module and one that is covered so far that its bypass diodes conduct; a string that is
  shorted or shaded so far that it no longer delivers, and one that is open; an input that was switched off by hand
  and an open array.
- An arc is seen by its slow flicker and its lost voltage. Readings every 20 s cannot replace an arc-fault circuit
  interrupter.
- One string of many, or one module of a long string, may change less than sensors and dirt do.
- Not simulated: snow, curtailment, string fuses, drifting or shaded irradiance sensors, faults that grow, ground
  faults without effect at the terminals, trackers that turn the modules.
- Ratings must be right: the network sees voltage and current relative to them.

## Use

To point the people who run a plant at devices worth a visit, with the runner-up and its probability beside the name.
Not as a safety device, and not as the only evidence for a claim.
"""


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
    healthy_days : int
    false_days : int
        Healthy device-days that were called faulty.
    """

    windows: dict
    days: dict
    calibration: float
    found: list
    healthy_days: int
    false_days: int


def score_network(network, test):
    """Score a network by window and by device-day.

    Parameters
    ----------
    network : keras.Model
    test : LabelledWindows

    Returns
    -------
    Scores
    """
    probabilities = Classifier(network, "test").predict(test.images)
    verdict = combine_windows(by_device_day(probabilities, test)).fault
    truth = np.nanmax(by_device_day(test.label, test), axis=1).astype(int)
    severity = np.nanmax(by_device_day(test.severity, test), axis=1)
    found = []
    for low, high in pairwise(SEVERITIES):
        inside = (truth > 0) & (severity >= low) & ((severity < high) | (high == SEVERITIES[-1]))
        found.append((low, high, int(inside.sum()), float((verdict[inside] > 0).mean()) if inside.any() else np.nan))
    return Scores(
        windows=score(test.label, probabilities.argmax(axis=1)),
        days=score(truth, verdict),
        calibration=calibration_error(probabilities, test.label),
        found=found,
        healthy_days=int((truth == 0).sum()),
        false_days=int(((truth == 0) & (verdict > 0)).sum()),
    )


def write_card(scores, *, version, command, training, validation, test, minutes):
    """Text of a model card.

    Parameters
    ----------
    scores : Scores
    version : str
    command : str
        That repeats the training.
    training, validation, test : LabelledWindows
    minutes : float
        The training took, simulation included.

    Returns
    -------
    str
        Markdown.
    """
    windows, days = scores.windows, scores.days
    rate = 365 * scores.false_days / max(scores.healthy_days, 1)
    grouped = [["windows", *_format(windows["grouped_f1"])], ["device-days", *_format(days["grouped_f1"])]]
    parts = ((TRAINING, training), (VALIDATION, validation), (TEST, test))
    return _CARD.format(
        version=version,
        classes=", ".join(FAULTS),
        overall=_overall(scores),
        false_days=f"{scores.false_days} of {scores.healthy_days:,}",
        rate=f"{rate:.1f} a device-year{_bound(scores)}",
        by_class=_table(["F1", *FAULTS], [["windows", *_format(windows["f1"])], ["device-days", *_format(days["f1"])]]),
        grouped=_table(["F1", *GROUP_NAMES], grouped),
        window_confusion=_confusion(windows["confusion"]),
        day_confusion=_confusion(days["confusion"]),
        found=_table(
            ["severity", "device-days", "found"],
            [[f"{low:.0%} to {high:.0%}", str(n), f"{share:.0%}"] for low, high, n, share in scores.found],
        ),
        data=_table(
            ["", "device-days", "windows", *FAULTS, "sites", "dates from"], [_data_row(*part) for part in parts]
        ),
        least_effect=f"{LEAST_EFFECT:.0%}",
        least_severity=f"{LEAST_SEVERITY:.0%}",
        command=command,
        minutes=f"{minutes:.0f}",
    )


def _overall(scores):
    """The scores that are one number each."""
    w, d = scores.windows, scores.days
    rows = [["number", f"{w['confusion'].sum():,}", f"{d['confusion'].sum():,}"]]
    named = (
        ("macro-F1, six classes", "macro_f1", ".3f"),
        ("macro-F1, line-line and line-ground as one", "grouped_macro_f1", ".3f"),
        ("F1, faulty against healthy", "faulty_f1", ".3f"),
        ("healthy called faulty", "false_alarms", ".2%"),
        ("faulty called healthy", "missed", ".1%"),
    )
    rows += [[name, format(w[key], form), format(d[key], form)] for name, key, form in named]
    return _table(
        ["", "windows", "device-days"], [*rows, ["expected calibration error", f"{scores.calibration:.3f}", ""]]
    )


def _bound(scores):
    """How many false alarms a device-year there may be with 95 % confidence: the upper limit of a Poisson count."""
    most = chi2.ppf(0.95, 2 * (scores.false_days + 1)) / 2
    return f"; with 95 % confidence at most {365 * most / max(scores.healthy_days, 1):.1f}"


def _format(values):
    return [f"{value:.3f}" for value in values]


def _data_row(split, windows):
    """One part of the data: how many of what, from where and when."""
    counts = np.bincount(windows.label, minlength=len(FAULTS))
    numbers = [len(np.unique(windows.device_day)), len(windows), *counts, len(split.sites)]
    return [split.name, *(f"{number:,}" for number in numbers), str(split.first)]


def _confusion(matrix):
    """A confusion matrix as a table."""
    return _table(["", *FAULTS], [[fault, *map(str, row)] for fault, row in zip(FAULTS, matrix, strict=True)])


def _table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
