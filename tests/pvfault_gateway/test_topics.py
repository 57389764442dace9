"""Topics: how they are made, and in which order they may be filled."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.admin import ConfigResource

from pvfault.errors import PvfaultError
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import (
    FOR_EVER,
    PARTITIONS,
    Topic,
    check_order,
    connect,
    count_records,
    describe_topic,
    ensure_topic,
    newest_reading,
    prepare_topic,
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


def test_only_readings_after_all_others_may_follow(broker, topic):
    """Kafka finds a date by its first record: older readings behind newer ones would not be found."""
    settings = replace(broker, topic=topic)
    check_order(settings, NOON)  # empty: anything may come first
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([NOON, NOON + timedelta(hours=1)]))
    for first in (NOON - timedelta(days=1), NOON, NOON + timedelta(hours=1)):
        with pytest.raises(PvfaultError, match=r"already holds readings from 2024-06-01 1[23]:00:00 UTC.*--topic"):
            check_order(settings, first)
    check_order(settings, NOON + timedelta(hours=1, milliseconds=1))


def test_after_a_reading_of_the_future_none_of_the_past_may_follow(broker, topic):
    """It was sent under the time of sending, and so are further ones of the future, which may follow it."""
    settings = replace(broker, topic=topic)
    future = datetime.now(UTC) + timedelta(days=400)
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([future]))
    with pytest.raises(PvfaultError, match="already holds"):
        check_order(settings, NOON)
    check_order(settings, future)


def test_records_are_counted_by_the_brokers_own_offsets(broker, topic):
    assert count_records(connect(broker))[topic] == 0
    with ReadingProducer(replace(broker, topic=topic)) as producer:
        producer.send(make_readings([NOON], devices=[f"INV{number:07d}" for number in range(25)]))
    assert count_records(connect(broker))[topic] == 25


def test_a_topic_that_would_drop_old_readings_is_refused_before_they_are_sent(broker):
    """Kafka counts a record's age from its own time: a replay of last year would be gone before it is read."""
    settings = replace(broker, topic="two-weeks")
    ensure_topic(settings, partitions=2, retention_days=14)
    assert describe_topic(settings) == Topic(partitions=2, retention_days=14)
    now = datetime.now(UTC)
    with pytest.raises(PvfaultError, match=r"keeps a reading for 14 days.*topic create.*--retention-days -1"):
        prepare_topic(settings, now - timedelta(days=15))
    with pytest.raises(PvfaultError, match="keeps a reading for 14 days"):
        prepare_topic(settings, now - timedelta(days=15), again=True)
    prepare_topic(settings, now - timedelta(days=13))


def test_a_topic_is_made_for_readings_of_any_age_on_a_laptop(broker):
    settings = replace(broker, topic="old-readings")
    assert describe_topic(settings) is None
    prepare_topic(settings, NOON - timedelta(days=9000))
    assert describe_topic(settings) == Topic(PARTITIONS, FOR_EVER)


def test_the_newest_reading_of_a_topic_is_the_one_with_the_latest_time(broker, topic):
    settings = replace(broker, topic=topic)
    assert newest_reading(settings) is None
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([NOON, NOON + timedelta(hours=1)], devices=[f"INV000000{n}" for n in range(9)]))
    assert newest_reading(settings) == NOON + timedelta(hours=1)
