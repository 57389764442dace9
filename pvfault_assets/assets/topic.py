"""The topic as an asset that is looked at: what it holds, and how far it has been read.

Looking is no run of a job and changes nothing. A broker that is silent is told of, and fails nothing: what is made from
the topic says so itself.
"""

from datetime import UTC, datetime

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import READINGS
from pvfault_assets.columns import column_schema
from pvfault_gateway.msk import find_brokers

TOPIC = dg.AssetKey("readings_topic")
_EVERY_S = 600


def topic_asset(settings: Settings) -> dg.AssetsDefinition:
    """The topic, which the page can have looked at by hand."""
    spec = dg.AssetSpec(
        TOPIC,
        group_name="raw",
        kinds={"kafka"},
        description=(
            "One record per reading: Avro, keyed by device, stamped with the reading's time. Gateways fill it.\n\n"
            "Observed, it says what it holds, and how much of that no date has read yet."
        ),
        metadata={
            "topic": settings.topic,
            "broker": settings.broker or settings.msk_cluster_arn,
            # A record's value has the columns of the table.
            "dagster/column_schema": column_schema(READINGS.schema, READINGS.descriptions),
        },
    )

    @dg.multi_observable_source_asset(specs=[spec])
    def readings_topic():
        yield dg.ObserveResult(asset_key=TOPIC, metadata=look(settings))

    return readings_topic


def topic_sensor(settings: Settings) -> dg.SensorDefinition:
    """What looks at the topic again and again, without a run for it."""

    @dg.sensor(
        name="watch_topic",
        minimum_interval_seconds=_EVERY_S,
        description="Observes the topic every ten minutes. Off until started.",
    )
    def watch_topic() -> dg.SensorResult:
        return dg.SensorResult(asset_events=[dg.AssetObservation(TOPIC, metadata=look(settings))])

    return watch_topic


def look(settings: Settings) -> dict[str, dg.MetadataValue]:
    """What a topic holds, and how far it was read, as metadata; a sentence instead if that cannot be told."""
    # Kafka's client takes 0.15 s to import, and definitions are loaded far more often than the topic is looked at.
    from pvfault_gateway.topics import newest_by_partition, offsets_by_partition, topic_id

    try:
        settings = find_brokers(settings)
        known = topic_id(settings)
        if known is None:
            return _sentence(f"the broker at {settings.broker} has no topic {settings.topic!r}")
        offsets = offsets_by_partition(settings)
        newest = newest_by_partition(settings)
    except PvfaultError as error:
        return _sentence(str(error))
    read = _read_up_to(settings, known)
    rows = [
        {
            "partition": partition,
            "first offset": first,
            "end offset": end,
            "read up to": read.get(partition, first),
            "unread": max(end - max(read.get(partition, first), first), 0),
            "newest (UTC)": f"{time:%Y-%m-%d %H:%M:%S}" if time else "",
        }
        for (partition, (first, end)), time in zip(sorted(offsets.items()), newest, strict=True)
    ]
    latest = max(filter(None, newest), default=None)
    records, unread = (sum(row[name] for row in rows) for name in ("end offset", "unread"))
    records -= sum(row["first offset"] for row in rows)
    found = f"{records} records" + (f", the newest of {latest:%Y-%m-%d %H:%M:%S} UTC" if latest else "")
    return {
        **_sentence(f"{found}; {unread} of them no date has read yet"),
        "records": dg.MetadataValue.int(records),
        "unread": dg.MetadataValue.int(unread),
        **({"newest": dg.MetadataValue.timestamp(latest)} if latest else {}),
        "partitions": dg.MetadataValue.table([dg.TableRecord(row) for row in rows]),
    }


def _sentence(found: str) -> dict[str, dg.MetadataValue]:
    return {"found": dg.MetadataValue.text(found), "looked_at": dg.MetadataValue.timestamp(datetime.now(UTC))}


def _read_up_to(settings: Settings, known: str) -> dict[int, int]:
    """Up to which offset of each partition any date has read; of a topic made anew, or without tables, none."""
    from pvfault_api.lake import read_makings

    try:
        makings = read_makings(settings)
    except PvfaultError:
        return {}
    read: dict[int, int] = {}
    for rows in makings.last.values():
        for partition, row in rows.items():
            if row["topic_id"] == known:
                ends = [one["end_offset"] for one in row["scanned"] or ()]
                read[partition] = max([read.get(partition, 0), *ends])
    return read
