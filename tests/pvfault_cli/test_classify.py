"""`pvfault classify` as a user calls it: files, registries and models, good and bad."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pvfault.faults import FAULTS
from pvfault.registry import write_registry
from pvfault.tables import PREDICTION_SCHEMA
from pvfault.verdicts import combine_windows
from pvfault_cli.main import app
from pvfault_workshop.simulation import simulate_fleet
from tests.conftest import PROJECT

MODEL = PROJECT / "models" / "lenet5.h5"
DAY = date(2024, 6, 1)


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(2, [DAY], 7)


@pytest.fixture
def files(fleet, tmp_path):
    """A folder with readings.csv and devices.csv."""
    readings = fleet.readings(DAY)
    pa_csv.write_csv(readings.set_column(1, "timestamp", pc.strftime(readings["timestamp"], "%Y-%m-%dT%H:%M:%S+00:00")),
                     tmp_path / "readings.csv")  # fmt: skip
    write_registry(fleet.registry, tmp_path / "devices.csv")
    return tmp_path


def classify(*arguments):
    return CliRunner().invoke(app, ["classify", *map(str, arguments)], env={"COLUMNS": "120"})


def test_a_csv_gives_verdicts_on_the_terminal_and_the_rows_in_a_file(files, fleet):
    output = files / "out.parquet"
    done = classify(files / "readings.csv", "--registry", files / "devices.csv", "--model", MODEL, "-o", output)
    assert done.exit_code == 0, done.output
    rows = pq.read_table(output)
    assert rows.select(PREDICTION_SCHEMA.names).schema.equals(PREDICTION_SCHEMA)
    assert rows.column_names[len(PREDICTION_SCHEMA) :] == ["name", "findings"]
    assert len(rows) == 2 * 24
    assert f"{len(fleet.readings(DAY)):,} readings of 2 devices" in done.output
    assert "2 device-days: " in done.output
    assert f"Written: {output}" in done.output.replace("\n", "")


def test_verdicts_are_those_of_the_jobs_rule(files, fleet):
    """From the written hours by the rule that `summarise_device_days` has, and not by one of the command's own."""
    output = files / "out.parquet"
    done = classify(files / "readings.csv", "--registry", files / "devices.csv", "--json", "-o", output)
    told = {day["deviceID"]: day for day in json.loads(done.stdout)["device_days"]}
    hours = pq.read_table(output).sort_by([("deviceID", "ascending"), ("window_start", "ascending")]).to_pylist()
    for device, day in told.items():
        own = [list(hour["probabilities"].values()) if hour["probabilities"] else [np.nan] * len(FAULTS)
               for hour in hours if hour["deviceID"] == device]  # fmt: skip
        verdict = combine_windows(np.array([own], float))
        assert (day["fault"], day["faulty_hours"]) == (FAULTS[verdict.fault[0]], verdict.faulty.sum())
        assert day["confidence"] == pytest.approx(verdict.confidence[0], abs=1e-5)


def test_without_a_registry_the_ratings_are_estimated_and_it_is_said(files):
    done = classify(files / "readings.csv", "--model", MODEL)
    assert done.exit_code == 0, done.output
    assert "Ratings estimated for 2 unregistered devices" in done.output


def write_day(path, *, step=5, light=900.0, strings=lambda _hour: 6, columns=None, device="Roof <b>south</b>"):
    """A clear day of an array of 580 V and 9 A a string, a reading every so many minutes."""
    rows = ["device,timestamp,voltage,current,temperature,irradiance"]
    for minute in range(0, 24 * 60, step):
        hour, sun = minute / 60, max(0.0, np.sin(np.pi * (minute / 60 - 5) / 14))
        values = {"voltage": 540.0 if sun else 0.0, "current": 0.009 * strings(hour) * light * sun, "temperature": 45.0,
                  "irradiance": light * sun} | {k: v(sun) for k, v in (columns or {}).items()}  # fmt: skip
        rows.append(f"{device},2024-06-10T{minute // 60:02}:{minute % 60:02}:00Z," + ",".join(
            f"{value:.3f}" for value in values.values()
        ))  # fmt: skip
    path.write_text("\n".join(rows))
    return path


def ratings(folder, voltage, current):
    path = folder / "registry.csv"
    path.write_text(f"name,rated_voltage,rated_current\nRoof <b>south</b>,{voltage},{current}\n")
    return path


def test_a_day_without_a_verdict_says_why_and_the_exit_code_is_3(tmp_path):
    done = classify(write_day(tmp_path / "dim.csv", light=40.0), "--map", "deviceID=device")
    assert done.exit_code == 3, done.output
    said = " ".join(done.stdout.split())
    assert "Roof <b>south</b> 2024-06-10: not judged, irradiance was at most 40 W/m²" in said


@pytest.mark.parametrize("step", [30, 60])
def test_readings_that_come_too_seldom_are_refused_and_it_is_said_why(tmp_path, step):
    slow = write_day(tmp_path / "slow.csv", step=step)
    refused = classify(slow, "--map", "deviceID=device", "--html", tmp_path / "r.html")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"come every {step} min; expected one every 16 min or more often" in refused.stderr
    assert "several readings in the hour" in refused.stderr
    assert not (tmp_path / "r.html").exists()
    looked = CliRunner().invoke(app, ["inspect", str(slow), "--map", "deviceID=device"])
    assert looked.exit_code == 2
    assert f"a reading every {60 * step} s" in looked.stdout
    assert "Next" not in looked.stdout
    assert looked.stderr == refused.stderr


@pytest.mark.parametrize("step", [10, 15])
def test_an_archive_of_means_of_some_minutes_is_judged(tmp_path, step):
    """Half of the strings opens at noon."""
    file = write_day(tmp_path / "archive.csv", step=step, strings=lambda hour: 4 if hour < 12 else 2)
    known = ratings(tmp_path, 580.0, 36.0)
    done = classify(file, "--map", "deviceID=device", "--registry", known, "--json")
    assert done.exit_code == 0, done.output
    (day,) = json.loads(done.stdout)["device_days"]
    assert day["fault"] == "open_circuit", day


def test_what_cannot_be_judged_beside_what_can_is_no_failure(tmp_path):
    slow = write_day(tmp_path / "slow.csv", step=30, device="slow")
    done = classify(slow, write_day(tmp_path / "good.csv"), "--map", "deviceID=device")
    assert done.exit_code == 0, done.output
    assert "2 device-days: 1 not judged, 1 healthy" in done.stdout


def test_readings_that_cannot_be_what_they_are_taken_for_are_refused_with_what_mends_them(tmp_path):
    """And what the message says mends it."""
    file = write_day(tmp_path / "kw.csv", columns={"irradiance": lambda sun: 0.9 * sun})
    refused = classify(file, "--map", "deviceID=device", "--html", tmp_path / "r.html")
    assert refused.exit_code == 2, refused.output
    assert refused.stdout == ""
    remedy = refused.stderr.split("To mend it: ")[1].split()
    assert remedy == ["--unit", "irradiance=kW/m²"]
    assert not (tmp_path / "r.html").exists()
    assert classify(file, "--map", "deviceID=device", *remedy).exit_code == 0


def test_what_is_doubtful_is_marked_in_all_outputs(tmp_path):
    """V_oc and I_sc of the data sheet in place of V_mp and I_mp."""
    file, registry = write_day(tmp_path / "plant.csv"), ratings(tmp_path, 580 * 1.22, 54 * 1.07)
    options = [file, "--map", "deviceID=device", "--registry", registry]
    outputs = {"--html": tmp_path / "r.html", "-o": tmp_path / "o.parquet"}
    shown = classify(*options, *(word for pair in outputs.items() for word in pair))
    assert shown.exit_code == 0, shown.output
    assert "Doubtful: Roof <b>south</b> 2024-06-10: " in " ".join(shown.stdout.split())
    findings = json.loads(classify(*options, "--json").stdout)["findings"]
    kinds = ", ".join(finding["kind"] for finding in findings)
    assert pq.read_table(outputs["-o"])["findings"].unique().to_pylist() == [kinds]
    page = outputs["--html"].read_text()
    assert all(finding["kind"] in page and finding["kind"] in kinds for finding in findings)
    assert "<b>south" not in page


def test_an_unsure_day_says_why(tmp_path):
    file = write_day(tmp_path / "dim.csv", light=140.0)
    done = classify(file, "--map", "deviceID=device")
    assert done.exit_code == 0, done.output
    assert "Roof <b>south</b> 2024-06-10: unsure, the device is not registered, and " in " ".join(done.stdout.split())


def test_json_is_one_document_and_nothing_else(tmp_path):
    file = write_day(tmp_path / "plant.csv", strings=lambda hour: 6 if hour < 11 else 4)
    done = classify(file, "--map", "deviceID=device", "--json", "-o", tmp_path / "o.parquet")
    document = json.loads(done.stdout)
    (day,) = document["device_days"]
    assert (day["name"], day["state"]) == ("Roof <b>south</b>", "faulty")
    # Without ratings the first hour alone is not enough to be sure of.
    assert day["onset"] in ("2024-06-10T11:00:00+00:00", "2024-06-10T12:00:00+00:00")
    assert len(document["hours"]) == 24
    assert "Written" in done.stderr


@pytest.fixture
def bad_files(files, fleet):
    (files / "empty.csv").touch()
    (files / "header.csv").write_text("deviceID,timestamp,voltage,current,temperature,irradiance\n")
    (files / "other.csv").write_text("a,b\n1,2\n")
    (files / "picture.parquet").write_bytes(b"\x89PNG\r\n\x1a\n" * 10)
    (files / "broken.h5").write_bytes(b"not a model")
    pa_csv.write_csv(pa.concat_tables([fleet.registry, fleet.registry]), files / "twice.csv")
    (files / "unrated.csv").write_text("deviceID,rated_voltage,rated_current\nINV0000001,500,\n")
    return files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["empty.csv"], "empty.csv is empty"),
        (["header.csv"], "no rows"),
        (["other.csv"], "has no column"),
        (["picture.parquet"], "not a readable Parquet file"),
        (["absent.csv"], "There is no file"),
        (["readings.csv", "--registry", "absent.csv"], "no such file"),
        (["readings.csv", "--registry", "twice.csv"], "more than once"),
        (["readings.csv", "--registry", "unrated.csv"], "rated_current"),
        (["readings.csv", "--model", "absent.h5"], "no such file; train one"),
        (["readings.csv", "--model", "broken.h5"], "no readable HDF5 file"),
        (["readings.csv", "-o", "out.csv"], "expected a Parquet file"),
        (["readings.csv", "--html", "out.pdf"], "--html is out.pdf; expected a page, as in --html report.html"),
        (["readings.csv", "-o", "readings.csv/out.parquet"], "cannot be written"),
        (["readings.csv", "--map", "voltage"], "expected NAME=COLUMN"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_code_2(bad_files, monkeypatch, arguments, message):
    monkeypatch.chdir(bad_files)
    done = classify(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.output
