"""Records of the topic to readings, and why some are none.

Here: the Avro, the form of a deviceID, and times that a clock cannot have meant. Not here: values (`ingest_readings.py`
counts implausible ones, `pvfault.windows` judges them), duplicates and dates.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.dates import midnight_ms
from pvfault.readings import (
    AHEAD_OF_RECORD,
    AVRO_FIRST_BYTE,
    AVRO_HEADER,
    AVRO_LENGTH,
    AVRO_MARKER,
    AVRO_SCHEMA_ID,
    BEHIND_RECORD,
    DEVICE_ID_LENGTH,
    MEASUREMENTS,
)

# What Avro writes of a reading, byte by byte: every part of a whole reading has its own place.
_TIME_LENGTH = AVRO_LENGTH - 1 - DEVICE_ID_LENGTH - 4 * len(MEASUREMENTS)
_LAYOUT = np.dtype(
    [
        ("first", np.uint8),
        ("device", f"V{DEVICE_ID_LENGTH}"),
        ("time", np.uint8, _TIME_LENGTH),
        ("measurements", "<f4", len(MEASUREMENTS)),
    ]
)
_IN_DEVICE_ID = np.zeros(256, bool)
_IN_DEVICE_ID[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"]] = True

_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)

# Why a record is none, in the order in which it is asked.
_READING, _NOT_SHAPED, _NOT_DECODED, _NOT_NAMED, _AHEAD, _BEHIND, _OUT_OF_SPAN = range(7)


@dataclass(frozen=True)
class Span:
    """The times that a reading may have, where both its own and its record's come from the same wrong clock.

    Attributes
    ----------
    first_ms, last_ms : int
        Since 1970, both included. [ms]
    """

    first_ms: int
    last_ms: int

    @classmethod
    def around(cls, day: date, now: datetime) -> "Span":
        """From 30 days before a date to the present."""
        last = now + AHEAD_OF_RECORD
        return cls(midnight_ms(day) - BEHIND_RECORD // _MILLISECOND, int(last.timestamp() * 1000))


@dataclass(frozen=True)
class Readings:
    """The readings among some records, in the records' order.

    Attributes
    ----------
    is_reading : ndarray of bool, shape (n_records,)
    devices : list of bytes
        DeviceIDs, each once.
    device : ndarray of int, shape (n,)
        Position of each reading's own in `devices`.
    time_ms : ndarray of int64, shape (n,)
        Since 1970. [ms]
    measurements : ndarray of float32, shape (n, 4)
        In the order of `MEASUREMENTS`.
    """

    is_reading: np.ndarray
    devices: list[bytes]
    device: np.ndarray
    time_ms: np.ndarray
    measurements: np.ndarray


def decode(records: pa.RecordBatch, span: Span) -> Readings:
    """Take the readings out of records.

    Parameters
    ----------
    records : pa.RecordBatch
        With `value` and `timestamp` as `Topic.read` gives them.
    span : Span
        Of the times that a reading may have.

    Returns
    -------
    Readings
    """
    finding, value, time_ms = _look_into(records, span)
    is_reading = finding == _READING
    if not is_reading.all():
        of_value = is_reading[finding != _NOT_SHAPED]
        value, time_ms = value[of_value], time_ms[of_value]
    devices, device = _distinct(value["device"])
    return Readings(is_reading, devices, device, time_ms, value["measurements"])


def find_rejection_reasons(records: pa.RecordBatch, span: Span) -> pa.Array:
    """Say of each record why it is no reading, null if it is one.

    Parameters
    ----------
    records : pa.RecordBatch
    span : Span
        As for `decode`.

    Returns
    -------
    pa.StringArray
    """
    finding, _, time_ms = _look_into(records, span)
    claimed_ms = np.zeros(len(finding), np.int64)
    claimed_ms[finding != _NOT_SHAPED] = time_ms
    values = records.column("value").to_pylist()
    reasons = [_reason(*facts) for facts in zip(finding, values, claimed_ms.tolist(), strict=True)]
    return pa.array(reasons, pa.string())


def _look_into(records, span):
    """What each record was found to be, and value and time [ms] of those that have a reading's shape."""
    shaped, value = _values(records.column("value"))
    time_ms, decodes = _times(value["time"])
    record_ms = records.column("timestamp").cast(pa.int64()).to_numpy()[shaped] // 1000
    devices, device = _distinct(value["device"])
    bytes_of = np.frombuffer(b"".join(devices), np.uint8).reshape(-1, DEVICE_ID_LENGTH)
    finding = np.full(len(shaped), _NOT_SHAPED, np.int8)
    finding[shaped] = np.select(
        [
            ~decodes,
            ~_IN_DEVICE_ID[bytes_of].all(axis=1)[device],
            time_ms > record_ms + AHEAD_OF_RECORD // _MILLISECOND,
            time_ms < record_ms - BEHIND_RECORD // _MILLISECOND,
            (time_ms < span.first_ms) | (time_ms > span.last_ms),
        ],
        [_NOT_DECODED, _NOT_NAMED, _AHEAD, _BEHIND, _OUT_OF_SPAN],
        _READING,
    )
    return finding, value, time_ms


def _values(column):
    """Which values of a binary column have a reading's shape, and these as an array of `_LAYOUT`."""
    length = pc.fill_null(pc.binary_length(column), 0).to_numpy()
    shaped = length == AVRO_LENGTH
    with_header = length == len(AVRO_HEADER) + AVRO_LENGTH
    if with_header.any():
        shaped |= with_header & pc.fill_null(pc.starts_with(column, AVRO_HEADER), False).to_numpy(zero_copy_only=False)
        column = pc.binary_slice(column, -AVRO_LENGTH)
    value = _as_layout(column if shaped.all() else column.filter(pa.array(shaped)))
    begins = value["first"] == AVRO_FIRST_BYTE
    if not begins.all():
        shaped[shaped] = begins
        value = value[begins]
    return shaped, value


def _as_layout(column):
    """Values of a reading's length as an array of `_LAYOUT`."""
    if not len(column):
        return np.empty(0, _LAYOUT)
    _, offsets, data = column.buffers()
    return np.frombuffer(data, _LAYOUT, len(column), np.frombuffer(offsets, np.int32)[column.offset])


def _times(digits):
    """Milliseconds of Avro's zigzag varints of six bytes, and which of them are of six bytes."""
    goes_on = digits >= 0x80
    decodes = goes_on[:, :-1].all(axis=1) & ~goes_on[:, -1]
    number = np.zeros(len(digits), np.int64)
    for place in range(_TIME_LENGTH):  # seven bits of the number in each byte
        number |= (digits[:, place] & 0x7F).astype(np.int64) << (7 * place)
    return (number >> 1) ^ -(number & 1), decodes


def _distinct(devices):
    """DeviceIDs, each once, and the position of each row's own among them."""
    column = pa.Array.from_buffers(pa.binary(DEVICE_ID_LENGTH), len(devices), [None, pa.py_buffer(devices.tobytes())])
    encoded = column.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def _reason(finding, value, claimed_ms):
    """A finding in words, None for a reading."""
    if finding == _NOT_SHAPED:
        return _misshapen(value or b"")
    claimed = _EPOCH + claimed_ms * _MILLISECOND
    return {
        _NOT_DECODED: "the Avro does not decode",
        _NOT_NAMED: "deviceID is not 10 letters and digits",
        _AHEAD: f"timestamp in the future: {claimed}",
        _BEHIND: f"timestamp more than 30 days before its record's: {claimed}",
        _OUT_OF_SPAN: f"timestamp more than 30 days before the records around it, or in the future: {claimed}",
    }.get(finding)


def _misshapen(value):
    """What is wrong with bytes that do not have a reading's shape."""
    schema_id = value[len(AVRO_MARKER) : len(AVRO_HEADER)]
    if value.startswith(AVRO_MARKER) and len(value) >= len(AVRO_HEADER) and schema_id != AVRO_SCHEMA_ID:
        return f"written with the Avro schema {schema_id.hex()}; a reading's is {AVRO_SCHEMA_ID.hex()}"
    return (
        f"{len(value)} bytes that are no reading, which has {AVRO_LENGTH} and begins with {AVRO_FIRST_BYTE:#x}, alone "
        f"or behind {len(AVRO_HEADER)} with its schema's id: cut off, of another schema, or with a deviceID that is "
        "not 10 characters"
    )
