"""`pvfault labels`: what the crew found, for those who evaluate and train."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault_cli.messages import count, read_settings

app = typer.Typer(help="What the crew found, as labels of days.", no_args_is_help=True)


@app.command()
def export(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write them here instead of to standard output.")
    ] = None,
):
    """Write the causes of closed alarms, in the form of `measured_days.md` that `pvfault evaluate --measured` reads.

    A confirmed fault and another one that was named are labels of the days of the alarm; a false alarm is `none`.

    Example: `pvfault labels export --out build/labels/measured_days.md`
    """
    from pvfault_alarms.labels import as_text, find_labels, write_labels
    from pvfault_alarms.store import Store

    labels = find_labels(Store(read_settings()))
    if out is None:
        typer.echo(as_text(labels), nl=False)
        return
    write_labels(labels, out)
    typer.echo(f"{out}: {count(len(labels), 'day')}.")
