"""Topics of readings: reaching the broker, creating a topic, and what a topic holds.

Here: every question to Kafka that is not about single records. Not here: what may be sent to a topic (`acceptance.py`),
sending (`producer.py`), the broker's process (`broker.py`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec

from pvfault.broker_access import BrokerAccess
from pvfault.dates import DAY_MS
from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_gateway.msk import iam_options

# A broker on the same continent answers within a second; a dead one is worth no more than this.
CONNECT_TIMEOUT_S = 10

# A new topic is known to all brokers of a cluster within a second.
PROPAGATION_TIMEOUT_S = 5

# Enough for two cores of a laptop to read side by side and for eight executors of a cluster; a device's readings stay
# in one partition, so it cannot be changed later without moving devices.
PARTITIONS = 8

FOR_EVER = -1
_NO_LIMIT_MS = 2**63 - 1

# A date is made 2 h after its end. Two weeks leave time to find and mend whatever stopped it, holidays included, and to
# make it again; a longer history is in the table `readings`.
MSK_RETENTION_DAYS = 14

# A date is found by its readings' own time, not by the time they arrived.
_ANY_TOPIC = {"message.timestamp.type": "CreateTime"}
_LAPTOP_TOPIC = {
    # Readings of years ago must stay where a replay put them.
    "retention.ms": str(FOR_EVER),
    # Ingest puts a record of the year 2099 aside. A sender whose clock is wrong should learn it at once.
    "message.timestamp.after.max.ms": str(3_600_000),
}
# MSK Serverless lets seven settings of a topic be chosen. message.timestamp.after.max.ms is not among them, and
# message.timestamp.difference.max.ms, which is, would also refuse readings that come late.
# https://docs.aws.amazon.com/msk/latest/developerguide/serverless-config.html
_MSK_TOPIC = {
    "retention.ms": str(MSK_RETENTION_DAYS * DAY_MS),
    # Its default of 250 GiB a partition would cut the days short for a large fleet.
    "retention.bytes": "-1",
}


@dataclass(frozen=True)
class TopicDescription:
    """What a topic is like.

    Attributes
    ----------
    partitions : int
    retention_days : float
        How long after its own timestamp a record is kept; `FOR_EVER` for no end. [d]
    takes_days : float
        How old a record may be for the broker to take it; `FOR_EVER` for no limit. [d]
    compacted : bool
        Whether only the newest record of each key is kept.
    stamps_arrival : bool
        Whether the broker puts its own time in the place of a record's.
    batch_bytes : int
        How large a batch of records may be for the broker to take it.
    exists : bool
    """

    partitions: int
    retention_days: float
    takes_days: float = FOR_EVER
    compacted: bool = False
    stamps_arrival: bool = False
    batch_bytes: int = 1_048_588  # Kafka's own
    exists: bool = True


def client_config(access: BrokerAccess) -> dict:
    """Give what every Kafka client of ours needs.

    Raises
    ------
    PvfaultError
        If the broker knows clients by IAM and there are no credentials to sign with.
    """
    config = {
        **access.librdkafka_options(),
        # librdkafka tells the terminal about each failed connection; what matters comes back as an error.
        "log_level": 2,
        "socket.timeout.ms": CONNECT_TIMEOUT_S * 1000,
    }
    return config | iam_options(access.iam_region) if access.iam_region else config


def admin_client(access: BrokerAccess, **config: object) -> AdminClient:
    """Make a client for questions; it connects when it is asked something."""
    return AdminClient(client_config(access) | config)


def connect(settings: Settings) -> AdminClient:
    """Make a client of a broker that answers.

    Raises
    ------
    PvfaultError
        If it does not answer within `CONNECT_TIMEOUT_S`.
    """
    reasons = []
    client = admin_client(settings.broker_access, error_cb=lambda error: reasons.append(error.str()))
    try:
        client.list_topics(timeout=CONNECT_TIMEOUT_S)
    except KafkaException as error:
        client.poll(0)  # lets the client hand over what happened to its connections
        reason = reasons[0] if reasons else error.args[0].str()
        raise PvfaultError(
            f"No Kafka broker answers at {settings.broker} ({reason}). "
            + (
                "Allow this role kafka-cluster:Connect on the cluster, and run this where its network is reached."
                if settings.broker_iam_region
                else "Start one with `pvfault broker start`, or name yours with --broker or PVFAULT_BROKER."
            )
        ) from error
    return client


def ensure_topic(settings: Settings, *, partitions: int = PARTITIONS, retention_days: float | None = None) -> bool:
    """Create the topic of readings if it is not there.

    A topic that is there stays as it is: its partitions and settings are somebody's decision.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    partitions : int
    retention_days : float, optional
        `FOR_EVER` for no end; else `FOR_EVER` on a laptop, `MSK_RETENTION_DAYS` on Amazon MSK. [d]

    Returns
    -------
    bool
        Whether it was created.

    Raises
    ------
    PvfaultError
        If no broker answers, or it refuses the topic.
    """
    client = connect(settings)
    config = _ANY_TOPIC | (_MSK_TOPIC if settings.broker_iam_region else _LAPTOP_TOPIC)
    if retention_days is not None:
        config["retention.ms"] = str(FOR_EVER if retention_days == FOR_EVER else round(retention_days * DAY_MS))
    # -1: as many copies as the broker's own default, which is 1 on a laptop and 3 on a cluster.
    topic = NewTopic(settings.topic, num_partitions=partitions, replication_factor=-1, config=config)
    try:
        client.create_topics([topic], operation_timeout=CONNECT_TIMEOUT_S)[settings.topic].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise PvfaultError(
            f"The broker at {settings.broker} refuses to create the topic {settings.topic!r}: "
            f"{error.args[0].str()}. A name has letters, digits, '.', '_' and '-' only; "
            "if it has, ask whoever runs the broker."
            + (" On MSK this role needs kafka-cluster:CreateTopic on it." if settings.broker_iam_region else "")
        ) from error
    await_topic(settings, describe_topic)
    return True


def await_topic(settings: Settings, ask: Callable[[Settings], object]) -> object:
    """Ask something about a topic that may have been made just now: not each broker knows of it at once.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    ask : function of Settings
        What to ask, `topic_id` or `describe_topic`; it gives None as long as the broker does not know the topic.

    Returns
    -------
    what `ask` gives

    Raises
    ------
    PvfaultError
        If no broker answers, or it has no such topic.
    """
    give_up_at = time.monotonic() + PROPAGATION_TIMEOUT_S
    while (found := ask(settings)) is None:
        if time.monotonic() > give_up_at:
            raise PvfaultError(
                f"The broker at {settings.broker} has no topic {settings.topic!r}. Make it with `pvfault topic create`."
            )
        time.sleep(0.1)
    return found


def describe_topic(settings: Settings) -> TopicDescription | None:
    """Tell what the topic is like; None if it is not there.

    Raises
    ------
    PvfaultError
        If no broker answers, or it does not tell.
    """
    client = connect(settings)
    if settings.topic not in client.list_topics(timeout=CONNECT_TIMEOUT_S).topics:
        return None
    partitions = _partitions(client, settings.topic)
    resource = ConfigResource(ConfigResource.Type.TOPIC, settings.topic)
    try:
        config = client.describe_configs([resource], request_timeout=CONNECT_TIMEOUT_S)[resource].result()
    except KafkaException as error:
        raise PvfaultError(
            f"The broker at {settings.broker} does not tell the settings of the topic {settings.topic!r}: "
            f"{error.args[0].str()}."
            + (
                " On MSK this role needs kafka-cluster:DescribeTopicDynamicConfiguration on it."
                if settings.broker_iam_region
                else ""
            )
        ) from error
    values = {name: entry.value for name, entry in config.items()}
    retention_ms = int(values["retention.ms"])
    return TopicDescription(
        len(partitions),
        FOR_EVER if retention_ms == FOR_EVER else retention_ms / DAY_MS,
        takes_days=_takes_days(values),
        compacted="compact" in values["cleanup.policy"],
        stamps_arrival=values["message.timestamp.type"] == "LogAppendTime",
        batch_bytes=int(values["max.message.bytes"]),
    )


def new_topic(settings: Settings) -> TopicDescription:
    """Tell what a topic would be like that `ensure_topic` makes without being asked for anything."""
    return TopicDescription(PARTITIONS, MSK_RETENTION_DAYS if settings.broker_iam_region else FOR_EVER, exists=False)


def topic_id(settings: Settings) -> str | None:
    """Tell the id that the broker gave the topic when it was created; None if it is not there.

    Raises
    ------
    PvfaultError
        If no broker answers.
    """
    client = connect(settings)  # its answers come only as long as it is held
    asked = client.describe_topics(TopicCollection([settings.topic]), request_timeout=CONNECT_TIMEOUT_S)
    try:
        return str(asked[settings.topic].result().topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def offsets_by_partition(settings: Settings) -> dict[int, tuple[int, int]]:
    """Offset of the first record that each partition has, and the one behind its last."""
    client = connect(settings)
    partitions = _partitions(client, settings.topic)
    first, end = (_list_offsets(client, partitions, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
    return {each.partition: (first[each].offset, end[each].offset) for each in partitions}


def newest_by_partition(settings: Settings) -> list[datetime | None]:
    """Time of the newest record in each partition, by the records' own timestamps; None where there is none."""
    client = connect(settings)
    found = _list_offsets(client, _partitions(client, settings.topic), OffsetSpec.max_timestamp())
    times = [found[partition].timestamp for partition in sorted(found, key=lambda each: each.partition)]
    return [datetime.fromtimestamp(time / 1000, UTC) if time >= 0 else None for time in times]


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


def _takes_days(config):
    """How old a record may be for the broker to take it, by a topic's settings."""
    # The second one is for both directions, and all that there is before Kafka 3.6.
    for name in ("message.timestamp.before.max.ms", "message.timestamp.difference.max.ms"):
        limit_ms = int(config.get(name, _NO_LIMIT_MS))
        if limit_ms != _NO_LIMIT_MS:
            return limit_ms / DAY_MS
    return FOR_EVER


def _partitions(client, topic):
    """Name each partition of a topic."""
    found = client.list_topics(topic, timeout=CONNECT_TIMEOUT_S).topics[topic].partitions
    return [TopicPartition(topic, partition) for partition in found]


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
