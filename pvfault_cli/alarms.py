"""`pvfault alarms`: what verdicts have become for the crew. What is done with one is done on the page of the server."""

import json
from typing import Annotated

import typer

from pvfault_cli.messages import count, print_table, read_settings

app = typer.Typer(help="Bring alarms up to date, and look at them.", no_args_is_help=True)

_HEADINGS = ("id", "deviceID", "site", "alarm", "first_seen", "days", "lost_kwh", "state")


@app.command()
def update():
    """Read what is new or made again in the tables into alarms, and tell whom the settings name.

    Dates that were read and are as they were are not read again. The server does the same when it is asked for alarms.

    Example: `pvfault alarms update`
    """
    from pvfault_alarms.store import Store
    from pvfault_alarms.telling import tell
    from pvfault_alarms.update import update as bring_up_to_date

    settings = read_settings()
    store = Store(settings)
    done = bring_up_to_date(settings, store)
    told = tell(settings, store)
    events = ", ".join(f"{number:,} {event}" for event, number in sorted(done.events.items()))
    typer.echo(f"{count(done.dates, 'date')} read. Alarms: {events or 'as they were'}.")
    if told:
        typer.echo(f"Told of {count(told, 'alarm')}.")


@app.command("list")
def list_alarms(
    state: Annotated[
        list[str] | None, typer.Option(help="open, acknowledged, muted or closed; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: all that is known, as JSON.")] = False,
):
    """Show alarms, the newest first, as they were brought up to date last; without --state those that are not closed.

    Example: `pvfault alarms list --state open`
    """
    from pvfault.errors import PvfaultError
    from pvfault.locations import is_there
    from pvfault.places import read_sites
    from pvfault_alarms.book import Book, Money, Wanted
    from pvfault_alarms.life import CLOSED, STATES
    from pvfault_alarms.store import Store

    wrong = sorted({*(state or ())} - {*STATES})
    if wrong:
        raise PvfaultError(f"--state is {', '.join(wrong)}; expected some of {', '.join(STATES)}.")
    settings = read_settings()
    sites = read_sites(settings.registry) if is_there(settings.registry) else {}
    book = Book(Store(settings), Money(settings.tariff_per_kwh, settings.currency))
    rows = book.find(Wanted(states=state or [each for each in STATES if each != CLOSED]), sites)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=lambda moment: moment.isoformat()))
    elif not rows:
        typer.echo("No such alarm. `pvfault alarms update` reads what is new in the tables.")
    else:
        print_table(map(_cells, rows), *_HEADINGS)


def _cells(row):
    """What a table of eighty letters says of an alarm."""
    from rich.markup import escape

    lost = "" if row["lost_kwh"] is None else f"{row['lost_kwh']:.1f}"
    state = f"{row['state']}, over" if row["over"] else row["state"]
    texts = (row["deviceID"], row["site"] or "", row["fault"] or row["kind"])
    return [str(row["id"]), *map(escape, texts), row["first_seen"], row["days"], lost, state]
