"""The Kafka topic, as a Spark job reads it.

Here: whether broker and topic are there, at which offsets a time is found, and the records between offsets. Only what
is committed counts: records of aborted and of open transactions are none. Not here: which offsets belong to a date
(`offsets.py`), what is in a record (`decode.py`), writing to Kafka (`pvfault_gateway`).
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault.broker_access import BrokerAccess
from pvfault.errors import PvfaultError, TransientError
from spark_jobs import catalog
from spark_jobs.decode import AHEAD_OF_RECORD

# Spark itself retries a lost broker for minutes before it says so.
_ANSWER_WITHIN_MS = 10_000
_COLUMNS = ("topic", "partition", "offset", "key", "value", "timestamp")
_NO_RECORDS = "topic string, partition int, offset long, key binary, value binary, timestamp timestamp"
# Kafka's client hands out 500 at once, and Spark asks it for each handful anew: a read of a day takes a third longer.
_RECORDS_AT_ONCE = 5_000
# A record that is further ahead than this of the time that was asked for is looked at: it may be a transaction's
# marker, which carries the broker's time of now, or have a clock that is wrong.
_NEAR = timedelta(minutes=10)
_SAME_DAY = timedelta(days=1)
_LOOKED_AT_FIRST = 100_000
# Whether it stands in order is told by so many records at each of these distances behind it: what one gateway with a
# wrong clock sends at once is longer than the first, not than all.
_FOLLOWING = 20
_DISTANCES = (0, 1_000, 10_000, 100_000)


class TopicError(PvfaultError):
    """The topic cannot be read."""


class BrokerSilentError(TransientError):
    """The broker does not answer now."""


@dataclass(frozen=True)
class OffsetRange:
    """Offsets of one partition, the end not included."""

    partition: int
    first: int
    end: int


class Topic:
    """One topic as it is when a run begins: what comes later is for the next run.

    Parameters
    ----------
    spark : SparkSession
    access : BrokerAccess
    name : str

    Attributes
    ----------
    name, id : str
        The id is another one if the topic was deleted and created anew.
    begins, ends : dict of int to int
        Of each partition the first offset that is there, and the one behind the last committed record.
    now : datetime
        When the run began; no record can be younger.

    Raises
    ------
    TopicError
        If there is no such topic, or no client can be made.
    BrokerSilentError
        If the broker does not answer within 10 s.
    """

    def __init__(self, spark: SparkSession, access: BrokerAccess, name: str):
        self._spark = spark
        self._access = access
        self._found: dict[datetime, dict[int, int]] = {}
        self.name = name
        self.now = datetime.now(UTC)
        self.id = _require_topic(spark, access, name)
        with _Consumer(spark, access, name) as consumer:
            self.begins, self.ends = consumer.begins(), consumer.ends()

    def first_offsets(self, at: datetime) -> dict[int, int]:
        """Of each partition, the first record at or after a time by its own timestamp; the end if there is none.

        One record with a wrong clock must not hide those behind it, and neither must the marker of a transaction. So
        what Kafka finds counts at once only if it is near, or if what follows it is not before that time either; else
        all records behind it are looked at, and one of the future counts never.
        """
        if at not in self._found:
            self._found[at] = self._look_up(at)
        return self._found[at]

    def read(self, ranges: Iterable[OffsetRange]) -> DataFrame:
        """The records of some ranges: topic, partition, offset, key, value, timestamp.

        A range is a task. Ranges of the same partition do not overlap.
        """
        rounds: list[list[OffsetRange]] = []
        for one in ranges:
            place = next((each for each in rounds if all(other.partition != one.partition for other in each)), None)
            if place is None:
                rounds.append(place := [])
            if one.end > one.first:
                place.append(one)
        frames = [self._read_once(each) for each in rounds if each]
        return reduce(DataFrame.unionAll, frames) if frames else self._spark.createDataFrame([], _NO_RECORDS)

    def _read_once(self, ranges: Sequence[OffsetRange]) -> DataFrame:
        def as_json(values: Mapping[int, int]) -> str:
            return json.dumps({self.name: {str(partition): offset for partition, offset in values.items()}})

        return (
            self._spark.read.format("kafka")
            .options(**{f"kafka.{name}": value for name, value in self._access.java_options().items()})
            .option("kafka.isolation.level", "read_committed")
            .option("kafka.max.poll.records", _RECORDS_AT_ONCE)
            .option("assign", json.dumps({self.name: [one.partition for one in ranges]}))
            .option("startingOffsets", as_json({one.partition: one.first for one in ranges}))
            .option("endingOffsets", as_json({one.partition: one.end for one in ranges}))
            .load()
            .select(*_COLUMNS)
        )

    def _look_up(self, at: datetime) -> dict[int, int]:
        newest = self.now + AHEAD_OF_RECORD
        offsets = dict(self.ends)
        if at >= newest:
            return offsets
        doubtful = {}
        with _Consumer(self._spark, self._access, self.name) as consumer:
            for partition, (offset, timestamp) in consumer.offsets_at(at).items():
                if offset >= self.ends[partition]:
                    continue
                if timestamp < newest and (
                    timestamp < at + _NEAR or consumer.is_in_order(partition, offset, at, self.ends[partition])
                ):
                    offsets[partition] = offset
                else:
                    doubtful[partition] = offset
        return offsets | self._search(at, doubtful)

    def _search(self, at: datetime, doubtful: Mapping[int, int]) -> dict[int, int]:
        """Look at the records themselves, from some offsets on."""
        best: dict[int, list[int | None]] = {}
        spans = [
            (timedelta(0), timedelta(hours=1)),
            (timedelta(hours=1), _SAME_DAY),
            (_SAME_DAY, timedelta(days=36_525)),
        ]
        for length in (_LOOKED_AT_FIRST, None):
            ranges = [
                OffsetRange(
                    partition, first, min(self.ends[partition], first + length) if length else self.ends[partition]
                )
                for partition, first in doubtful.items()
                if best.get(partition, [None])[0] is None
            ]
            if not ranges:
                break
            stamp, newest = f.col("timestamp"), self.now + AHEAD_OF_RECORD
            firsts = [
                f.min(f.when((stamp >= at + since) & (stamp < min(at + until, newest)), f.col("offset")))
                for since, until in spans
            ]
            for partition, *offsets in self.read(ranges).groupBy("partition").agg(*firsts).collect():
                best[partition] = offsets
        return {
            partition: next((each for each in best.get(partition, ()) if each is not None), self.ends[partition])
            for partition in doubtful
        }


class _Consumer:
    """A client of the driver's own, for questions about offsets; Spark's class path has the classes."""

    def __init__(self, spark: SparkSession, access: BrokerAccess, topic: str):
        self._jvm = spark.sparkContext._jvm
        self._access = access
        properties = _properties(self._jvm, access)
        for name, value in {
            "isolation.level": "read_committed", "max.poll.records": str(_FOLLOWING), "enable.auto.commit": "false",
            "allow.auto.create.topics": "false",
        }.items():  # fmt: skip
            properties.setProperty(name, value)
        deserializer = self._jvm.org.apache.kafka.common.serialization.ByteArrayDeserializer
        self._consumer = self._jvm.org.apache.kafka.clients.consumer.KafkaConsumer(
            properties, deserializer(), deserializer()
        )
        with _answered(access):
            infos = self._consumer.partitionsFor(topic)
        new = self._jvm.org.apache.kafka.common.TopicPartition
        numbers = [infos[place].partition() for place in range(len(infos))]
        self._partitions = {number: new(topic, number) for number in sorted(numbers)}

    def __enter__(self) -> "_Consumer":
        return self

    def __exit__(self, *error) -> None:
        self._consumer.close()

    def begins(self) -> dict[int, int]:
        with _answered(self._access):
            return self._by_number(self._consumer.beginningOffsets(self._listed()))

    def ends(self) -> dict[int, int]:
        with _answered(self._access):
            return self._by_number(self._consumer.endOffsets(self._listed()))

    def offsets_at(self, at: datetime) -> dict[int, tuple[int, datetime]]:
        """What Kafka finds for a time: offset and timestamp, of the partitions that have something."""
        asked = self._jvm.java.util.HashMap()
        for partition in self._partitions.values():
            asked.put(partition, max(0, round(at.timestamp() * 1000)))
        with _answered(self._access):
            answer = self._consumer.offsetsForTimes(asked)
        found = {number: answer.get(partition) for number, partition in self._partitions.items()}
        return {
            number: (each.offset(), datetime.fromtimestamp(each.timestamp() / 1000, UTC))
            for number, each in found.items()
            if each is not None
        }

    def is_in_order(self, partition: int, offset: int, at: datetime, end: int) -> bool:
        """Whether a record stands at an offset, no marker, and most that follow, near and far, are not before a time.

        Those that follow are looked at as far as to an end.
        """
        least = (at - AHEAD_OF_RECORD).timestamp() * 1000
        for place in (offset + distance for distance in _DISTANCES):
            if place >= end:
                return True
            following = self._following(partition, place)
            later = sum(record.timestamp() >= least for record in following)
            if 2 * later <= len(following) or (place == offset and following[0].offset() != offset):
                return False
        return True

    def _following(self, partition: int, offset: int) -> list:
        """Some records from an offset on; none if only markers are there."""
        self._consumer.assign(self._jvm.java.util.List.of(self._partitions[partition]))
        self._consumer.seek(self._partitions[partition], offset)
        give_up_at = time.monotonic() + _ANSWER_WITHIN_MS / 1000
        while time.monotonic() < give_up_at and self._consumer.position(self._partitions[partition]) <= offset:
            with _answered(self._access):
                records = self._consumer.poll(self._jvm.java.time.Duration.ofMillis(500))
            if not records.isEmpty():
                return catalog.listed(records.iterator())
        return []

    def _listed(self):
        listed = self._jvm.java.util.ArrayList()
        for partition in self._partitions.values():
            listed.add(partition)
        return listed

    def _by_number(self, answer) -> dict[int, int]:
        return {number: answer.get(partition) for number, partition in self._partitions.items()}


def _properties(jvm, access: BrokerAccess):
    properties = jvm.java.util.Properties()
    for name in ("default.api.timeout.ms", "request.timeout.ms"):
        properties.setProperty(name, str(_ANSWER_WITHIN_MS))
    for name, value in access.java_options().items():
        properties.setProperty(name, value)
    return properties


@contextmanager
def _answered(access: BrokerAccess) -> Iterator[None]:
    """Say of a broker that did not answer what can be done."""
    try:
        yield
    except Py4JJavaError as error:
        raise BrokerSilentError(
            f"no Kafka broker answered at {access.servers} within {_ANSWER_WITHIN_MS // 1000} s ({_cause(error)}); "
            + (
                "check that the job's role may kafka-cluster:Connect and that its network reaches the cluster"
                if access.iam_region
                else "start one with `pvfault broker start`, or point PVFAULT_BROKER at yours"
            )
        ) from error


def _require_topic(spark: SparkSession, access: BrokerAccess, topic: str) -> str:
    """Make sure that broker and topic are there, before Spark waits for them; the topic's id."""
    jvm = spark.sparkContext._jvm
    try:
        admin = jvm.org.apache.kafka.clients.admin.AdminClient.create(_properties(jvm, access))
    except Py4JJavaError as error:
        raise TopicError(
            f"no Kafka client can be made for {access.servers!r} ({_cause(error)}); expected host:port[,host:port]"
            + (" and aws-msk-iam-auth among Spark's jars" if access.iam_region else "")
        ) from error
    try:
        with _answered(access):
            topics = sorted(admin.listTopics().names().get())
        if topic not in topics:
            raise TopicError(
                f"the broker at {access.servers} has no topic {topic!r}, only {', '.join(topics) or 'none at all'}; "
                "fill it with `pvfault simulate` or `pvfault replay`, or set PVFAULT_TOPIC"
            )
        with _answered(access):
            described = admin.describeTopics(jvm.java.util.List.of(topic)).allTopicNames().get().get(topic)
        return described.topicId().toString()
    finally:
        admin.close()


def _cause(error: Py4JJavaError) -> str:
    """The innermost Java message: the outer ones only say that something failed."""
    exception = error.java_exception
    while exception.getCause() is not None:
        exception = exception.getCause()
    return exception.getMessage() or exception.getClass().getSimpleName()
