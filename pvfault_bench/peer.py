"""A peer: the consumer loop that one writes first, with confluent_kafka, fastavro and pandas.

It reads, decodes, removes duplicates and sorts, in one process; it writes nothing and audits nothing.
"""

import importlib.util
import io
import time
import uuid

import pandas as pd
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from pvfault.errors import PvfaultError
from pvfault.readings import AVRO_HEADER, AVRO_SCHEMA, DEVICE_ID, TIMESTAMP
from pvfault.settings import Settings
from pvfault_gateway.topics import client_config

AT_MOST_S = 20
MESSAGES_AT_ONCE = 10_000


def can_run() -> bool:
    """Whether fastavro is installed, which nothing else of the project needs."""
    return importlib.util.find_spec("fastavro") is not None


def time_consumer(settings: Settings, readings: int) -> dict:
    """Readings per second of a plain consumer loop over the topic, or as much of it as `AT_MOST_S` allows.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    readings : int
        In the topic.

    Returns
    -------
    dict
        `readings` that were taken, `seconds`, `readings_per_second`.

    Raises
    ------
    PvfaultError
        If the topic gave nothing.
    """
    from fastavro import parse_schema, schemaless_reader

    schema = parse_schema(AVRO_SCHEMA)
    consumer = Consumer(
        client_config(settings.broker_access)
        | {"group.id": f"pvfault-bench-{uuid.uuid4().hex}", "enable.auto.commit": False, "fetch.max.bytes": 2**25}
    )
    partitions = consumer.list_topics(settings.topic).topics[settings.topic].partitions
    frames, taken = [], 0
    started = time.perf_counter()
    try:
        consumer.assign([TopicPartition(settings.topic, partition, OFFSET_BEGINNING) for partition in partitions])
        while taken < readings and time.perf_counter() - started < AT_MOST_S:
            messages = [m for m in consumer.consume(MESSAGES_AT_ONCE, timeout=1.0) if m.error() is None]
            values = [io.BytesIO(message.value()[len(AVRO_HEADER) :]) for message in messages]
            rows = [schemaless_reader(value, schema, None) for value in values]
            if rows:
                frames.append(pd.DataFrame(rows))
                taken += len(rows)
    finally:
        consumer.close()
    if not taken:
        raise PvfaultError(f"a plain consumer got nothing from {settings.topic!r} within {AT_MOST_S} s")
    key = [DEVICE_ID, TIMESTAMP]
    kept = pd.concat(frames, ignore_index=True).drop_duplicates(key).sort_values(key)
    seconds = time.perf_counter() - started
    return {"readings": len(kept), "seconds": seconds, "readings_per_second": taken / seconds}
