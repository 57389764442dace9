"""The published tables of a small plant, as PyIceberg writes them: a good date, for tests that spoil it."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.faults import FAULTS, NONE
from pvfault.readings import READING_SCHEMA
from pvfault.registry import read_registry
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import DEVICE_DAYS, LEDGER, OK, PREDICTIONS, QUARANTINE, READINGS, SCALOGRAMS, TABLES
from pvfault.versions import version_of

DAY = date(2024, 6, 1)
MIDNIGHT = datetime(2024, 6, 1, tzinfo=UTC)
DEVICES = ("INV0000001", "INV0000002", "INV0000003", "INV0000004")
MAKING = "0" * 32
NETWORK = b"the weights"

Rows = dict[str, pa.Table]


def good_date(settings) -> Rows:
    """The rows of a date on which all is well, and the registry and weights that they were made with.

    The plant is on the prime meridian, so the sun is highest at noon.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    header = "deviceID,rated_voltage,rated_current,latitude,longitude\n"
    settings.registry.write_text(header + "".join(f"{device},600,10,40.0,0.0\n" for device in DEVICES))
    registry = read_registry(settings.registry)
    readings = pa.concat_tables([readings_of(device, seed) for seed, device in enumerate(DEVICES)])
    lineage = {"readings_making": MAKING, "registry_version": registry.version, "code_version": "c0de"}
    scalograms = _with(scalogram_rows(readings, DAY, registry), lineage, SCALOGRAMS)
    return {
        READINGS.name: readings,
        QUARANTINE.name: QUARANTINE.schema.empty_table(),
        LEDGER.name: ledger_of(DAY, len(readings)),
        SCALOGRAMS.name: scalograms,
        PREDICTIONS.name: _with(_predictions(scalograms), lineage, PREDICTIONS),
        DEVICE_DAYS.name: pa.concat_tables([verdicts_of(DAY - timedelta(days=n), lineage) for n in range(29)]),
    }


def readings_of(device: str, seed: int, *, shift_h: float = 0.0) -> pa.Table:
    """A bright day of a device every 20 s; its clock is wrong by so much."""
    random = np.random.default_rng(seed)
    second = np.arange(0, 86_400, 20)
    light = np.clip(900 * np.sin(np.pi * (second / 3600 - shift_h - 5) / 14), 0, None)
    light *= random.uniform(0.95, 1, len(second))
    voltage = 560 + random.normal(0, 2, len(second))
    columns = (voltage, light / 100, 15 + light / 40, light)
    times = pa.array(second.astype(np.int64) * 1_000_000 + int(MIDNIGHT.timestamp()) * 1_000_000)
    return pa.table(
        [
            pa.array([device] * len(second)),
            times.cast(READING_SCHEMA.field("timestamp").type),
            *(pa.array(column, pa.float32()) for column in columns),
        ],
        schema=READING_SCHEMA,
    )


def ledger_of(day: date, readings: int, **changes) -> pa.Table:
    """A making of a date from the only partition of a topic."""
    row = {
        "date": day, "making": MAKING, "made_at": MIDNIGHT + timedelta(days=30) + (day - DAY), "snapshot_id": 1,
        "topic": "pv-readings", "topic_id": "id", "partition": 0, "first_offset": 0, "end_offset": readings,
        "scanned": [{"first_offset": 0, "end_offset": readings}], "newest": MIDNIGHT, "records": readings,
        "readings": readings, "quarantined": 0, "elsewhere": [], "date_rows": readings, "date_duplicates": 0,
        "code_version": "c0de",
    }  # fmt: skip
    return pa.Table.from_pylist([row | changes], LEDGER.schema)


def verdicts_of(day: date, lineage: dict, faults=(NONE, NONE, NONE, NONE)) -> pa.Table:
    """A verdict on each device."""
    rows = [
        {"deviceID": device, "date": day, "fault": fault, "faulty_hours": 0, "usable_hours": 14, "confidence": 0.9,
         "energy_kwh": 40.0, "completeness": 1.0, "model_version": version_of(NETWORK), **lineage}
        for device, fault in zip(DEVICES, faults, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, DEVICE_DAYS.schema)


def write(settings, rows: Rows) -> None:
    """Make the tables with these rows, in one file each, in their order."""
    warehouse = f"file://{settings.warehouse}"
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=warehouse) as catalog:
        catalog.create_namespace_if_not_exists("pvfault")
        for table in TABLES:
            iceberg = catalog.create_table(f"pvfault.{table.name}", table.schema)
            if len(rows[table.name]):
                iceberg.append(rows[table.name])


def _with(rows: pa.Table, constants: dict, table) -> pa.Table:
    for name, value in constants.items():
        rows = rows.append_column(name, pa.array([value] * len(rows), pa.string()))
    return rows.select(table.schema.names).cast(table.schema)


def _predictions(scalograms: pa.Table) -> pa.Table:
    """Nothing is found, surely, in each window that can be judged."""
    is_ok = pc.equal(scalograms["quality"], OK).to_pylist()
    probabilities = [{fault: float(fault == NONE) for fault in FAULTS} if ok else None for ok in is_ok]
    columns = {
        **{name: scalograms[name] for name in ("deviceID", "window_start", "quality")},
        "fault": pa.array([NONE if ok else None for ok in is_ok], pa.string()),
        "confidence": pa.array([1.0 if ok else None for ok in is_ok], pa.float32()),
        "probabilities": pa.array(probabilities, PREDICTIONS.schema.field("probabilities").type),
        "model_version": pa.array([version_of(NETWORK)] * len(scalograms)),
        "unsure_because": pa.nulls(len(scalograms), pa.string()),
        "candidates": pa.array([[NONE] if ok else None for ok in is_ok], PREDICTIONS.schema.field("candidates").type),
    }
    return pa.table(columns)
