"""The tables and their columns.

Each table has an Arrow schema, the columns of it that the science fills, a key, a column by whose day it is
partitioned, and what each column means. The Spark and Iceberg forms are derived from these in `spark_jobs/catalog.py`;
the texts are Iceberg's comments, Dagster's column descriptions, and the tables of `docs/tables.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP, TIMESTAMP_TYPE

# The catalog of the tables, and their namespace in it: the same names for Spark, PyIceberg and Glue.
CATALOG = "lake"
NAMESPACE = "pvfault"

WINDOW_START = "window_start"

OK, DARK, SPARSE, INVALID, MISSING = "ok", "dark", "sparse", "invalid", "missing"
CURTAILED, NOT_REPORTING = "curtailed", "not reporting"
QUALITIES = (OK, DARK, SPARSE, INVALID, MISSING, CURTAILED, NOT_REPORTING)

UNSURE = "unsure"
"""What a window or a day is called of which nothing can be said, though it is judged; none of `FAULTS`."""

PROBABILITIES_TYPE = pa.struct([pa.field(fault, pa.float32(), nullable=False) for fault in FAULTS])

CANDIDATES_TYPE = pa.list_(pa.string())

CANDIDATES_HOLD = 0.9
"""How often the truth is in a set of candidates, of each class."""

_device = pa.field(DEVICE_ID, pa.string(), nullable=False)
_window = pa.field(WINDOW_START, TIMESTAMP_TYPE, nullable=False)
_quality = pa.field("quality", pa.string(), nullable=False)

# What a row comes from, copied from table to table as far as its verdict; null in rows that are older than these
# columns.
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
    descriptions : mapping of str to str
        What each column means, with its unit; one line of at most 255 characters, which is what Glue takes.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    day_of: str
    layer: str
    # Not compared: a dictionary has no hash.
    descriptions: Mapping[str, str] = field(compare=False)


_OF_WINDOWS = {
    DEVICE_ID: "The device: ten letters and digits.",
    WINDOW_START: "When the hour begins (UTC).",
}
_QUALITY = {
    "quality": f"Whether the hour can be judged: {OK}, or why not: {DARK} (too little light), {SPARSE} (few readings), "
    f"{INVALID} (readings not of the array), {MISSING} (no reading), {CURTAILED} (the inverter takes less than there "
    f"is), {NOT_REPORTING} (zeros or placeholders)."
}
_ORIGIN = {
    "readings_making": "The making of the date's readings that the row comes from; `ledger` has its offsets.",
    "registry_version": "Version of the device registry that the scalogram was held against: a hash of its content.",
    "code_version": "Version of the code that made the row: a hash of the Python files of pvfault and its jobs.",
}
_MODEL = {"model_version": "Version of the network that judged: a hash of its weights."}
_HOURLY_MEAN = "of the hour's usable readings; null without any."

READINGS = Table(
    "readings",
    READING_SCHEMA,
    (DEVICE_ID, TIMESTAMP),
    TIMESTAMP,
    "raw",
    {
        DEVICE_ID: "The device that sent the reading: ten letters and digits.",
        TIMESTAMP: "When it was measured (UTC), by the clock of the device.",
        "voltage": "DC voltage of the array. [V]",
        "current": "DC current of the array. [A]",
        "temperature": "Temperature of the modules. [°C]",
        "irradiance": "Irradiance in the plane of the array. [W/m²]",
    },
)

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
            pa.field("date", pa.date32(), nullable=False),
        ]
    ),
    ("topic", "partition", "offset"),
    "date",
    "raw",
    {
        "topic": "The topic that the record stands in.",
        "partition": "Its partition there.",
        "offset": "Its offset in the partition.",
        "key": "The record's key, as it came.",
        "value": "The record's value, as it came.",
        TIMESTAMP: "The record's own timestamp (UTC); it may be of any year.",
        "reason": "Why it is no reading.",
        "date": "The date (UTC) whose part of the topic it stands in.",
    },
)

_OFFSETS = [pa.field("first_offset", pa.int64()), pa.field("end_offset", pa.int64())]

LEDGER = Table(
    "ledger",
    pa.schema(
        [
            pa.field("date", pa.date32(), nullable=False),
            pa.field("making", pa.string(), nullable=False),
            pa.field("made_at", TIMESTAMP_TYPE, nullable=False),
            pa.field("snapshot_id", pa.int64()),
            pa.field("topic", pa.string(), nullable=False),
            pa.field("topic_id", pa.string(), nullable=False),
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("first_offset", pa.int64(), nullable=False),
            pa.field("end_offset", pa.int64(), nullable=False),
            pa.field("scanned", pa.list_(pa.struct(_OFFSETS))),
            pa.field("newest", TIMESTAMP_TYPE),
            pa.field("records", pa.int64(), nullable=False),
            pa.field("readings", pa.int64(), nullable=False),
            pa.field("quarantined", pa.int64(), nullable=False),
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
            pa.field("date_rows", pa.int64(), nullable=False),
            pa.field("date_duplicates", pa.int64(), nullable=False),
            pa.field("code_version", pa.string()),
        ]
    ),
    ("date", "made_at", "topic_id", "partition"),
    "date",
    "raw",
    {
        "date": "The date (UTC) that was made.",
        "making": "Name of this making of the date; rows of other tables name it as `readings_making`.",
        "made_at": "When it was made (UTC).",
        "snapshot_id": "The snapshot of `readings` that it published; null if there was nothing to write.",
        "topic": "The topic that was read.",
        "topic_id": "Its id: a topic that is deleted and created anew has the same name and another id.",
        "partition": "The partition of the topic that this row tells of.",
        "first_offset": "Where the date's own part of the partition begins: each offset is of exactly one date.",
        "end_offset": "Where the date's own part ends; this offset is the next date's.",
        "scanned": "What was read for the date, from each first_offset to before end_offset: its own part, what may "
        "stand before and behind it, and late readings.",
        "newest": "Timestamp (UTC) of the newest record of the date's own part; null without one.",
        "records": "Records in the date's own part.",
        "readings": "Those of them that are readings of the date.",
        "quarantined": "Those of them that are no readings, and are in `quarantine`.",
        "elsewhere": "Readings of other dates in the date's own part, by their date: how many, how many of them their "
        "date has not read, and between which offsets these stand.",
        "date_rows": "Rows that the date has in `readings`, over all partitions.",
        "date_duplicates": "Readings that came more than once and were left out, over all partitions.",
        "code_version": _ORIGIN["code_version"],
    },
)

# How far an hour lies below the day's best ones by a step of voltage or current.
BELOW_COLUMNS = ("voltage_below", "current_below")

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
        # How far what the window is held against can be trusted (`estimates.py`); null of a registered device.
        pa.field("hidden_fault", pa.float32()),
        pa.field("unsure_because", pa.string()),
        # What is weighed against the network's answer (`open_strings.py`).
        pa.field("open_strings", pa.bool_()),
        *(pa.field(name, pa.float32()) for name in BELOW_COLUMNS),
    ]
)
SCALOGRAMS = Table(
    "scalograms",
    pa.schema([*SCALOGRAM_SCHEMA, *LINEAGE]),
    (DEVICE_ID, WINDOW_START),
    WINDOW_START,
    "silver",
    {
        **_OF_WINDOWS,
        **_QUALITY,
        "readings": "Readings that came in the hour.",
        "mean_irradiance": f"Mean irradiance in the plane of the array {_HOURLY_MEAN} [W/m²]",
        "scalogram": "The image that the network judges: 64 × 64 × 4 bytes; null unless the hour is ok.",
        "mean_power": f"Mean DC power {_HOURLY_MEAN} [W]",
        "mean_temperature": f"Mean temperature of the modules {_HOURLY_MEAN} [°C]",
        "mean_voltage": f"Mean DC voltage {_HOURLY_MEAN} [V]",
        "mean_current": f"Mean DC current {_HOURLY_MEAN} [A]",
        "hidden_fault": "How probable it is that what looks healthy hides a fault, as the ratings are estimated, 0 to "
        "1; null of a registered device, and where nothing can be said.",
        "unsure_because": "Why the hour cannot be called healthy; without `hidden_fault`, why nothing can be said of "
        "it; null where there is no such reason.",
        "open_strings": "Whether the current of a whole number of strings, a quarter of them or more, is missing while "
        "the voltage is in place and both hardly scatter; null unless the hour is ok.",
        **{
            name: f"How far the {what} lies below that of the day's best hours, beyond a step within the day, as a "
            "share; 0 without a step, null where `hidden_fault` is."
            for name, what in zip(BELOW_COLUMNS, ("voltage", "current over light"), strict=True)
        },
        **_ORIGIN,
    },
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
        pa.field("unsure_because", pa.string()),
        pa.field("candidates", CANDIDATES_TYPE),
    ]
)
PREDICTIONS = Table(
    "predictions",
    pa.schema([*PREDICTION_SCHEMA, *LINEAGE]),
    (DEVICE_ID, WINDOW_START),
    WINDOW_START,
    "gold",
    {
        **_OF_WINDOWS,
        **_QUALITY,
        "fault": f"The most probable class, {NONE} if it is healthy, {UNSURE} if what the hour is held against cannot "
        "be trusted; null if the hour was not judged.",
        "confidence": f"How probable that is, 0 to 1: the probability of the class; of {NONE} without ratings less, as "
        f"a fault may hide in their estimate. Null if it is {UNSURE} or was not judged.",
        "probabilities": "Probability of each class, 0 to 1, together 1: the network's, combined with what "
        "`open_strings` shows, and where ratings are estimated, what these are worth beside the day's steps; null if "
        "the hour was not judged.",
        **_MODEL,
        "unsure_because": f"Why the hour is {UNSURE}; null if it is not.",
        "candidates": f"What it can be: of each class, the set holds the truth in {CANDIDATES_HOLD:.0%} of the hours. "
        f"`fault` comes first, then what is less probable; null if it is {UNSURE} or was not judged.",
        **_ORIGIN,
    },
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
        pa.field("runner_up", pa.string()),
        pa.field("runner_up_probability", pa.float32()),
        pa.field("unsure_because", pa.string()),
        pa.field("candidates", CANDIDATES_TYPE),
    ]
)
DEVICE_DAYS = Table(
    "device_days",
    pa.schema([*DEVICE_DAY_SCHEMA, pa.field("model_version", pa.string()), *LINEAGE]),
    (DEVICE_ID, "date"),
    "date",
    "gold",
    {
        DEVICE_ID: _OF_WINDOWS[DEVICE_ID],
        "date": "The date (UTC) that the verdict is of.",
        "fault": f"The verdict: the fault, {NONE} for a healthy device, or {UNSURE} if what it is held against cannot "
        "be trusted; null if no hour could be judged.",
        "onset": "When the first hour began in which the fault shows (UTC); null without a fault.",
        "faulty_hours": "Hours in which the fault shows. [h]",
        "usable_hours": "Hours that could be judged. [h]",
        "confidence": f"How probable the verdict is, 0 to 1; null if it is {UNSURE} or no hour could be judged.",
        "energy_kwh": "Energy that the device gave on the date. [kWh]",
        "lost_kwh": "What a healthy array would have given above that in the faulty hours; null without a verdict or "
        "ratings in the registry. [kWh]",
        "completeness": "Share of the date's readings that came, at the cadence that the device keeps, 0 to 1.",
        "runner_up": f"What it is if it is not `fault`, {NONE} included; null without a verdict or if it is {UNSURE}.",
        "runner_up_probability": "How probable that is, 0 to 1; null where `runner_up` is.",
        "unsure_because": f"Why the verdict is {UNSURE}; null if it is not.",
        "candidates": f"What it can be: of each class, the set holds the truth on {CANDIDATES_HOLD:.0%} of the days. "
        f"`fault` comes first, then what is less probable; null if it is {UNSURE} or no hour could be judged.",
        **_MODEL,
        **_ORIGIN,
    },
)

TABLES = (READINGS, QUARANTINE, LEDGER, SCALOGRAMS, PREDICTIONS, DEVICE_DAYS)


def table_named(name: str) -> Table:
    """The table of that name, which is one of `TABLES`."""
    return next(table for table in TABLES if table.name == name)


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
