"""The tables and their columns.

Each table has an Arrow schema, the columns of it that the science fills, a key, and a column by whose day it
is partitioned. The Spark and Iceberg forms are derived from these in `spark_jobs/catalog.py`.
"""

from dataclasses import dataclass

import pyarrow as pa

from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP, TIMESTAMP_TYPE

# The catalog of the tables, and their namespace in it: the same names for Spark, PyIceberg and Glue.
CATALOG = "lake"
NAMESPACE = "pvfault"

WINDOW_START = "window_start"

OK, DARK, SPARSE, INVALID, MISSING = "ok", "dark", "sparse", "invalid", "missing"
QUALITIES = (OK, DARK, SPARSE, INVALID, MISSING)

PROBABILITIES_TYPE = pa.struct([pa.field(fault, pa.float32(), nullable=False) for fault in FAULTS])

_device = pa.field(DEVICE_ID, pa.string(), nullable=False)
_window = pa.field(WINDOW_START, TIMESTAMP_TYPE, nullable=False)
_quality = pa.field("quality", pa.string(), nullable=False)

# What a row comes from, copied from table to table as far as its verdict: the making of the date's `readings`, whose
# offsets are in `ledger`, the registry that its scalogram is held against, and the code that made the row itself.
# Null in rows that are older than these columns.
LINEAGE = (
    pa.field("readings_making", pa.string()),
    pa.field("registry_version", pa.string()),
    pa.field("code_version", pa.string()),
)


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes
    ----------
    name : str
    schema : pa.Schema
    key : tuple of str
        The columns that name a row; a date holds each combination at most once.
    day_of : str
        The timestamp or date column by whose day the table is partitioned.
    layer : str
        `raw`, `silver` or `gold`: how far from the topic. On AWS each layer has a bucket of its own.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    day_of: str
    layer: str


READINGS = Table("readings", READING_SCHEMA, (DEVICE_ID, TIMESTAMP), TIMESTAMP, "raw")

QUARANTINE = Table(
    "quarantine",
    pa.schema(
        [
            pa.field("topic", pa.string(), nullable=False),
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("key", pa.binary()),
            pa.field("value", pa.binary()),
            pa.field(TIMESTAMP, TIMESTAMP_TYPE, nullable=False),
            pa.field("reason", pa.string(), nullable=False),
            # The date whose part of the topic the record stands in: its own timestamp may be of any year.
            pa.field("date", pa.date32(), nullable=False),
        ]
    ),
    ("topic", "partition", "offset"),
    "date",
    "raw",
)

_OFFSETS = [pa.field("first_offset", pa.int64()), pa.field("end_offset", pa.int64())]

LEDGER = Table(
    "ledger",
    pa.schema(
        [
            pa.field("date", pa.date32(), nullable=False),
            # Of one making of the date: its name, when, and the snapshot of `readings` that it published.
            pa.field("making", pa.string(), nullable=False),
            pa.field("made_at", TIMESTAMP_TYPE, nullable=False),
            pa.field("snapshot_id", pa.int64()),
            # A topic that is deleted and created anew has the same name and another id.
            pa.field("topic", pa.string(), nullable=False),
            pa.field("topic_id", pa.string(), nullable=False),
            pa.field("partition", pa.int32(), nullable=False),
            # The date's own part of the topic: each offset is of one date. The end is not included.
            pa.field("first_offset", pa.int64(), nullable=False),
            pa.field("end_offset", pa.int64(), nullable=False),
            # What was read for the date: its part, what may stand before and behind it, and late readings.
            pa.field("scanned", pa.list_(pa.struct(_OFFSETS))),
            pa.field("newest", TIMESTAMP_TYPE),
            # The ends that the records of its part took.
            pa.field("records", pa.int64(), nullable=False),
            pa.field("readings", pa.int64(), nullable=False),
            pa.field("quarantined", pa.int64(), nullable=False),
            # Readings of other dates; offsets of those that their date has not read.
            pa.field(
                "elsewhere",
                pa.list_(
                    pa.struct(
                        [
                            pa.field("date", pa.date32()),
                            pa.field("readings", pa.int64()),
                            pa.field("unread", pa.int64()),
                            *_OFFSETS,
                        ]
                    )
                ),
            ),
            # Of the date as a whole, the same in each of its partitions.
            pa.field("date_rows", pa.int64(), nullable=False),
            pa.field("date_duplicates", pa.int64(), nullable=False),
            pa.field("code_version", pa.string()),
        ]
    ),
    ("date", "made_at", "topic_id", "partition"),
    "date",
    "raw",
)

SCALOGRAM_SCHEMA = pa.schema(
    [
        _device,
        _window,
        _quality,
        pa.field("readings", pa.int32(), nullable=False),
        pa.field("mean_irradiance", pa.float32()),
        pa.field("scalogram", pa.binary()),
        # What the verdict on a day needs beside the predictions, so that it does not read the readings again.
        pa.field("mean_power", pa.float32()),
        pa.field("mean_temperature", pa.float32()),
        # What later dates learn from this one: what the device gives when nothing is wrong (`reference.py`).
        pa.field("mean_voltage", pa.float32()),
        pa.field("mean_current", pa.float32()),
    ]
)
SCALOGRAMS = Table(
    "scalograms",
    pa.schema([*SCALOGRAM_SCHEMA, *LINEAGE]),
    (DEVICE_ID, WINDOW_START),
    WINDOW_START,
    "silver",
)

PREDICTION_SCHEMA = pa.schema(
    [
        _device,
        _window,
        _quality,
        pa.field("fault", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("probabilities", PROBABILITIES_TYPE),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)
PREDICTIONS = Table(
    "predictions",
    pa.schema([*PREDICTION_SCHEMA, *LINEAGE]),
    (DEVICE_ID, WINDOW_START),
    WINDOW_START,
    "gold",
)

DEVICE_DAY_SCHEMA = pa.schema(
    [
        _device,
        pa.field("date", pa.date32(), nullable=False),
        pa.field("fault", pa.string()),
        pa.field("onset", TIMESTAMP_TYPE),
        pa.field("faulty_hours", pa.int32(), nullable=False),
        pa.field("usable_hours", pa.int32(), nullable=False),
        pa.field("confidence", pa.float32()),
        pa.field("energy_kwh", pa.float64(), nullable=False),
        pa.field("lost_kwh", pa.float64()),
        pa.field("completeness", pa.float64(), nullable=False),
        # What it is if it is not `fault`, "none" included, and how probable that is.
        pa.field("runner_up", pa.string()),
        pa.field("runner_up_probability", pa.float32()),
    ]
)
DEVICE_DAYS = Table(
    "device_days",
    pa.schema([*DEVICE_DAY_SCHEMA, pa.field("model_version", pa.string()), *LINEAGE]),
    (DEVICE_ID, "date"),
    "date",
    "gold",
)

TABLES = (READINGS, QUARANTINE, LEDGER, SCALOGRAMS, PREDICTIONS, DEVICE_DAYS)

MADE_OF = {
    READINGS.name: (),
    SCALOGRAMS.name: (READINGS.name,),
    PREDICTIONS.name: (SCALOGRAMS.name,),
    DEVICE_DAYS.name: (PREDICTIONS.name, SCALOGRAMS.name),
}
"""The tables that a date is made in, in this order, and for each of them the tables that it is made of."""


def tables_from(name: str) -> list[str]:
    """A table and all that is made of it, in the order in which they are made.

    Examples
    --------
    >>> tables_from("scalograms")
    ['scalograms', 'predictions', 'device_days']
    """
    made = [name]
    for table, sources in MADE_OF.items():
        if not set(made).isdisjoint(sources):
            made.append(table)
    return made
