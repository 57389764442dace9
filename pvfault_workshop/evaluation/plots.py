"""Plots of an evaluation, as SVG that can stand in a page."""

import io

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from pvfault.faults import FAULTS
from pvfault_workshop.evaluation.alarms import SOON
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED
from pvfault_workshop.evaluation.plan import BASELINES, CEILING, FLEET_PART, MODEL, RULE
from pvfault_workshop.evaluation.scores import confusion_matrix, reliability

COLOURS = {MODEL: "#0b5fa5", BASELINES[0]: "#d9822b", RULE: "#7a7a7a", CEILING: "#2e8b57"}


def draw(evaluation, days):
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
    drawn = [answer for answer in fleet.answers if answer.name in (MODEL, CEILING)]
    figure = Figure(figsize=(9.5, 4.4 * len(drawn)))
    axes = figure.subplots(len(drawn), 2, squeeze=False)
    for row, answer in zip(axes, drawn, strict=True):
        windows = confusion_matrix(fleet.windows.label, answer.found)
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
            counts, confidence, right = reliability(answer.probabilities, fleet.windows.label)
            filled = counts >= 20  # fewer say nothing
            mean = [total[filled] / counts[filled] for total in (confidence, right)]
            label = f"{answer.name}, error {evaluation.calibration[answer.name].value:.3f}"
            axis.plot(*mean, marker="o", markersize=3, color=COLOURS[answer.name], label=label)
    axis.set_xlabel("probability of what the window is called")
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
