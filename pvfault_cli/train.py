"""`pvfault train`: simulate, train, score, and write weights and model card."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError

DEVICES = 7_000
EPOCHS = 7


def train(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL.h5", help="Weights; the model card goes beside them.")
    ] = Path("models/lenet5.h5"),
    devices: Annotated[int, typer.Option(min=100, help="Faulty devices to simulate for training.")] = DEVICES,
    epochs: Annotated[int, typer.Option(min=1)] = EPOCHS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
):
    """Train the network on simulated plants and write its model card.

    With the defaults it takes about a quarter of an hour on two cores, and 3 GB of memory.

    Example: `pvfault train -o models/lenet5.h5`
    """
    if output.suffix != ".h5":
        raise PvfaultError(f"--output is {output}; expected an HDF5 file, as in -o models/lenet5.h5.")
    from rich.console import Console

    from pvfault import lenet
    from pvfault.evaluation import model_card
    from pvfault.training import train_network

    begin = time.monotonic()
    console = Console(stderr=True)
    training, validation, test = _simulate(console, devices, workers)
    with console.status("Training"):
        network = train_network(training, validation, epochs=epochs, seed=seed, report=console.print)
    lenet.save_network(network, output)
    with console.status("Scoring"):
        scores = model_card.score_network(network, test)
    card = model_card.write_card(
        scores,
        version=lenet.read_version(output),
        command=f"pvfault train -o {shlex.quote(str(output))} --devices {devices} --epochs {epochs} --seed {seed}",
        training=training,
        validation=validation,
        test=test,
        minutes=(time.monotonic() - begin) / 60,
    )
    output.with_suffix(".md").write_text(card, encoding="utf-8")
    typer.echo(
        f"{output}: macro-F1 {scores.days['macro_f1']:.3f} by device-day, "
        f"{scores.days['grouped_macro_f1']:.3f} with the shorts as one, "
        f"{scores.false_alarms.count} of {scores.false_alarms.days} healthy device-days called faulty; "
        f"see {output.with_suffix('.md')}"
    )


def _simulate(console, devices, workers):
    """Windows for training, validation and test, with a progress bar."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pvfault.simulation.labelled import TEST, TRAINING, VALIDATION, simulate_windows

    parts = [
        (TRAINING, devices, {"thinned": True}),
        (VALIDATION, max(devices // 10, 100), {}),
        # Fewer faulty devices than healthy ones, as in life: false alarms need many healthy days to be counted.
        (TEST, max(devices // 4, 100), {"faulty": 0.5, "twins": False}),
    ]
    windows = []
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console) as progress:
        for split, count, options in parts:
            task = progress.add_task(f"Simulating {split.name}", total=count)
            report = lambda done, task=task: progress.update(task, completed=done)  # noqa: E731
            windows.append(simulate_windows(split, count, workers=workers, report=report, **options))
    return windows
