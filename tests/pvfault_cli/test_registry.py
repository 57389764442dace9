"""`pvfault registry guess` as a user calls it."""

import pytest
from typer.testing import CliRunner

from pvfault.registry import read_registry
from pvfault_cli.main import app
from tests.pvfault_cli.test_classify import write_day

MODULE = "Canadian_Solar_Inc__CS6P_250M"  # in the CEC library: V_mp 30.4 V, I_mp 8.22 A


def guess(*arguments):
    return CliRunner().invoke(app, ["registry", "guess", *map(str, arguments), "--map", "deviceID=device"],
                              env={"COLUMNS": "120"})  # fmt: skip


@pytest.fixture
def plant(tmp_path):
    """A clear day at 45 °C and 540 V, which are 580.6 V at 25 °C; 54 A at 1000 W/m²."""
    return write_day(tmp_path / "plant.csv")


def test_a_guess_is_a_registry_that_classify_takes(plant, tmp_path):
    output = tmp_path / "devices.csv"
    done = guess(plant, "-o", output)
    assert done.exit_code == 0, done.output
    registry = read_registry(output)
    assert registry.device_ids.keys() == {"Roof <b>south</b>"}
    assert registry.ratings(registry.devices)[0] == pytest.approx([540 / (1 - 0.0035 * 20), 54], rel=0.01)
    assert "only one date has clear hours" in done.output
    assert "Look up on the data sheet" in done.output


def test_of_a_named_module_whole_numbers_are_guessed_and_the_ratings_are_theirs(plant, tmp_path):
    output = tmp_path / "devices.csv"
    done = guess(plant, "--module", "cs6p-250m", "-o", output)
    assert done.exit_code == 0, done.output
    registry = read_registry(output)
    assert registry.layouts(registry.devices)[0].tolist() == [19, 7]  # 580.6 / 30.4 = 19.1, 54 / 8.22 = 6.6
    assert registry.ratings(registry.devices)[0] == pytest.approx([19 * 30.4, 7 * 8.22], rel=0.01)
    assert f"Modules are {MODULE}" in done.output


def test_a_fault_in_the_file_is_told(tmp_path):
    done = guess(write_day(tmp_path / "faulty.csv", strings=lambda hour: 6 if hour < 13 else 5))
    assert done.exit_code == 0, done.output
    assert "a fault may be in the file" in done.output


def test_an_unknown_module_is_answered_with_the_nearest(plant):
    done = guess(plant, "--module", "Canadian Solar CS9P-250M")
    assert done.exit_code == 2
    assert MODULE in done.stderr


def test_what_is_known_is_not_replaced_by_a_guess(plant, tmp_path):
    output = tmp_path / "devices.csv"
    output.write_text("mine")
    assert guess(plant, "-o", output).exit_code == 2
    assert output.read_text() == "mine"


def test_without_a_clear_hour_nothing_is_guessed(tmp_path):
    done = guess(write_day(tmp_path / "dim.csv", light=300.0))
    assert done.exit_code == 2
    assert "no device has a clear hour above 500 W/m²" in done.stderr
