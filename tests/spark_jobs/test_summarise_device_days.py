"""Verdicts and energy of a date, against sums done by hand."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.lenet import read_version
from pvfault.readings import READING_SCHEMA
from pvfault.tables import DARK, DEVICE_DAYS, OK, PREDICTION_SCHEMA, PREDICTIONS, READINGS, Table
from spark_jobs import catalog, compute_scalograms, publishing, summarise_device_days
from tests.spark_jobs.helpers import DEVICES, config_of, make_readings, midnight, rows_of, stage_table

pytestmark = pytest.mark.spark

DAY = date(2024, 9, 1)
HEALTHY, OPEN = DEVICES[:2]


def publish(spark, table: Table, rows: pa.Table, day: date = DAY) -> None:
    publishing.publish(spark, stage_table(spark, rows.sort_by([(name, "ascending") for name in table.key]), table, day))


def predictions_table(rows: list[tuple]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(PREDICTION_SCHEMA.names, row, strict=True)) for row in rows], PREDICTIONS.schema
    )


def predictions_of(device: str, fault_from: dict[int, str], version: str = "v"):
    """A device's predictions: dark outside 6 to 18 o'clock, `fault_from` says what the hours are taken for."""
    rows = []
    for hour in range(24):
        lit = 6 <= hour < 18
        fault = next((name for start, name in sorted(fault_from.items(), reverse=True) if hour >= start), "none")
        probabilities = {name: 0.95 if name == fault else 0.01 for name in FAULTS} if lit else None
        start = midnight(DAY) + timedelta(hours=hour)
        judged = (fault, 0.95) if lit else (None, None)
        rows.append((device, start, OK if lit else DARK, *judged, probabilities, version, None, None))
    return predictions_table(rows)


def test_the_day_has_its_fault_onset_and_energy(spark, lake_settings, registry_of):
    catalog.create_tables(spark)
    readings = make_readings(DAY, [HEALTHY, OPEN]).to_pandas()
    noon = midnight(DAY) + timedelta(hours=12)
    readings.loc[(readings.deviceID == OPEN) & (readings.timestamp >= noon), "current"] = 0.0
    publish(spark, READINGS, pa.Table.from_pandas(readings, READING_SCHEMA, preserve_index=False))
    both = [predictions_of(HEALTHY, {}), predictions_of(OPEN, {12: "open_circuit"}, read_version(lake_settings.model))]
    publish(spark, PREDICTIONS, pa.concat_tables(both))

    config = config_of(lake_settings, [DAY], registry=str(registry_of([HEALTHY, OPEN])))
    compute_scalograms.run(spark, config)
    (report,) = summarise_device_days.run(spark, config).days
    healthy, broken = rows_of(lake_settings, DEVICE_DAYS, DAY).to_pylist()

    # 500 V and G / 100 A, G = 1000 sin(...) W/m² from 6 to 18 o'clock: 5 kW times the mean 2/π over 12 h.
    whole_day_kwh = 5 * 12 * 2 / np.pi
    assert healthy["energy_kwh"] == pytest.approx(whole_day_kwh, rel=1e-3)
    assert broken["energy_kwh"] == pytest.approx(whole_day_kwh / 2, rel=1e-3)
    assert (healthy["fault"], healthy["onset"], healthy["lost_kwh"]) == ("none", None, 0.0)
    assert (broken["fault"], broken["faulty_hours"], broken["usable_hours"]) == ("open_circuit", 6, 12)
    assert broken["onset"] == datetime.fromisoformat(f"{DAY} 12:00+00:00")
    # The module is at 15 °C + G / 40, so a healthy array gives 5 kW * G * (1 - 0.4 % (G / 40 - 10)).
    g = 1000 * np.sin(np.pi * (np.arange(12 * 3600, 18 * 3600) / 3600 - 6) / 12)
    expected_kwh = np.sum(5 * g / 1000 * (1 - 0.004 * (g / 40 - 10))) / 3600
    assert broken["lost_kwh"] == pytest.approx(expected_kwh, rel=0.01)
    assert healthy["completeness"] == broken["completeness"] == 1.0
    assert report.figures["devices_open_circuit"] == 1
    # The sets are of one network; what another one has judged has none.
    assert healthy["candidates"] is None
    assert broken["candidates"][0] == "open_circuit"
    # The predictions here were never made of these scalograms, and that is all that is wrong.
    assert [audit.name for audit in report.audits if not audit.passed] == ["verdicts_are_of_what_is_there"]


def test_weights_that_cannot_be_read_are_named_before_a_date_is_made(spark, lake_settings, registry_of, tmp_path):
    """Their sets would be missing from each date, and nobody would know why."""
    (broken := tmp_path / "broken.h5").write_bytes(b"half of a net")
    config = config_of(lake_settings, [DAY], registry=str(registry_of([OPEN])), model=str(broken))
    with pytest.raises(PvfaultError, match=r"broken\.h5: found no readable HDF5 file"):
        summarise_device_days.run(spark, config)


def test_a_device_without_a_judged_window_is_unknown_and_not_healthy(spark, lake_settings, registry_of):
    day = DAY + timedelta(days=1)
    catalog.create_tables(spark)
    starts = [midnight(day) + timedelta(hours=hour) for hour in range(24)]
    rows = [("SILENT0001", start, "missing", None, None, None, "v", None, None) for start in starts]
    publish(spark, PREDICTIONS, predictions_table(rows), day)
    config = config_of(lake_settings, [day], registry=str(registry_of(["SILENT0001"])))
    (report,) = summarise_device_days.run(spark, config).days
    (row,) = rows_of(lake_settings, DEVICE_DAYS, day).to_pylist()
    assert (row["fault"], row["confidence"], row["usable_hours"], row["completeness"]) == (None, None, 0, 0.0)
    assert report.figures["devices_unknown"] == 1
    assert not next(audit for audit in report.audits if audit.name == "every_device_has_a_verdict").passed


def test_a_table_of_before_candidates_gets_the_column_and_its_old_rows_have_none(spark, lake_settings, registry_of):
    """The column stands behind the others then, and another file of the same table has it elsewhere or not at all."""
    old, new = (DAY + timedelta(days=days) for days in (2, 3))
    config = config_of(lake_settings, [old], registry=str(registry_of([OPEN])))
    version = read_version(lake_settings.model)
    catalog.create_tables(spark)
    for day in (old, new):
        rows = predictions_of(OPEN, {12: "open_circuit"}, version)
        starts = pa.array([midnight(day) + timedelta(hours=hour) for hour in range(24)], rows["window_start"].type)
        publish(spark, PREDICTIONS, rows.set_column(1, rows.schema.field(1), starts), day)
    summarise_device_days.run(spark, config)
    spark.sql(f"ALTER TABLE {catalog.name_of(DEVICE_DAYS)} DROP COLUMN candidates")
    summarise_device_days.run(spark, replace(config, dates=(new,)))
    before, after = (rows_of(lake_settings, DEVICE_DAYS, day).to_pylist()[0] for day in (old, new))
    assert (before["fault"], before["candidates"]) == ("open_circuit", None)
    assert (after["fault"], after["candidates"][0]) == ("open_circuit", "open_circuit")
