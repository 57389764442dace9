"""What there is of each table, from metadata alone."""

from datetime import UTC, date, datetime

import pytest

from pvfault.errors import PvfaultError
from pvfault_api.inventory import list_tables
from tests.pvfault_api.helpers import day_of, make_table


def test_a_tables_size_files_snapshots_and_dates_are_those_on_the_disk(make_settings, tmp_path):
    settings = make_settings(tmp_path / "a home")
    make_table(settings, *([day_of(f"INV000000{n}", day, "none") for n in range(day)] for day in (1, 2, 5)))
    (state,) = list_tables(settings)
    files = list(settings.warehouse.rglob("*.parquet"))
    assert (state.name, state.files, state.snapshots, state.rows) == ("device_days", len(files), 3, 8)
    assert state.bytes == sum(path.stat().st_size for path in files)
    assert (state.first_date, state.last_date, state.dates) == (date(2024, 6, 1), date(2024, 6, 5), 3)
    assert 0 <= (datetime.now(UTC) - state.goes_back_to).total_seconds() < 600


def test_a_table_without_rows_has_no_dates(make_settings, tmp_path):
    make_table(settings := make_settings(tmp_path))
    (state,) = list_tables(settings)
    assert (state.files, state.snapshots, state.goes_back_to, state.first_date, state.dates) == (0, 0, None, None, 0)


def test_without_tables_it_is_said_where_they_were_looked_for(make_settings, tmp_path):
    with pytest.raises(PvfaultError, match=r"no tables in .*PVFAULT_HOME"):
        list_tables(make_settings(tmp_path))
