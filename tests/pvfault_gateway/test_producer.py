"""The producer: each reading under its key and time, and nothing lost in silence."""

import os
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from confluent_kafka import Producer

from pvfault.errors import PvfaultError
from pvfault_gateway import producer as producer_module
from pvfault_gateway.acceptance import AHEAD_OF_CLOCK, TOO_EARLY, topic_partition_of
from pvfault_gateway.broker import free_port, start, stop
from pvfault_gateway.producer import Delivery, ReadingProducer
from pvfault_gateway.topics import PARTITIONS, client_config, connect, count_records, ensure_topic
from tests.pvfault_gateway.helpers import (
    NOON,
    create_topic,
    make_readings,
    read_topic,
    read_with_fastavro,
    write_with_fastavro,
)


@pytest.fixture
def limited(broker):
    """Make a topic with settings of its own."""

    def make(**config):
        settings = replace(broker, topic=f"limited-{uuid.uuid4().hex[:12]}")
        create_topic(settings, **config)
        return settings

    return make


def times_in(settings, count):
    """Times of the records in a topic, in seconds, oldest first."""
    return sorted(time_ms / 1000 for _, _, time_ms, _ in read_topic(settings, settings.topic, count))


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
    assert partitions == {(device.encode(), topic_partition_of(device.encode(), PARTITIONS)) for device in devices}
    for device in devices[:3]:
        times = [time for _, key, time, _ in records if key == device.encode()]
        assert times == sorted(times)


@pytest.mark.broker
def test_a_reading_of_a_clock_that_is_a_little_ahead_arrives_under_the_present(broker, topic):
    """Ingest sees by it that the device's clock is ahead."""
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(make_readings([ahead]))
    ((_, _, time_ms, value),) = read_topic(broker, topic, 1)
    assert time_ms / 1000 <= datetime.now(UTC).timestamp()
    assert abs(read_with_fastavro(value)["timestamp"] - ahead) < timedelta(milliseconds=1)


@pytest.mark.broker
def test_readings_of_clocks_that_are_wrong_are_kept_out_by_number(broker, topic):
    """Seconds taken for milliseconds are of January 1970; a clock without battery begins again at 2000."""
    day = timedelta(days=1)
    wrong = [
        NOON - 400 * 365 * day,
        datetime.fromtimestamp(NOON.timestamp() / 1000, UTC),
        datetime(2000, 3, 1, tzinfo=UTC),
    ]
    ahead = datetime.now(UTC) + timedelta(minutes=6)
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(make_readings([*wrong, NOON]))
        producer.send(make_readings([ahead]))
        producer.send(make_readings([wrong[0], ahead + 10_000 * day], devices=["INV0000002"]))
        assert producer.finish() == 1
    kept_out = {TOO_EARLY: {"INV0000001": 3, "INV0000002": 1}, AHEAD_OF_CLOCK: {"INV0000001": 1, "INV0000002": 1}}
    assert producer.delivery == Delivery(1, kept_out)
    assert times_in(replace(broker, topic=topic), 1) == [NOON.timestamp()]
    assert count_records(connect(broker))[topic] == 1


@pytest.mark.broker
@pytest.mark.parametrize("n_old", [1, 3])
def test_what_a_topic_refuses_for_its_time_takes_no_other_reading_with_it(limited, n_old):
    """Kafka refuses the whole batch, and tells only sometimes which records it means."""
    settings = limited(message_timestamp_before_max_ms="3600000")
    now = datetime.now(UTC)
    old = [now - timedelta(hours=5, minutes=minute) for minute in range(n_old)]
    good = [now - timedelta(minutes=minute) for minute in range(40)]
    producer = ReadingProducer(settings)
    producer.send(make_readings(sorted([*old, *good])))
    words = (
        rf"refused {n_old} of {n_old + 40} readings .*Invalid timestamp.*the first of INV0000001 at .*the others have"
    )
    with pytest.raises(PvfaultError, match=words):
        producer.finish()
    assert count_records(connect(settings))[settings.topic] == 40
    assert times_in(settings, 40) == pytest.approx(sorted(each.timestamp() for each in good), abs=0.001)


@pytest.mark.broker
def test_a_machine_whose_clock_is_ahead_of_the_brokers_loses_none_of_the_past(limited, monkeypatch):
    settings = limited(message_timestamp_after_max_ms="3600000")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 2 * 3600)
    by_its_clock = datetime.fromtimestamp(time.time(), UTC)
    producer = ReadingProducer(settings)
    producer.send(make_readings([by_its_clock - timedelta(minutes=minute) for minute in range(120, -1, -10)]))
    with pytest.raises(PvfaultError, match=rf"refused 6 of 13 .*machine's clock says {by_its_clock:%Y-%m-%d %H}"):
        producer.finish()
    assert count_records(connect(settings))[settings.topic] == 7


@pytest.mark.broker
def test_a_topic_that_takes_only_small_batches_gets_small_ones_in_their_order(limited):
    """Sent again one by one, readings of a long history would come far behind newer ones, and be put aside."""
    settings = limited(max_message_bytes="2000")
    times = [NOON + timedelta(hours=hour) for hour in range(3000)]
    with ReadingProducer(settings) as producer:
        producer.send(make_readings(times[:-3]))
        time.sleep(0.5)  # so that the last ones are a batch of their own
        producer.send(make_readings(times[-3:]))
        assert producer.finish() == 3000
    assert count_records(connect(settings))[settings.topic] == 3000
    arrived = [time_ms / 1000 for _, _, time_ms, _ in read_topic(settings, settings.topic, 3000)]
    assert arrived == [each.timestamp() for each in times]


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
        with pytest.raises(PvfaultError, match=r"^2 of 3 readings .*no answer for 3 s.*Connection refused.*--again"):
            producer.finish()
    finally:
        stop(settings)


@pytest.mark.broker
def test_a_topic_that_is_not_there_is_an_error(broker):
    with pytest.raises(PvfaultError, match=r"has no topic 'nobody-made-this'.*pvfault topic create"):
        ReadingProducer(replace(broker, topic="nobody-made-this"))


@pytest.mark.broker
@pytest.mark.parametrize("made_anew", [True, False])
def test_a_topic_that_is_deleted_in_the_middle_is_an_error(limited, monkeypatch, made_anew):
    """The broker has confirmed what is gone now; into a new topic of the name the rest would go as if nothing was."""
    monkeypatch.setattr(producer_module, "DELIVERY_TIMEOUT_S", 3)
    settings = limited()
    producer = ReadingProducer(settings)
    producer.send(make_readings([NOON]))
    producer.finish()
    client = connect(settings)  # its answers come only as long as it is held
    client.delete_topics([settings.topic])[settings.topic].result()
    while made_anew and not ensure_topic(settings):
        time.sleep(0.1)  # it is deleted a little later
    producer.send(make_readings([NOON + timedelta(seconds=20)]))
    with pytest.raises(PvfaultError, match=r"was deleted while readings were sent.* of these 2 .*send them all again"):
        producer.finish()
