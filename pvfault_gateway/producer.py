"""Send readings to Kafka: key = deviceID, value = Avro, record timestamp = the reading's.

Here: the encoding, and a producer that loses nothing without saying so. Not here: where readings come from
(`replay.py`, `simulate.py`), in which order they may be sent (`topics.check_order`).
"""

import struct
import time

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Producer

from pvfault.errors import PvfaultError
from pvfault.readings import (
    AVRO_FIRST_BYTE,
    AVRO_LENGTH,
    DEVICE_ID,
    DEVICE_ID_LENGTH,
    MEASUREMENTS,
    READING_SCHEMA,
    TIMESTAMP,
)
from pvfault.settings import Settings
from pvfault_gateway.topics import client_config, connect

# Readings that are encoded at a time: 3 MB, and a progress bar that moves several times a second.
BATCH = 50_000

# With 1 M instead of 200,000 messages in the queue the producer takes 1.7 times as long (2 cores, 1 M readings).
QUEUE = 200_000

# What a broker that went away in the middle is waited for, before the readings in the queue count as undelivered.
DELIVERY_TIMEOUT_S = 20

_MEASUREMENTS_LENGTH = 4 * len(MEASUREMENTS)
_TIMESTAMP_AT = 1 + DEVICE_ID_LENGTH
_NORMAL_TIMESTAMP_LENGTH = AVRO_LENGTH - _TIMESTAMP_AT - _MEASUREMENTS_LENGTH


class ReadingProducer:
    """A producer of readings, to be used as a context; leaving it waits until all have been delivered.

    `produce_batch` of confluent_kafka would be faster, but cannot set a record's timestamp.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`, which exists.

    Raises
    ------
    PvfaultError
        If no broker answers.
    """

    def __init__(self, settings: Settings):
        connect(settings)
        self._topic = settings.topic
        self._broker = settings.broker
        self._sent = 0
        self._undelivered = 0
        self._reason = None
        self._connection_error = None
        config = client_config(settings.broker_access)
        self._signer = config.get("oauth_cb")
        self._producer = Producer(
            config
            | {
                "enable.idempotence": True,
                "compression.type": "lz4",
                # A device's records go where the Java clients of other gateways would put them.
                "partitioner": "murmur2_random",
                "linger.ms": 50,
                "batch.num.messages": QUEUE,
                "queue.buffering.max.messages": QUEUE,
                "message.timeout.ms": DELIVERY_TIMEOUT_S * 1000,
                # A call into Python for each of a million delivered readings is a second spent on nothing.
                "delivery.report.only.error": True,
                "on_delivery": self._count_undelivered,
                "error_cb": self._remember_connection_error,
            }
        )

    def __enter__(self) -> "ReadingProducer":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self.finish()
            else:
                self._producer.purge()
                self._producer.flush(1)
        finally:
            # One that is only forgotten goes on signing in for as long as something, a traceback perhaps, refers to it.
            self._producer.close()

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
        for batch in readings.to_batches(max_chunksize=BATCH):
            self._produce(encode_keys(batch), encode(batch), record_timestamps(batch))
            self._producer.poll(0)
            self._check_delivery()

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
        # Each message in the queue is delivered or reported within its own timeout, so this ends.
        while self._producer.flush(1) and not self._undelivered:
            pass
        self._check_delivery()
        return self._sent

    def _produce(self, keys, values, timestamps):
        """Queue records; wait where the queue is full."""
        produce, topic = self._producer.produce, self._topic
        for key, value, timestamp in zip(keys, values, timestamps, strict=True):
            while True:
                try:
                    produce(topic, value, key, timestamp=timestamp)
                    break
                except BufferError:
                    self._producer.poll(0.05)
                    self._check_delivery()
                except KafkaException as error:  # an idempotent producer that has met a fatal error refuses more
                    self._count_undelivered(error.args[0], None)
                    self._check_delivery()
            self._sent += 1

    def _check_delivery(self):
        """Give up once a reading was not delivered: take back what waits, and say how many did not arrive."""
        if not self._undelivered:
            return
        self._producer.purge()
        self._producer.flush(DELIVERY_TIMEOUT_S)
        reason = self._reason.str()
        if self._connection_error:
            reason += f"; {self._connection_error.str()}"
        if self._signer and self._signer.error:
            reason += f"; {self._signer.error}"
        raise PvfaultError(
            f"{self._undelivered:,} of {self._sent:,} readings sent to the topic {self._topic!r} were not confirmed by "
            f"the broker at {self._broker} ({reason}). What has arrived stays there. Look after the broker "
            "(`pvfault broker status`) and send the same readings again with --again; what has arrived twice is "
            "removed at ingest."
        )

    def _count_undelivered(self, error, _message):
        self._undelivered += 1
        self._reason = self._reason or error

    def _remember_connection_error(self, error):
        # "All brokers down" only says that the error before it happened with each of them.
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._connection_error = error


def encode(readings: pa.RecordBatch) -> list[bytes]:
    """Each reading as plain Avro binary of `AVRO_SCHEMA`, without any framing.

    Parameters
    ----------
    readings : pa.RecordBatch
        Of `READING_SCHEMA`.

    Returns
    -------
    list of bytes
        `AVRO_LENGTH` each, for timestamps between July 1970 and September 2039.

    Raises
    ------
    ValueError
        If a deviceID is not of `DEVICE_ID_LENGTH` bytes.
    """
    timestamps = _milliseconds(readings)
    zigzag = ((timestamps << 1) ^ (timestamps >> 63)).view(np.uint64)
    # Seven bits of the number in each byte.
    lengths = 1 + sum((zigzag >> np.uint64(7 * i) > 0).astype(np.int8) for i in range(1, 10))
    devices, measurements = _device_bytes(readings), _measurement_bytes(readings)
    if (lengths == _NORMAL_TIMESTAMP_LENGTH).all():
        return _encode_equally_long(devices, zigzag, measurements, _NORMAL_TIMESTAMP_LENGTH)
    values = np.empty(len(timestamps), dtype=object)
    for length in np.unique(lengths):
        rows = lengths == length
        values[rows] = _encode_equally_long(devices[rows], zigzag[rows], measurements[rows], int(length))
    return values.tolist()


def encode_keys(readings: pa.RecordBatch) -> list[bytes]:
    """Each reading's Kafka key: the bytes of its deviceID."""
    return _rows(_device_bytes(readings))


def record_timestamps(readings: pa.RecordBatch) -> list[int]:
    """Each reading's Kafka timestamp, in milliseconds.

    It is the reading's own, but never ahead of our clock: Kafka finds a date by the first record at or after it, so one
    from the future would hide all that follow. Ingest meets such a reading among today's, and puts it aside. Nor is it
    before 1970, which Kafka has no number for.
    """
    return np.clip(_milliseconds(readings), 1, int(time.time() * 1000)).tolist()


def _encode_equally_long(devices, zigzag, measurements, timestamp_length):
    """Avro of readings whose timestamps take the same number of bytes: one array, cut into rows."""
    measurements_at = _TIMESTAMP_AT + timestamp_length
    values = np.empty((len(zigzag), measurements_at + _MEASUREMENTS_LENGTH), np.uint8)
    values[:, 0] = AVRO_FIRST_BYTE
    values[:, 1:_TIMESTAMP_AT] = devices
    for i in range(timestamp_length):
        more = 0x80 if i < timestamp_length - 1 else 0
        values[:, _TIMESTAMP_AT + i] = ((zigzag >> np.uint64(7 * i)) & np.uint64(0x7F)) | np.uint64(more)
    values[:, measurements_at:] = measurements
    return _rows(values)


def _rows(values):
    """Each row of a byte array as bytes."""
    return [row for (row,) in struct.iter_unpack(f"{values.shape[1]}s", values.tobytes())]


def _milliseconds(readings):
    """Timestamps as whole milliseconds since 1970, of which a part is dropped."""
    return readings[TIMESTAMP].cast(pa.int64()).to_numpy() // 1000


def _device_bytes(readings):
    """DeviceIDs as an array of bytes, one row each."""
    devices = readings[DEVICE_ID].cast(READING_SCHEMA.field(DEVICE_ID).type)
    _, offsets, data = devices.buffers()
    ends = np.frombuffer(offsets, np.int32)[devices.offset : devices.offset + len(devices) + 1]
    if devices.null_count or (np.diff(ends) != DEVICE_ID_LENGTH).any():
        raise ValueError(f"a deviceID has {DEVICE_ID_LENGTH} characters; check them before readings are sent")
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(-1, DEVICE_ID_LENGTH)


def _measurement_bytes(readings):
    """Measurements as an array of little-endian bytes, one row each."""
    columns = [readings[name].to_numpy(zero_copy_only=False).astype("<f4", copy=False) for name in MEASUREMENTS]
    return np.column_stack(columns).view(np.uint8).reshape(-1, _MEASUREMENTS_LENGTH)
