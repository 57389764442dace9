"""`pvfault check`: exit codes, what is printed, and the file for CI."""

import os
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from pvfault.checks.assets import CHECKS
from pvfault.tables import PREDICTIONS
from pvfault_api.published import scan_dates
from pvfault_cli.main import app
from tests.pvfault_api.plant import DAY, DEVICES, good_date, write

runner = CliRunner()


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path / "home")


@pytest.fixture
def check(settings):
    """Run the command in the home of the test."""

    def run(*arguments):
        return runner.invoke(app, ["check", *map(str, arguments)], env={"PVFAULT_HOME": str(settings.home)})

    return run


def silence(rows, device):
    readings = rows["readings"]
    rows["readings"] = readings.filter([name != device for name in readings["deviceID"].to_pylist()])


def test_a_good_date_ends_with_0_and_tells_what_was_found(settings, check):
    write(settings, good_date(settings))
    result = check("--date", DAY, "--asset", "readings", "--asset", "predictions", "--fail-on", "warn")
    assert result.exit_code == 0, result.output
    for asset in ("readings", "predictions"):
        assert all(one.name in result.stdout for one in CHECKS[asset])
    assert "17280 readings, 17280 were made; 0 stand twice" in result.stdout


def test_a_warning_fails_where_it_is_asked_to_and_an_error_always(settings, check):
    rows = good_date(settings)
    rows["quarantine"] = rows["quarantine"].slice(0, 0)
    write(settings, rows)
    # The verdicts are of other weights than the ones that come with pvfault.
    assert check("--date", DAY, "--asset", "device_days").exit_code == 0
    assert check("--date", DAY, "--asset", "device_days", "--fail-on", "warn").exit_code == 1
    assert check("--date", f"{DAY}..2024-06-02", "--asset", "readings").exit_code == 1


def test_what_failed_stands_in_the_file_for_ci_as_in_the_table(settings, check, tmp_path):
    rows = good_date(settings)
    silence(rows, DEVICES[3])
    write(settings, rows)
    result = check("--date", DAY, "--asset", "readings", "--junit", tmp_path / "ci" / "checks.xml")
    assert result.exit_code == 1  # fewer readings than were made is an error
    (suite,) = ElementTree.parse(tmp_path / "ci" / "checks.xml").getroot()  # noqa: S314 - our own file
    assert (suite.get("name"), int(suite.get("tests"))) == (f"readings {DAY}", len(CHECKS["readings"]))
    failures = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert int(suite.get("failures")) == len(failures)
    assert failures["no_device_is_missing"].get("type") == "warn"
    assert failures["every_reading_is_there_once"].get("type") == "error"
    assert all(failure.get("message") in result.stdout for failure in failures.values())


def test_what_cannot_be_evaluated_ends_with_2_and_says_why(settings, check, tmp_path):
    assert check("--date", DAY).exit_code == 2
    write(settings, good_date(settings))
    for arguments, said in (
        (("--date", "June"), "expected a day"),
        (("--date", "2024-06-02..2024-06-01"), "ends before it begins"),
        (("--date", DAY, "--asset", "reading"), "expected one of device_registry, lenet_model, readings"),
        (("--date", DAY, "--junit", tmp_path / "checks.txt"), "checks.xml"),
    ):
        result = check(*arguments)
        assert result.exit_code == 2
        assert said in result.stderr
    with scan_dates(settings, PREDICTIONS, [DAY]) as scan:
        (file,) = (task.file.file_path.removeprefix("file://") for task in scan.plan_files())
    os.unlink(file)  # noqa: PTH108 - as Iceberg names it
    result = check("--date", DAY, "--asset", "predictions")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{file} is not there" in result.stderr
