"""Send readings to Kafka, and lose none without saying so.

A producer keeps out what may not be sent, and knows of each reading whether the broker confirmed it.
"""

import contextlib
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_gateway.acceptance import Gate
from pvfault_gateway.encoding import encode, encode_keys, now_ms, read_device_and_time, record_timestamps
from pvfault_gateway.topics import await_topic, client_config, describe_topic, topic_id

# Readings that are encoded at a time: 3 MB, and a progress bar that moves several times a second.
BATCH = 50_000

# With 1 M instead of 200,000 messages in the queue the producer takes 1.7 times as long (2 cores, 1 M readings).
QUEUE = 200_000

# What a broker that went away in the middle is waited for, before the readings in the queue count as undelivered.
DELIVERY_TIMEOUT_S = 20

# librdkafka's own; larger batches do not make it faster.
BATCH_BYTES = 1_000_000

# What a broker says of a whole batch because of some of its records. Which ones it means is told only sometimes.
_BATCH_REFUSED = {KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP, KafkaError._INVALID_DIFFERENT_RECORD}


@dataclass(frozen=True)
class Delivery:
    """What has become of readings.

    Attributes
    ----------
    readings : int
        Number that has arrived.
    kept_out : dict of str to dict of str to int
        Number of those that were not sent, by the reason and deviceID.
    """

    readings: int
    kept_out: dict[str, dict[str, int]]


class ReadingProducer:
    """A producer of readings, to be used as a context; leaving it waits until all have been delivered.

    `produce_batch` of confluent_kafka would be faster, but cannot set a record's timestamp.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`, which exists.
    gate : Gate, optional
        What keeps out readings that may not be sent; else one that knows nothing of the topic.

    Raises
    ------
    PvfaultError
        If no broker answers, or it has no such topic.
    """

    def __init__(self, settings: Settings, gate: Gate | None = None):
        self._settings = settings
        self._topic_id, topic = await_topic(settings, topic_id), await_topic(settings, describe_topic)
        self._gate = gate or Gate()
        self._queued = 0  # records, those that were sent twice counted twice
        self._sent_twice = 0
        self._settled = 0  # records that the broker has confirmed or refused
        self._settled_at = time.monotonic()  # when it last did, or nothing waited for it
        self._undelivered = 0
        self._loss = None  # why the first of these was lost
        self._connection_error = None
        self._doubtful = deque()  # values of records whose batch was refused
        self._refused = 0
        self._first_refusal = None  # the broker's words, and the value
        config = client_config(settings.broker_access)
        self._signer = config.get("oauth_cb")
        self._config = config | {
            "enable.idempotence": True,
            "compression.type": "lz4",
            # A device's records go where the Java clients of other gateways would put them.
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.num.messages": QUEUE,
            # A broker refuses a batch that is larger than the topic takes, whole.
            "batch.size": min(BATCH_BYTES, topic.batch_bytes),
            "queue.buffering.max.messages": QUEUE,
            # Records that time out one by one would leave gaps, with newer ones behind them in the topic, and `--again`
            # relies on there being none. So none does, and `_check_delivery` looks after the time.
            "message.timeout.ms": 0,
            # A call into Python for each of a million delivered readings is a second spent on nothing.
            "delivery.report.only.error": True,
            "error_cb": self._remember_connection_error,
        }
        self._producer = Producer(self._config | {"on_delivery": self._note_refusal_of_batch})
        self._one_by_one = None

    def __enter__(self) -> "ReadingProducer":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self.finish()
            else:
                self._purge(1)
        finally:
            # One that is only forgotten goes on signing in for as long as something, a traceback perhaps, refers to it.
            for producer in self._producers():
                producer.close()

    @property
    def delivery(self) -> Delivery:
        """What has become of the readings, after `finish`."""
        return Delivery(self._sent, self._gate.kept_out)

    def send(self, readings: pa.Table) -> None:
        """Queue readings, in their order; what is queued is sent meanwhile.

        Parameters
        ----------
        readings : pa.Table
            Of `READING_SCHEMA`; deviceIDs of their form.

        Raises
        ------
        PvfaultError
            If readings, these or earlier ones, could not be delivered.
        """
        for batch in self._gate.let_through(readings).to_batches(max_chunksize=BATCH):
            self._producer.poll(0)
            self._check_delivery()
            self._send_one_by_one()  # now, because they are older than what follows
            records = zip(encode_keys(batch), encode(batch), record_timestamps(batch), strict=True)
            self._produce(self._producer, records)

    def finish(self) -> int:
        """Wait until all have been delivered.

        Returns
        -------
        int
            Number of readings delivered in all.

        Raises
        ------
        PvfaultError
            If some were not.
        """
        self._wait(self._producer)
        self._send_one_by_one()
        self._check_refusals()
        if self._topic_is_another():
            raise PvfaultError(self._words_on_another_topic())
        return self._sent

    @property
    def _sent(self):
        """Number of readings that were given to the broker."""
        return self._queued - self._sent_twice

    def _producers(self):
        return [producer for producer in (self._producer, self._one_by_one) if producer]

    def _produce(self, producer: Producer, records: Iterable[tuple[bytes, bytes, int]]):
        """Queue records, each key, value and timestamp; wait where the queue is full."""
        produce, topic = producer.produce, self._settings.topic
        for key, value, timestamp in records:
            while True:
                try:
                    produce(topic, value, key, timestamp=timestamp)
                    break
                except BufferError:
                    self._wait(producer, at_most=QUEUE - 1)
                except KafkaException as error:  # an idempotent producer that has met a fatal error refuses more
                    self._give_up((self._loss or error.args[0]).str())
            self._queued += 1

    def _wait(self, producer: Producer, *, at_most: int = 0):
        """Wait until no more than so many records wait for the broker."""
        while len(producer) > at_most:
            producer.poll(0.05)
            self._check_delivery()
        self._check_delivery()

    def _send_one_by_one(self):
        """Send the records of refused batches once more, each as a batch of its own: now the refused one is known."""
        if not self._doubtful:
            return
        if self._one_by_one is None:
            config = self._config | {"batch.num.messages": 1, "on_delivery": self._note_refusal}
            self._one_by_one = Producer(config)
        self._produce(self._one_by_one, self._take_doubtful())
        self._wait(self._one_by_one)

    def _take_doubtful(self):
        """Records of refused batches, oldest first."""
        while self._doubtful:
            self._sent_twice += 1
            yield _record(self._doubtful.popleft())

    def _check_delivery(self):
        """Give up once a reading was not delivered, or none for long that waits for it."""
        if self._undelivered:
            self._give_up(self._loss.str())
        waiting = sum(len(producer) for producer in self._producers())
        settled = self._queued - waiting
        if not waiting or settled > self._settled:
            self._settled, self._settled_at = settled, time.monotonic()
        elif time.monotonic() - self._settled_at > DELIVERY_TIMEOUT_S:
            self._give_up(f"no answer for {DELIVERY_TIMEOUT_S} s")

    def _give_up(self, reason: str):
        """Take back what waits, and say how many did not arrive."""
        self._purge(DELIVERY_TIMEOUT_S)
        if self._topic_is_another():
            raise PvfaultError(self._words_on_another_topic())
        if self._connection_error:
            reason += f"; {self._connection_error.str()}"
        if self._signer and self._signer.error:
            reason += f"; {self._signer.error}"
        missing = self._undelivered + len(self._doubtful) + self._refused
        raise PvfaultError(
            f"{missing:,} of {self._sent:,} readings sent to the topic {self._settings.topic!r} were not confirmed by "
            f"the broker at {self._settings.broker} ({reason}). What has arrived stays there. Look after the broker "
            "(`pvfault broker status`) and send the same readings again, with --again if it is asked for; what has "
            "arrived twice is removed at ingest."
        )

    def _purge(self, timeout_s):
        """Take back what waits."""
        for producer in self._producers():
            producer.purge()
            producer.flush(timeout_s)

    def _check_refusals(self):
        """Say how many readings the broker does not want."""
        if not self._refused:
            return
        error, value = self._first_refusal
        device, time_ms = read_device_and_time(value)
        raise PvfaultError(
            f"The broker at {self._settings.broker} refused {self._refused:,} of {self._sent:,} readings "
            f"({error.str()}), the first of {device.decode()} at {_utc(time_ms)}; the others have arrived. The "
            "topic takes no record that is too old or ahead of the broker's clock (message.timestamp.before.max.ms, "
            f"message.timestamp.after.max.ms), and this machine's clock says {_utc(now_ms())}. Compare the two clocks, "
            "set the one that is wrong, and send the same readings again; what has arrived twice is removed at ingest."
        )

    def _topic_is_another(self):
        """Whether the topic has been deleted since the beginning, and perhaps created anew."""
        # A broker that has confirmed all and is gone now, or that was gone before, says nothing of its topics.
        with contextlib.suppress(PvfaultError, KafkaException):
            return topic_id(self._settings) != self._topic_id
        return False

    def _words_on_another_topic(self):
        return (
            f"The topic {self._settings.topic!r} at {self._settings.broker} was deleted while readings were sent: what "
            f"had arrived of these {self._sent:,} by then is gone. Find out who did it, and send them all again."
        )

    def _note_refusal_of_batch(self, error, message):
        if error.code() in _BATCH_REFUSED:
            self._doubtful.append(message.value())
        else:
            self._note_loss(error)

    def _note_refusal(self, error, message):
        if error.code() in _BATCH_REFUSED:
            self._refused += 1
            self._first_refusal = self._first_refusal or (error, message.value())
        else:
            self._note_loss(error)

    def _note_loss(self, error):
        self._undelivered += 1
        self._loss = self._loss or error

    def _remember_connection_error(self, error):
        # "All brokers down" only says that the error before it happened with each of them.
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._connection_error = error


def _record(value):
    """Key, value and timestamp of a record, from its value."""
    device, time_ms = read_device_and_time(value)
    return device, value, min(time_ms, now_ms())


def _utc(time_ms):
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
