"""`pvfault simulate`: the readings of a made-up fleet with known faults into Kafka."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from pvfault_cli.messages import count, describe_dates, print_kept_out, read_settings, readings_progress
from pvfault_cli.replay import AgainOption, BrokerOption, TopicOption


def simulate(
    devices: Annotated[int, typer.Option(min=1, help="Number of devices.")] = 50,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")] = "2024-06-01",
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same readings.")] = 0,
    topic: TopicOption = None,
    broker: BrokerOption = None,
    again: AgainOption = False,
):
    """Send the readings of a simulated fleet to Kafka, a reading of each device every 20 s.

    The fleet's registry is written where PVFAULT_REGISTRY says, and beside it labels.csv: which device has which fault.

    Example: `pvfault simulate --devices 100 --start 2024-06-01 --days 3`
    """
    from pvfault.readings import READINGS_PER_DAY
    from pvfault_gateway.msk import find_brokers
    from pvfault_gateway.simulate import labels_file
    from pvfault_gateway.simulate import simulate as send
    from pvfault_workshop.simulation import simulate_fleet

    settings = find_brokers(read_settings(topic=topic, broker=broker))
    dates = [start.date() + timedelta(day) for day in range(days)]
    fleet = simulate_fleet(devices, dates, seed)
    # Fewer will come: some readings drop out, as they do in a plant.
    with readings_progress("Simulating", devices * days * READINGS_PER_DAY) as advance:
        delivery = send(settings, fleet, dates, again=again, on_progress=advance)
    what = f"{count(delivery.readings, 'reading')} of {count(devices, 'device')}"
    typer.echo(f"{what} reached the topic {settings.topic} at {settings.broker}.")
    print_kept_out(delivery.kept_out)
    typer.echo(f"Registry: {settings.registry}; {count(len(fleet.labels), 'faulty device')}: {labels_file(settings)}")
    typer.echo(f"Dates to materialise ({days}): {describe_dates(dates)}")
