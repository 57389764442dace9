"""`pvfault broker`: the Kafka broker of this laptop."""

import os
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_cli.messages import print_error, read_settings

app = typer.Typer(help="Start, stop and look at the Kafka broker of this machine.", no_args_is_help=True)


@app.command()
def start(
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port to listen on; else that of PVFAULT_BROKER, or 9092.")
    ] = None,
):
    """Start the broker and wait until it answers. It keeps running until `pvfault broker stop`.

    Example: `pvfault broker start --port 9093`
    """
    from pvfault_gateway import broker

    settings = read_settings()
    running = broker.find(settings)
    if running and port in (None, running.port):
        typer.echo(f"The broker is already running at {running.address} (process {running.pid}).")
    else:
        running = broker.start(settings, port=port or _port_of(settings), java_home=os.environ.get("JAVA_HOME"))
        typer.echo(f"The broker runs at {running.address} (process {running.pid}), log {broker.log_file(settings)}")
    if settings.broker != running.address:
        typer.echo(f"PVFAULT_BROKER is {settings.broker}; to use this one: export PVFAULT_BROKER={running.address}")


@app.command()
def stop():
    """Stop the broker and wait until it is gone. What it holds stays.

    Example: `pvfault broker stop`
    """
    from pvfault_gateway import broker

    stopped = broker.stop(read_settings())
    if stopped:
        typer.echo(f"The broker at {stopped.address} (process {stopped.pid}) has stopped.")
    else:
        typer.echo("No broker was running.")


@app.command()
def status():
    """Tell whether the broker runs, and how many records each topic holds. Exit code 0 if it runs, 1 if not.

    Example: `pvfault broker status && pvfault replay readings.parquet`
    """
    from pvfault_gateway import broker
    from pvfault_gateway.topics import connect, count_records

    settings = read_settings()
    running = broker.find(settings)
    if not running:
        typer.echo("No broker is running. Start one with `pvfault broker start`.")
        raise typer.Exit(1)
    typer.echo(f"The broker runs at {running.address} (process {running.pid}).")
    try:
        counts = count_records(connect(read_settings(broker=running.address)))
    except PvfaultError as error:
        print_error(f"{error} Its log is {broker.log_file(settings)}.")
        raise typer.Exit(1) from error
    for topic, records in counts.items():
        typer.echo(f"  {topic}: {records:,} records")
    if not counts:
        typer.echo("  It has no topics yet.")


def _port_of(settings: Settings) -> int:
    """Find the port that the settings expect a broker of this machine on."""
    host, _, port = settings.broker.partition(":")
    if host not in ("localhost", "127.0.0.1") or not port.isdigit():
        raise PvfaultError(
            f"PVFAULT_BROKER is {settings.broker}, which is no broker of this machine. "
            "Unset it, or say which port the one to be started shall use: `pvfault broker start --port N`."
        )
    return int(port)
