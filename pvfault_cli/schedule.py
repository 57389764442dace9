"""`pvfault schedule`: whether each day is made by itself."""

import typer

from pvfault_cli.messages import read_settings

app = typer.Typer(help="Make each day by itself, or leave that to you.", no_args_is_help=True)


@app.command()
def on():
    """Have each day made once its late readings have had their time, as the switch in Dagster's page does.

    Who does so is the daemon that `make ui` starts beside the page; days on which it does not run are not made up for.

    Example: `pvfault schedule on`
    """
    _set(on=True)


@app.command()
def off():
    """Make days only when somebody asks for them.

    Example: `pvfault schedule off`
    """
    _set(on=False)


@app.command()
def status():
    """Tell whether the daily schedule is on.

    Example: `pvfault schedule status`
    """
    from pvfault_assets.instance import is_scheduled, open_instance

    with open_instance(read_settings()) as instance:
        typer.echo(f"The daily schedule is {'on' if is_scheduled(instance) else 'off'}.")


def _set(*, on: bool) -> None:
    from pvfault_assets.instance import open_instance, set_scheduled

    settings = read_settings()
    with open_instance(settings) as instance:
        set_scheduled(instance, settings.lateness_hours, on=on)
    if on:
        typer.echo(
            f"The daily schedule is on: each day is made {settings.lateness_hours:g} h after its end (UTC), while "
            "`make ui` runs."
        )
    else:
        typer.echo("The daily schedule is off.")
