"""`pvfault alarms`."""

import json

import pytest
from typer.testing import CliRunner

from pvfault_cli.main import app
from tests.pvfault_alarms.helpers import Tables


@pytest.fixture
def run(make_settings, tmp_path):
    settings = make_settings(tmp_path)
    Tables(settings).draw(INV0000001="CC", INV0000002=".O")
    settings.registry.write_text(
        'deviceID,rated_voltage,rated_current,site\nINV0000001,500,10,"[red]Nord"\nINV0000002,500,10,\n'
    )

    def invoke(*words):
        return CliRunner().invoke(app, ["alarms", *words], env={"PVFAULT_HOME": str(tmp_path), "COLUMNS": "200"})

    return invoke


def test_alarms_are_brought_up_to_date_and_listed(run):
    assert "pvfault alarms update" in run("list").stdout
    assert run("update").stdout == "2 dates read. Alarms: 2 opened.\n"
    assert run("update").stdout == "0 dates read. Alarms: as they were.\n"
    listed = run("list")
    assert [line.split()[:2] for line in listed.stdout.splitlines()[2:]] == [["2", "INV0000002"], ["1", "INV0000001"]]
    assert "[red]Nord" in listed.stdout
    rows = json.loads(run("list", "--state", "open", "--json").stdout)
    assert [(row["id"], row["fault"], row["lost_kwh"]) for row in rows] == [(2, None, None), (1, "open_circuit", 4.0)]
    assert run("list", "--state", "closed").exit_code == 0


def test_a_state_that_there_is_not_is_refused(run):
    done = run("list", "--state", "opne")
    assert done.exit_code == 2
    assert "expected some of open, acknowledged, muted, closed" in done.stderr
