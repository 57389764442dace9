"""The tables of a plant to look at: devices of two sites on three days, with faults, silence and a site's evil name."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import DayTransform, IdentityTransform

from pvfault.faults import FAULTS, NONE
from pvfault.readings import READING_SCHEMA
from pvfault.registry import read_registry
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import DEVICE_DAYS, LEDGER, OK, PREDICTIONS, READINGS, SCALOGRAMS, TABLES
from pvfault.versions import version_of
from tests.pvfault_api.plant import MAKING, NETWORK, ledger_of

DAY = date(2024, 6, 3)
DAYS = [DAY - timedelta(days=n) for n in (2, 1, 0)]
EVIL = "<img src=x onerror=\"document.title='owned'\">"
OPEN, ARC, SILENT, HEALTHY, OF_EVIL_SITE = "INV0000001", "INV0000002", "INV0000003", "INV0000004", "INV0000006"
# Device, its site, and what it is on the last day.
PLANT = (
    (OPEN, "Bologna", "open_circuit"),
    (ARC, "Bologna", "arc_fault"),
    (SILENT, "Bologna", None),
    (HEALTHY, "Bologna", NONE),
    ("INV0000005", EVIL, "line_line"),
    (OF_EVIL_SITE, EVIL, NONE),
)
_LINEAGE = {"readings_making": MAKING, "registry_version": "r", "code_version": "c0de"}


def write_plant(settings) -> None:
    """Make the registry and the tables."""
    settings.home.mkdir(parents=True, exist_ok=True)
    _write_registry(settings.registry, [(device, site) for device, site, _ in PLANT])
    readings = pa.concat_tables([_readings_of(device, fault) for device, _, fault in PLANT if fault is not None])
    scalograms = scalogram_rows(readings, DAY, read_registry(settings.registry))
    write_tables(
        settings,
        {
            READINGS.name: readings,
            LEDGER.name: ledger_of(DAY, len(readings)),
            SCALOGRAMS.name: _as(scalograms, SCALOGRAMS),
            PREDICTIONS.name: _as(_predictions(scalograms), PREDICTIONS),
            DEVICE_DAYS.name: _verdicts(),
        },
    )


def write_large_plant(settings, devices: int) -> None:
    """Make the registry and the verdicts of many devices; every twentieth is faulty, each of another kind."""
    settings.home.mkdir(parents=True, exist_ok=True)
    names = [f"INV{number:07}" for number in range(devices)]
    _write_registry(settings.registry, [(name, f"Site {number // 100:03}") for number, name in enumerate(names)])
    faults = [FAULTS[1 + number // 20 % 5] if number % 20 == 0 else NONE for number in range(devices)]
    rows = [_verdict(name, day, fault) for day in DAYS for name, fault in zip(names, faults, strict=True)]
    write_tables(settings, {DEVICE_DAYS.name: pa.Table.from_pylist(rows, DEVICE_DAYS.schema)})


def write_tables(settings, rows) -> None:
    """Make all tables, partitioned by day, and fill those that there are rows of."""
    warehouse = f"file://{settings.warehouse}"
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=warehouse) as catalog:
        catalog.create_namespace("pvfault")
        for table in TABLES:
            iceberg = catalog.create_table(f"pvfault.{table.name}", table.schema)
            is_date = pa.types.is_date(table.schema.field(table.day_of).type)
            with iceberg.update_spec() as spec:
                spec.add_field(table.day_of, IdentityTransform() if is_date else DayTransform(), f"{table.day_of}_day")
            if len(rows.get(table.name, ())):
                iceberg.add_files(_files(settings.warehouse / table.name, table, rows[table.name]))


def _files(folder, table, rows) -> list[str]:
    """Rows as files, one a day."""
    folder.mkdir(parents=True)
    days = rows[table.day_of].cast(pa.date32())
    files = []
    for day in days.unique():
        pq.write_table(rows.filter(pc.equal(days, day)), folder / f"{MAKING}-{day}.parquet")
        files.append(f"file://{folder}/{MAKING}-{day}.parquet")
    return files


def _write_registry(path, devices) -> None:
    quoted = [(device, '"' + site.replace('"', '""') + '"') for device, site in devices]
    lines = [
        f"{device},600,10,{site},{44.5 + 0.001 * (number % 100)},{11.3 + 0.001 * (number // 100)},Europe/Rome,20,3"
        for number, (device, site) in enumerate(quoted)
    ]
    header = (
        "deviceID,rated_voltage,rated_current,site,latitude,longitude,timezone,modules_in_series,strings_in_parallel"
    )
    path.write_text("\n".join([header, *lines]) + "\n")


def _readings_of(device, fault) -> pa.Table:
    """The last day of a device, bright; one of three strings is open from noon on if that is its fault."""
    second = np.arange(0, 86_400, 20)
    light = np.clip(900 * np.sin(np.pi * (second / 3600 - 4) / 14), 0, None)
    current = light / 100 * np.where((fault == "open_circuit") & (second >= 43_200), 2 / 3, 1)
    voltage = np.where(light > 0, 590.0, 0.0) + np.random.default_rng(1).normal(0, 1, len(second)) * (light > 0)
    start = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp())
    times = pa.array((start + second.astype(np.int64)) * 1_000_000).cast(READING_SCHEMA.field("timestamp").type)
    measured = [pa.array(each, pa.float32()) for each in (voltage, current, 15 + light / 40, light)]
    return pa.table([pa.array([device] * len(second)), times, *measured], schema=READING_SCHEMA)


def _predictions(scalograms) -> pa.Table:
    faults = {device: fault for device, _, fault in PLANT}
    rows = []
    for row in scalograms.select(["deviceID", "window_start", "quality"]).to_pylist():
        told = {}
        if row["quality"] == OK:
            fault = faults[row["deviceID"]] if row["window_start"].hour >= 12 else NONE
            rest = dict.fromkeys(FAULTS, 0.02)
            told = {"fault": fault, "confidence": 0.9, "probabilities": {**rest, fault: 0.9}}
        rows.append({**row, **told, "model_version": version_of(NETWORK)})
    return pa.Table.from_pylist(rows, PREDICTIONS.schema)


def _verdicts() -> pa.Table:
    # Silence is of the last day alone, and faults of the last two.
    rows = [
        _verdict(device, day, (fault if fault is not None or day == DAY else NONE) if day > DAYS[0] else NONE)
        for day in DAYS
        for device, _, fault in PLANT
    ]
    return pa.Table.from_pylist(rows, DEVICE_DAYS.schema)


def _verdict(device, day, fault) -> dict:
    is_faulty = fault not in (None, NONE)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    number = int(device[3:])
    return {
        "deviceID": device, "date": day, "fault": fault, "onset": noon if is_faulty else None,
        "faulty_hours": 6 if is_faulty else 0, "usable_hours": 0 if fault is None else 12,
        "confidence": None if fault is None else 0.9, "energy_kwh": 0.0 if fault is None else 40.0 - number % 7,
        "lost_kwh": 5.0 + number % 11 if is_faulty else (0.0 if fault else None),
        "completeness": 0.0 if fault is None else 1.0, "runner_up": None if fault is None else "partial_shading",
        "runner_up_probability": None if fault is None else 0.05, "candidates": _candidates(fault),
        "model_version": version_of(NETWORK), **_LINEAGE,
    }  # fmt: skip


def _candidates(fault) -> list[str] | None:
    shorts = ["line_line", "line_ground"]
    return fault and ([fault, *(short for short in shorts if short != fault)] if fault in shorts else [fault])


def _as(rows, table) -> pa.Table:
    for name, value in _LINEAGE.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array([value] * len(rows), pa.string()))
    for name in set(_LINEAGE) & set(rows.column_names):
        filled = pa.array([_LINEAGE[name]] * len(rows), pa.string())
        rows = rows.set_column(rows.column_names.index(name), name, filled)
    return rows.select(table.schema.names).cast(table.schema)
