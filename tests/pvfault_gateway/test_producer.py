"""The producer: Avro that another library reads, under the right key and time, and nothing lost in silence."""

import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import fastavro
import numpy as np
import psutil
import pyarrow as pa
import pytest
from confluent_kafka import Producer

from pvfault.errors import PvfaultError
from pvfault.readings import AVRO_LENGTH, AVRO_SCHEMA, MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault_gateway import producer as producer_module
from pvfault_gateway.broker import free_port, start, stop
from pvfault_gateway.producer import ReadingProducer, encode, encode_keys, record_timestamps
from pvfault_gateway.topics import client_config, connect, count_records, ensure_topic
from tests.pvfault_gateway.helpers import NOON, make_readings, read_topic


def write_with_fastavro(row):
    """The reference: a library that knows nothing of our layout."""
    output = io.BytesIO()
    fastavro.schemaless_writer(output, fastavro.parse_schema(AVRO_SCHEMA), row)
    return output.getvalue()


def random_batch(timestamps_ms, seed=0):
    """Readings with random IDs at given times, whose measurements take every form that a float32 has."""
    generator = np.random.default_rng(seed)
    count = len(timestamps_ms)
    letters = np.array(list("ABCXYZabcxyz0189"))
    bits = generator.integers(0, 2**32, (len(MEASUREMENTS), count), dtype=np.uint32)
    measurements = bits.view(np.float32)
    measurements[np.isnan(measurements)] = np.nan  # of its many forms Python keeps only some
    measurements[:, :4] = [np.nan, np.inf, -np.inf, -0.0]
    columns = [
        pa.array(["".join(row) for row in generator.choice(letters, (count, 10))]),
        pa.array(timestamps_ms * 1000 + 999, TIMESTAMP_TYPE),
        *(pa.array(row) for row in measurements),
    ]
    return pa.record_batch(columns, schema=READING_SCHEMA)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("1971-01-01", "2039-01-01"),  # the normal case: all of one length
        ("1969-12-01", "1970-12-01"),  # every length from one byte, and times before 1970
        ("2039-01-01", "2100-01-01"),
    ],
)
def test_a_reading_has_the_bytes_that_fastavro_writes(first, last):
    ends = np.array([first, last], "datetime64[ms]").astype(np.int64)
    batch = random_batch(np.append(np.random.default_rng(1).integers(*ends, 500), [0, 1, -1, 63, 64, *ends]))
    expected = [write_with_fastavro(row) for row in batch.to_pylist()]
    assert encode(batch) == expected
    assert encode(batch.slice(17, 100)) == expected[17:117]


def test_readings_of_our_time_have_the_length_by_which_ingest_knows_them():
    batch = random_batch(np.array(["1971-01-01", "2024-06-01", "2039-09-01"] * 2, "datetime64[ms]").astype(np.int64))
    assert {len(value) for value in encode(batch)} == {AVRO_LENGTH}


@pytest.mark.parametrize("device", ["INV1", "INV00000012", "ÏNV000001é", ""])
def test_a_device_id_of_another_length_is_never_encoded(device):
    """Cut or padded it would be somebody else's."""
    batch = make_readings([NOON], devices=[device]).to_batches()[0]
    with pytest.raises(ValueError, match="10 characters"):
        encode_keys(batch)


def test_a_records_time_is_never_ahead_of_the_clock_nor_before_1970():
    now = datetime.now(UTC)
    times = [NOON, datetime(1960, 1, 1, tzinfo=UTC), now + timedelta(days=400)]
    own, before_1970, future = record_timestamps(make_readings(times).to_batches()[0])
    assert own == NOON.timestamp() * 1000
    assert before_1970 == 1
    assert now.timestamp() * 1000 - 1 <= future <= datetime.now(UTC).timestamp() * 1000


@pytest.mark.broker
def test_every_reading_arrives_under_its_device_and_time(broker, topic):
    devices = [f"INV{number:07d}" for number in range(40)]
    readings = make_readings([NOON + timedelta(seconds=20 * slot) for slot in range(30)], devices=devices)
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(readings.slice(0, 700))
        producer.send(readings.slice(700))
    assert count_records(connect(broker))[topic] == 1200

    records = read_topic(broker, topic, 1200)
    expected = [
        (row["deviceID"].encode(), int(row["timestamp"].timestamp() * 1000), write_with_fastavro(row))
        for row in readings.to_pylist()
    ]
    assert sorted(record[1:] for record in records) == sorted(expected)

    partitions = {(key, partition) for partition, key, _, _ in records}
    assert len(partitions) == len(devices)  # each device stays in one
    assert len({partition for _, partition in partitions}) > 1
    for device in devices[:3]:
        times = [time for _, key, time, _ in records if key == device.encode()]
        assert times == sorted(times)


@pytest.mark.broker
def test_a_reading_of_the_future_arrives_under_the_present(broker, topic):
    """Under its own time it would hide every later reading from Kafka's time index."""
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(make_readings([datetime.now(UTC) + timedelta(days=10_000)]))
    ((_, _, time, value),) = read_topic(broker, topic, 1)
    assert abs(time / 1000 - datetime.now(UTC).timestamp()) < 3600
    reading = fastavro.schemaless_reader(io.BytesIO(value), fastavro.parse_schema(AVRO_SCHEMA), None)
    assert reading["timestamp"] > datetime.now(UTC) + timedelta(days=9_000)


@pytest.mark.broker
def test_the_topic_itself_refuses_a_record_of_the_future(broker, topic):
    """Other gateways may be less careful than ours."""
    errors = []
    producer = Producer(client_config(broker.broker_access))
    in_a_day = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1000)
    producer.produce(topic, b"", timestamp=in_a_day, on_delivery=lambda error, _message: errors.append(error))
    producer.flush(10)
    assert "timestamp" in errors[0].str().lower()


@pytest.mark.broker
def test_a_broker_that_dies_in_the_middle_is_an_error_that_counts_what_is_missing(tmp_path, make_settings, monkeypatch):
    port = free_port()
    settings = make_settings(tmp_path, PVFAULT_BROKER=f"localhost:{port}")
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_S", 3)  # a test shall not wait 20 s
    running = start(settings, port=port, java_home=os.environ.get("JAVA_HOME"))
    try:
        ensure_topic(settings)
        producer = ReadingProducer(settings)
        producer.send(make_readings([NOON]))
        producer.finish()
        psutil.Process(running.pid).kill()
        producer.send(make_readings([NOON + timedelta(seconds=20), NOON + timedelta(seconds=40)]))
        with pytest.raises(PvfaultError, match=r"^2 of 3 readings .*Connection refused.*--again"):
            producer.finish()
    finally:
        stop(settings)


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_an_error(broker, monkeypatch):
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_S", 3)
    producer = ReadingProducer(replace(broker, topic="nobody-made-this"))
    producer.send(make_readings([NOON]))
    with pytest.raises(PvfaultError, match=r"^1 of 1 readings .*nobody-made-this"):
        producer.finish()
