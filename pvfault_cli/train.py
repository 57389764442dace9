"""`pvfault train`: simulate, train, score, and write weights and model card."""

import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pvfault_cli.messages import prepare_output, read_settings
from pvfault_workshop.recipe import Recipe


def train(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL.h5", help="Weights; the model card goes beside them.")
    ] = Path("models/lenet5.h5"),
    devices: Annotated[int, typer.Option(min=100, help="Faulty devices of the fleets for training.")] = Recipe.devices,
    epochs: Annotated[int, typer.Option(min=1)] = Recipe.epochs,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = Recipe.seed,
    workers: Annotated[int, typer.Option(min=1, help="Processes that simulate.")] = 2,
):
    """Train the network on simulated plants and write its model card.

    Weights that are there are replaced, with their card, if the new network is not worse than theirs on the same test
    windows; else it is kept beside them under another name, and the command fails and says in what it is worse.

    With the defaults it takes 40 to 45 minutes on two cores, as fast as these are, and 14 GB of memory, 10 of them
    pages of the simulated windows, which are kept in the state folder and used again, by this command and by `pvfault
    evaluate`.

    Example: `pvfault train -o models/lenet5.h5`
    """
    prepare_output(output, "an HDF5 file", "models/lenet5.h5")
    from rich.console import Console

    from pvfault_workshop.model_making import make_network
    from pvfault_workshop.simulation.parts import prepare_parts

    console = Console(stderr=True)
    with _progress(console) as report:
        parts = prepare_parts(devices, read_settings().training, workers=workers, report=report)
    command = f"pvfault train -o {shlex.quote(str(output))} --devices {devices} --epochs {epochs} --seed {seed}"
    with console.status("Training"):
        scores = make_network(parts, Recipe(devices, epochs, seed), output, command=command, tell=console.print)
    typer.echo(
        f"{output}: macro-F1 {scores.days['macro_f1']:.3f} by device-day, "
        f"{scores.days['grouped_macro_f1']:.3f} with the shorts as one, "
        f"{scores.false_alarms.count} of {scores.false_alarms.days} healthy device-days called faulty; "
        f"see {output.with_suffix('.md')}"
    )


@contextmanager
def _progress(console):
    """A progress bar for each part of the data."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    tasks = {}
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console) as progress:

        def report(name, count, done):
            if name not in tasks:
                tasks[name] = progress.add_task(f"Simulating {name}", total=count)
            progress.update(tasks[name], completed=done)

        yield report
