"""`pvfault classify` on device-days in the shapes that loggers write, whose truth is known (`../shared/data/field`)."""

import gzip
import json

import pytest
from typer.testing import CliRunner

from pvfault_cli.main import app
from tests.conftest import PROJECT

FIELD = PROJECT.parent / "shared" / "data" / "field"
LIGHT = range(5, 18)  # hours in UTC
REGISTRY = ("--registry", FIELD / "registry.csv")

pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason="the files are not part of the project")


def classify(file, *arguments):
    return CliRunner().invoke(app, ["classify", str(FIELD / file), *map(str, arguments)], env={"COLUMNS": "120"})


def hours(file, *arguments):
    """What each hour in the light shows, and how sure that is."""
    done = classify(file, *arguments, "--json")
    assert done.exit_code == 0, done.output
    shown = {int(hour["window_start"][11:13]): hour for hour in json.loads(done.stdout)["hours"]}
    return {hour: (shown[hour]["fault"] or shown[hour]["quality"], shown[hour]["confidence"]) for hour in LIGHT}


def names(*arguments):
    return {hour: name for hour, (name, _) in hours(*arguments).items()}


def test_a_string_that_opens_at_eleven_is_a_fault_from_then_on_also_without_a_registry():
    for arguments in (REGISTRY, ()):
        shown = names("open_string_11h.csv.gz", *arguments)
        assert {shown[hour] for hour in range(5, 11)} == {"none"}
        assert "none" not in {shown[hour] for hour in range(11, 17)}
    assert max(sure for name, sure in hours("open_string_11h.csv.gz").values() if name == "none") < 0.9


@pytest.mark.parametrize(
    ("file", "arguments", "words"),
    [
        ("open_string_11h.csv.gz", ("--registry", FIELD / "registry_string_current.csv"), "rated_current = 55.2"),
        ("two_inverters.csv.gz", ("--device", "INV0000001", *REGISTRY), "--map deviceID=inverter"),
        ("irradiance_kw.csv.gz", REGISTRY, "--unit irradiance=kW/m²"),
    ],
)
def test_what_would_be_silently_wrong_is_refused_with_what_mends_it(file, arguments, words):
    refused = classify(file, *arguments)
    assert (refused.exit_code, words in refused.stderr.replace("\n", " ")) == (2, True), refused.stderr


def test_ratings_of_open_and_short_circuit_leave_nobody_faulty():
    shown = names("open_string_11h.csv.gz", "--registry", FIELD / "registry_voc_isc.csv")
    assert set(shown.values()) == {"unsure"}


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("date_and_time.csv.gz", ("--map", "timestamp=date", "--device", "INV0000001")),
        ("date_and_time.csv.gz", ("--device", "INV0000001")),
        ("two_loggers.csv.gz", ()),
        ("jitter_25s.csv.gz", ()),
        ("irradiance_kw.csv.gz", ("--unit", "irradiance=kW/m2")),
        ("logger_export.csv.gz", ("--device", "INV0000001")),
    ],
)
def test_a_healthy_day_is_healthy_in_all_its_hours_however_it_is_written(file, arguments):
    assert names(file, *arguments, *REGISTRY) == dict.fromkeys(LIGHT, "none")


@pytest.mark.parametrize(
    ("file", "arguments", "expected"),
    [
        ("zero_hour.csv.gz", REGISTRY, {12: "not reporting"}),
        ("frozen_from_10h.csv.gz", REGISTRY, dict.fromkeys(range(10, 18), "invalid")),
        ("curtailed_2h.csv.gz", REGISTRY, {11: "curtailed", 12: "curtailed"}),
        ("curtailed_2h.csv.gz", (), {11: "curtailed", 12: "curtailed"}),
    ],
)
def test_what_the_logger_or_the_inverter_does_is_no_fault(file, arguments, expected):
    assert names(file, *arguments) == {**dict.fromkeys(LIGHT, "none"), **expected}


@pytest.mark.parametrize("end_of_line", ["\r", "\r\n"])
def test_lines_may_end_as_they_like(tmp_path, end_of_line):
    text = gzip.decompress((FIELD / "open_string_11h.csv.gz").read_bytes()).decode()
    (tmp_path / "day.csv").write_bytes(text.replace("\n", end_of_line).encode())
    assert names(tmp_path / "day.csv", *REGISTRY) == names("open_string_11h.csv.gz", *REGISTRY)
