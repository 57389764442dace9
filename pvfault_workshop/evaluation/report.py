"""The report of an evaluation: one HTML page that needs nothing beside it.

Its text is the template `report.html.j2`.
"""

from pathlib import Path

import numpy as np

from pvfault.faults import FAULTS, LINE_GROUND, LINE_LINE
from pvfault_workshop.evaluation import plots
from pvfault_workshop.evaluation.alarms import SOON, alarms_by_confuser
from pvfault_workshop.evaluation.ceiling import Ceiling
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED, SHORTS, SIX, Metric, compare
from pvfault_workshop.evaluation.goals import baselines_ahead, ceiling_ahead, goals, quieter_baselines, whole
from pvfault_workshop.evaluation.intervals import estimate_share
from pvfault_workshop.evaluation.measured import MeasuredDay, score_labels, worst_days
from pvfault_workshop.evaluation.plan import FLEET_PART, MODEL, OTHER_DEVICES
from pvfault_workshop.evaluation.run import Evaluation
from pvfault_workshop.evaluation.same_circuits import WOULD_HELP, confused_circuits, short_rows
from pvfault_workshop.evaluation.scores import GROUP_NAMES, NEAR_THE_CEILING
from pvfault_workshop.evaluation.templates import render
from pvfault_workshop.evaluation.textbook_scores import TALLY_HEADINGS, Textbook
from pvfault_workshop.evaluation.transfer import METRICS as PLANT_METRICS
from pvfault_workshop.evaluation.transfer import PlantScores, score_own_test
from pvfault_workshop.simulation.splits import literature_devices


def write_report(
    evaluation: Evaluation, ceiling: Ceiling | None, path: Path, *, command: str, days: list[MeasuredDay],
    transfer: list[PlantScores], textbook: Textbook | None, archives: list[PlantScores],
) -> None:  # fmt: skip
    """Write the report.

    Parameters
    ----------
    evaluation : Evaluation
    ceiling : Ceiling or None
        Found by this evaluation or kept from another one.
    path : Path
        Of the HTML file.
    command : str
        That makes it again.
    days : list of MeasuredDay
        Empty if nothing measured was given.
    transfer : list of PlantScores
        Empty if no plants of another simulation were given.
    textbook : Textbook or None
    archives : list of PlantScores
        The same days as archives keep them; empty if none were asked for.
    """
    fleet = evaluation.parts[FLEET_PART]
    page = render(
        "report.html.j2",
        evaluation=evaluation,
        command=command,
        ceiling=ceiling,
        goals=goals(evaluation, ceiling.figures if ceiling else {}),
        judges=[answer.name for answer in fleet.answers],
        metrics=[metric.name for metric in (GROUPED, FOUND, SIX)],
        whole=[whole(evaluation, unit) for unit in ("windows", "device-days")],
        breakdowns=_breakdowns(evaluation),
        behind=baselines_ahead(evaluation),
        quieter=quieter_baselines(evaluation),
        below=ceiling_ahead(evaluation),
        near=NEAR_THE_CEILING,
        literature=literature_devices(evaluation.plan.training_devices),
        other_devices=min(evaluation.plan.devices, OTHER_DEVICES),
        pairs=confused_circuits(evaluation),
        would_help=WOULD_HELP,
        shorts=short_rows(),
        delays=_delay_rows(evaluation),
        confusers=alarms_by_confuser(fleet.days, fleet.verdicts),
        by_class=_by_class(evaluation),
        plants=[score_own_test(evaluation), *transfer] if transfer else [],
        plant_metrics=PLANT_METRICS,
        model=MODEL,
        faults=FAULTS,
        textbook=textbook,
        archives=archives,
        tally_headings=TALLY_HEADINGS,
        days=days,
        worst=worst_days(days),
        labelled=score_labels(days),
        plots=plots.draw(evaluation, days),
    )
    path.write_text(page, encoding="utf-8")


def _breakdowns(evaluation):
    """By breakdown, its columns of windows and those of device-days; without the whole."""
    found = {}
    for column in evaluation.columns:
        if column.breakdown != "all":
            found.setdefault(column.breakdown, {}).setdefault(column.unit, []).append(column)
    return {breakdown: list(units.values()) for breakdown, units in found.items()}


def _by_class(evaluation):
    """F1 of each group, and of each short alone, by window and by device-day."""
    fleet = evaluation.parts[FLEET_PART]
    windows, days = fleet.windows, fleet.days
    metrics = [Metric(name, SHORTS, of_group=group) for group, name in enumerate(GROUP_NAMES)]
    metrics += [
        Metric(f"{name} alone", np.arange(len(FAULTS)), of_group=FAULTS.index(name))
        for name in (LINE_LINE, LINE_GROUND)
    ]
    found = {answer.name: answer.found for answer in fleet.answers}
    return [
        compare("F1 of each", "all", "windows", windows.device, windows.label, found, metrics),
        compare("F1 of each", "all", "device-days", days.device, days.truth, fleet.verdicts, metrics),
    ]


def _delay_rows(evaluation):
    """For each judge: share found within 2 h, within the day, median delay of those that were found."""
    rows = []
    for judge, delay in evaluation.delays.items():
        found = np.isfinite(delay)
        median = f"{np.median(delay[found]):.1f} h" if found.any() else ""
        rows.append((judge, len(delay), estimate_share(delay <= SOON), estimate_share(found), median))
    return rows
