"""Readings and records that come at the wrong time, or with a wrong one: each ends in one place, and none is lost."""

import time
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import NewTopic

from pvfault.tables import LEDGER, QUARANTINE, READINGS
from pvfault_gateway.topics import connect
from spark_jobs import ingest_readings
from spark_jobs.ledger import Ledger
from spark_jobs.topic import Topic
from tests.spark_jobs.helpers import DEVICES, avro, config_of, make_readings, midnight, rows_of, send, send_readings

pytestmark = [pytest.mark.broker, pytest.mark.spark]

KEY = b"k"  # all in one partition, as those of one gateway


@pytest.fixture
def ingest(spark, lake_settings, topic):
    def run(*days, **options):
        return ingest_readings.run(spark, config_of(lake_settings, days, **{"topic": topic, **options})).days

    return run


@pytest.fixture
def waiting(spark, lake_settings, topic):
    """Dates of the topic that have to be made again, as the ledger has them."""

    def ask():
        return Ledger.read(spark, Topic(spark, lake_settings.broker_access, topic).id).dates_to_make_again()

    return ask


@pytest.fixture
def free_topic(broker):
    """A topic that takes records of any time, as those of Amazon MSK do."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    config = {"message.timestamp.after.max.ms": str(2**62), "retention.ms": "-1"}
    client = connect(broker)
    client.create_topics([NewTopic(name, 2, 1, config=config)])[name].result(20)
    return name


def audit(report, name):
    return next(result for result in report.audits if result.name == name)


def reading(at, device=DEVICES[0], record_at=None, **values):
    return (KEY, avro(device, at, **values), record_at or at)


def times_of(settings, day):
    return rows_of(settings, READINGS, day)["timestamp"].to_pylist()


def minutely(first, n, **options):
    return [reading(first + timedelta(minutes=minute), **options) for minute in range(n)]


def test_a_clock_that_is_minutes_ahead_at_midnight_loses_nothing(ingest, lake_settings, topic):
    """Four sent, four in the tables: a reading of the next date may stand before the next date's first record."""
    day = date(2022, 3, 1)
    after = midnight(day + timedelta(days=1))
    sent = [
        reading(after - timedelta(minutes=10)),
        reading(after + timedelta(minutes=2), record_at=after - timedelta(minutes=2)),
        reading(after - timedelta(minutes=1)),
        reading(after + timedelta(minutes=10)),
    ]
    send(lake_settings, topic, sent)
    reports = [*ingest(day), *ingest(day + timedelta(days=1))]
    assert [report.rows for report in reports] == [2, 2]
    assert times_of(lake_settings, day + timedelta(days=1)) == [after + timedelta(minutes=m) for m in (2, 10)]
    assert sum(report.figures["records"] for report in reports) == len(sent)
    assert all(audit(report, "no_reading_came_too_late").passed for report in reports)


def test_late_readings_are_read_by_each_later_making_too(ingest, lake_settings, topic, waiting):
    """Once they were forgotten, the date could only be made a third time by deleting them."""
    day = date(2022, 3, 10)
    at, after = midnight(day), midnight(day + timedelta(days=1))
    late = [reading(at + timedelta(hours=hour), record_at=after + timedelta(hours=4)) for hour in (20, 21)]
    send(lake_settings, topic, [*minutely(at, 5), *minutely(after, 300), *late])
    ingest(day, day + timedelta(days=1))
    assert waiting() == {day: 2}
    for _ in range(3):
        (report,) = ingest(day)
        assert (report.rows, report.refusals) == (7, ())
        assert waiting() == {}


def test_late_readings_are_found_whatever_the_order_in_which_dates_are_made(ingest, lake_settings, topic, waiting):
    """A horizon that moves backwards loses what stands behind it."""
    first, second, third = days = [date(2022, 3, 20) + timedelta(n) for n in range(3)]
    late = [
        reading(midnight(first) + timedelta(hours=10), record_at=midnight(day) + timedelta(hours=6))
        for day in (second, third)
    ]
    late[1] = reading(midnight(first) + timedelta(hours=11), record_at=midnight(third) + timedelta(hours=6))
    records = [
        *minutely(midnight(first), 3), *minutely(midnight(second), 370), late[0],
        *minutely(midnight(third), 370), late[1],
    ]  # fmt: skip
    send(lake_settings, topic, records)
    ingest(first)
    ingest(third)
    ingest(second)
    assert waiting() == {first: 2}
    (report,) = ingest(first)
    assert (report.rows, waiting()) == (5, {})
    assert [len(times_of(lake_settings, day)) for day in days] == [5, 370, 370]


def test_48_hours_of_a_plant_without_network_end_in_their_dates(ingest, lake_settings, topic, waiting):
    """They come behind newer readings of the others; each of their dates is made again once, and nobody has to ask."""
    days = [date(2022, 4, 1) + timedelta(n) for n in range(4)]

    def readings_of(day, *devices):
        return [
            reading(midnight(day) + timedelta(minutes=10 * n), device=device) for n in range(144) for device in devices
        ]

    for day in days[:3]:
        send(lake_settings, topic, readings_of(day, *DEVICES[1:]))
    for day in days[:2]:
        send(lake_settings, topic, readings_of(day, DEVICES[0]))
    send(lake_settings, topic, readings_of(days[3], *DEVICES[1:]))
    ingest(*days)
    assert waiting() == {days[0]: 144, days[1]: 144}
    made = [report.day for report in ingest(*waiting())]
    assert made == days[:2]
    assert waiting() == {}
    counts = [len(times_of(lake_settings, day)) for day in days]
    assert counts == [4 * 144, 4 * 144, 3 * 144, 3 * 144]


def test_one_record_of_the_year_2038_hides_nothing(ingest, lake_settings, free_topic):
    day = date(2022, 5, 1)
    far = reading(datetime(2038, 1, 1, tzinfo=UTC))
    sent = [*minutely(midnight(day), 100), far, *minutely(midnight(day) + timedelta(hours=2), 1400)]
    send(lake_settings, free_topic, sent)
    reports = ingest(day, day + timedelta(days=1), topic=free_topic)
    assert [report.rows for report in reports] == [1420, 80]
    (bad,) = rows_of(lake_settings, QUARANTINE, day).to_pylist()
    assert bad["value"] == far[1]
    assert "in the future: 2038-01-01" in bad["reason"]


def test_one_record_of_a_clock_that_is_hours_ahead_hides_nothing(ingest, lake_settings, topic):
    day = date(2022, 5, 10)
    ahead = reading(midnight(day) + timedelta(hours=30))
    sent = [*minutely(midnight(day), 100), ahead, *minutely(midnight(day) + timedelta(hours=2), 1400)]
    send(lake_settings, topic, sent)
    reports = ingest(day, day + timedelta(days=1))
    assert [report.rows for report in reports] == [1420, 81]


def test_records_stamped_in_seconds_are_put_aside_by_the_date_that_they_came_in(ingest, lake_settings, topic):
    """Kafka takes them for records of January 1970, which no date would ever look for."""
    day = date(2022, 5, 20)
    stamped = [
        reading(
            at := midnight(day) + timedelta(minutes=n), record_at=datetime.fromtimestamp(at.timestamp() / 1000, UTC)
        )
        for n in range(30)
    ]
    send(lake_settings, topic, stamped)
    send(lake_settings, topic, [(b"other", avro(DEVICES[1], midnight(day)), midnight(day))])
    (report,) = ingest(day)
    assert (report.rows, report.figures["quarantined"], report.figures["records"]) == (1, 30, 31)
    assert rows_of(lake_settings, QUARANTINE, day).num_rows == 30


def test_a_clock_that_fell_back_to_2000_is_put_aside_once(ingest, lake_settings, topic, waiting):
    day = date(2022, 6, 1)
    old = minutely(datetime(2000, 1, 1, tzinfo=UTC), 20, device=DEVICES[1])
    send(lake_settings, topic, [*minutely(midnight(day), 60), *old, *minutely(midnight(day) + timedelta(hours=3), 60)])
    reports = [*ingest(day), *ingest(day)]
    for report in reports:
        assert (report.rows, report.figures["quarantined"]) == (120, 20)
        assert audit(report, "no_reading_came_too_late").passed
    assert waiting() == {}
    assert rows_of(lake_settings, QUARANTINE, day).num_rows == 20


def test_quarantine_is_of_the_last_making(ingest, lake_settings, topic, make_topic):
    day = date(2022, 6, 10)
    good, bad = minutely(midnight(day), 10), [(KEY, b"no reading", midnight(day) + timedelta(hours=1))]
    send(lake_settings, topic, [*good, *bad])
    send(lake_settings, mended := make_topic(), good)
    ingest(day)
    assert rows_of(lake_settings, QUARANTINE, day).num_rows == 1
    ingest(day, topic=mended)
    assert rows_of(lake_settings, QUARANTINE, day).num_rows == 0


def test_a_bad_record_behind_its_day_is_in_the_quarantine_of_the_next_one(ingest, lake_settings, topic):
    day = date(2022, 6, 20)
    after = midnight(day + timedelta(days=1))
    bad = (KEY, b"no reading", midnight(day) + timedelta(hours=10))
    send(lake_settings, topic, [*minutely(midnight(day), 10), *minutely(after, 300), bad])
    reports = ingest(day, day + timedelta(days=1))
    assert [report.figures["quarantined"] for report in reports] == [0, 1]
    assert rows_of(lake_settings, QUARANTINE, day + timedelta(days=1)).num_rows == 1


def transact(settings, topic, records, *, abort=False, leave_open=False):
    producer = Producer({"bootstrap.servers": settings.broker, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(20)
    producer.begin_transaction()
    for key, value, at in records:
        producer.produce(topic, value, key, timestamp=int(at.timestamp() * 1000))
    producer.flush(20)
    if leave_open:
        return producer
    if abort:
        producer.abort_transaction(20)
    else:
        producer.commit_transaction(20)
    return None


def test_records_of_aborted_and_open_transactions_are_no_readings(ingest, lake_settings, topic):
    day = date(2022, 7, 1)
    at = midnight(day)
    transact(lake_settings, topic, minutely(at, 70, device=DEVICES[1]), abort=True)
    transact(lake_settings, topic, minutely(at, 50))
    transact(lake_settings, topic, minutely(at + timedelta(hours=1), 50))
    open_one = transact(lake_settings, topic, minutely(at + timedelta(hours=3), 60, device=DEVICES[2]), leave_open=True)
    (report,) = ingest(day)
    assert set(rows_of(lake_settings, READINGS, day)["deviceID"].to_pylist()) == {DEVICES[0]}
    # The 70 aborted ones, and the markers of three transactions.
    assert (report.rows, report.figures["records"]) == (100, 100)
    assert report.figures["offsets_without_record"] in (72, 73)
    open_one.commit_transaction(20)
    (report,) = ingest(day)
    assert report.rows == 160


def test_markers_of_transactions_do_not_end_a_past_date(ingest, lake_settings, topic):
    """They carry the broker's time of now, behind which Kafka finds nothing of the past."""
    day = date(2022, 7, 10)
    for hour in range(30):
        transact(lake_settings, topic, minutely(midnight(day) + timedelta(hours=hour), 10))
    reports = ingest(day, day + timedelta(days=1))
    assert [report.rows for report in reports] == [240, 60]


def test_a_topic_created_anew_is_another_topic(ingest, lake_settings, topic, broker):
    day = date(2022, 7, 20)
    send(lake_settings, topic, [*minutely(midnight(day), 50), *minutely(midnight(day + timedelta(days=1)), 10)])
    ingest(day, day + timedelta(days=1))
    client = connect(broker)
    client.delete_topics([topic])[topic].result(20)
    for _ in range(100):
        try:
            client.create_topics([NewTopic(topic, 8, 1)])[topic].result(20)
            break
        except KafkaException:  # it takes a moment until the name is free
            time.sleep(0.2)
    send(lake_settings, topic, minutely(midnight(day), 60))
    (report,) = ingest(day)
    assert (report.rows, report.published) == (60, True)
    ids = {row["topic_id"] for row in rows_of(lake_settings, LEDGER, day).to_pylist()}
    assert len(ids) == 2


def test_another_device_s_readings_do_not_make_up_for_those_that_are_gone(ingest, lake_settings, topic, make_topic):
    """As many as before, and a whole device erased."""
    day = date(2022, 8, 1)
    send(lake_settings, topic, minutely(midnight(day), 50))
    send(lake_settings, other := make_topic(), minutely(midnight(day), 50, device=DEVICES[1]))
    ingest(day)
    (report,) = ingest(day, topic=other)
    (refusal,) = report.refusals
    assert (refusal.name, refusal.figures["sample"]) == ("not_fewer_readings_than_before", {DEVICES[0]: 50})
    assert set(rows_of(lake_settings, READINGS, day)["deviceID"].to_pylist()) == {DEVICES[0]}


def test_a_date_replaced_by_nothing_is_empty(ingest, lake_settings, topic, make_topic):
    day = date(2022, 8, 10)
    send(lake_settings, topic, minutely(midnight(day), 50))
    send(lake_settings, empty := make_topic(), minutely(midnight(day + timedelta(days=3)), 1))
    ingest(day)
    (silent,) = ingest(day, topic=empty)
    assert "fleet_is_heard" in [refusal.name for refusal in silent.refusals]
    (report,) = ingest(day, topic=empty, allow_fewer=True)
    assert (report.rows, report.published) == (0, True)
    assert rows_of(lake_settings, READINGS, day).num_rows == 0


def test_the_ledger_tells_each_offset_once(ingest, lake_settings, topic):
    days = [date(2022, 9, 1) + timedelta(n) for n in range(3)]
    for day in days:
        send_readings(lake_settings, topic, make_readings(day, DEVICES, period_s=600))
    reports = ingest(*reversed(days))
    rows = [row for day in days for row in rows_of(lake_settings, LEDGER, day).to_pylist() if row["topic"] == topic]
    claimed = [(row["partition"], offset) for row in rows for offset in range(row["first_offset"], row["end_offset"])]
    assert len(claimed) == len(set(claimed)) == 3 * 4 * 144
    assert sum(row["records"] for row in rows) == len(claimed)
    published = {report.day: report.snapshot_id for report in reports}
    assert {row["date"]: row["snapshot_id"] for row in rows} == published
