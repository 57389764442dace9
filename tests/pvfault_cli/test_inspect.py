"""`pvfault inspect`: what is shown of a file, the profile that it keeps, and the command that follows."""

import gzip
import shlex
import tomllib

import pytest

from pvfault_cli.file_options import choices_of
from tests.pvfault_cli.test_main import PROJECT, run

FIELD = PROJECT.parent / "shared" / "data" / "field"
HEADER = "Zeit;Udc [V];Idc [A];Tmod [°C];Irradiance (kW/m2);Pac [kW]\n"
ROWS = "".join(f"10/06/2024 10:{minute:02}:00;500,5;7,{minute:02};40;0,9;3,5\n" for minute in range(0, 60, 5))


@pytest.fixture
def plant(tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text("Plant Süd\n\n" + HEADER + ROWS, encoding="cp1252")
    return path


def test_what_can_be_read_in_two_ways_is_asked_beside_what_is_known(plant):
    done = run("inspect", plant, "--device", "WR 1")
    assert done.exit_code == 2
    assert "cp1252, semicolon between columns, decimal comma, names of columns in line 3" in done.stdout
    assert "--day-first" in done.stderr
    assert "--month-first" in done.stderr
    assert "Next" not in done.stdout


def test_columns_units_sampling_zone_and_the_next_command_are_shown(plant, tmp_path):
    profile = tmp_path / "plant.toml"
    options = ["--device", "WR 1", "--day-first", "--timezone", "Europe/Berlin", "--scale", "current=0.1"]
    done = run("inspect", plant, *options, "--write-profile", profile)
    assert done.exit_code == 0, done.output
    table = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert "irradiance" in table["Irradiance (kW/m2)"]
    assert "900" in table["Irradiance (kW/m2)"]
    assert " - " in table["Pac [kW]"]
    assert "12 readings of 1 device (WR 1)" in done.stdout
    assert "from 2024-06-10 08:00:00 to 2024-06-10 08:55:00 UTC; zone of the times: Europe/Berlin" in done.stdout
    assert "a reading every 300 s, no gaps" in done.stdout
    assert "irradiance was converted from kW/m² to W/m²" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["pvfault", "classify", str(plant), "--profile", str(profile)]
    kept = tomllib.loads(profile.read_text(encoding="utf-8"))
    assert kept == {"device": "WR 1", "timezone": "Europe/Berlin", "day_first": True, "scale": {"current": 0.1}}
    again = run("inspect", plant, "--profile", profile)
    assert again.exit_code == 0
    assert "12 readings of 1 device (WR 1)" in again.stdout


def test_the_next_command_reads_the_same_choices(plant):
    options = [
        "--map",
        "current=Idc [A]",
        "--device",
        "WR 1",
        "--day-first",
        "--unit",
        "irradiance=kW/m²",
        "--decimal",
        ",",
    ]
    done = run("inspect", plant, *options)
    command, classify, file, *words = shlex.split(done.stdout.splitlines()[-1])
    assert (command, classify, file) == ("pvfault", "classify", str(plant))
    assert run("inspect", plant, *words).stdout == done.stdout


@pytest.mark.skipif(not FIELD.exists(), reason="the files of loggers are not here")
def test_every_file_of_a_logger_is_shown_or_asked_about(tmp_path):
    for path in sorted(FIELD.glob("*.csv.gz")):
        done = run("inspect", path, *(["--device", "WR 1"] if "date_and" in path.name else []))
        assert done.exit_code == 0, f"{path}: {done.output}"
        old_mac = tmp_path / "mac.csv"
        old_mac.write_bytes(gzip.decompress(path.read_bytes()).replace(b"\n", b"\r"))
        same = run("inspect", old_mac, *(["--device", "WR 1"] if "date_and" in path.name else []))
        assert same.stdout.splitlines()[1:-4] == [
            line.replace(str(path), str(old_mac)) for line in done.stdout.splitlines()[1:-4]
        ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("columns = 1", "columns = 1; expected dict"),
        ("volts = 'V'", "has 'volts'; expected some of columns, day_first"),
        ("day_first = 'yes'", "day_first = 'yes'; expected bool"),
        ("[scale]\ncurrent = 'x'", "scale.current = 'x'; expected a number"),
        ("a = [", "cannot be read"),
        ("[columns]\nvolts = 'V'", "no 'volts'"),
    ],
)
def test_a_profile_that_is_none_is_refused(plant, tmp_path, content, words):
    (tmp_path / "bad.toml").write_text(content)
    done = run("inspect", plant, "--profile", tmp_path / "bad.toml")
    assert done.exit_code == 2
    assert words in done.stderr
    assert "There is no profile" in run("inspect", plant, "--profile", tmp_path / "no.toml").stderr


def test_an_option_goes_before_the_profile(tmp_path):
    profile = tmp_path / "plant.toml"
    profile.write_text('timezone = "UTC"\n[columns]\nvoltage = "U"\ncurrent = ["I1", "I2"]\ndeviceID = "WR"\n')
    choices = choices_of(profile, ["voltage=V"], timezone="+01:00", device="X")
    assert choices.columns == {"voltage": ("V",), "current": ("I1", "I2")}
    assert (choices.timezone, choices.device) == ("+01:00", "X")
