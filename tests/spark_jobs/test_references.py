"""References on their way: learned in batches of devices, found by the tasks that need them."""

import pickle
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle

from pvfault.reference import HISTORY
from pvfault.registry import EMPTY_REGISTRY
from pvfault.rows.references import HOUR_COLUMNS, reference_rows, references_by_device
from pvfault.tables import SCALOGRAMS
from spark_jobs import references
from spark_jobs.compute_scalograms import to_scalograms
from tests.spark_jobs.helpers import midnight

DAY = date(2024, 6, 1)


def history_of(devices: list[str]) -> pa.Table:
    """Hourly means of their dates before, sorted by device; no two alike."""
    random = np.random.default_rng(0)
    light = np.array([150, 300, 500, 700, 850, 900, 850, 700, 500, 300.0])
    rows = []
    for device in devices:
        for back in HISTORY:
            for hour, irradiance in enumerate(light * random.uniform(0.3, 1, len(light)), 7):
                start = midnight(DAY - timedelta(days=back)) + timedelta(hours=hour)
                voltage, current = random.normal(500, 5), irradiance / 100 * random.normal(1, 0.02)
                rows.append((device, start, "ok", voltage, current, 25.0, irradiance))
    names = HOUR_COLUMNS
    schema = pa.schema([SCALOGRAMS.schema.field(name) for name in names])
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema)


def learn(hours: pa.Table, folder) -> list[references.ReferenceFile]:
    to_files = references.to_reference_files(EMPTY_REGISTRY, DAY, str(folder))
    return to_files(iter(hours.to_batches(max_chunksize=700)))


def names(first: int, end: int) -> list[str]:
    return [f"DEVICE{number:04d}" for number in range(first, end)]


def test_references_learned_in_batches_and_found_in_files_are_those_of_all_at_once(tmp_path, monkeypatch):
    """To the last bit: a date that is made again must not change because another fleet stands beside."""
    monkeypatch.setattr(references, "HOURS_AT_ONCE", 900)
    hours = history_of(names(0, 40))
    files = learn(hours, tmp_path)
    assert len(files) > 5
    assert sum(file.devices for file in files) == 40
    expected = references_by_device(reference_rows(hours, DAY, EMPTY_REGISTRY))
    reader = references.ReferenceReader(files)
    found = {}
    for first in range(0, 40, 3):
        asked = ["A_STRANGER", *names(first, min(first + 3, 40))]
        part = reader.of(asked)
        assert list(part) == asked[1:]
        found |= part
    assert list(found) == list(expected)
    for device in expected:
        np.testing.assert_array_equal(found[device], expected[device])
    assert reader.of(["A_STRANGER"]) == {}
    assert references.ReferenceReader([]).of(["A_STRANGER"]) == {}


def test_a_reader_reads_each_file_once_and_holds_those_at_hand_alone(tmp_path, monkeypatch):
    """Its devices come in order; a fleet's references must not gather in it."""
    monkeypatch.setattr(references, "HOURS_AT_ONCE", 900)
    files = learn(history_of(names(0, 40)), tmp_path)
    reader = references.ReferenceReader(files)
    for device in names(0, 40):
        (own,) = (file for file in files if file.first <= device <= file.last)
        assert device in reader.of([device])
        # What it has read is gone: it cannot read it again.
        for file in files:
            if file.last < own.first:
                (tmp_path / file.location).unlink(missing_ok=True)
    with pytest.raises(Exception, match="no such file"):
        reader.of(names(0, 1))


def test_what_a_task_is_given_does_not_grow_with_the_fleet(tmp_path):
    """It stands in each task's closure, and passes the driver."""
    few, many = (learn(history_of(names(0, n)), tmp_path) for n in (2, 100))
    assert sum(file.devices for file in many) == 100
    sizes = [len(cloudpickle.dumps(to_scalograms(DAY, EMPTY_REGISTRY, files))) for files in (few, many)]
    assert sizes[0] == sizes[1]
    assert len(pickle.dumps(many)) < 1000
