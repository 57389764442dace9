"""Every file of some dates read to its end: what is damaged is named with its date, and nothing else is."""

import os
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from pvfault.errors import PvfaultError
from pvfault_api.verifying import verify_dates
from tests.pvfault_api.helpers import day_of, make_table

DAYS = [date(2024, 6, day) for day in (1, 2, 3)]


@pytest.fixture
def settings(make_settings, tmp_path):
    """A home with the verdicts of three dates, each in a file of its own."""
    settings = make_settings(tmp_path / "a home")
    make_table(settings, *([day_of(f"INV{n:07d}", day.day, "none") for n in range(200)] for day in DAYS))
    assert verify_dates(settings).damages == []
    return settings


def file_of(settings, day):
    """The data file of a date, found by its rows."""
    (path,) = (
        path
        for path in settings.warehouse.rglob("*.parquet")
        if set(pq.ParquetFile(path).read(["date"])["date"].to_pylist()) == {day}
    )
    return path


def cut_off(path):
    os.truncate(path, path.stat().st_size // 2)


def flip_bits_of_a_page(path):
    content = bytearray(path.read_bytes())
    place = int(np.random.default_rng(0).integers(40, 200))
    content[place] ^= 0x10
    path.write_bytes(content)


def lose_rows(path):
    """Whole pages with good checksums, as of a copy that somebody has filtered."""
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.slice(1), path)


DAMAGES = [
    (lambda path: path.unlink(), "is not there"),
    (lambda path: path.write_bytes(b""), "is damaged"),
    (cut_off, "is damaged"),
    (lose_rows, "has 199 rows, and the table's metadata say 200"),
]


@pytest.mark.parametrize(("damage", "found"), DAMAGES)
def test_a_damaged_file_is_named_with_its_table_its_date_and_what_to_do(settings, damage, found):
    path = file_of(settings, DAYS[1])
    damage(path)
    verified = verify_dates(settings)
    (told,) = verified.damages
    assert (told.table, told.day, verified.files) == ("device_days", DAYS[1], 3)
    assert told.found.startswith(f"`device_days` of {DAYS[1]}: the file ")
    assert f"{path.name} {found}" in told.found
    assert told.found.endswith(f"make `device_days` of {DAYS[1]} again from `predictions`")


def test_a_changed_bit_of_a_page_with_a_checksum_is_found(settings):
    """It may well decode, to another value that nobody would question."""
    path = file_of(settings, DAYS[0])
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows, path, write_page_checksum=True, compression="none")
    assert verify_dates(settings, DAYS[:1]).damages == []
    flip_bits_of_a_page(path)
    (told,) = verify_dates(settings, DAYS[:1]).damages
    assert (told.day, path.name in told.found) == (DAYS[0], True)


def test_only_the_dates_that_are_asked_for_are_read(settings):
    file_of(settings, DAYS[1]).unlink()
    read = []
    verified = verify_dates(settings, [DAYS[0], DAYS[2]], read.append)
    assert (verified.files, verified.damages) == (2, [])
    assert sum(read) == verified.bytes == sum(file_of(settings, day).stat().st_size for day in (DAYS[0], DAYS[2]))


def test_a_damaged_list_of_files_is_damage_of_all_dates(settings):
    newest = max(settings.warehouse.rglob("snap-*.avro"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:40])
    (told,) = verify_dates(settings).damages
    assert (told.table, told.day) == ("device_days", None)
    assert newest.name in told.found
    assert "pvfault catalog restore" in told.found


def test_dates_that_nobody_has_made_are_no_whole_ones(settings):
    with pytest.raises(PvfaultError, match="no file of these dates"):
        verify_dates(settings, [date(2030, 1, 1)])
