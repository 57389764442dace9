"""What a reading is: its limits, its Avro form."""

import io
import json
import re
from datetime import UTC, datetime

import fastavro
import numpy as np
import pytest

from pvfault.readings import (
    AVRO_FIRST_BYTE,
    AVRO_HEADER,
    AVRO_LENGTH,
    AVRO_SCHEMA,
    DEVICE_ID_PATTERN,
    PLAUSIBLE,
    is_plausible,
)

GOOD = np.array([500.0, 7.0, 40.0, 800.0], np.float32)


def written(device="INV0000001", milliseconds=1_700_000_000_000):
    """One reading as fastavro writes it."""
    values = {"voltage": 500.0, "current": 7.0, "temperature": 40.0, "irradiance": 800.0}
    out = io.BytesIO()
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(AVRO_SCHEMA), {"deviceID": device, "timestamp": milliseconds, **values}
    )
    return out.getvalue()


@pytest.mark.parametrize("when", ["1970-07-19", "1999-12-31", "2024-02-29", "2039-09-06"])
def test_every_reading_has_one_length_in_avro_so_that_another_length_is_no_reading(when):
    milliseconds = int(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp() * 1000)
    assert len(written(milliseconds=milliseconds)) == AVRO_LENGTH
    assert written(milliseconds=milliseconds)[0] == AVRO_FIRST_BYTE


def test_a_device_id_of_another_length_shows_in_the_first_byte():
    assert written(device="INV000001")[0] != AVRO_FIRST_BYTE


def crc_64_avro(data: bytes) -> int:
    """The fingerprint as Avro's specification defines it, bit by bit."""
    empty = 0xC15D213AA4D7A795
    fingerprint = empty
    for byte in data:
        fingerprint ^= byte
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (empty if fingerprint & 1 else 0)
    return fingerprint


def test_the_header_names_the_schema_by_the_fingerprint_of_its_canonical_form():
    canonical = fastavro.schema.to_parsing_canonical_form(AVRO_SCHEMA)
    fields = ",".join(f'{{"name":"{name}","type":"float"}}' for name in PLAUSIBLE)
    assert canonical == (
        '{"name":"pvfault.Reading","type":"record","fields":[{"name":"deviceID","type":"string"},'
        f'{{"name":"timestamp","type":"long"}},{fields}]}}'
    )
    assert b"\xc3\x01" + crc_64_avro(canonical.encode()).to_bytes(8, "little") == AVRO_HEADER
    assert AVRO_HEADER[2:].hex() == fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")


def test_the_avro_schema_can_be_written_down_as_json_for_a_schema_registry():
    assert [field["name"] for field in json.loads(json.dumps(AVRO_SCHEMA))["fields"]] == [
        "deviceID",
        "timestamp",
        "voltage",
        "current",
        "temperature",
        "irradiance",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38])
@pytest.mark.parametrize("measurement", range(4))
def test_a_value_that_no_sensor_measures_makes_the_whole_reading_implausible(measurement, value):
    readings = np.tile(GOOD, (3, 1))
    readings[1, measurement] = value
    assert is_plausible(readings).tolist() == [True, False, True]


def test_zero_is_plausible_since_an_open_circuit_and_a_night_give_it():
    assert is_plausible(np.array([[0, 0, 0, 0], [0, 0, -25, 0]], np.float32)).all()


@pytest.mark.parametrize(
    "reading",
    [
        (1_500, 12, 70, 1_100),  # the highest voltage arrays are built for
        (900, 5_000, 70, 1_100),  # a large central inverter
        (600, 9, -40, 950),  # a clear winter day in the north
        (600, 9, 95, 1_000),  # a roof in the desert
        (600, 11, 40, 1_850),  # the edge of a cloud
        (0.0, -0.05, 15, -4),  # offsets of sensors at night
    ],
)
def test_what_happens_in_plants_is_plausible(reading):
    assert is_plausible(np.array(reading, np.float32))


def test_a_temperature_sensor_that_fell_off_is_not_plausible():
    assert not is_plausible(np.array([500, 7, -127, 800], np.float32))


def test_limits_belong_to_the_plausible_values_and_the_next_number_does_not():
    for position, (low, high) in enumerate(PLAUSIBLE.values()):
        readings = np.tile(GOOD, (4, 1))
        beyond_low, beyond_high = np.nextafter(np.float32([low, high]), np.float32([-np.inf, np.inf]))
        readings[:, position] = low, high, beyond_low, beyond_high
        assert is_plausible(readings).tolist() == [True, True, False, False]


def test_no_readings_are_no_answers():
    assert is_plausible(np.empty((0, 4), np.float32)).shape == (0,)


@pytest.mark.parametrize(
    "text", ["", "INV000001", "INV00000011", "INV-000001", "INV 000001", "ÄNV0000001", " INV000001"]
)
def test_a_device_id_is_ten_letters_and_digits(text):
    assert re.fullmatch(DEVICE_ID_PATTERN, "INV0000001")
    assert not re.fullmatch(DEVICE_ID_PATTERN, text)
