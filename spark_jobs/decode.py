"""Records of the topic to readings, and why some are none.

Here: the Avro, the form of a deviceID, and times that a clock cannot have meant. Not here: values (`ingest_readings.py`
counts implausible ones, `pvfault.windows` judges them), duplicates and dates.
"""

import json
from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f
from pyspark.sql.avro.functions import from_avro

from pvfault.readings import AVRO_FIRST_BYTE, AVRO_LENGTH, AVRO_SCHEMA, DEVICE_ID, DEVICE_ID_PATTERN

# A gateway never stamps a record ahead of its clock, so a reading that is ahead of its record has a wrong clock; the
# minutes are for clocks that differ a little. A device that has been off the air for longer than 30 days has more to
# be looked at than its readings.
AHEAD_OF_RECORD = timedelta(minutes=5)
BEHIND_RECORD = timedelta(days=30)

_NOT_SHAPED = (
    f" bytes that are no reading, which has {AVRO_LENGTH} and begins with {AVRO_FIRST_BYTE:#x}: "
    "cut off, of another schema, or with a deviceID that is not 10 characters"
)


def decode(records: DataFrame) -> DataFrame:
    """Decode records, and say of each that is no reading why.

    Parameters
    ----------
    records : DataFrame
        As `read_topic` gives them.

    Returns
    -------
    DataFrame
        The records' columns, `reading` (a struct of the reading's columns) and `reason` (null for a reading).
    """
    value = f.col("value")
    # Only what has a reading's length and first byte is decoded: other bytes can claim a string of gigabytes.
    shaped = (f.octet_length(value) == AVRO_LENGTH) & (f.substring(value, 1, 1) == f.lit(bytes([AVRO_FIRST_BYTE])))
    reading = f.when(shaped, from_avro(value, json.dumps(AVRO_SCHEMA), {"mode": "PERMISSIVE"}))
    return records.withColumn("reading", reading).withColumn("reason", _reason(shaped))


def _reason(shaped: Column) -> Column:
    """Why a record is no reading, null if it is one."""
    device, time_of_reading = f.col(f"reading.{DEVICE_ID}"), f.col("reading.timestamp")
    time_of_record = f.col("timestamp")
    bytes_found = f.coalesce(f.octet_length("value"), f.lit(0)).cast("string")
    claimed_time = time_of_reading.cast("string")
    return (
        f.when(~f.coalesce(shaped, f.lit(False)), f.concat(bytes_found, f.lit(_NOT_SHAPED)))
        .when(device.isNull() | time_of_reading.isNull(), f.lit("the Avro does not decode"))
        .when(~device.rlike(DEVICE_ID_PATTERN), f.lit("deviceID is not 10 letters and digits"))
        .when(
            time_of_reading > time_of_record + f.lit(AHEAD_OF_RECORD),
            f.concat(f.lit("timestamp in the future: "), claimed_time),
        )
        .when(
            time_of_reading < time_of_record - f.lit(BEHIND_RECORD),
            f.concat(f.lit("timestamp more than 30 days before its record's: "), claimed_time),
        )
    )
