"""Sorting a task's readings: against pandas, in memory and by way of the disk."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pvfault.readings import MEASUREMENTS, READING_SCHEMA
from spark_jobs import sorting

DAY = date(2024, 6, 1)
MIDNIGHT_MS = int(pd.Timestamp(DAY, tz="UTC").timestamp()) * 1000


def random_batches(n_batches=30, rows=200, seed=0):
    """Readings out of order, many of them twice, some of the day before and the day after."""
    random = np.random.default_rng(seed)
    for _ in range(n_batches):
        names = [f"DEV{number:07d}".encode() for number in random.permutation(40)[:12]]
        time_ms = MIDNIGHT_MS + random.integers(-1000, 87_400, rows) * 1000
        yield names, random.integers(0, 12, rows), time_ms, random.normal(0, 1, (rows, 4)).astype(np.float32)


def by_pandas(batches):
    frames = [
        pd.DataFrame(measurements, columns=list(MEASUREMENTS)).assign(
            deviceID=[names[i].decode() for i in device], timestamp=pd.to_datetime(time_ms, unit="ms", utc=True)
        )
        for names, device, time_ms, measurements in batches
    ]
    rows = pd.concat(frames, ignore_index=True)
    rows = rows[rows["timestamp"].dt.date == DAY].drop_duplicates(["deviceID", "timestamp"], keep="first")
    return rows.sort_values(["deviceID", "timestamp"], ignore_index=True)


@pytest.mark.parametrize("held", [100_000, 1000, 7])
def test_readings_are_sorted_and_of_duplicates_the_first_stays(held, monkeypatch):
    monkeypatch.setattr(sorting, "HELD", held)
    monkeypatch.setattr(sorting, "ROWS_AT_ONCE", 77)
    batches = list(random_batches())
    with sorting.ReadingSorter(DAY) as sorter:
        added = sum(len(sorter.add(*batch)) for batch in batches)
        found = pa.Table.from_batches(sorter.batches(), READING_SCHEMA)
    expected = by_pandas(batches)
    assert len(expected) < added
    assert found.combine_chunks().equals(pa.Table.from_pandas(expected, READING_SCHEMA, preserve_index=False))
    hours = expected.groupby(["deviceID", expected["timestamp"].dt.hour]).size().unstack(fill_value=0)  # noqa: PD010
    assert {device: counts.tolist() for device, counts in sorter.hours.items()} == dict(
        zip(hours.index, hours.to_numpy().tolist(), strict=True)
    )


def test_what_goes_to_the_disk_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "HELD", 100)
    monkeypatch.setattr(sorting.tempfile, "tempdir", str(tmp_path))
    with sorting.ReadingSorter(DAY) as sorter:
        for batch in random_batches(3):
            sorter.add(*batch)
        assert list(tmp_path.rglob("*.npy"))
        assert sum(len(batch) for batch in sorter.batches()) > 500
    assert not list(tmp_path.iterdir())


def test_nothing_is_sorted_to_nothing():
    with sorting.ReadingSorter(DAY) as sorter:
        assert list(sorter.batches()) == []
        assert sorter.hours == {}
