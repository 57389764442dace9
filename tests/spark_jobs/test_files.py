"""Files of the tables, without Spark and Iceberg: what a task reads of them, and what it writes."""

import os
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pvfault.data_files import verify
from pvfault.readings import READING_SCHEMA
from spark_jobs import files
from tests.spark_jobs.helpers import DEVICES, make_readings, midnight

DAY = date(2024, 5, 1)


def numbered(schema, first=1):
    return pa.schema([field.with_metadata({files.FIELD_ID: str(n)}) for n, field in enumerate(schema, first)])


NUMBERED = numbered(READING_SCHEMA)


@pytest.fixture
def target(tmp_path):
    # A blank and a percent sign, which a URI would escape and Iceberg takes as they are.
    folder = f"file://{tmp_path}/a folder/100%25"
    return files.Target(folder, "0" * 32, NUMBERED, "timestamp", midnight(DAY), midnight(DAY + timedelta(days=1)))


def write(target, rows, rows_in_batch=1000):
    return files.write(rows.to_batches(max_chunksize=rows_in_batch), target)


def whole(written):
    return files.FileRange(written.location, 0, written.bytes)


def test_a_file_holds_the_rows_and_says_what_it_is(target, tmp_path):
    rows = make_readings(DAY, DEVICES)
    written = write(target, rows)
    (path,) = (tmp_path / "a folder" / "100%25").iterdir()
    assert written.location == f"{target.folder}/{path.name}"
    assert (written.rows, written.bytes) == (len(rows), path.stat().st_size)
    assert pq.read_table(path).cast(READING_SCHEMA).equals(rows)
    columns = pq.ParquetFile(path).schema
    assert [(one.name, one.max_definition_level) for one in map(columns.column, range(6))] == [
        (name, 0) for name in READING_SCHEMA.names
    ]


@pytest.mark.parametrize("length", [1_000, 40_000, 10**9])
def test_parts_of_a_file_give_each_row_once_and_in_order(target, monkeypatch, length):
    monkeypatch.setattr(files, "_ROW_GROUP", 100_000)
    rows = make_readings(DAY, DEVICES)
    written = write(target, rows)
    assert len(written.starts) > 3
    parts = [files.FileRange(written.location, start, length) for start in range(0, written.bytes, length)]
    read = [batch for part in parts for batch in files.read(part, NUMBERED, 700)]
    assert max(batch.num_rows for batch in read) == 700
    assert pa.Table.from_batches(read).cast(READING_SCHEMA).equals(rows)


@pytest.mark.parametrize("rows_in_batch", [700, 10_000])
def test_row_groups_have_no_more_rows_than_the_target_says(target, tmp_path, rows_in_batch):
    """Whoever asks for one device decodes a row group, however few rows of it are of the device."""
    rows = make_readings(DAY, DEVICES)
    written = write(replace(target, group_rows=2000), rows, rows_in_batch)
    (path,) = (tmp_path / "a folder" / "100%25").iterdir()
    metadata = pq.read_metadata(path)
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert sizes == [*[2000] * (len(rows) // 2000), len(rows) % 2000]
    assert len(written.starts) == len(sizes)
    assert pq.read_table(path).cast(READING_SCHEMA).equals(rows)


def test_columns_are_found_by_their_numbers_and_not_by_names(target):
    """Iceberg renames a column without writing its files again."""
    rows = make_readings(DAY, DEVICES[:1])
    written = write(target, rows)
    swapped = pa.schema([NUMBERED.field("voltage").with_name("current"), NUMBERED.field("current").with_name("u")])
    read = pa.Table.from_batches(files.read(whole(written), swapped, 10**6))
    assert read["current"].equals(rows["voltage"])
    assert read["u"].equals(rows["current"])


def test_a_column_younger_than_the_file_is_null(target):
    written = write(target, make_readings(DAY, DEVICES[:1]))
    younger = numbered(pa.schema([pa.field("humidity", pa.float32())]), first=7)
    read = pa.Table.from_batches(files.read(whole(written), pa.schema([*NUMBERED, *younger]), 10**6))
    assert read["humidity"].null_count == len(read) == 4320


def test_a_file_without_a_column_that_each_row_needs_is_refused(target):
    written = write(target, make_readings(DAY, DEVICES[:1]))
    needed = numbered(pa.schema([pa.field("humidity", pa.float32(), nullable=False)]), first=7)
    with pytest.raises(files.FileError, match=r"\.parquet has no column humidity"):
        list(files.read(whole(written), needed, 10**6))


def test_rows_of_another_day_are_refused(target):
    """Iceberg would never find them: it looks for a row in its own day's files."""
    rows = make_readings(DAY + timedelta(days=1), DEVICES[:1])
    with pytest.raises(ValueError, match="rows of 2024-05-02 00:00:00"):
        write(target, rows)


def test_no_rows_make_no_file(target, tmp_path):
    assert write(target, make_readings(DAY, DEVICES[:1]).slice(0, 0)) is None
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_gone_is_named():
    with pytest.raises(files.FileError, match=r"/gone\.parquet is not there"):
        list(files.read(files.FileRange("file:/gone.parquet", 0, 1), NUMBERED, 1))


def test_a_changed_byte_of_the_rows_is_found_or_changes_nothing(target, tmp_path):
    """A measurement is hardly compressed, so that another one would be read in its place, and nobody would know."""
    rows = make_readings(DAY, DEVICES[:1])
    written = write(target, rows)
    (path,) = (tmp_path / "a folder" / "100%25").iterdir()
    whole_file = path.read_bytes()
    footer = pq.ParquetFile(path).metadata.serialized_size
    random = np.random.default_rng(0)
    found = []
    for place in random.integers(4, len(whole_file) - footer - 8, 60):
        damaged = bytearray(whole_file)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        try:
            read = pa.Table.from_batches(files.read(whole(written), NUMBERED, 10**6))
            assert read.cast(READING_SCHEMA).equals(rows)
        except files.FileError as error:
            found.append(str(error))
    assert len(found) > 50
    assert all(f"{target.folder}/{path.name} is damaged (" in sentence for sentence in found)
    assert max(map(len, found)) < 500


@pytest.mark.parametrize("size", [0, 3, 100, 5_000])
def test_a_file_that_was_cut_off_is_named(target, tmp_path, size):
    written = write(target, make_readings(DAY, DEVICES))
    (path,) = (tmp_path / "a folder" / "100%25").iterdir()
    os.truncate(path, size)
    for look in (
        lambda: list(files.read(whole(written), NUMBERED, 10**6)),
        lambda: verify(written.location, ["voltage"]),
    ):
        with pytest.raises(files.FileError, match=rf"{path.name} is damaged \(") as raised:
            look()
        assert "\n" not in str(raised.value)
