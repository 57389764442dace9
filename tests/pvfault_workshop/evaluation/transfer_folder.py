"""A folder of plants of another simulation, small: what `pvfault evaluate --transfer` takes."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pvfault.readings import READING_SCHEMA, TIMESTAMP_TYPE

DAY = date(2019, 11, 1)


def at(hour):
    return datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC)


def labels(rows):
    """Labels from device, hour, fault and irradiance."""
    names = ("deviceID", "window_start", "fault", "mean_irradiance")
    columns = zip(*((device, at(hour), fault, light) for device, hour, fault, light in rows), strict=True)
    return pa.table(dict(zip(names, map(list, columns), strict=True)))


def write_folder(folder):
    """A day of two devices, one of them with a fault from noon on."""
    second = np.arange(6 * 3600, 18 * 3600, 60)
    light = 900 * np.sin(np.pi * (second / 3600 - 6) / 12)
    tables = []
    for device in ("INV0000001", "INV0000002"):
        time = pa.array((int(at(0).timestamp()) + second) * 1_000_000).cast(TIMESTAMP_TYPE)
        values = [pa.array(each.astype(np.float32)) for each in (500 - light / 50, light / 100, 20 + light / 40, light)]
        tables.append(pa.table([pa.array([device] * len(second)), time, *values], schema=READING_SCHEMA))
    pq.write_table(pa.concat_tables(tables), folder / "readings_clean.parquet")
    truth = [
        (device, hour, "open_circuit" if device == "INV0000002" and hour >= 12 else "none", 500.0)
        for device in ("INV0000001", "INV0000002")
        for hour in range(8, 16)
    ]
    pq.write_table(labels(truth), folder / "labels.parquet")
    (folder / "registry.csv").write_text(
        "deviceID,rated_voltage,rated_current,modules_in_series,strings_in_parallel\n"
        "INV0000001,500,10,12,3\nINV0000002,500,10,12,3\n"
    )
