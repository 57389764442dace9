"""Decoding: against fastavro, which reads the schema where we read fixed places."""

import io
from datetime import UTC, datetime, timedelta

import fastavro
import numpy as np
import pyarrow as pa
import pytest

from pvfault.readings import AVRO_HEADER, AVRO_SCHEMA, MEASUREMENTS
from spark_jobs.decode import Span, decode, find_rejection_reasons
from tests.spark_jobs.helpers import avro

AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
ANY_TIME = Span(0, 2**62)


def records_of(values, at=AT):
    return pa.record_batch(
        [pa.array(values, pa.binary()), pa.array([at] * len(values), pa.timestamp("us", tz="UTC"))],
        names=["value", "timestamp"],
    )


def random_values(n, seed=0):
    random = np.random.default_rng(seed)
    devices = [f"DEV{number:07d}" for number in range(7)]
    return [
        avro(devices[random.integers(7)], AT - timedelta(milliseconds=int(random.integers(0, 86_400_000))), *values)
        for values in random.normal(0, 1e3, (n, 4)).tolist()
    ]


def test_readings_are_what_fastavro_reads():
    values = random_values(500)
    found = decode(records_of(values), ANY_TIME)
    expected = [fastavro.schemaless_reader(io.BytesIO(value), fastavro.parse_schema(AVRO_SCHEMA)) for value in values]
    assert found.is_reading.all()
    assert len(set(found.devices)) == len(found.devices) == 7
    assert [found.devices[device].decode() for device in found.device] == [row["deviceID"] for row in expected]
    assert [datetime.fromtimestamp(ms / 1000, UTC) for ms in found.time_ms.tolist()] == [
        row["timestamp"] for row in expected
    ]
    np.testing.assert_array_equal(found.measurements, [[row[name] for name in MEASUREMENTS] for row in expected])
    assert find_rejection_reasons(records_of(values), ANY_TIME).null_count == len(values)


def test_what_is_no_reading_does_not_move_the_readings_beside_it():
    """One record too short among fixed places, and every later one would be read from the wrong place."""
    values = random_values(40)
    mixed = [
        bad for value in values for bad in (b"", value, None, value[:-1], b"\xff" * 33, value + b"\0", value[:32] + b"")
    ]
    found, alone = decode(records_of(mixed), ANY_TIME), decode(records_of(values), ANY_TIME)
    assert found.is_reading.tolist() == [i % 7 == 1 for i in range(len(mixed))]
    np.testing.assert_array_equal(found.time_ms, alone.time_ms)
    np.testing.assert_array_equal(found.measurements, alone.measurements)
    assert [found.devices[i] for i in found.device] == [alone.devices[i] for i in alone.device]
    assert find_rejection_reasons(records_of(mixed), ANY_TIME).is_null().to_pylist() == found.is_reading.tolist()


def with_id(value, schema=AVRO_SCHEMA):
    """A reading in Avro's single-object encoding, under the id that fastavro gives a schema."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")) + value


def test_readings_with_the_schemas_id_and_without_are_the_same_also_beside_each_other():
    values = random_values(60)
    alone = decode(records_of(values), ANY_TIME)
    framed = [with_id(value) for value in values]
    mixed = [framed[i] if i % 3 else value for i, value in enumerate(values)]
    for sent in (framed, mixed):
        found = decode(records_of(sent), ANY_TIME)
        assert found.is_reading.all()
        np.testing.assert_array_equal(found.time_ms, alone.time_ms)
        np.testing.assert_array_equal(found.measurements, alone.measurements)
        assert [found.devices[i] for i in found.device] == [alone.devices[i] for i in alone.device]
        np.testing.assert_array_equal(
            decode(records_of(sent).slice(7, 30), ANY_TIME).measurements, alone.measurements[7:37]
        )


def test_another_schema_of_the_same_bytes_is_no_reading_and_both_ids_are_told():
    """Its voltage and current would pass for each other's."""
    fields = AVRO_SCHEMA["fields"]
    swapped = AVRO_SCHEMA | {"fields": [*fields[:2], fields[3], fields[2], *fields[4:]]}
    (value,) = random_values(1)
    foreign = with_id(value, swapped)
    assert len(foreign) == len(with_id(value))
    ours, theirs = with_id(b"")[2:].hex(), foreign[2:10].hex()
    records = records_of([value, foreign, with_id(value), foreign[:20]])
    assert decode(records, ANY_TIME).is_reading.tolist() == [True, False, True, False]
    reason = f"written with the Avro schema {theirs}; a reading's is {ours}"
    assert find_rejection_reasons(records, ANY_TIME).to_pylist() == [None, reason, None, reason]


def test_what_only_begins_like_a_reading_with_an_id_is_none():
    (value,) = random_values(1)
    cut = [AVRO_HEADER, AVRO_HEADER + value[:-1], AVRO_HEADER[:9] + value, b"\xc3\x01" + b"\xff" * 31, AVRO_HEADER * 4,
           AVRO_HEADER[:5], b"\0" * 10 + value]  # fmt: skip
    mixed = [sent for bad in cut for sent in (bad, with_id(value))]
    records = records_of(mixed)
    assert decode(records, ANY_TIME).is_reading.tolist() == [False, True] * len(cut)
    assert find_rejection_reasons(records, ANY_TIME).is_null().to_pylist() == [False, True] * len(cut)


def test_a_part_of_a_batch_is_decoded_as_if_it_were_alone():
    values = [b"short", *random_values(20)]
    part = records_of(values).slice(3, 9)
    np.testing.assert_array_equal(
        decode(part, ANY_TIME).measurements, decode(records_of(values[3:12]), ANY_TIME).measurements
    )
    assert decode(records_of(values).slice(0, 1), ANY_TIME).time_ms.shape == (0,)
    assert decode(records_of([]), ANY_TIME).is_reading.shape == (0,)


@pytest.mark.parametrize(
    ("time", "refused"),
    [
        (AT + timedelta(minutes=5), None),
        (AT + timedelta(minutes=5, milliseconds=1), "timestamp in the future: 2024-06-01 12:05:00.001"),
        (AT - timedelta(days=30), None),
        (
            AT - timedelta(days=30, milliseconds=1),
            "timestamp more than 30 days before its record's: 2024-05-02",
        ),
    ],
)
def test_a_clock_may_differ_from_its_record_by_so_much(time, refused):
    (reason,) = find_rejection_reasons(records_of([avro("DEV0000001", time)]), ANY_TIME).to_pylist()
    assert (reason is None) if refused is None else reason.startswith(refused)


@pytest.mark.parametrize("place", range(6))
def test_a_time_of_another_number_of_bytes_does_not_decode(place):
    value = bytearray(avro("DEV0000001", AT))
    value[11 + place] ^= 0x80
    assert find_rejection_reasons(records_of([bytes(value)]), ANY_TIME).to_pylist() == ["the Avro does not decode"]


@pytest.mark.parametrize("device", ["DEV-000001", "DEV000000 ", "DEVé00001", "DEV0000\x0000"])
def test_a_device_has_letters_and_digits_alone(device):
    assert find_rejection_reasons(records_of([avro(device, AT)]), ANY_TIME).to_pylist() == [
        "deviceID is not 10 letters and digits"
    ]
