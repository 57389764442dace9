"""The entry point: all subcommands, and what happens to their errors.

A new command is a module beside this one and a line below. Exit codes: 0 done, 2 the user's to mend (one message, no
traceback), 3 nothing of a file could be judged, 130 interrupted; whatever is our own fault keeps its traceback and
gives 1. Commands about dates also give 1 where one is not good.
"""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperGroup

from pvfault.errors import PvfaultError
from pvfault_cli import (
    alarms,
    bench,
    broker,
    catalog,
    check,
    classify,
    demo,
    deploy,
    derive,
    evaluate,
    inspect,
    labels,
    materialise,
    registry,
    replay,
    schedule,
    serve,
    simulate,
    status,
    tables,
    topic,
    train,
)
from pvfault_cli.messages import print_error

INTERRUPTED = 130


class _Commands(TyperGroup):
    """Commands whose foreseen errors end in one message."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except PvfaultError as error:
            print_error(str(error))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            print_error("Interrupted.")
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    # Rich would print every local variable of every frame.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(broker.app, name="broker")
app.add_typer(topic.app, name="topic")
app.add_typer(catalog.app, name="catalog")
app.add_typer(tables.app, name="tables")
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("simulate")(simulate.simulate)
app.command("replay")(replay.replay)
app.command("materialise")(materialise.materialise)
app.command("backfill")(materialise.backfill)
app.command("status")(status.status)
app.add_typer(schedule.app, name="schedule")
app.command("serve")(serve.serve)
app.add_typer(alarms.app, name="alarms")
app.add_typer(labels.app, name="labels")
app.add_typer(registry.app, name="registry")
app.command("inspect")(inspect.inspect)
app.command("classify")(classify.classify)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.add_typer(derive.app, name="derive")
app.add_typer(deploy.app, name="deploy")


def _print_version(asked: bool):
    if asked:
        typer.echo(f"pvfault {version('pvfault')}")
        raise typer.Exit


@app.callback()
def pvfault(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
):
    """Find electrical faults in photovoltaic plants from the readings their inverters already send.

    Settings come from `PVFAULT_*` environment variables, with defaults for a laptop.
    """


def main():
    """Run the command line."""
    app(prog_name="pvfault")
