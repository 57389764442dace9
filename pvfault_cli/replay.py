"""`pvfault replay`: files of readings into Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import count, describe_dates, print_kept_out, read_settings, readings_progress

MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="NAME=COLUMN", help="The file's column for one of the reading's; may be repeated."),
]
DeviceOption = Annotated[str | None, typer.Option(help="DeviceID of all rows, for files that do not name devices.")]
TimezoneOption = Annotated[str, typer.Option(help="Zone of times without an offset: Europe/Berlin, or +01:00.")]
TopicOption = Annotated[str | None, typer.Option(help="Topic of readings; else PVFAULT_TOPIC, or pv-readings.")]
BrokerOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka broker; else PVFAULT_BROKER, or localhost:9092.")
]
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="The same readings after a run that broke off: leave out what must have arrived."),
]


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="CSV or Parquet files of readings.")],
    columns: MapOption = None,
    device: DeviceOption = None,
    timezone: TimezoneOption = "UTC",
    topic: TopicOption = None,
    broker: BrokerOption = None,
    again: AgainOption = False,
):
    """Send files of readings to Kafka, merged in time order.

    A reading has the columns deviceID, timestamp, voltage [V], current [A], temperature [°C], irradiance [W/m²]. It may
    be up to 30 days older than what the topic holds; an older history needs a topic of its own.

    Example: `pvfault replay plant.csv --map voltage=V_DC --map current=I_DC --device INV0000001 --timezone Europe/Rome`
    """
    from pvfault_gateway.msk import find_brokers
    from pvfault_gateway.replay import read_files
    from pvfault_gateway.replay import replay as send

    settings = find_brokers(read_settings(topic=topic, broker=broker))
    series = read_files(files, columns=parse_map(columns or []), device=device, timezone=timezone)
    with readings_progress("Sending", len(series.readings)) as advance:
        delivery = send(settings, series.readings, again=again, on_progress=advance)
    what = f"{count(delivery.readings, 'reading')} of {count(series.devices, 'device')}"
    typer.echo(f"{what} reached the topic {settings.topic} at {settings.broker}.")
    if series.rows_without_time:
        typer.echo(f"Not sent, because they have no timestamp: {count(series.rows_without_time, 'row')}.")
    print_kept_out(series.kept_out)
    print_kept_out(delivery.kept_out)
    typer.echo(f"From {series.first:%Y-%m-%d %H:%M:%S} to {series.last:%Y-%m-%d %H:%M:%S} UTC.")
    typer.echo(f"Dates to materialise ({len(series.dates)}): {describe_dates(series.dates)}")


def parse_map(pairs: list[str]) -> dict[str, str]:
    """Read the values of --map.

    Raises
    ------
    PvfaultError
        If one is not NAME=COLUMN, or a name occurs twice.
    """
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise PvfaultError(f"--map is {pair!r}; expected NAME=COLUMN, as in --map voltage=V_DC.")
        if name in columns:
            raise PvfaultError(f"--map names {name} twice: {columns[name]} and {column}. Leave one away.")
        columns[name] = column
    return columns
