"""Each record of a date is a reading, a duplicate or in quarantine: counted against the broker and the generator."""

from collections import Counter
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions

from pvfault.readings import AVRO_FIRST_BYTE, AVRO_HEADER, AVRO_LENGTH, AVRO_MARKER
from pvfault.tables import LEDGER, QUARANTINE, READINGS
from pvfault_gateway.topics import connect
from spark_jobs import ingest_readings
from spark_jobs.ledger import Ledger
from spark_jobs.topic import Topic
from tests.spark_jobs.helpers import DEVICES, avro, config_of, make_readings, midnight, rows_of, send, send_readings

pytestmark = [pytest.mark.broker, pytest.mark.spark]

N_BAD = 100_000
N_TWICE = 1000
# What a producer of the tests keeps in its queue.
_AT_ONCE = 20_000


@pytest.fixture
def ingest(spark, lake_settings, topic):
    def run(*days):
        return ingest_readings.run(spark, config_of(lake_settings, days, topic=topic)).days

    return run


class Garbage:
    """Values that are no reading at a time, each of another kind and another content."""

    def __init__(self, seed: int):
        self._random = np.random.default_rng(seed)
        self._kinds = [
            self._noise, self._noise_of_a_readings_length, self._cut_off, self._too_long, self._other_schema,
            self._cut_off_behind_its_header, self._odd_device, self._endless_time, self._clock_ahead,
            self._clock_behind, lambda _good, _at: b"", lambda _good, _at: None,
        ]  # fmt: skip

    def make(self, at: datetime) -> bytes | None:
        """A value of any kind."""
        number = int(self._random.integers(len(self._kinds)))
        return self._kinds[number](avro(DEVICES[number % len(DEVICES)], at), at)

    def _noise(self, _good, _at):
        length = int(self._random.choice([n for n in range(1, 200) if n not in (33, 43)]))
        return self._random.bytes(length)

    def _noise_of_a_readings_length(self, _good, _at):
        value = self._random.bytes(AVRO_LENGTH)
        return value if value[0] != AVRO_FIRST_BYTE else b"\0" + value[1:]

    def _cut_off(self, good, _at):
        return good[: self._random.integers(1, len(good))]

    def _too_long(self, good, _at):
        return good + self._random.bytes(int(self._random.integers(1, 9)))

    def _other_schema(self, good, _at):
        return AVRO_MARKER + self._random.bytes(8) + good

    def _cut_off_behind_its_header(self, good, _at):
        return AVRO_HEADER + good[: self._random.integers(0, len(good))]

    def _odd_device(self, good, _at):
        place = 1 + int(self._random.integers(10))
        return good[:place] + bytes([self._random.choice([*b"-_ .\0\x80\xff"])]) + good[place + 1 :]

    def _endless_time(self, good, _at):
        return good[:11] + b"\xff" * 6 + good[17:]

    def _clock_ahead(self, _good, at):
        return avro(DEVICES[0], at + timedelta(minutes=6 + int(self._random.integers(10**7))))

    def _clock_behind(self, _good, at):
        return avro(DEVICES[0], at - timedelta(days=30, minutes=1 + int(self._random.integers(10**7))))


def records_of(settings, topic):
    """Everything in a topic, and each partition's begin and end as the broker tells them."""
    consumer = Consumer({"bootstrap.servers": settings.broker, "group.id": "-", "enable.auto.commit": False})
    try:
        partitions = [
            TopicPartition(topic, number, 0) for number in consumer.list_topics(topic).topics[topic].partitions
        ]
        edges = {one.partition: consumer.get_watermark_offsets(one, timeout=20) for one in partitions}
        consumer.assign(partitions)
        records = []
        while len(records) < sum(end - begin for begin, end in edges.values()):
            records += consumer.consume(10_000, timeout=20)
    finally:
        consumer.close()
    return [(each.partition(), each.offset(), each.value()) for each in records], edges


def test_100_000_malformed_records_among_good_ones_cost_no_reading_and_add_up(ingest, lake_settings, topic):
    """A gateway gone mad beside others: what it sends is put aside to the last record, whatever it is."""
    day = date(2022, 10, 1)
    good = make_readings(day, DEVICES)
    good_records = [(row["deviceID"].encode(), avro(**as_avro(row)), row["timestamp"]) for row in good.to_pylist()]
    random, garbage = np.random.default_rng(27), Garbage(27)
    times = [midnight(day) + timedelta(seconds=int(second)) for second in random.integers(0, 86_400, N_BAD)]
    bad_records = [(b"%d" % random.integers(100), garbage.make(at), at) for at in times]
    twice = [good_records[place] for place in random.integers(0, len(good_records), N_TWICE)]
    sent = [*good_records, *bad_records, *twice]
    order = random.permutation(len(sent))
    for first in range(0, len(order), _AT_ONCE):
        send(lake_settings, topic, [sent[place] for place in order[first : first + _AT_ONCE]])

    (report,) = ingest(day)

    records, edges = records_of(lake_settings, topic)
    offsets = sum(end for _, end in edges.values())
    readings, quarantine = rows_of(lake_settings, READINGS, day), rows_of(lake_settings, QUARANTINE, day)
    assert offsets == len(records) == len(sent)
    assert len(readings) + report.figures["duplicates"] + len(quarantine) == offsets
    assert (len(quarantine), report.figures["duplicates"]) == (N_BAD, N_TWICE)
    assert readings.equals(good.sort_by([("deviceID", "ascending"), ("timestamp", "ascending")]))
    good_values = {value for _, value, _ in good_records}
    put_aside = zip(*(quarantine[name].to_pylist() for name in ("partition", "offset", "value")), strict=True)
    assert sorted(record for record in records if record[2] not in good_values) == sorted(put_aside)
    assert pc.all(pc.greater(pc.utf8_length(quarantine["reason"]), 0)).as_py()
    assert claims_of(lake_settings, topic, day) == edges


def as_avro(row):
    return {"device": row["deviceID"], "time": row["timestamp"]} | {
        name: row[name] for name in ("voltage", "current", "temperature", "irradiance")
    }


def claims_of(settings, topic, day):
    """A date's part of each partition, as the ledger's last making of it has it."""
    rows = [row for row in rows_of(settings, LEDGER, day).to_pylist() if row["topic"] == topic]
    last = max(row["made_at"] for row in rows)
    return {row["partition"]: (row["first_offset"], row["end_offset"]) for row in rows if row["made_at"] == last}


def test_partitions_that_are_added_in_the_middle_of_a_date_cost_no_reading(ingest, spark, lake_settings, topic):
    """Keys move to other partitions, so a device's readings of one date stand in two, and the ledger knows of one."""
    days = [date(2022, 10, 10), date(2022, 10, 11)]
    readings = [make_readings(day, DEVICES, period_s=60) for day in days]
    before_noon = pc.less(readings[1]["timestamp"], midnight(days[1]) + timedelta(hours=12))
    send_readings(lake_settings, topic, readings[0])
    send_readings(lake_settings, topic, readings[1].filter(before_noon))
    ingest(*days)
    client = connect(lake_settings)
    client.create_partitions([NewPartitions(topic, 16)])[topic].result(20)
    send_readings(lake_settings, topic, readings[1].filter(pc.invert(before_noon)))
    late_at = midnight(days[0]) + timedelta(hours=12, seconds=30)
    late = [(b"%d" % n, avro(DEVICES[n % 4], late_at + timedelta(minutes=n)), midnight(days[1]) + timedelta(hours=23))
            for n in range(40)]  # fmt: skip
    places = Counter(partition for partition, _ in send(lake_settings, topic, late))
    records, edges = records_of(lake_settings, topic)
    assert sum(end > begin for begin, end in edges.values()) > 8 < max(places)

    (again,) = ingest(days[1])
    assert rows_of(lake_settings, READINGS, days[1]).equals(sorted_by_key(readings[1]))
    assert again.figures["of_other_dates"] == len(late)
    waiting = Ledger.read(spark, Topic(spark, lake_settings.broker_access, topic).id).dates_to_make_again()
    assert waiting == {days[0]: len(late)}
    (first,) = ingest(days[0])
    assert (first.rows, first.refusals) == (len(readings[0]) + len(late), ())
    claims = [claims_of(lake_settings, topic, day) for day in days]
    claimed = sorted(
        (partition, offset) for each in claims for partition, ends in each.items() for offset in range(*ends)
    )
    assert claimed == sorted((partition, offset) for partition, offset, _ in records)


def sorted_by_key(readings):
    return readings.sort_by([("deviceID", "ascending"), ("timestamp", "ascending")])
