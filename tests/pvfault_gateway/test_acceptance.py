"""What a topic may be sent: nothing that it would lose, or that ingest would put aside."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from pvfault.errors import PvfaultError
from pvfault_gateway.acceptance import SENT_BEFORE, prepare_topic
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import FOR_EVER, PARTITIONS, TopicDescription, client_config, describe_topic, ensure_topic
from tests.pvfault_gateway.helpers import NOON, create_topic, make_readings

pytestmark = pytest.mark.broker

DAY = timedelta(days=1)
# By murmur2 of their names the first two go to one partition of eight, the third to another.
DEVICE, NEIGHBOUR, STRANGER = "INV0000001", "INV0000009", "INV0000002"


@pytest.fixture
def settings(broker):
    """Settings of a topic that is not there yet."""
    return replace(broker, topic=f"accepts-{uuid.uuid4().hex[:12]}")


def first(at, device=DEVICE):
    return {device: at}


def send(settings, times, device=DEVICE):
    with ReadingProducer(settings) as producer:
        producer.send(make_readings(times, devices=[device]))


def test_a_topic_that_would_drop_old_readings_is_refused_before_they_are_sent(settings):
    """Kafka counts a record's age from its own time: a replay of last year would be gone before it is read."""
    ensure_topic(settings, partitions=2, retention_days=14)
    assert describe_topic(settings) == TopicDescription(partitions=2, retention_days=14)
    now = datetime.now(UTC)
    for again in (False, True):
        with pytest.raises(PvfaultError, match=r"keeps a reading for 14 days.*topic create.*--retention-days -1"):
            prepare_topic(settings, first(now - 15 * DAY), again=again)
    prepare_topic(settings, first(now - 13 * DAY))


@pytest.mark.parametrize("limit", ["message_timestamp_before_max_ms", "message_timestamp_difference_max_ms"])
def test_a_topic_that_takes_no_old_readings_is_refused_before_they_are_sent(settings, limit):
    create_topic(settings, **{limit: str(7 * 86_400_000)})
    now = datetime.now(UTC)
    # A minute later the broker would refuse the second one, and all that is in its batch.
    for at in (now - 8 * DAY, now - 7 * DAY + timedelta(minutes=1)):
        with pytest.raises(PvfaultError, match=r"refuses a reading that is older than 7 days.*--topic NAME"):
            prepare_topic(settings, first(at))
    prepare_topic(settings, first(now - 6 * DAY))


def test_a_topic_that_keeps_one_record_of_each_device_is_refused(settings):
    create_topic(settings, cleanup_policy="compact")
    with pytest.raises(PvfaultError, match=r"keeps only the newest record of each device.*cleanup.policy=delete"):
        prepare_topic(settings, first(NOON))


def test_a_topic_that_stamps_the_time_of_arrival_takes_no_history(settings):
    """Ingest compares a reading with its record, and takes what is 30 days behind for the work of a wrong clock."""
    create_topic(settings, message_timestamp_type="LogAppendTime")
    now = datetime.now(UTC)
    with pytest.raises(PvfaultError, match=r"LogAppendTime.* more than 30 days before.*--topic NAME"):
        prepare_topic(settings, first(now - 31 * DAY))
    prepare_topic(settings, first(now - 29 * DAY))


def test_a_topic_is_made_for_readings_of_any_age_on_a_laptop(settings):
    assert describe_topic(settings) is None
    prepare_topic(settings, first(datetime(2001, 1, 1, tzinfo=UTC)))
    assert describe_topic(settings) == TopicDescription(PARTITIONS, FOR_EVER)


def test_readings_may_follow_newer_ones_by_thirty_days_and_no_more(settings):
    """What is late is made again at ingest; a history behind newer readings would be put aside."""
    prepare_topic(settings, first(NOON))  # empty: anything may come first
    send(settings, [NOON, NOON + timedelta(hours=1)])
    newest = NOON + timedelta(hours=1)
    for at in (newest - 30 * DAY, NOON, newest, newest + 400 * DAY):
        prepare_topic(settings, first(at))
    too_old = newest - 30 * DAY - timedelta(milliseconds=1)
    with pytest.raises(PvfaultError, match=r"up to 2024-06-01 13:00:00 UTC where .*30 days.*--topic NAME.*--again"):
        prepare_topic(settings, first(NOON) | first(too_old))


def test_how_far_behind_a_reading_is_counts_in_its_own_partition(settings):
    ensure_topic(settings)
    send(settings, [NOON])
    prepare_topic(settings, first(NOON - 90 * DAY, STRANGER))
    with pytest.raises(PvfaultError, match=f"those of {NEIGHBOUR} go"):
        prepare_topic(settings, first(NOON - 90 * DAY, STRANGER) | first(NOON - 90 * DAY, NEIGHBOUR))


def test_a_record_of_the_future_is_no_reason_to_refuse_the_present(settings):
    """Of another gateway, in a topic that takes any time."""
    create_topic(settings)
    producer = Producer(client_config(settings.broker_access))
    in_2099 = int(datetime(2099, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for partition in range(PARTITIONS):
        producer.produce(settings.topic, b"", partition=partition, timestamp=in_2099)
    assert producer.flush(10) == 0
    now = datetime.now(UTC)
    prepare_topic(settings, first(now - 29 * DAY))
    with pytest.raises(PvfaultError, match="up to 2099"):
        prepare_topic(settings, first(now - 31 * DAY))


def test_of_a_run_that_broke_off_only_what_may_be_missing_is_sent_again(settings):
    ensure_topic(settings)
    times = [NOON + day * DAY for day in range(100)]
    send(settings, times[:61])  # it broke off here
    readings = make_readings(times, devices=[DEVICE, STRANGER])
    devices = dict.fromkeys([DEVICE, STRANGER], NOON)
    with pytest.raises(PvfaultError, match="--again"):
        prepare_topic(settings, devices)
    gate = prepare_topic(settings, devices, again=True)
    sent = gate.let_through(readings).to_pylist()
    assert [row["timestamp"] for row in sent if row["deviceID"] == DEVICE] == times[30:]
    assert [row["timestamp"] for row in sent if row["deviceID"] == STRANGER] == times
    assert gate.kept_out == {SENT_BEFORE: {DEVICE: 30}}
