"""`pvfault classify` as a user calls it: files, registries and models, good and bad."""

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pvfault.registry import write_registry
from pvfault.tables import PREDICTION_SCHEMA
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
    return CliRunner().invoke(app, ["classify", *map(str, arguments)])


def test_a_csv_gives_a_table_on_the_terminal_and_the_rows_in_a_file(files, fleet):
    output = files / "out.parquet"
    done = classify(files / "readings.csv", "--registry", files / "devices.csv", "--model", MODEL, "-o", output)
    assert done.exit_code == 0, done.output
    rows = pq.read_table(output)
    assert rows.schema.equals(PREDICTION_SCHEMA)
    assert len(rows) == 2 * 24
    assert f"{len(fleet.readings(DAY)):,} readings of 2 devices" in done.output
    row = rows.filter(pc.is_valid(rows["fault"])).slice(0, 1).to_pylist()[0]
    assert row["deviceID"] in done.output
    assert row["fault"] in done.output
    assert f"48 rows are in {output}" in done.output.replace("\n", "")


def test_without_a_registry_the_ratings_are_estimated_and_it_is_said(files):
    done = classify(files / "readings.csv", "--model", MODEL)
    assert done.exit_code == 0, done.output
    assert "ratings estimated for 2 unregistered devices" in done.output


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
