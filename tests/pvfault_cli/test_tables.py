"""`pvfault tables`: what it says of tables, and by which exit code a script knows."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from pvfault.tables import READINGS
from spark_jobs import catalog, publishing
from tests.conftest import OF_JAVA, PROJECT
from tests.pvfault.test_settings import ON_AWS
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_cli.test_main import run
from tests.spark_jobs.helpers import DEVICES, make_readings, rows_of, stage_table


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
    ("dates", "found"), [("june", "expected a day"), ("2024-06-02..2024-06-01", "ends before it begins")]
)
def test_a_wrong_date_is_one_message(tables, dates, found):
    refused = tables("verify", "--date", dates)
    assert (refused.exit_code, found in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["rollback", "--date", "2024-06-01..2024-06-02"], "expected one date"),
        (["rollback", "--date", "2024-06-01", "--table", "images"], "expected one of readings, scalograms"),
        (["rollback", "--date", "2024-06-01", "--as-of", "yesterday"], "expected the id of a snapshot, or a time"),
        (["release-quarantine", "--date", "june"], "expected a day"),
    ],
)
def test_what_writes_is_refused_before_spark_starts(tables, arguments, found):
    refused = tables(*arguments)
    assert (refused.exit_code, found in refused.stderr) == (2, True)


@pytest.mark.parametrize("command", [["maintain"], ["rollback", "--date", "2024-06-01"]])
def test_without_tables_nothing_is_made(command, tmp_path):
    refused = run("tables", *command, env={"PVFAULT_HOME": str(tmp_path)})
    assert (refused.exit_code, "there are no tables in" in refused.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
    refused = run("tables", *command, env=ON_AWS)
    assert (refused.exit_code, "table_upkeep" in refused.stderr) == (2, True)


@pytest.mark.spark
def test_a_date_goes_back_and_upkeep_is_told_from_the_command_line(spark, lake_settings):
    """In a process of its own, beside the session of somebody else."""
    catalog.create_tables(spark)
    day = date(2017, 5, 1)
    for devices in (DEVICES[:1], DEVICES[:2]):
        before = datetime.now(UTC)
        rows = make_readings(day, devices, 600).sort_by([("deviceID", "ascending"), ("timestamp", "ascending")])
        publishing.publish(spark, stage_table(spark, rows, READINGS, day))

    def pvfault(*arguments):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "PVFAULT_JARS": str(lake_settings.jars),
                       "PVFAULT_HOME": str(lake_settings.home), "COLUMNS": "100", **OF_JAVA}  # fmt: skip
        command = [sys.executable, "-c", "from pvfault_cli.main import main; main()", "tables", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    refused = pvfault("rollback", "--date", str(day))
    assert refused.returncode == 2, refused.stderr
    assert f"`readings` of {day} stays as it is: not_fewer_readings_than_before: 144 readings" in refused.stderr
    assert "Traceback" not in refused.stderr
    then = ("--table", "readings", "--as-of", before.isoformat())
    done = pvfault("rollback", "--date", str(day), *then, "--allow-fewer")
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith(f"`readings` of {day} is as in snapshot ")
    assert last == "Materialise next, of the same date: scalograms, predictions, device_days."
    assert set(rows_of(lake_settings, READINGS, day)["deviceID"].to_pylist()) == {DEVICES[0]}
    told = pvfault("maintain")
    assert told.returncode == 0, told.stderr
    assert told.stdout.split()[:2] == ["table", "snapshots"]
    assert "Nothing of this is done yet" in told.stdout
    done = pvfault("maintain", "--apply")
    assert (done.returncode, "Nothing of this is done yet" in done.stdout) == (0, False), done.stderr
    released = pvfault("release-quarantine", "--date", str(day))
    assert released.stdout == f"`quarantine` of {day}: 0 records are readings now, 0 are not.\n"
