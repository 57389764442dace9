"""`pvfault replay`: files of readings into Kafka."""

from typing import Annotated

import typer

from pvfault_cli.file_options import FilesArgument, print_remarks, takes_choices, with_registered_names
from pvfault_cli.messages import count, describe_dates, print_kept_out, read_settings, readings_progress

TopicOption = Annotated[str | None, typer.Option(help="Topic of readings; else PVFAULT_TOPIC, or pv-readings.")]
BrokerOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka broker; else PVFAULT_BROKER, or localhost:9092.")
]
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="The same readings after a run that broke off: leave out what must have arrived."),
]


@takes_choices
def replay(
    files: FilesArgument,
    choices,
    topic: TopicOption = None,
    broker: BrokerOption = None,
    again: AgainOption = False,
):
    """Send files of readings to Kafka, merged in time order.

    A reading has the columns deviceID, timestamp, voltage [V], current [A], temperature [°C], irradiance [W/m²]; what
    they are called in a file is found by itself where that is clear (`pvfault inspect FILE` shows it). A reading may be
    up to 30 days older than what the topic holds; an older history needs a topic of its own.

    Example: `pvfault replay plant.csv --map voltage=V_DC --map current=I_DC --device INV0000001 --timezone Europe/Rome`
    """
    from pvfault_gateway.msk import find_brokers
    from pvfault_gateway.replay import read_series
    from pvfault_gateway.replay import replay as send

    settings = find_brokers(read_settings(topic=topic, broker=broker))
    series = read_series(files, with_registered_names(choices, settings.registry))
    with readings_progress("Sending", len(series.readings)) as advance:
        delivery = send(settings, series.readings, again=again, on_progress=advance)
    what = f"{count(delivery.readings, 'reading')} of {count(series.devices, 'device')}"
    typer.echo(f"{what} reached the topic {settings.topic} at {settings.broker}.")
    if series.files.rows_without_time:
        typer.echo(f"Not sent, because they have no timestamp: {count(series.files.rows_without_time, 'row')}.")
    if series.files.duplicates:
        typer.echo(f"Not sent, because they repeat another row: {count(series.files.duplicates, 'row')}.")
    print_kept_out(series.kept_out)
    print_kept_out(delivery.kept_out)
    print_remarks(series.files)
    typer.echo(f"From {series.first:%Y-%m-%d %H:%M:%S} to {series.last:%Y-%m-%d %H:%M:%S} UTC.")
    typer.echo(f"Dates to materialise ({len(series.dates)}): {describe_dates(series.dates)}")
