"""`pvfault evaluate`: how right the network is, beside what else could be asked."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.file_options import takes_choices
from pvfault_cli.messages import prepare_output, print_table, read_settings
from pvfault_workshop.recipe import Recipe

DEVICES = 4_800
LEAST_DEVICES = 24


@takes_choices
def evaluate(
    choices,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="REPORT.html", help="Write the report here.")
    ] = Path("build/evaluation/report.html"),
    model: Annotated[Path | None, typer.Option(help="Weights of the network; else PVFAULT_MODEL.")] = None,
    devices: Annotated[
        int,
        typer.Option(
            min=0, help="Devices that are tested, one day each; 0: only what has days of its own, without a report."
        ),
    ] = DEVICES,
    training_devices: Annotated[
        int, typer.Option(min=48, help="Faulty devices that the baselines are fitted on; as many as the network's.")
    ] = Recipe.devices,
    ceiling: Annotated[
        int,
        typer.Option(min=0, max=10, help="Find the ceiling anew, on so many times as many; 0: what is kept of one."),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of whatever the classifiers draw.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
    measured: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or Parquet file of measured days.")] = None,
    transfer: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Plants of another simulation, with the truth of their hours.")
    ] = None,
    textbook: Annotated[
        bool, typer.Option("--textbook/--no-textbook", help="Clear days on which an expert would be certain.")
    ] = True,
    archives: Annotated[
        bool,
        typer.Option("--archives/--no-archives", help="Simulated days as archives keep them: means of some minutes."),
    ] = True,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="What was found on these days (`pvfault labels export`); else measured_days.md beside the weights."
        ),
    ] = None,
):
    """Score the network on simulated plants that it was not trained on, and write a report and its model card.

    Beside it stand gradient boosting on hourly statistics, the expected-power rule that operators use, and a ceiling,
    whose figures are kept beside the weights, in `ceiling.json`. Simulated windows and the others' answers are kept in
    the state folder, so that another network takes minutes. The first run after training takes about eight minutes on
    two cores, with `--ceiling 10` more than two hours.

    Example: `pvfault evaluate -o build/evaluation/report.html`
    """
    prepare_output(output, "an HTML file", "build/evaluation/report.html")
    from rich.console import Console

    from pvfault.lenet import load_classifier
    from pvfault_cli.steps import Steps
    from pvfault_workshop.evaluation import model_card
    from pvfault_workshop.evaluation.ceiling import KEPT_CEILING, ceiling_of, read_ceiling, write_ceiling
    from pvfault_workshop.evaluation.goals import goals
    from pvfault_workshop.evaluation.measured import score_labels
    from pvfault_workshop.evaluation.plan import Plan, Progress
    from pvfault_workshop.evaluation.report import write_report
    from pvfault_workshop.evaluation.run import evaluate

    if 0 < devices < LEAST_DEVICES:
        raise PvfaultError(f"--devices is {devices}; expected {LEAST_DEVICES} or more, or 0 for none.")
    settings = read_settings(model=model)
    weights = settings.model
    if not isinstance(weights, Path):
        raise PvfaultError(f"PVFAULT_MODEL is {weights}; expected a file of this machine, as in --model lenet5.h5.")
    classifier = load_classifier(weights)
    steps = Steps(Console(stderr=True))
    # First, so that wrong files are told before minutes have passed.
    labels = _labels_of(measured, labels, weights)
    days = _judge_measured(measured, choices, classifier, labels) if measured else []
    if measured:
        typer.echo(f"Measured: {score_labels(days) or f'no day has a label in {labels}'}")
    plants = _judge_transfer(transfer, classifier, steps) if transfer else []
    cases = _judge_textbook(classifier, steps) if textbook else None
    kept_as = _judge_archives(classifier, devices, steps) if archives else []
    if not devices:
        return
    plan = Plan(devices, training_devices, ceiling, seed, workers)
    kept = read_ceiling(weights.with_name(KEPT_CEILING), plan)
    evaluation = evaluate(plan, classifier, settings.training, Progress(steps.step, steps.tell))
    command = shlex.join(["pvfault", *sys.argv[1:]])
    if plan.ceiling:
        kept = ceiling_of(evaluation, command=command)
        write_ceiling(weights.with_name(KEPT_CEILING), kept)
    beside = {"days": days, "transfer": plants, "textbook": cases, "archives": kept_as}
    write_report(evaluation, kept, output, command=command, **beside)
    card = model_card.add_evaluation(weights, evaluation, kept, command=command, **beside)
    for goal in goals(evaluation, kept.figures if kept else {}):
        typer.echo(f"{'✓' if goal.reached else '✗'} {goal.text}: {goal.found}")
    if not kept:
        typer.echo(
            "No ceiling is kept of these devices as they are simulated now; "
            "--ceiling 10 finds it, in more than two hours."
        )
    typer.echo(f"Report: {output}\nModel card: {card}")


def _labels_of(measured, labels, weights):
    """The file with what was found on measured days."""
    from pvfault_workshop.evaluation.measured import JUDGEMENTS

    if labels is None:
        return weights.with_name(JUDGEMENTS)
    if measured is None:
        raise PvfaultError(f"--labels {labels} says what was found on measured days; name these with --measured FILE.")
    if not labels.is_file():
        raise PvfaultError(f"There is no file {labels}; `pvfault labels export --out {labels}` writes one.")
    return labels


def _judge_measured(file, choices, classifier, labels):
    """Measured days, and what was written about them."""
    from pvfault.classify import classify_readings
    from pvfault.registry import EMPTY_REGISTRY
    from pvfault_files.reader import read_files
    from pvfault_workshop.evaluation.measured import measured_days, read_judgements

    readings = read_files([file], choices)
    predictions = classify_readings(readings.table, EMPTY_REGISTRY, classifier)
    return measured_days(predictions, read_judgements(labels))


def _judge_transfer(folder, classifier, steps):
    """Plants of another simulation, told as soon as they are judged."""
    from pvfault_workshop.evaluation.transfer import measure_transfer

    with steps.step(f"Plants of another simulation: {folder}"):
        plants = measure_transfer(folder, classifier)
    for each in plants:
        typer.echo(f"Transfer, {each}")
    return plants


def _judge_archives(classifier, devices, steps):
    """Simulated days as archives keep them, told as soon as they are judged."""
    from pvfault_workshop.evaluation.archives import DEVICES, measure_means

    with steps.step("Archives of means"):
        number = min(devices or DEVICES, DEVICES)
        archives = measure_means(classifier, number, report=lambda done: steps.tell(f"{done:,}"))
    for each in archives:
        typer.echo(f"Archive, {each}")
    return archives


def _judge_textbook(classifier, steps):
    """Textbook days, told as soon as they are judged."""
    from pvfault_workshop.evaluation.textbook_scores import TALLY_HEADINGS, judge_textbook

    with steps.step("Textbook days"):
        textbook = judge_textbook(classifier)
    for factor, tallies in textbook.by_factor().items():
        print_table([(value, *tally.cells()) for value, tally in tallies.items()], factor, *TALLY_HEADINGS)
    return textbook
