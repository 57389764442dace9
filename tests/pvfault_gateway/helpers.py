"""Readings to send, and what has arrived of them."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition

from pvfault.readings import MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault_gateway.topics import PARTITIONS, client_config

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def make_readings(times, *, devices=("INV0000001",), seed=0):
    """One reading of each device at each time, with random measurements."""
    values = np.random.default_rng(seed).normal(0, 500, (len(MEASUREMENTS), len(times) * len(devices)))
    columns = [
        pa.array(list(devices) * len(times)),
        pa.array([time for time in times for _ in devices], TIMESTAMP_TYPE),
        *(pa.array(row.astype(np.float32)) for row in values),
    ]
    return pa.table(columns, schema=READING_SCHEMA)


def read_topic(settings, topic, count):
    """All records of a topic, as (partition, key, timestamp, value)."""
    consumer = Consumer(client_config(settings.broker_access) | {"group.id": "test", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    records = [consumer.poll(10) for _ in range(count)]
    consumer.close()
    return [(record.partition(), record.key(), record.timestamp()[1], record.value()) for record in records]
