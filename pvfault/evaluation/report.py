"""The report of an evaluation: one HTML page that needs nothing beside it.

Here: what is shown of the figures, the goals and whether they are reached, where somebody else is ahead of the model.
Not here: the figures themselves (`run.py`, `comparison.py`), the page's text (`report.html.j2`).
"""

import io
from dataclasses import dataclass
from pathlib import Path

import jinja2
import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from pvfault.evaluation.comparison import (
    FOUND,
    GROUPED,
    SIX,
    SOON,
    Column,
    Estimate,
    alarms_by_confuser,
    confused_pairs,
)
from pvfault.evaluation.measured import MeasuredDay, worst_days
from pvfault.evaluation.run import BASELINES, CEILING, FLEET_PART, MODEL, OTHER_DEVICES, REFERENCE, RULE, Evaluation
from pvfault.evaluation.scores import (
    GROUP_NAMES,
    LEAST_FAULTY_F1,
    LEAST_GROUPED_F1,
    LEAST_REFERENCE_F1,
    MOST_CALIBRATION_ERROR,
    MOST_FALSE_ALARMS,
    confusion_matrix,
    score,
)
from pvfault.faults import FAULTS

COLOURS = {MODEL: "#0b5fa5", BASELINES[0]: "#d9822b", RULE: "#7a7a7a", CEILING: "#2e8b57"}
STEM = Path(__file__).parent
BINS = 15
NEAR_THE_CEILING = 0.02

# Faults that are the same circuit at an array's terminals, or nearly, and what can tell them apart.
SAME_CIRCUITS = (
    (
        ("line_line", "line_ground"),
        "A short over some modules of a string and a ground fault over as many (with a grounded pole) are one circuit: "
        "the same modules are bridged. Only a short between two strings differs, since it takes from both. Four "
        "measurements of the whole input do not separate the others; a residual-current or insulation monitor would.",
    ),
    (
        ("line_line", "partial_shading"),
        "A shorted module and one that is covered so far that its bypass diodes conduct both cost the voltage of the "
        "module. A shadow moves with the sun, vanishes under clouds (it takes the beam, not the sky's light) and comes "
        "back at its hour; a short does none of that. Within one hour a cover that stays is the same.",
    ),
    (
        ("open_circuit", "partial_shading"),
        "A string that is shaded along its whole length gives little current, as one that is open gives none. The "
        "share lost follows the beam in a shadow and is k of n strings, whatever the sky, in an open one.",
    ),
    (
        ("line_ground", "open_circuit"),
        "A short over much of one string among many leaves that string below the voltage of the others: it delivers "
        "nothing, like an open one. With blocking diodes nothing tells them apart but the string's own current.",
    ),
    (
        ("none", "open_circuit"),
        "An input that was switched off by hand, or tripped, is an open array. Only the inverter's own state tells.",
    ),
    (
        ("none", "arc_fault"),
        "An arc that rests is a healthy array, and readings every 20 s see its flicker only by what is left of it at "
        "that pace. They cannot replace an arc-fault circuit interrupter.",
    ),
)


# What would separate what these four measurements do not, and why.
WOULD_HELP = (
    (
        "The current of each string",
        "An open, shorted or shaded string differs from its neighbours under the same light by all that it loses, in "
        "an array of any size, and whatever the irradiance sensor sees.",
    ),
    (
        "A second irradiance sensor, in the array's plane, kept clean",
        "A sensor that is shaded, tilted another way, some metres off or under snow sees another sky than the array. "
        "Two that disagree say so.",
    ),
    (
        "The inverter's state",
        "Curtailment, trips and inputs that are switched off are then no faults.",
    ),
    (
        "An I-V curve now and then, or an insulation monitor",
        "A curve shows bypass diodes that conduct as steps, which a shadow has and a short has not; insulation tells a "
        "ground fault from a short between lines.",
    ),
    (
        "An arc-fault circuit interrupter",
        "An arc is noise from 1 to 100 kHz; readings every 20 s see what is left of it.",
    ),
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
    windows, days = (_whole(evaluation, unit) for unit in ("windows", "device-days"))

    def at_least(text, column, metric, least):
        scores = column.scores[metric.name]
        ceiling = f"{scores[CEILING].value:.3f}" if CEILING in scores else ""
        return Goal(f"{text} ≥ {least:.2f}", f"{scores[MODEL]}", scores[MODEL].value >= least, ceiling)

    def of_ceiling(by_judge, form):
        return form(by_judge[CEILING]) if CEILING in by_judge else ""

    alarms = evaluation.false_alarms[MODEL]
    soon = {judge: np.mean(delays <= SOON) for judge, delays in evaluation.delays.items()}
    behind = baselines_ahead(evaluation)
    slower = evaluation.slower["1 min"]
    found = [
        at_least("F1, faulty against healthy, by window", windows, FOUND, LEAST_FAULTY_F1),
        at_least("F1, faulty against healthy, by device-day", days, FOUND, LEAST_FAULTY_F1),
        at_least("macro-F1, shorts as one, by window", windows, GROUPED, LEAST_GROUPED_F1["windows"]),
        at_least("macro-F1, shorts as one, by device-day", days, GROUPED, LEAST_GROUPED_F1["device-days"]),
        Goal(
            f"at most {MOST_FALSE_ALARMS:.0f} false alarm a device-year",
            f"{alarms.a_year:.2f}, with 95 % confidence at most {alarms.at_most:.2f}",
            alarms.a_year <= MOST_FALSE_ALARMS,
            of_ceiling(evaluation.false_alarms, lambda own: f"{own.a_year:.2f}"),
        ),
        Goal(
            f"open strings and shorts of 10 % of a string found within {SOON:.0f} h of daylight",
            f"{soon[MODEL]:.1%} of {len(evaluation.delays[MODEL])}",
            bool(soon[MODEL] >= 0.95),
            of_ceiling(soon, "{:.1%}".format),
        ),
        Goal(
            f"expected calibration error ≤ {MOST_CALIBRATION_ERROR}",
            f"{evaluation.calibration[MODEL]:.3f}",
            evaluation.calibration[MODEL] <= MOST_CALIBRATION_ERROR,
            of_ceiling(evaluation.calibration, "{:.3f}".format),
        ),
        Goal("a reading a minute loses at most 0.01", f"{-slower.value:.3f}", slower.value >= -0.01),
        Goal(
            "ahead of both baselines in every column",
            f"behind in {len(behind)} of {_n_cells(evaluation)} comparisons, "
            f"in {sum(ahead.sure for ahead in behind)} beyond doubt",
            not behind,
        ),
    ]
    for name, least in zip(REFERENCE, LEAST_REFERENCE_F1, strict=True):
        columns = [c for c in evaluation.columns if (c.name, c.unit) == (name, "windows")]
        found += [at_least(f"{name}: macro-F1, shorts as one, by window", column, GROUPED, least) for column in columns]
    if CEILING in windows.scores[GROUPED.name]:
        for column in (windows, days):
            gap = -column.differences[GROUPED.name][CEILING].value
            text = f"within {NEAR_THE_CEILING} of the ceiling, macro-F1, shorts as one, by {column.unit[:-1]}"
            found.append(Goal(text, f"{gap:.3f} below" if gap > 0 else f"{-gap:.3f} above", gap <= NEAR_THE_CEILING))
    return found


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


def _n_cells(evaluation):
    return sum(len(set(BASELINES) & set(d)) for c in evaluation.columns for d in c.differences.values())


def _whole(evaluation, unit):
    """The column of everything."""
    return next(c for c in evaluation.columns if (c.breakdown, c.unit) == ("all", unit))


def write_report(evaluation: Evaluation, path: Path, *, command: str, days: list[MeasuredDay]) -> None:
    """Write the report.

    Parameters
    ----------
    evaluation : Evaluation
    path : Path
        Of the HTML file.
    command : str
        That makes it again.
    days : list of MeasuredDay
        Empty if nothing measured was given.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STEM), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    fleet = evaluation.parts[FLEET_PART]
    page = environment.get_template("report.html.j2").render(
        evaluation=evaluation,
        command=command,
        goals=goals(evaluation),
        judges=[answer.name for answer in fleet.answers],
        metrics=[metric.name for metric in (GROUPED, FOUND, SIX)],
        whole=[_whole(evaluation, unit) for unit in ("windows", "device-days")],
        breakdowns=_breakdowns(evaluation),
        behind=baselines_ahead(evaluation),
        below=ceiling_ahead(evaluation),
        near=NEAR_THE_CEILING,
        other_devices=min(evaluation.plan.devices, OTHER_DEVICES),
        group_names=GROUP_NAMES,
        pairs=same_circuits(evaluation),
        would_help=WOULD_HELP,
        shorts=short_rows(evaluation.limits),
        delays=_delay_rows(evaluation),
        confusers=alarms_by_confuser(fleet.days, fleet.verdicts),
        by_class=by_class(evaluation),
        days=days,
        worst=worst_days(days),
        plots=_plots(evaluation, days),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _breakdowns(evaluation):
    """By breakdown, its columns of windows and those of device-days; without the whole."""
    found = {}
    for column in evaluation.columns:
        if column.breakdown != "all":
            found.setdefault(column.breakdown, {}).setdefault(column.unit, []).append(column)
    return {breakdown: list(units.values()) for breakdown, units in found.items()}


def same_circuits(evaluation):
    """Pairs of faults that are hard to tell apart, with what does tell them apart, and how often they are confused.

    Returns
    -------
    list of tuple
        (first, second, text, {judge: share}), as `comparison.confused_pairs` has the share.
    """
    fleet = evaluation.parts[FLEET_PART]
    shares = {}
    for answer in fleet.answers:
        if answer.name != RULE:
            confusion = confusion_matrix(fleet.windows.label, answer.probabilities.argmax(axis=1))
            shares[answer.name] = {(a, b): share for a, b, share in confused_pairs(confusion)}
    return [(a, b, text, {judge: share[a, b] for judge, share in shares.items()}) for (a, b), text in SAME_CIRCUITS]


def short_rows(limits):
    """Shorts of the reference array: rows of (share of the power, fault, configurations, voltage, current)."""

    def span(changes):
        low, high = (f"{100 * change:+.1f}" for change in (changes.min(), changes.max()))
        return f"{low} %" if low == high else f"{low} to {high} %"

    return [
        (f"{shorts.severity:.0%}", fault, str(len(changes)), span(changes[:, 0]), span(changes[:, 1]))
        for shorts in limits.shorts
        for fault, changes in shorts.changes.items()
    ]


def by_class(evaluation):
    """F1 of each group and class: rows of (unit, judge, by group, by class)."""
    fleet = evaluation.parts[FLEET_PART]
    rows = []
    for answer in fleet.answers:
        for unit, truth, found in (
            ("windows", fleet.windows.label, answer.probabilities.argmax(axis=1)),
            ("device-days", fleet.days.truth, fleet.verdicts[answer.name]),
        ):
            scores = score(truth, found)
            rows.append((unit, answer.name, scores["grouped_f1"], scores["f1"]))
    return sorted(rows, key=lambda row: row[0], reverse=True)


def _delay_rows(evaluation):
    """For each judge: share found within 2 h, within the day, median delay of those that were found."""
    rows = []
    for judge, delay in evaluation.delays.items():
        found = np.isfinite(delay)
        median = f"{np.median(delay[found]):.1f} h" if found.any() else ""
        rows.append((judge, len(delay), np.mean(delay <= SOON), np.mean(found), median))
    return rows


def _plots(evaluation, days):
    """Every plot as SVG, by name."""
    with mpl.rc_context(
        {"svg.hashsalt": "pvfault", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        plots = {
            "confusion": _plot_confusions(evaluation),
            "reliability": _plot_reliability(evaluation),
            "delay": _plot_delay(evaluation),
        }
        plots |= {
            breakdown: _plot_breakdown(evaluation, breakdown)
            for breakdown in dict.fromkeys(column.breakdown for column in evaluation.columns)
            if breakdown != "all"
        }
        return plots | ({"measured": _plot_days(days)} if days else {})


def _svg(figure):
    """A figure as text that can stand in a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _plot_confusions(evaluation):
    """Confusion matrices of the model and, if there is one, of the ceiling, by window and by device-day."""
    fleet = evaluation.parts[FLEET_PART]
    shown = [answer for answer in fleet.answers if answer.name in (MODEL, CEILING)]
    figure = Figure(figsize=(9.5, 4.4 * len(shown)))
    axes = figure.subplots(len(shown), 2, squeeze=False)
    for row, answer in zip(axes, shown, strict=True):
        windows = confusion_matrix(fleet.windows.label, answer.probabilities.argmax(axis=1))
        days = confusion_matrix(fleet.days.truth, fleet.verdicts[answer.name])
        for axis, counts, unit in zip(row, (windows, days), ("windows", "device-days"), strict=True):
            share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for (truth, found), count in np.ndenumerate(counts):
                colour = "white" if share[truth, found] > 0.5 else "black"
                axis.text(found, truth, f"{count:,}", ha="center", va="center", fontsize=7, color=colour)
            axis.set_xticks(range(len(FAULTS)), FAULTS, rotation=40, ha="right")
            axis.set_yticks(range(len(FAULTS)), FAULTS)
            axis.set_title(f"{answer.name}, {unit}")
            axis.set_xlabel("found")
            axis.set_ylabel("truth")
    figure.tight_layout()
    return _svg(figure)


def _plot_reliability(evaluation):
    """Share of right answers over confidence."""
    fleet = evaluation.parts[FLEET_PART]
    figure = Figure(figsize=(4.6, 4.2))
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for answer in fleet.answers:
        if answer.name in evaluation.calibration:
            confidence = answer.probabilities.max(axis=1)
            right = answer.probabilities.argmax(axis=1) == fleet.windows.label
            which = np.minimum((confidence * BINS).astype(int), BINS - 1)
            counts = np.bincount(which, minlength=BINS)
            filled = counts >= 20  # fewer say nothing
            mean = [np.bincount(which, values, BINS)[filled] / counts[filled] for values in (confidence, right)]
            label = f"{answer.name}, error {evaluation.calibration[answer.name]:.3f}"
            axis.plot(*mean, marker="o", markersize=3, color=COLOURS[answer.name], label=label)
    axis.set_xlabel("probability of the most probable class")
    axis.set_ylabel("share of right answers")
    axis.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _plot_breakdown(evaluation, breakdown):
    """Macro-F1 and F1 of faulty against healthy over the parts of a breakdown."""
    columns = [column for column in evaluation.columns if column.breakdown == breakdown]
    units = list(dict.fromkeys(column.unit for column in columns))
    figure = Figure(figsize=(9.5, 2.7 * len(units)))
    axes = figure.subplots(len(units), 2, squeeze=False)
    for row, unit in zip(axes, units, strict=True):
        own = [column for column in columns if column.unit == unit]
        for axis, metric in zip(row, (GROUPED, FOUND), strict=True):
            for offset, judge in enumerate(own[0].scores[metric.name]):
                estimates = [column.scores[metric.name][judge] for column in own]
                values = np.array([estimate.value for estimate in estimates])
                reach = [values - [e.low for e in estimates], [e.high for e in estimates] - values]
                place = np.arange(len(own)) + 0.08 * (offset - 1.5)
                axis.errorbar(place, values, np.maximum(reach, 0), fmt="o-", markersize=3, linewidth=1,
                              color=COLOURS[judge], label=judge)  # fmt: skip
            axis.set_xticks(range(len(own)), [column.name for column in own], fontsize=7)
            axis.set_title(f"{metric.name}, {unit}", fontsize=9)
            axis.set_ylim(top=1.01)
            axis.grid(axis="y", color="#eeeeee")
    axes[0, 0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    return _svg(figure)


def _plot_delay(evaluation):
    """Share of the faults that must be found soon, over hours of daylight since their onset."""
    figure = Figure(figsize=(5.2, 3.4))
    axis = figure.subplots()
    hours = np.linspace(0, 8, 161)
    for judge, delay in evaluation.delays.items():
        axis.plot(hours, [np.mean(delay <= hour) for hour in hours], color=COLOURS[judge], label=judge)
    axis.axvline(SOON, color="#bbbbbb", linewidth=1)
    axis.set_xlabel("hours of daylight since the onset")
    axis.set_ylabel("share found")
    axis.set_ylim(0, 1.02)
    axis.legend(frameon=False, fontsize=8)
    return _svg(figure)


def _plot_days(days):
    """Share of the windows called faulty, day by day."""
    figure = Figure(figsize=(9.5, 2.6))
    axis = figure.subplots()
    axis.bar([day.day for day in days], [day.share for day in days], color=COLOURS[MODEL], width=0.8)
    axis.set_ylabel("windows called faulty")
    axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    figure.autofmt_xdate()
    return _svg(figure)
