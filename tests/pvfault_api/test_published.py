"""Reading the tables without Spark: what is read, and what a reader is told who comes too early or finds damage."""

from datetime import date

import pytest

from pvfault.errors import PvfaultError
from pvfault.iceberg_files import DamagedTableError
from pvfault.tables import DEVICE_DAYS
from pvfault_api.published import read_batches, read_dates
from tests.pvfault_api.helpers import day_of, make_table

DAYS = [date(2024, 6, 1), date(2024, 6, 2)]


def test_a_folder_without_tables_is_an_error_and_stays_without_them(make_settings, tmp_path):
    """PyIceberg would make an empty catalog there, and a mistyped folder would look like an empty fleet."""
    with pytest.raises(PvfaultError, match=r"no tables in .*PVFAULT_HOME"):
        read_dates(make_settings(tmp_path), DEVICE_DAYS, [date(2024, 6, 1)])
    assert not list(tmp_path.iterdir())


@pytest.fixture
def settings(make_settings, tmp_path):
    """A home with the verdicts of two dates, each a commit of its own."""
    settings = make_settings(tmp_path / "a home")
    make_table(settings, *([day_of("INV0000001", day, "none")] for day in (1, 2)))
    assert len(read_dates(settings, DEVICE_DAYS, DAYS)) == 2
    return settings


def test_the_dates_that_are_asked_for_are_read_and_none_between_them(make_settings, tmp_path):
    settings = make_settings(tmp_path)
    make_table(settings, *([day_of("INV0000001", day, "none")] for day in (1, 2, 3, 4, 6)))
    days = [date(2024, 6, day) for day in (6, 1, 3, 4)]
    assert read_dates(settings, DEVICE_DAYS, days)["date"].to_pylist() == sorted(days)
    batches = list(read_batches(settings, DEVICE_DAYS, days, ["date"]))
    assert sorted(row["date"].day for batch in batches for row in batch.to_pylist()) == [1, 3, 4, 6]
    assert {tuple(batch.schema.names) for batch in batches} == {("date",)}


@pytest.mark.parametrize("pattern", ["snap-*.avro", "*-m0.avro"])
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_list_of_files_that_is_cut_off_is_refused_by_name(settings, pattern, share):
    """What is left of it reads as a shorter list, and a date is missing without a word."""
    newest = max((settings.warehouse / "pvfault" / "device_days").rglob(pattern), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(newest.read_bytes()[: int(share * newest.stat().st_size)])
    with pytest.raises(DamagedTableError, match=rf"the table device_days: the manifest.* .*{newest.name}.*restore"):
        read_dates(settings, DEVICE_DAYS, DAYS)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_an_empty_catalog_beside_tables_is_refused(settings, damage):
    damage(settings.catalog)
    with pytest.raises(PvfaultError, match=r"holds the tables device_days.*pvfault catalog restore"):
        read_dates(settings, DEVICE_DAYS, DAYS)
