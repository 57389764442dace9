"""Tables of verdicts as PyIceberg writes them, for tests of what reads them."""

from datetime import UTC, date, datetime

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.tables import DEVICE_DAYS, SCALOGRAMS


def day_of(device, day, fault=None, hour=None, hours=0, confidence=0.9, lost=None):
    """A row of device_days."""
    onset = None if hour is None else datetime(2024, 6, day, hour, tzinfo=UTC)
    return {"deviceID": device, "date": date(2024, 6, day), "fault": fault, "onset": onset, "faulty_hours": hours,
            "usable_hours": 14, "confidence": confidence, "energy_kwh": 1.0, "lost_kwh": lost, "completeness": 1.0}  # fmt: skip # noqa: E501


def make_table(settings, *files, schema=DEVICE_DAYS.schema):
    """The table of verdicts, or one with fewer columns, with a commit and a file for each list of rows."""
    settings.home.mkdir(parents=True, exist_ok=True)
    warehouse = f"file://{settings.warehouse}"
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=warehouse) as catalog:
        catalog.create_namespace("pvfault")
        table = catalog.create_table("pvfault.device_days", schema)
        for rows in files:
            table.append(pa.Table.from_pylist(rows, schema=schema))


def make_scalograms(settings, *files):
    """The table of scalograms beside that of verdicts, with a file for each list of rows."""
    warehouse = f"file://{settings.warehouse}"
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=warehouse) as catalog:
        table = catalog.create_table("pvfault.scalograms", SCALOGRAMS.schema)
        for rows in files:
            table.append(pa.Table.from_pylist(rows, schema=SCALOGRAMS.schema))


def hour_of(device, day, hour, power, irradiance, temperature):
    """A row of scalograms, as far as its hourly means."""
    return {"deviceID": device, "window_start": datetime(2024, 6, day, hour, tzinfo=UTC), "quality": "ok",
            "readings": 180, "mean_power": power, "mean_irradiance": irradiance, "mean_temperature": temperature}  # fmt: skip # noqa: E501
