"""`pvfault status`: which dates are good, which need a look, and what to type for them."""

import json
from typing import Annotated

import typer

from pvfault_cli.messages import count, describe_dates, read_settings


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the same as JSON.")] = False,
):
    """Show which dates are made, which are refused, empty, stale, late or missing, and what to do next.

    Exit codes: 0 all dates are good, 1 there is something to do, 2 it could not be found out.

    Example: `pvfault status`
    """
    from pvfault_assets.dates import read_dates, together
    from pvfault_assets.instance import open_instance

    settings = read_settings()
    with open_instance(settings) as instance:
        dates = read_dates(settings, instance)
    looks = together(dates.to_look_at)
    if as_json:
        typer.echo(json.dumps(_values(dates, looks), indent=2))
    else:
        _print(dates, looks)
    if looks:
        raise typer.Exit(1)


def _values(dates, looks) -> dict:
    """What programs are told."""
    return {
        "schedule": "on" if dates.is_scheduled else "off",
        "made": [str(day) for day in dates.made],
        "under_way": [str(day) for day in dates.under_way],
        "to_look_at": [
            {
                "first": str(each.first),
                "last": str(each.last),
                "table": each.table,
                "state": each.state,
                "reason": each.reason,
                "next": each.next,
                "command": each.command,
            }
            for each in looks
        ],
    }


def _print(dates, looks) -> None:
    """What people are told: dates in a few lines, then what to type."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def say(text):
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    if looks:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for heading in ("dates", "table", "state"):
            table.add_column(heading, no_wrap=True)
        table.add_column("why", overflow="fold")
        for each in looks:
            table.add_row(each.days, each.table, each.state, each.reason)
        console.print(table)
        say("\nNext")
        for each in looks:
            say(f"  {each.days}: {each.next}")
        say("")
    say(f"Good: {describe_dates(dates.made) or 'no date'} ({count(len(dates.made), 'date')}).")
    if dates.under_way:
        say(f"Being made now: {describe_dates(dates.under_way)}.")
    if looks:
        n_dates = sum((each.last - each.first).days + 1 for each in looks)
        say(f"To look at: {count(n_dates, 'date')}.")
    if not dates.is_scheduled:
        say("The daily schedule is off: dates after the newest one are made by hand, or by `pvfault schedule on`.")
