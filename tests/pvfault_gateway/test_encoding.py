"""Encoding: Avro that another library reads, under the right key and time."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pvfault.readings import MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault_gateway.encoding import encode, encode_keys, read_device_and_time, record_timestamps
from tests.pvfault_gateway.helpers import NOON, make_readings, write_with_fastavro


def random_batch(timestamps_ms, seed=0):
    """Readings with random IDs at given times, whose measurements take every form that a float32 has."""
    generator = np.random.default_rng(seed)
    count = len(timestamps_ms)
    letters = np.array(list("ABCXYZabcxyz0189"))
    bits = generator.integers(0, 2**32, (len(MEASUREMENTS), count), dtype=np.uint32)
    measurements = bits.view(np.float32)
    measurements[np.isnan(measurements)] = np.nan  # of its many forms Python keeps only some
    measurements[:, :4] = [np.nan, np.inf, -np.inf, -0.0][:count]
    columns = [
        pa.array(["".join(row) for row in generator.choice(letters, (count, 10))]),
        pa.array(timestamps_ms * 1000 + 999, TIMESTAMP_TYPE),
        *(pa.array(row) for row in measurements),
    ]
    return pa.record_batch(columns, schema=READING_SCHEMA)


def test_a_reading_has_the_bytes_that_fastavro_writes():
    ends = np.array(["1971-01-01", "2039-09-01"], "datetime64[ms]").astype(np.int64)
    batch = random_batch(np.append(np.random.default_rng(1).integers(*ends, 500), [2**34, 2**41 - 1, *ends]))
    expected = [write_with_fastavro(row) for row in batch.to_pylist()]
    assert encode(batch) == expected
    assert encode(batch.slice(17, 100)) == expected[17:117]
    assert encode(batch.slice(0, 0)) == []


@pytest.mark.parametrize("milliseconds", [-1, 0, 2**34 - 1, 2**41])
def test_a_time_by_which_ingest_would_not_know_a_reading_is_never_encoded(milliseconds):
    with pytest.raises(ValueError, match="July 1970 to September 2039"):
        encode(random_batch(np.array([milliseconds])))


def test_device_and_time_of_a_record_can_be_read_back():
    batch = random_batch(np.array([2**34, 1_717_243_200_123, 2**41 - 1]))
    assert [read_device_and_time(value) for value in encode(batch)] == [
        (row["deviceID"].encode(), int(row["timestamp"].timestamp() * 1000)) for row in batch.to_pylist()
    ]


@pytest.mark.parametrize("device", ["INV1", "INV00000012", "ÏNV000001é", ""])
def test_a_device_id_of_another_length_is_never_encoded(device):
    """Cut or padded it would be somebody else's."""
    batch = make_readings([NOON], devices=[device]).to_batches()[0]
    with pytest.raises(ValueError, match="10 characters"):
        encode_keys(batch)


def test_a_records_time_is_never_ahead_of_the_clock():
    now = datetime.now(UTC)
    own, future = record_timestamps(make_readings([NOON, now + timedelta(minutes=4)]).to_batches()[0])
    assert own == NOON.timestamp() * 1000
    assert now.timestamp() * 1000 - 1 <= future <= datetime.now(UTC).timestamp() * 1000
