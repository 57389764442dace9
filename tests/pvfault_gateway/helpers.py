"""Readings to send, and what has arrived of them."""

import io
from datetime import UTC, datetime

import fastavro
import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic

from pvfault.readings import AVRO_SCHEMA, MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault_gateway.topics import PARTITIONS, await_topic, client_config, connect, describe_topic

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
# Avro's single-object encoding: two bytes, and the schema's fingerprint.
HEADER = b"\xc3\x01" + bytes.fromhex(
    fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(AVRO_SCHEMA), "CRC-64-AVRO")
)


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


def create_topic(settings, **config):
    """Create the settings' topic with settings of its own, `_` for `.`, as somebody else may have done."""
    config = {name.replace("_", "."): value for name, value in config.items()}
    topic = NewTopic(settings.topic, num_partitions=PARTITIONS, replication_factor=1, config=config)
    client = connect(settings)  # its answers come only as long as it is held
    client.create_topics([topic])[settings.topic].result()
    await_topic(settings, describe_topic)


def write_with_fastavro(row):
    """The reference: a library that knows nothing of our layout."""
    output = io.BytesIO()
    fastavro.schemaless_writer(output, fastavro.parse_schema(AVRO_SCHEMA), row)
    return HEADER + output.getvalue()


def read_with_fastavro(value):
    """The reading in a record's value."""
    assert value.startswith(HEADER)
    return fastavro.schemaless_reader(io.BytesIO(value[len(HEADER) :]), fastavro.parse_schema(AVRO_SCHEMA), None)
