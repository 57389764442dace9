"""`pvfault status` and `pvfault schedule`, and what `materialise` and `backfill` refuse before they begin anything."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.pvfault.test_settings import ON_AWS
from tests.pvfault_api.lake import Plant, days
from tests.pvfault_cli.test_main import run

DAYS = days(1, 5)
TODAY = datetime.now(UTC).date()


@pytest.fixture
def environment(tmp_path):
    return {
        "PVFAULT_HOME": str(tmp_path),
        "PVFAULT_MODEL": str(tmp_path / "weights.h5"),
        "PVFAULT_FIRST_DATE": str(DAYS[0]),
    }


@pytest.fixture
def plant(make_settings, tmp_path, environment):
    return Plant(make_settings(tmp_path, **environment))


@pytest.fixture
def pvfault(environment):
    return lambda *arguments, **changes: run(*arguments, env=environment | changes)


def test_all_good_is_exit_code_0(plant, pvfault):
    plant.make(*DAYS[:3])
    status = pvfault("status")
    assert (status.exit_code, status.stderr) == (0, "")
    assert "Good: 2024-06-01..2024-06-03 (3 dates)." in status.stdout
    assert "To look at" not in status.stdout


def test_what_is_not_good_is_named_with_the_line_to_type_and_exit_code_1(plant, pvfault):
    plant.make(*DAYS[:2], DAYS[3])
    plant.make(DAYS[4], late={DAYS[0]: 12})
    plant.change_network(b"better")
    status = pvfault("status")
    assert status.exit_code == 1
    lines = [line.strip() for line in status.stdout.splitlines()]
    assert "2024-06-01: type: pvfault materialise --date 2024-06-01" in lines
    assert "2024-06-02: type: pvfault materialise --date 2024-06-02 --asset predictions" in lines
    assert "2024-06-03: type: pvfault materialise --date 2024-06-03" in lines
    assert (
        "2024-06-04..2024-06-05: type: pvfault materialise --date 2024-06-04..2024-06-05 --asset predictions" in lines
    )
    assert "To look at: 5 dates." in lines


def test_programs_are_told_the_same(plant, pvfault):
    plant.make(DAYS[0], DAYS[2])
    status = pvfault("status", "--json")
    assert status.exit_code == 1
    told = json.loads(status.stdout)
    (look,) = told.pop("to_look_at")
    assert told == {"schedule": "off", "made": ["2024-06-01", "2024-06-03"], "under_way": []}
    assert (look["first"], look["last"], look["table"], look["state"]) == ("2024-06-02",) * 2 + ("readings", "missing")
    assert look["command"] == "pvfault materialise --date 2024-06-02"


def test_what_cannot_be_found_out_is_exit_code_2(plant, pvfault):
    plant.make(DAYS[0])
    for path in plant.settings.warehouse.rglob("snap-*.avro"):
        path.write_bytes(b"")
    status = pvfault("status")
    assert (status.exit_code, "is cut off" in status.stderr) == (2, True)


def test_while_days_are_made_by_themselves_those_after_the_newest_are_missing(plant, pvfault):
    plant.make(DAYS[0])
    assert pvfault("schedule", "status").stdout == "The daily schedule is off.\n"
    assert pvfault("status").exit_code == 0
    assert "2 h after its end (UTC)" in pvfault("schedule", "on").stdout
    assert pvfault("schedule", "status").stdout == "The daily schedule is on.\n"
    status = pvfault("status", "--json")
    assert status.exit_code == 1
    (look,) = json.loads(status.stdout)["to_look_at"]
    last = (datetime.now(UTC) - timedelta(hours=2, minutes=10)).date() - timedelta(days=1)
    assert (look["first"], look["last"], look["state"]) == ("2024-06-02", str(last), "missing")
    assert pvfault("schedule", "off").exit_code == 0
    assert pvfault("status").exit_code == 0


def test_where_readings_have_ended_no_later_date_is_missing_or_made(plant, pvfault):
    plant.make(DAYS[0])
    ended = {"PVFAULT_LAST_DATE": "2024-06-01"}
    pvfault("schedule", "on", **ended)
    assert pvfault("status", **ended).exit_code == 0
    refused = pvfault("materialise", "--date", "2024-06-01..2024-06-02", **ended)
    assert (refused.exit_code, "2024-06-02 is behind PVFAULT_LAST_DATE" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["materialise", "--date", str(TODAY)], f"{TODAY} is not over yet"),
        (["backfill", "--date", f"2024-06-01..{TODAY}"], f"{TODAY} is not over yet"),
        (["materialise", "--date", "2024-05-31"], "before PVFAULT_FIRST_DATE, which is 2024-06-01"),
        (["materialise", "--date", "2024-06-03..2024-06-01"], "ends before it begins"),
        (["materialise", "--date", "2024-06-31"], "expected a day"),
        (["materialise", "--date", "yesterday"], "expected a day"),
        (["materialise", "--date", "2024-06-01", "--asset", "predictions", "--allow-fewer"], "is about `readings`"),
    ],
)
def test_dates_that_no_run_could_make_are_refused_before_anything_begins(pvfault, tmp_path, arguments, words):
    refused = pvfault(*arguments)
    assert (refused.exit_code, words in refused.stderr) == (2, True)
    assert not (tmp_path / "dagster").exists()


def test_a_backfill_of_nothing_says_so(plant, pvfault):
    plant.make(*DAYS[:2])
    for arguments, state in ((["--only", "stale"], "stale"), (["--only", "late"], "late")):
        nothing = pvfault("backfill", "--date", "2024-06-01..2024-06-02", *arguments)
        assert (nothing.exit_code, nothing.stdout) == (0, f"No date of 2024-06-01..2024-06-02 is {state}.\n")


@pytest.mark.parametrize("command", [["status"], ["schedule", "on"]])
def test_on_aws_they_send_to_the_page(command):
    refused = run(*command, env=ON_AWS)
    assert (refused.exit_code, "Dagster's page" in refused.stderr) == (2, True)
