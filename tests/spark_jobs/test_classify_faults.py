"""Predictions from Spark: the same as `pvfault classify` gives for the same readings."""

import json
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pvfault.checks.predictions import count_verdicts
from pvfault.classify import classify_readings
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.lenet import load_classifier
from pvfault.registry import read_registry, write_registry
from pvfault.tables import DEVICE_DAYS, PREDICTION_SCHEMA, PREDICTIONS
from pvfault_cli.main import app
from pvfault_workshop.simulation import simulate_fleet
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from tests.spark_jobs.helpers import config_of, rows_of, send_readings

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAY = date(2024, 8, 1)


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(20, [DAY], 3)


@pytest.fixture
def registry(fleet, tmp_path):
    """A registry of all but two devices, whose ratings are then estimated."""
    write_registry(fleet.registry.slice(2), path := tmp_path / "devices.csv")
    return path


def test_the_command_line_and_the_spark_path_agree(spark, lake_settings, topic, fleet, registry, tmp_path):
    """An operator who tries a file must see what the platform will say of it."""
    readings = fleet.readings(DAY)
    send_readings(lake_settings, topic, readings)
    config = config_of(lake_settings, [DAY], topic=topic, registry=str(registry))
    for job in (ingest_readings, compute_scalograms, classify_faults, summarise_device_days):
        (report,) = job.run(spark, config).days
        assert report.published
    by_spark, days_by_spark = (rows_of(lake_settings, table, DAY) for table in (PREDICTIONS, DEVICE_DAYS))

    pq.write_table(readings, file := tmp_path / "readings.parquet")
    output = tmp_path / "predictions.parquet"
    options = ["--registry", str(registry), "--model", str(lake_settings.model), "-o", str(output), "--json"]
    done = CliRunner().invoke(app, ["classify", str(file), *options])
    assert done.exit_code == 0, done.output
    by_command = pq.read_table(output, columns=PREDICTION_SCHEMA.names).cast(PREDICTION_SCHEMA)

    assert len(by_command) == 20 * 24
    assert len(set(by_command["fault"].to_pylist()) - {None}) > 2
    for column in ("deviceID", "window_start", "quality", "fault", "candidates", "model_version"):
        assert by_command[column].equals(by_spark[column]), column
    days = {day["deviceID"]: day["candidates"] for day in json.loads(done.stdout)["device_days"]}
    assert days == dict(zip(*(days_by_spark[name].to_pylist() for name in ("deviceID", "candidates")), strict=True))
    assert max(len(candidates) for candidates in days.values() if candidates) > 1
    for fault in FAULTS:
        ours, theirs = (pc.struct_field(rows["probabilities"], fault).to_pylist() for rows in (by_command, by_spark))
        judged = [value is not None for value in ours]
        assert judged == [value is not None for value in theirs]
        assert [*filter(None, ours)] == pytest.approx([*filter(None, theirs)], abs=1e-5)


def test_a_missing_model_is_named_before_any_worker_starts(spark, lake_settings, tmp_path):
    with pytest.raises(PvfaultError, match=r"absent\.h5: no such file.*pvfault train"):
        classify_faults.run(spark, config_of(lake_settings, [DAY], model=str(tmp_path / "absent.h5")))


def test_readings_in_any_order_and_twice_have_the_same_predictions(lake_settings, fleet, registry):
    readings, devices = fleet.readings(DAY), read_registry(registry)
    classifier = load_classifier(lake_settings.model)
    doubled = pa.concat_tables([readings, readings]).take(list(range(2 * len(readings) - 1, -1, -1)))
    assert classify_readings(doubled, devices, classifier).equals(classify_readings(readings, devices, classifier))


def test_probabilities_that_are_none_and_faults_of_no_right_are_counted():
    """Damaged weights give such numbers, and the audits stand on these counts."""
    sound, above = dict.fromkeys(FAULTS, 1 / 6), dict.fromkeys(FAULTS, 0.3)
    rows = [("ok", "none", sound), ("ok", "none", above), ("ok", "arc_fault", dict.fromkeys(FAULTS, float("nan"))),
            ("ok", None, None), ("dark", "none", sound), ("dark", None, None)]  # fmt: skip
    schema = pa.schema([PREDICTIONS.schema.field(name) for name in ("quality", "fault", "probabilities")])
    found = count_verdicts(pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema))
    assert found == {"judged": 4, "mismatched": 2, "unsound": 3, "none": 3, "arc_fault": 1}
