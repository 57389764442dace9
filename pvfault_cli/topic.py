"""`pvfault topic`: the Kafka topic of readings, here or on Amazon MSK."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.messages import count, read_settings
from pvfault_cli.replay import BrokerOption, TopicOption

app = typer.Typer(help="Create the topic of readings, or look at it.", no_args_is_help=True)


@app.command()
def create(
    topic: TopicOption = None,
    broker: BrokerOption = None,
    partitions: Annotated[int | None, typer.Option(min=1, help="Number of partitions; else 8.")] = None,
    retention_days: Annotated[
        int | None,
        typer.Option(
            min=-1, help="How long a reading is kept, -1 for ever; else 14 on Amazon MSK, for ever elsewhere."
        ),
    ] = None,
):
    """Create the topic of readings. One that is there stays as it is; exit code 2 if it is not as asked.

    Example: `pvfault topic create --topic history --retention-days -1`
    """
    from pvfault_gateway.msk import find_brokers
    from pvfault_gateway.topics import PARTITIONS, describe_topic, ensure_topic

    if retention_days == 0:
        raise PvfaultError("--retention-days is 0, which keeps nothing; expected 1 or more, or -1 for ever.")
    settings = find_brokers(read_settings(topic=topic, broker=broker))
    created = ensure_topic(settings, partitions=partitions or PARTITIONS, retention_days=retention_days)
    found = describe_topic(settings)
    typer.echo(f"{'Created' if created else 'There already'}: {_describe(settings.topic, found)} at {settings.broker}.")
    if (partitions or found.partitions, retention_days or found.retention_days) != (
        found.partitions,
        found.retention_days,
    ):
        raise PvfaultError(
            f"The topic {settings.topic!r} is not as asked, and stays as it is: what is in it, and who reads it, "
            "depend on it. Change it with Kafka's own kafka-configs, or create one under another name."
        )


@app.command()
def show(topic: TopicOption = None, broker: BrokerOption = None):
    """Tell what the topic of readings is like and what it holds. Exit code 1 if it is not there.

    Example: `pvfault topic show`
    """
    from pvfault_gateway.msk import find_brokers
    from pvfault_gateway.topics import connect, count_records, describe_topic, newest_by_partition

    settings = find_brokers(read_settings(topic=topic, broker=broker))
    found = describe_topic(settings)
    if found is None:
        typer.echo(f"There is no topic {settings.topic} at {settings.broker}. Make it with `pvfault topic create`.")
        raise typer.Exit(1)
    typer.echo(f"{_describe(settings.topic, found)} at {settings.broker}.")
    records = count_records(connect(settings))[settings.topic]
    newest = max((each for each in newest_by_partition(settings) if each), default=None)
    typer.echo(f"{count(records, 'record')}" + (f", the newest of {newest:%Y-%m-%d %H:%M:%S} UTC." if newest else "."))
    if newest and newest > datetime.now(UTC) + timedelta(hours=1):
        typer.echo(
            "That is ahead of the clock, so ingest will put it aside. Look in `quarantine` for its sender, and set "
            "that clock.",
            err=True,
        )


def _describe(name, topic):
    """One line of what a topic is like."""
    kept = "for ever" if topic.retention_days < 0 else f"for {topic.retention_days:g} days"
    return f"topic {name}, {count(topic.partitions, 'partition')}, readings kept {kept}"
