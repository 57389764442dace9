"""Topics of readings: reaching the broker, creating a topic, and what a topic holds.

Here: every question to Kafka that is not about single records. Not here: sending (`producer.py`), the broker's process
(`broker.py`).
"""

import time
from datetime import UTC, datetime

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from pvfault.errors import PvfaultError
from pvfault.settings import Settings

# A broker on the same continent answers within a second; a dead one is worth no more than this.
CONNECT_TIMEOUT_S = 10

# Enough for two cores of a laptop to read side by side and for eight executors of a cluster; a device's readings stay
# in one partition, so it cannot be changed later without moving devices.
PARTITIONS = 8

_TOPIC_CONFIG = {
    # Readings of years ago must stay where a replay put them.
    "retention.ms": "-1",
    # A date is found by its readings' own time, not by the time they arrived.
    "message.timestamp.type": "CreateTime",
    # Kafka finds a time T at the first record with a timestamp at or after T. One record of the year 2099 would
    # therefore end every later date's range before it begins.
    "message.timestamp.after.max.ms": str(3_600_000),
}


def client_config(broker: str) -> dict:
    """Give what every Kafka client of ours needs."""
    return {
        "bootstrap.servers": broker,
        # librdkafka tells the terminal about each failed connection; what matters comes back as an error.
        "log_level": 2,
        "socket.timeout.ms": CONNECT_TIMEOUT_S * 1000,
    }


def admin_client(broker: str) -> AdminClient:
    """Make a client for questions; it connects when it is asked something."""
    return AdminClient(client_config(broker))


def connect(settings: Settings) -> AdminClient:
    """Make a client of a broker that answers.

    Raises
    ------
    PvfaultError
        If it does not answer within `CONNECT_TIMEOUT_S`.
    """
    client = admin_client(settings.broker)
    try:
        client.list_topics(timeout=CONNECT_TIMEOUT_S)
    except KafkaException as error:
        raise PvfaultError(
            f"No Kafka broker answers at {settings.broker} ({error.args[0].str()}). "
            "Start one with `pvfault broker start`, or name yours with --broker or PVFAULT_BROKER."
        ) from error
    return client


def ensure_topic(settings: Settings, *, partitions: int = PARTITIONS) -> None:
    """Create the topic of readings if it is not there.

    A topic that is there stays as it is: its partitions and settings are somebody's decision.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    partitions : int

    Raises
    ------
    PvfaultError
        If no broker answers, or it refuses the topic.
    """
    client = connect(settings)
    # -1: as many copies as the broker's own default, which is 1 on a laptop and 3 on a cluster.
    topic = NewTopic(settings.topic, num_partitions=partitions, replication_factor=-1, config=_TOPIC_CONFIG)
    try:
        client.create_topics([topic], operation_timeout=CONNECT_TIMEOUT_S)[settings.topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise PvfaultError(
                f"The broker at {settings.broker} refuses to create the topic {settings.topic!r}: "
                f"{error.args[0].str()}. A name has letters, digits, '.', '_' and '-' only; "
                "if it has, ask whoever runs the broker."
            ) from error


def count_records(client: AdminClient) -> dict[str, int]:
    """Count the records of each topic by the broker's own offsets; Kafka's internal topics are left out."""
    partitions = [
        TopicPartition(topic.topic, partition)
        for topic in client.list_topics(timeout=CONNECT_TIMEOUT_S).topics.values()
        if not topic.topic.startswith("__")
        for partition in topic.partitions
    ]
    counts = dict.fromkeys(sorted(partition.topic for partition in partitions), 0)
    first = _list_offsets(client, partitions, OffsetSpec.earliest())
    last = _list_offsets(client, partitions, OffsetSpec.latest())
    for partition in partitions:
        counts[partition.topic] += last[partition].offset - first[partition].offset
    return counts


def check_order(settings: Settings, first_reading: datetime) -> None:
    """Refuse to send readings to a topic that already holds some of the same time or later.

    A date is read from the first record at or after its midnight to the first one at or after its end. Older readings
    behind newer ones lie past that end, and would never be found.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`, which exists.
    first_reading : datetime
        The earliest reading that is to be sent.

    Raises
    ------
    PvfaultError
        If the topic holds a record with a timestamp at or after `first_reading`.
    """
    client = connect(settings)
    topic = client.list_topics(settings.topic, timeout=CONNECT_TIMEOUT_S).topics[settings.topic]
    partitions = [TopicPartition(settings.topic, partition) for partition in topic.partitions]
    # The producer sends a reading from the future under the present time.
    asked = min(first_reading, datetime.now(UTC))
    found = _list_offsets(client, partitions, OffsetSpec.for_timestamp(max(int(asked.timestamp() * 1000), 1)))
    later = [answer.timestamp for answer in found.values() if answer.offset >= 0]
    if later:
        at = datetime.fromtimestamp(min(later) / 1000, UTC)
        raise PvfaultError(
            f"The topic {settings.topic!r} already holds readings from {at:%Y-%m-%d %H:%M:%S} UTC on, and the first "
            f"to be sent is of {asked:%Y-%m-%d %H:%M:%S} UTC. A date is found by its first record, so older readings "
            "behind newer ones would not be found. Give these a topic of their own: --topic NAME here, and "
            "PVFAULT_TOPIC=NAME for what reads them. If the same readings were sent before and the run broke off, "
            "--again sends them all once more, and what has arrived twice is removed at ingest."
        )


def _list_offsets(client, partitions, spec):
    """Ask the broker about each partition."""
    if not partitions:
        return {}
    give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        asked = client.list_offsets(dict.fromkeys(partitions, spec), request_timeout=CONNECT_TIMEOUT_S)
        try:
            return {partition: answer.result() for partition, answer in asked.items()}
        except KafkaException as error:
            # The partitions of a topic that was created just now have no leader for some milliseconds.
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
