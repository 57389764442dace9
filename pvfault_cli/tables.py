"""`pvfault tables`: what there is of each table, and what keeps it well.

What only looks needs no Spark. What writes starts it in this process, on the tables of this machine; beside Dagster's
runs that is safe, each waits for its turn.
"""

import json
from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import count, read_settings

app = typer.Typer(invoke_without_command=True)

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="D|D..D", help="A date, or the first and the last of a range.")
]


@app.callback()
def tables(context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="List them as JSON.")] = False):
    """Look at the tables and look after them.

    Without a command, they are listed: size, rows, files, snapshots, and the dates that they have. Needs no Spark.

    Example: `pvfault tables`
    """
    if context.invoked_subcommand is None:
        _list(as_json)


@app.command()
def verify(dates: DateOption = None):
    """Read every file of some dates, or of all, and name each that is damaged or gone. Needs no Spark.

    Of each file the checksums of its pages and the number of its rows are looked at. Exit code 0 if all are whole, 1 if
    one is not, 2 if that could not be found out.

    Example: `pvfault tables verify --date 2024-06-01..2024-06-30`
    """
    from rich.filesize import decimal

    from pvfault_api.verifying import verify_dates

    verified = verify_dates(read_settings(), parse_dates(dates) if dates else ())
    for damage in verified.damages:
        typer.echo(damage.found)
    looked_at = f"{count(verified.files, 'file')} ({decimal(verified.bytes)})"
    if verified.damages:
        typer.echo(f"{count(len(verified.damages), 'file')} damaged or gone, {looked_at} looked at.")
        raise typer.Exit(1)
    typer.echo(f"{looked_at}: all are whole.")


def parse_dates(text: str) -> list[date]:
    """The dates that a `--date` names.

    Raises
    ------
    PvfaultError
        If it is no date and no range of them.

    Examples
    --------
    >>> [str(day) for day in parse_dates("2024-02-28..2024-03-01")]
    ['2024-02-28', '2024-02-29', '2024-03-01']
    """
    first, dots, last = text.partition("..")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError as error:
        raise PvfaultError(
            f"--date is {text!r}; expected a date as in 2024-06-01, or a range as in 2024-06-01..2024-06-30."
        ) from error
    if end < start:
        raise PvfaultError(f"--date is {text}, which ends before it begins; write the earlier date first.")
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]


def _list(as_json):
    from pvfault_api.inventory import list_tables

    states = list_tables(read_settings())
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states], default=lambda value: value.isoformat(), indent=2))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("table", no_wrap=True)
    for heading in ("size", "rows", "files", "snapshots", "dates", "oldest", "newest"):
        table.add_column(heading, justify="right", no_wrap=True)
    for state in states:
        numbers = (state.rows, state.files, state.snapshots, state.dates)
        dates = (str(day) if day else "" for day in (state.first_date, state.last_date))
        table.add_row(state.name, decimal(state.bytes), *(f"{number:,}" for number in numbers), *dates)
    Console().print(table)
