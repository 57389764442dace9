"""One table of readings, written in the ways that loggers have."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pvfault.readings import MEASUREMENTS, READING_SCHEMA

NAMES = {"timestamp": "timestamp", "deviceID": "deviceID", **{name: name for name in MEASUREMENTS}}


@dataclass(frozen=True)
class Way:
    """How a table is written."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    newline: str = "\n"
    titles: tuple[str, ...] = ()
    units: str = ""  # "above", "below" or in the "names"
    placeholder: str = ""
    quoted: bool = False


def plant(devices=("INV0000001",), rows=24, *, start=datetime(2024, 6, 10, 10, tzinfo=UTC), step=300, seed=1):
    """Readings of some devices with one decimal, sorted as readings are; one temperature is missing."""
    random = np.random.default_rng(seed)
    times = [start + timedelta(seconds=step * row) for row in range(rows)]
    table = [
        {
            "deviceID": device, "timestamp": time,
            "voltage": round(500 + 100 * random.random(), 1), "current": round(10 * random.random() + 0.1, 2),
            "temperature": round(60 * random.random() - 5, 1), "irradiance": round(1200 * random.random(), 1),
        }
        for time in times for device in sorted(devices)
    ]  # fmt: skip
    table[len(table) // 2]["temperature"] = float("nan")
    return pa.Table.from_pylist(table, READING_SCHEMA)


def number(value, way: Way, digits=3) -> str:
    """A number as the way has it."""
    if value != value:
        return way.placeholder
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else str(round(value))
    whole, _, part = text.partition(".")
    if way.thousands and len(whole.lstrip("-")) > 3:
        whole = f"{int(whole):,}".replace(",", way.thousands)
    return whole + (way.decimal + part if part else "")


def write_rows(header, rows, way: Way, units=None) -> bytes:
    """A CSV of texts."""
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if way.quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=way.delimiter, lineterminator=way.newline, quoting=quoting)
    text.write("".join(f"{title}{way.newline}" for title in way.titles))
    if way.units == "above":
        writer.writerow(units)
    writer.writerow(header)
    if way.units == "below":
        writer.writerow(units)
    writer.writerows(rows)
    return text.getvalue().encode(way.encoding)


def same_readings(found: pa.Table, expected: pa.Table) -> bool:
    """Whether two tables of readings are equal, value by value, NaN too."""
    if found.num_rows != expected.num_rows:
        return False
    return all(
        np.array_equal(np.asarray(found[name]), np.asarray(expected[name]), equal_nan=name in MEASUREMENTS)
        for name in READING_SCHEMA.names
    )
