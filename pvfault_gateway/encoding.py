"""Readings as records of Kafka: key = deviceID, value = Avro under its schema's id, timestamp = the reading's.

Whole batches become bytes at a time. The schema and its id are in `pvfault.readings`, and records are taken apart again
in `spark_jobs/decode.py`.
"""

import struct
import time

import numpy as np
import pyarrow as pa

from pvfault.readings import (
    AVRO_FIRST_BYTE,
    AVRO_HEADER,
    AVRO_LENGTH,
    DEVICE_ID,
    DEVICE_ID_LENGTH,
    MEASUREMENTS,
    READING_SCHEMA,
    TIMESTAMP,
)

_MEASUREMENTS_LENGTH = 4 * len(MEASUREMENTS)
_DEVICE_AT = len(AVRO_HEADER) + 1
_TIMESTAMP_AT = _DEVICE_AT + DEVICE_ID_LENGTH
_MEASUREMENTS_AT = len(AVRO_HEADER) + AVRO_LENGTH - _MEASUREMENTS_LENGTH
_TIMESTAMP_LENGTH = _MEASUREMENTS_AT - _TIMESTAMP_AT


def encode(readings: pa.RecordBatch) -> list[bytes]:
    """Each reading in Avro's single-object encoding: the id of `AVRO_SCHEMA`, then its binary.

    Parameters
    ----------
    readings : pa.RecordBatch
        Of `READING_SCHEMA`.

    Returns
    -------
    list of bytes

    Raises
    ------
    ValueError
        If a deviceID is not of `DEVICE_ID_LENGTH` bytes, or a timestamp not of the years in which a reading has
        `AVRO_LENGTH` bytes: ingest would not know it for a reading.
    """
    # Avro's zigzag: the sign is the last bit.
    zigzag = milliseconds(readings) << 1
    if ((zigzag < 1 << 7 * (_TIMESTAMP_LENGTH - 1)) | (zigzag >= 1 << 7 * _TIMESTAMP_LENGTH)).any():
        raise ValueError("a timestamp is of July 1970 to September 2039; keep others out before readings are sent")
    values = np.empty((len(zigzag), len(AVRO_HEADER) + AVRO_LENGTH), np.uint8)
    values[:, : len(AVRO_HEADER)] = np.frombuffer(AVRO_HEADER, np.uint8)
    values[:, len(AVRO_HEADER)] = AVRO_FIRST_BYTE
    values[:, _DEVICE_AT:_TIMESTAMP_AT] = _device_bytes(readings)
    for i in range(_TIMESTAMP_LENGTH):  # seven bits of the number in each byte, the eighth says that more follow
        more = 0x80 if i < _TIMESTAMP_LENGTH - 1 else 0
        values[:, _TIMESTAMP_AT + i] = (zigzag >> 7 * i) & 0x7F | more
    values[:, _MEASUREMENTS_AT:] = _measurement_bytes(readings)
    return _rows(values)


def encode_keys(readings: pa.RecordBatch) -> list[bytes]:
    """Each reading's Kafka key: the bytes of its deviceID."""
    return _rows(_device_bytes(readings))


def record_timestamps(readings: pa.RecordBatch) -> list[int]:
    """Each reading's Kafka timestamp, in milliseconds.

    It is the reading's own, but never ahead of our clock: so ingest sees that a device's clock is, and by how much.
    """
    return np.minimum(milliseconds(readings), now_ms()).tolist()


def now_ms() -> int:
    """Tell the time by our clock, in milliseconds since 1970."""
    return int(time.time() * 1000)


def milliseconds(readings: pa.RecordBatch | pa.Table) -> np.ndarray:
    """Timestamps as whole milliseconds since 1970, of which a part is dropped."""
    return readings[TIMESTAMP].cast(pa.int64()).to_numpy() // 1000


def read_device_and_time(value: bytes) -> tuple[bytes, int]:
    """DeviceID, and timestamp in milliseconds since 1970, of one reading that `encode` has made."""
    digits = value[_TIMESTAMP_AT:_MEASUREMENTS_AT]
    return value[_DEVICE_AT:_TIMESTAMP_AT], sum((digit & 0x7F) << 7 * i for i, digit in enumerate(digits)) >> 1


def _rows(values):
    """Each row of a byte array as bytes."""
    return [row for (row,) in struct.iter_unpack(f"{values.shape[1]}s", values.tobytes())]


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
