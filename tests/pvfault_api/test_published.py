"""Reading the tables without Spark: what a reader is told who comes too early."""

from datetime import date

import pytest

from pvfault.errors import PvfaultError
from pvfault.tables import DEVICE_DAYS
from pvfault_api.published import read_dates


def test_a_folder_without_tables_is_an_error_and_stays_without_them(make_settings, tmp_path):
    """PyIceberg would make an empty catalog there, and a mistyped folder would look like an empty fleet."""
    with pytest.raises(PvfaultError, match=r"no tables in .*PVFAULT_HOME"):
        read_dates(make_settings(tmp_path), DEVICE_DAYS, [date(2024, 6, 1)])
    assert not list(tmp_path.iterdir())
