"""The Kafka topic, as a Spark job reads it.

Here: whether broker and topic are there, and the records of a range of time. Not here: what is in a record
(`ingest_readings.py`), writing to Kafka (`pvfault_gateway`).
"""

from datetime import datetime

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession

from pvfault.broker_access import BrokerAccess
from pvfault.errors import PvfaultError

# Spark itself retries a lost broker for minutes before it says so.
_ANSWER_WITHIN_MS = 10_000


class TopicError(PvfaultError):
    """The topic cannot be read."""


def require_topic(spark: SparkSession, access: BrokerAccess, topic: str) -> None:
    """Make sure that broker and topic are there, before Spark waits for them.

    Raises
    ------
    TopicError
        If the broker does not answer within 10 s, or has no such topic.
    """
    # The Java client stands on Spark's class path already, and is the one that Spark will use.
    kafka = spark.sparkContext._jvm.org.apache.kafka.clients.admin
    java = spark.sparkContext._jvm.java.util
    properties = java.Properties()
    for name in ("default.api.timeout.ms", "request.timeout.ms"):
        properties.setProperty(name, str(_ANSWER_WITHIN_MS))
    for name, value in access.java_options().items():
        properties.setProperty(name, value)
    try:
        admin = kafka.AdminClient.create(properties)
    except Py4JJavaError as error:
        raise TopicError(
            f"no Kafka client can be made for {access.servers!r} ({_cause(error)}); expected host:port[,host:port]"
            + (" and aws-msk-iam-auth among Spark's jars" if access.iam_region else "")
        ) from error
    try:
        topics = sorted(admin.listTopics().names().get())
    except Py4JJavaError as error:
        raise TopicError(
            f"no Kafka broker answered at {access.servers} within {_ANSWER_WITHIN_MS // 1000} s ({_cause(error)}); "
            + (
                "check that the job's role may kafka-cluster:Connect and that its network reaches the cluster"
                if access.iam_region
                else "start one with `pvfault broker start`, or point PVFAULT_BROKER at yours"
            )
        ) from error
    finally:
        admin.close()
    if topic not in topics:
        raise TopicError(
            f"the broker at {access.servers} has no topic {topic!r}, only {', '.join(topics) or 'none at all'}; "
            "fill it with `pvfault simulate` or `pvfault replay`, or set PVFAULT_TOPIC"
        )


def read_topic(spark: SparkSession, access: BrokerAccess, topic: str, start: datetime, end: datetime) -> DataFrame:
    """Records from the first one at or after `start` to the first one at or after `end`, in each partition.

    Parameters
    ----------
    spark : SparkSession
    access : BrokerAccess
    topic : str
    start, end : datetime
        With a time zone. Kafka compares them with the records' own timestamps.

    Returns
    -------
    DataFrame
        topic, partition, offset, key, value, timestamp. A partition with nothing after `start` gives nothing.
    """
    return (
        spark.read.format("kafka")
        .options(**{f"kafka.{name}": value for name, value in access.java_options().items()})
        .option("subscribe", topic)
        .option("startingTimestamp", int(start.timestamp() * 1000))
        .option("startingOffsetsByTimestampStrategy", "latest")
        .option("endingTimestamp", int(end.timestamp() * 1000))
        .load()
        .select("topic", "partition", "offset", "key", "value", "timestamp")
    )


def _cause(error: Py4JJavaError) -> str:
    """The innermost Java message: the outer ones only say that something failed."""
    exception = error.java_exception
    while exception.getCause() is not None:
        exception = exception.getCause()
    return exception.getMessage() or exception.getClass().getSimpleName()
