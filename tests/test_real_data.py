"""Readings of a real inverter through the broker and every job: nothing is lost, and nothing stops.

The file is not part of the repository; where it is not beside it, these tests are skipped.
"""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest
from typer.testing import CliRunner

from pvfault.readings import MEASUREMENTS, PLAUSIBLE
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, QUARANTINE, READINGS, SCALOGRAMS
from pvfault_cli.main import app
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from tests.conftest import PROJECT
from tests.spark_jobs.helpers import config_of, rows_of

FILE = PROJECT.parent / "shared" / "data" / "ufms" / "inverter_days_1min.parquet"
MAP = {"timestamp": "ts", "voltage": "V_DC", "current": "I_DC", "irradiance": "IRR", "temperature": "temp"}
ZONE = "America/Campo_Grande"

pytestmark = [
    pytest.mark.broker,
    pytest.mark.spark,
    pytest.mark.skipif(not FILE.exists(), reason="the measured readings are not beside the repository"),
]


@pytest.fixture
def replayed(lake_settings, topic, monkeypatch):
    """The file's readings in a topic; returns them as pandas has read them, in UTC."""
    monkeypatch.setenv("PVFAULT_BROKER", lake_settings.broker)
    options = [word for name, column in MAP.items() for word in ("--map", f"{name}={column}")]
    done = CliRunner().invoke(
        app, ["replay", str(FILE), *options, "--device", "UFMSINV001", "--timezone", ZONE, "--topic", topic]
    )
    assert done.exit_code == 0, done.output
    frame = pd.read_parquet(FILE).reset_index()[list(MAP.values())].set_axis(list(MAP), axis=1)
    frame["timestamp"] = frame["timestamp"].dt.tz_localize(ZONE).dt.tz_convert("UTC")
    return frame


def test_every_measured_reading_is_kept_and_every_hour_accounted_for(spark, lake_settings, topic, replayed):
    """Days with a current of 5e58 A, a thermometer at -127 °C, and one that was not there at all."""
    days = [date(2019, 10, 19), date(2019, 10, 20), date(2019, 10, 22), date(2019, 10, 25)]
    config = config_of(replace(lake_settings, topic=topic), days)
    for job in (ingest_readings, compute_scalograms, classify_faults, summarise_device_days):
        assert all(report.published for report in job.run(spark, config).days)
    qualities = {}
    for day in days:
        sent = replayed[replayed["timestamp"].dt.date == day].drop_duplicates("timestamp")
        readings = rows_of(lake_settings, READINGS, day)
        assert readings["timestamp"].to_pylist() == sent["timestamp"].tolist()
        assert len(rows_of(lake_settings, QUARANTINE, day)) == 0
        windows = rows_of(lake_settings, SCALOGRAMS, day)
        assert sum(windows["readings"].to_pylist()) == len(sent)
        by_hour = sent.groupby(sent["timestamp"].dt.hour)
        usable = {hour: len(_plausible(of_hour)) for hour, of_hour in by_hour}
        for row in windows.to_pylist():
            hour = row["window_start"].hour
            if row["quality"] in ("ok", "dark"):
                assert usable[hour] > 0
            elif row["quality"] == "invalid":
                assert usable[hour] < len(by_hour.get_group(hour))
            elif row["quality"] == "missing":
                assert hour not in usable
        qualities[day] = Counter(windows["quality"].to_pylist())
        assert len(rows_of(lake_settings, PREDICTIONS, day)) == qualities[day].total() == 24
        assert len(rows_of(lake_settings, DEVICE_DAYS, day)) == 1
    # No thermometer on the whole of 20 October: not one hour can be judged, and none is called faulty.
    assert qualities[date(2019, 10, 20)]["ok"] == 0
    assert qualities[date(2019, 10, 20)]["invalid"] > 10
    # One absurd current in one minute of the night costs nothing.
    assert qualities[date(2019, 10, 25)]["invalid"] == 0
    assert qualities[date(2019, 10, 25)]["ok"] >= 8


def _plausible(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that can have been measured."""
    return frame[pd.concat([frame[name].between(*PLAUSIBLE[name]) for name in MEASUREMENTS], axis=1).all(axis=1)]


def test_a_day_that_is_not_in_the_file_is_empty(spark, lake_settings, topic, replayed):
    day = replayed["timestamp"].min().date() - timedelta(days=30)
    (report,) = ingest_readings.run(spark, config_of(lake_settings, [day], topic=topic)).days
    assert (report.rows, report.published) == (0, False)
