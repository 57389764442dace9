"""`pvfault materialise` and `pvfault backfill`: dates made from the command line, as runs of Dagster."""

import os
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import Annotated

import typer

from pvfault.date_ranges import days_between
from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_cli.dates import parse_dates
from pvfault_cli.messages import count, describe_dates, print_error, read_settings
from pvfault_cli.runs import Watch, require_over
from pvfault_cli.signals import ending_on_signals

# As `pvfault.tables.MADE_OF` has the tables, and `pvfault_api.states` the states; neither is loaded for `--help`.
Asset = StrEnum("Asset", ["readings", "scalograms", "predictions", "device_days"])
Only = StrEnum("Only", ["refused", "empty", "stale", "late", "missing"])

DatesOption = Annotated[
    str, typer.Option("--date", metavar="D[..D]", help="A day (UTC), or the first and the last of some.")
]


def materialise(
    dates: DatesOption,
    asset: Annotated[
        Asset | None, typer.Option(help="The table to begin with; it and all that is made of it. By default all.")
    ] = None,
    allow_fewer: Annotated[
        bool,
        typer.Option(
            "--allow-fewer", help="Take the date's readings even if they are fewer than before, or there are none."
        ),
    ] = False,
):
    """Make dates, from readings to verdicts.

    Each run is shown in Dagster's page among its own, whether that is open or not, and begins when no other one is in
    progress. A long range is several runs, the oldest dates first; a date that is refused leaves the others made.

    Exit codes: 0 all is made, 1 a date was refused or a run failed, 2 it could not begin, 130 interrupted.

    Example: `pvfault materialise --date 2024-06-01..2024-06-30`
    """
    if allow_fewer and asset not in (None, Asset.readings):
        raise PvfaultError(f"--allow-fewer is about `readings`, and --asset {asset} leaves these as they are.")
    settings = read_settings()
    days = parse_dates(dates)
    first, last = days[0], days[-1]
    require_over(settings, first, last)
    _make(settings, [(first, last, asset or "")], allow_fewer=allow_fewer)


def backfill(
    dates: DatesOption,
    only: Annotated[
        Only | None, typer.Option(help="Of these dates only those of a state, as `pvfault status` tells it.")
    ] = None,
):
    """Make many dates, or those of them that need it.

    As `pvfault materialise`, in runs of at most 31 dates, the oldest first. With --only each date is made from the
    table on that is in this state, so that a new network does not make readings again.

    Exit codes: 0 all is made, 1 a date was refused or a run failed, 2 it could not begin, 130 interrupted.

    Example: `pvfault backfill --date 2024-01-01..2024-06-30 --only stale`
    """
    settings = read_settings()
    days = parse_dates(dates)
    first, last = days[0], days[-1]
    require_over(settings, first, last)
    spans = [(first, last, "")]
    if only:
        spans = _in_state(settings, first, last, only)
        if not spans:
            typer.echo(f"No date of {dates} is {only}.")
            return
    _make(settings, spans)


def _in_state(settings: Settings, first: date, last: date, only: str) -> list[tuple[date, date, str]]:
    """The dates of a state as spans, each with the table from which on it is to be made."""
    from pvfault_assets.dates import read_dates
    from pvfault_assets.instance import open_instance

    with open_instance(settings) as instance:
        looks = read_dates(settings, instance, until=last).to_look_at
    chosen = [look for look in looks if look.state == only and first <= look.day <= last]
    # A run is of dates that follow each other: what stays the same in a run is the distance of number and day.
    runs = groupby(enumerate(chosen), key=lambda each: (each[1].table, each[1].day.toordinal() - each[0]))
    found = [[look for _, look in run] for _, run in runs]
    return [(run[0].day, run[-1].day, run[0].table) for run in found]


def _make(settings: Settings, spans: Sequence[tuple[date, date, str]], *, allow_fewer: bool = False) -> None:
    """Make spans of dates in bounded runs, tell what came of them, and end with the exit code."""
    from rich.console import Console

    from pvfault_assets.partitions import DATES_PER_RUN
    from pvfault_assets.requests import Request

    requests = [
        Request(days[0], days[-1], table, allow_fewer)
        for first, last, table in spans
        for days in _cut(days_between(first, last), DATES_PER_RUN)
    ]
    console = Console()
    made, refused, failed = [], {}, ""
    with ending_on_signals():
        for number, request in enumerate(requests, start=1):
            if len(requests) > 1:
                console.print(f"Run {number} of {len(requests)}: {request}", highlight=False)
            watch, failed = _run(settings, request, console)
            made += watch.made.get("device_days", ())
            refused |= watch.refused
            if failed:
                break
    _tell(console, made, refused)
    if failed:
        left = f"\nNot tried: {', '.join(map(str, requests[number:]))}." if requests[number:] else ""
        print_error(f"{failed}{left}")
    if failed or refused:
        raise typer.Exit(1)


def _cut(days: Sequence[date], at_most: int) -> list[Sequence[date]]:
    return [days[first : first + at_most] for first in range(0, len(days), at_most)]


def _run(settings: Settings, request, console) -> tuple[Watch, str]:
    """Make a run; gives what became of its dates, and why it failed if that was not for dates that were refused."""
    from pvfault_assets.run_apart import RunFailedError, materialise_apart
    from pvfault_cli.steps import Steps

    steps = Steps(console)
    days = days_between(request.first, request.last)
    watch = Watch(steps, len(days))
    log = settings.home / "materialise.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")  # of the last run; Dagster keeps what it has of the others
    steps.begin("Dagster loaded")
    try:
        with steps.failing():
            materialise_apart(os.environ, request, log, watch)
    except RunFailedError as error:
        is_explained = watch.refused.keys() | watch.made.get("device_days", set()) >= set(days)
        return watch, "" if is_explained else str(error)
    return watch, ""


def _tell(console, made: Sequence[date], refused: dict[date, tuple[str, str]]) -> None:
    """Tell which dates were made and which were refused, and what to do about these."""
    from pvfault_api.states import REFUSED
    from pvfault_assets.dates import Looks

    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    say(f"Made: {describe_dates(made)} ({count(len(made), 'date')})." if made else "No date was made.")
    for day, (table, why) in sorted(refused.items()):
        say(f"Refused: {day}, {table}: {why}\n  {Looks(day, day, table, REFUSED, why, held=False).next}")
