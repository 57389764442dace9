"""Topics: how they are made, and what they hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from confluent_kafka.admin import ConfigResource

from pvfault.errors import PvfaultError
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import (
    PARTITIONS,
    connect,
    count_records,
    ensure_topic,
    newest_by_partition,
)  # fmt: skip
from tests.pvfault_gateway.helpers import NOON, make_readings

pytestmark = pytest.mark.broker


def test_a_topic_keeps_readings_for_ever_under_their_own_time(broker, topic):
    client = connect(broker)
    assert len(client.list_topics(topic, timeout=10).topics[topic].partitions) == PARTITIONS
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    config = client.describe_configs([resource])[resource].result()
    assert config["retention.ms"].value == "-1"
    assert config["message.timestamp.type"].value == "CreateTime"
    assert config["message.timestamp.after.max.ms"].value == "3600000"


def test_a_topic_that_is_there_stays_as_it_is(broker, topic):
    ensure_topic(replace(broker, topic=topic), partitions=PARTITIONS + 1)
    assert len(connect(broker).list_topics(topic, timeout=10).topics[topic].partitions) == PARTITIONS


def test_a_name_that_kafka_refuses_is_an_error_with_its_reason(broker):
    with pytest.raises(PvfaultError, match=r"refuses to create the topic 'a b'.*letters, digits"):
        ensure_topic(replace(broker, topic="a b"))


def test_a_broker_that_is_down_is_an_error_that_says_how_to_start_one(broker, closed_port):
    with pytest.raises(PvfaultError, match=rf"answers at localhost:{closed_port}.*pvfault broker start"):
        connect(replace(broker, broker=f"localhost:{closed_port}"))


def test_records_are_counted_by_the_brokers_own_offsets(broker, topic):
    assert count_records(connect(broker))[topic] == 0
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(make_readings([NOON], devices=[f"INV{number:07d}" for number in range(25)]))
    assert count_records(connect(broker))[topic] == 25


def test_the_newest_reading_of_a_partition_is_the_one_with_the_latest_time(broker, topic):
    settings = replace(broker, topic=topic)
    assert newest_by_partition(settings) == [None] * PARTITIONS
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([NOON, NOON + timedelta(hours=1)], devices=[f"INV000000{n}" for n in range(9)]))
    assert set(newest_by_partition(settings)) <= {None, NOON + timedelta(hours=1)}
