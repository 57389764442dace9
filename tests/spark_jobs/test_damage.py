"""Files of the tables that were damaged on their disk: named with their date, and nothing beside them suffers."""

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pvfault.data_files import FileError
from pvfault.registry import EMPTY_REGISTRY
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import PREDICTIONS, READINGS, SCALOGRAMS, Table
from spark_jobs import (
    catalog,
    classify_faults,
    compute_scalograms,
    ingest_readings,
    publishing,
    scans,
    summarise_device_days,
)
from tests.spark_jobs.helpers import (
    DEVICES,
    config_of,
    delete_rows,
    make_readings,
    rows_of,
    scalograms_of,
    send_readings,
    stage_table,
)

pytestmark = pytest.mark.spark


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def overwrite(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def overwrite_rows(path: Path) -> None:
    """The footer, by which a reader finds its way, is whole."""
    footer = pq.ParquetFile(path).metadata.serialized_size + 8
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4)
        file.write(np.random.default_rng(0).bytes(size - footer - 4))


def delete(path: Path) -> None:
    path.unlink()


DAMAGES = (cut_off, empty, overwrite, overwrite_rows, delete)


@pytest.fixture
def harm():
    """Damage files of the tables that all tests share; they are whole again afterwards."""
    kept = {}

    def damage_file(damage, path: Path) -> Path:
        kept.setdefault(path, path.read_bytes())
        damage(path)
        return path

    yield damage_file
    for path, content in kept.items():
        path.write_bytes(content)


# Dates of this file, two for each damage and test.
FIRST = date(2027, 1, 1)


def dates_of(damage, test: int) -> list[date]:
    start = FIRST + timedelta(days=400 * test + 40 * DAMAGES.index(damage))
    return [start + timedelta(days=n) for n in range(2)]


def publish_readings(spark, day: date):
    catalog.create_tables(spark)
    readings = make_readings(day, DEVICES[:2]).sort_by([("deviceID", "ascending"), ("timestamp", "ascending")])
    publishing.publish(spark, stage_table(spark, readings, READINGS, day))
    return readings


def file_of(spark, table: Table, day: date) -> Path:
    """The one file of a date."""
    (file,) = scans.files_of(spark, table, day)
    return path_of(file.location)


def path_of(location: str) -> Path:
    return Path(location.removeprefix("file:").replace("///", "/"))


def says(sentence: str, table: str, day: date, path: Path, source: str) -> bool:
    """Whether it is one sentence with file, date and what to do."""
    return (
        sentence.startswith(f"`{table}` of {day}: the file ")
        and path.name in sentence
        and sentence.endswith(f"make `{table}` of {day} again from {source}")
        and "\n" not in sentence
        and len(sentence) < 600
    )


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_date_goes_without_damaged_history_and_says_so(spark, lake_settings, harm, damage):
    """One bad disk block must not stop a fleet for the 154 days that look back at it."""
    before, day = dates_of(damage, 0)
    readings = [publish_readings(spark, one) for one in (before, day)]
    compute_scalograms.run(spark, config_of(lake_settings, [before]))
    path = harm(damage, file_of(spark, SCALOGRAMS, before))
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [day])).days
    assert report.published
    assert report.figures["history"] == []
    assert scalograms_of(lake_settings, day).equals(scalogram_rows(readings[1], day, EMPTY_REGISTRY))
    audit = next(audit for audit in report.audits if audit.name == "history_is_there")
    assert (audit.passed, audit.figures["damaged"]) == (False, [str(before)])
    assert path.name in audit.summary
    assert f"make `scalograms` of {before} again from `readings`" in audit.summary
    # and that mends it
    reports = compute_scalograms.run(spark, config_of(lake_settings, [before, day])).days
    assert reports[1].figures["history"] == [str(before)]
    assert all(audit.passed for report in reports for audit in report.audits)


@pytest.mark.parametrize("damage", [cut_off, overwrite_rows])
def test_a_damaged_file_of_scalograms_or_of_predictions_stops_its_date_alone(spark, lake_settings, harm, damage):
    days = dates_of(damage, 1)
    for day in days:
        publish_readings(spark, day)
    compute_scalograms.run(spark, config_of(lake_settings, days))
    path = harm(damage, file_of(spark, SCALOGRAMS, days[0]))
    reports = classify_faults.run(spark, config_of(lake_settings, days)).days
    assert [report.published for report in reports] == [False, True]
    assert says(reports[0].failure, "scalograms", days[0], path, "`readings`")

    # Spark moves these rows; what it says of a file is no sentence.
    compute_scalograms.run(spark, config_of(lake_settings, days[:1]))
    classify_faults.run(spark, config_of(lake_settings, days[:1]))
    path = harm(damage, file_of(spark, PREDICTIONS, days[0]))
    reports = summarise_device_days.run(spark, config_of(lake_settings, days)).days
    assert [report.published for report in reports] == [False, True]
    assert says(reports[0].failure, "predictions", days[0], path, "`scalograms`")


@pytest.mark.parametrize("damage", [empty, delete])
def test_a_damaged_file_of_readings_stops_its_date_alone(spark, lake_settings, harm, damage):
    days = dates_of(damage, 2)
    for day in days:
        publish_readings(spark, day)
    path = harm(damage, file_of(spark, READINGS, days[0]))
    reports = compute_scalograms.run(spark, config_of(lake_settings, days)).days
    assert [report.published for report in reports] == [False, True]
    assert says(reports[0].failure, "readings", days[0], path, "the topic")
    assert not list(lake_settings.warehouse.rglob("*references*"))


@pytest.mark.broker
def test_damaged_readings_are_made_again_from_the_topic(spark, lake_settings, harm, make_topic):
    """What is there is counted before it is replaced, and cannot be read."""
    day = FIRST - timedelta(days=50)
    readings = make_readings(day, DEVICES[:2])
    whole, less = make_topic(), make_topic()
    send_readings(lake_settings, whole, readings)
    send_readings(lake_settings, less, readings.slice(0, 100))
    config = config_of(lake_settings, [day], topic=whole)
    ingest_readings.run(spark, config)
    for file in scans.files_of(spark, READINGS, day):
        harm(overwrite, path_of(file.location))
    (report,) = ingest_readings.run(spark, config).days
    assert report.published
    assert rows_of(lake_settings, READINGS, day).equals(
        readings.sort_by([("deviceID", "ascending"), ("timestamp", "ascending")])
    )
    # And it still is not replaced by less.
    for file in scans.files_of(spark, READINGS, day):
        harm(overwrite, path_of(file.location))
    (refused,) = ingest_readings.run(spark, config_of(lake_settings, [day], topic=less)).days
    assert not refused.published
    assert (
        "100 readings in the topic, 8640 in the table, which cannot be compared device by device" in refused.stopped_by
    )


def test_a_damaged_file_that_only_spark_can_read_is_named_as_well(spark, lake_settings, harm):
    """Somebody has deleted rows of it before; what Spark says of it is 16,000 characters of two languages."""
    day = FIRST - timedelta(days=30)
    publish_readings(spark, day)
    of_day = f"timestamp >= '{day} 00:00:00+00:00' AND timestamp < '{day} 10:00:00+00:00'"
    delete_rows(spark, READINGS, f"deviceID = '{DEVICES[0]}' AND {of_day}")
    path = harm(cut_off, file_of(spark, READINGS, day))
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [day])).days
    assert says(report.failure, "readings", day, path, "the topic")


def test_an_error_of_sparks_without_damage_stays_what_it_is(spark):
    day = FIRST - timedelta(days=40)
    publish_readings(spark, day)
    with pytest.raises(Exception, match="no_such_column") as raised, scans.naming_damage(spark, day, READINGS):
        spark.sql("SELECT no_such_column").collect()
    assert not isinstance(raised.value, FileError)
