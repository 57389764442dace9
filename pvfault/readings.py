"""What a reading is.

Here: the one definition of a reading, from which the Avro schema, the Arrow schema and the Spark columns are derived,
how it stands in a record of Kafka, and the limits outside which a value or a time cannot have been meant. Not here: the
tables (`tables.py`), files of readings (`reading_files.py`), windows (`windows.py`).

A record's value is Avro in its single-object encoding: `AVRO_HEADER`, which names the schema, then the reading. A bare
reading without the header is taken as well, but nothing in it says what wrote it. Another schema of the same 33 bytes,
say one that has current before voltage, would show in absurd values alone. The header in turn names fields and types,
not units: millivolts and local times under its id are taken for volts and UTC.
"""

from datetime import timedelta

import numpy as np
import pyarrow as pa

DEVICE_ID = "deviceID"
TIMESTAMP = "timestamp"
MEASUREMENTS = ("voltage", "current", "temperature", "irradiance")

DEVICE_ID_LENGTH = 10
DEVICE_ID_PATTERN = rf"^[A-Za-z0-9]{{{DEVICE_ID_LENGTH}}}$"

SAMPLE_PERIOD_S = 20
READINGS_PER_DAY = 86_400 // SAMPLE_PERIOD_S

# Wide enough for every DC input on the market and every place on Earth, narrow enough for a broken sensor to fall out.
# Voltage: arrays are built for at most 1,500 V (IEC 62548); the rest is for surges. Current: the largest central
# inverters take about 5 kA. Temperature: the record air temperatures are -89 and 57 °C (WMO), a module in the sun is
# up to 40 °C warmer; DS18B20 sensors report -127 °C when they fall off. Irradiance: cloud edges have been measured at
# up to 1.9 kW/m² (Gueymard, Solar Energy 153, 2017); pyranometers show a few W/m² below zero at night.
# A current or voltage slightly below zero is the offset of a sensor, not a broken one.
PLAUSIBLE = {
    "voltage": (-10.0, 2_000.0),
    "current": (-10.0, 10_000.0),
    "temperature": (-90.0, 120.0),
    "irradiance": (-20.0, 2_000.0),
}
UNITS = {"voltage": "V", "current": "A", "temperature": "°C", "irradiance": "W/m²"}

TIMESTAMP_TYPE = pa.timestamp("us", tz="UTC")
READING_SCHEMA = pa.schema(
    [
        pa.field(DEVICE_ID, pa.string(), nullable=False),
        pa.field(TIMESTAMP, TIMESTAMP_TYPE, nullable=False),
        *(pa.field(name, pa.float32(), nullable=False) for name in MEASUREMENTS),
    ]
)

_AVRO_TYPES = {
    pa.string(): "string",
    TIMESTAMP_TYPE: {"type": "long", "logicalType": "timestamp-millis"},
    pa.float32(): "float",
}
AVRO_SCHEMA = {
    "type": "record",
    "name": "Reading",
    "namespace": "pvfault",
    "fields": [{"name": field.name, "type": _AVRO_TYPES[field.type]} for field in READING_SCHEMA],
}

# A string of 10 characters (1 + 10 bytes), a long that takes 6 bytes between July 1970 (2**34 ms) and September 2039
# (2**41 ms), four floats of 4 bytes: a value of any other length was written with another schema, or is cut off.
AVRO_LENGTH = 1 + DEVICE_ID_LENGTH + 6 + 4 * len(MEASUREMENTS)
AVRO_FIRST_BYTE = 2 * DEVICE_ID_LENGTH  # Avro writes a string's length as a zigzag varint

# The schema's id: CRC-64-AVRO, in little-endian bytes, of its Parsing Canonical Form, which is `AVRO_SCHEMA` as JSON
# without spaces, with "name":"pvfault.Reading" first and plain types ("long" for the timestamp). It is written down
# and not computed: another id would be another schema, and every gateway would have to learn it.
# https://avro.apache.org/docs/1.11.1/specification/#schema-fingerprints
AVRO_SCHEMA_ID = bytes.fromhex("43ba67e29788f60d")
AVRO_MARKER = b"\xc3\x01"  # how each record in Avro's single-object encoding begins
AVRO_HEADER = AVRO_MARKER + AVRO_SCHEMA_ID

# A gateway never stamps a record ahead of its clock, so a reading that is ahead of its record has a wrong clock; the
# minutes are for clocks that differ a little. A device that has been off the air for longer than 30 days has more to
# be looked at than its readings.
AHEAD_OF_RECORD = timedelta(minutes=5)
BEHIND_RECORD = timedelta(days=30)


def is_plausible(measurements):
    """Which readings can have been measured: all four values finite and inside `PLAUSIBLE`.

    Parameters
    ----------
    measurements : ndarray of float, shape (..., 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²], in the order of `MEASUREMENTS`.

    Returns
    -------
    ndarray of bool, shape (...)

    Examples
    --------
    >>> is_plausible(np.array([[500, 7, 40, 800], [500, 5e38, 40, 800], [500, 7, np.nan, 800], [500, 7, -127, 800]]))
    array([ True, False, False, False])
    """
    low, high = np.array([PLAUSIBLE[name] for name in MEASUREMENTS]).T
    # NaN compares false, so a value that is not finite is refused by its limits.
    return ((measurements >= low) & (measurements <= high)).all(axis=-1)
