"""`pvfault tables`: what it says of tables, and by which exit code a script knows."""

import json
from datetime import date

import pytest

from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_cli.test_main import run


@pytest.fixture
def settings(make_settings, tmp_path):
    """A home with the verdicts of three dates, each a commit of its own."""
    settings = make_settings(tmp_path / "a home")
    make_table(settings, *([day_of("INV0000001", day, "none")] for day in (1, 2, 4)))
    return settings


@pytest.fixture
def tables(settings):
    """The command, for the tables of the test."""
    return lambda *arguments: run("tables", *arguments, env={"PVFAULT_HOME": str(settings.home), "COLUMNS": "100"})


def test_tables_are_listed_as_a_table_and_as_json(tables):
    shown = tables()
    assert shown.exit_code == 0, shown.output
    (heading, _, row) = (line.split() for line in shown.stdout.splitlines() if line.strip())
    assert heading == ["table", "size", "rows", "files", "snapshots", "dates", "oldest", "newest"]
    assert (row[0], row[3:]) == ("device_days", ["3", "3", "3", "3", "2024-06-01", "2024-06-04"])
    (state,) = json.loads(tables("--json").stdout)
    assert (state["name"], state["dates"], state["last_date"]) == ("device_days", 3, "2024-06-04")
    assert date.fromisoformat(state["goes_back_to"][:10]).year >= 2024


def test_verify_ends_with_0_1_or_2(tables, settings):
    whole = tables("verify")
    assert (whole.exit_code, "3 files (" in whole.stdout, "all are whole" in whole.stdout) == (0, True, True)
    for path in settings.warehouse.rglob("*.parquet"):
        path.unlink()
    damaged = tables("verify", "--date", "2024-06-02..2024-06-04")
    assert damaged.exit_code == 1, damaged.output
    first, second, summary = damaged.stdout.splitlines()
    assert (first.split(": ")[0], second.split(": ")[0]) == (
        "`device_days` of 2024-06-02",
        "`device_days` of 2024-06-04",
    )
    assert summary.startswith("2 files damaged or gone")
    unknown = tables("verify", "--date", "2031-01-01")
    assert (unknown.exit_code, "nothing to verify" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("dates", "found"), [("june", "expected a date as in"), ("2024-06-02..2024-06-01", "ends before it begins")]
)
def test_a_wrong_date_is_one_message(tables, dates, found):
    refused = tables("verify", "--date", dates)
    assert (refused.exit_code, found in refused.stderr) == (2, True)
