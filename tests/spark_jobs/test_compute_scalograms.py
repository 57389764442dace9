"""Scalograms from Spark: the same rows as `pvfault.rows` gives, however the readings reach the workers."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pvfault.readings import READING_SCHEMA
from pvfault.registry import EMPTY_REGISTRY, read_registry
from pvfault.rows.references import history_made_since, reference_rows, references_by_device
from pvfault.rows.scalograms import missing_rows, scalogram_rows
from pvfault.tables import PREDICTIONS, READINGS, SCALOGRAMS
from spark_jobs import catalog, classify_faults, compute_scalograms, publishing
from tests.spark_jobs.helpers import (
    DEVICES,
    config_of,
    delete_rows,
    make_readings,
    midnight,
    rows_of,
    scalograms_of,
    stage_rows,
)

pytestmark = pytest.mark.spark

DAY = date(2024, 6, 1)
KEY = list(SCALOGRAMS.key)
BY_KEY = [("deviceID", "ascending"), ("timestamp", "ascending")]


def publish_readings(spark, day, readings, by="deviceID", order=("deviceID", "timestamp")):
    catalog.create_tables(spark)
    rows = spark.createDataFrame(readings.to_pandas(), catalog.spark_schema(READINGS)).repartition(3, by)
    publishing.publish(spark, stage_rows(rows.sortWithinPartitions(*order), READINGS, day))


def test_the_table_holds_what_the_science_gives_and_the_silent_devices(spark, lake_settings, registry_of):
    readings = make_readings(DAY, DEVICES)
    publish_readings(spark, DAY, readings)
    path = registry_of([*DEVICES[:2], "SILENT0001"])
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [DAY], registry=str(path))).days
    expected = pa.concat_tables(
        [scalogram_rows(readings.sort_by(BY_KEY), DAY, read_registry(path)), missing_rows(["SILENT0001"], DAY)]
    )
    assert scalograms_of(lake_settings, DAY).equals(expected)
    assert report.rows == 5 * 24
    assert (report.figures["missing"], report.figures["ok"]) == (24, 4 * 12)
    assert all(audit.passed for audit in report.audits)


def test_absurd_and_frozen_values_are_gaps_and_their_devices_are_named(spark, lake_settings, registry_of):
    """Two hours of 0xFFFF became 859 kWh, and a logger that repeated its last row was healthy all afternoon."""
    day = date(2023, 6, 15)
    frame = make_readings(day, DEVICES).to_pandas()
    hour, columns = frame["timestamp"].dt.hour, ["voltage", "current"]
    absurd, frozen = (frame["deviceID"] == DEVICES[0], frame["deviceID"] == DEVICES[1])
    frame.loc[absurd & hour.between(11, 12), columns] = 655.35
    frame.loc[frozen & (hour >= 14), columns] = [500.0, 8.66]
    frame.loc[frame[(frame["deviceID"] == DEVICES[2]) & (hour == 9)].index[0], columns] = 655.35
    readings = pa.Table.from_pandas(frame, READING_SCHEMA, preserve_index=False)
    publish_readings(spark, day, readings)
    path = registry_of(DEVICES)
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [day], registry=str(path))).days
    assert report.published
    rows = scalograms_of(lake_settings, day)
    assert rows.equals(scalogram_rows(readings.sort_by(BY_KEY), day, read_registry(path)))
    quality = [rows["quality"].to_pylist()[24 * n : 24 * n + 24] for n in range(4)]
    assert quality[2] == quality[3]
    assert quality[0] == [*quality[3][:11], "invalid", "invalid", *quality[3][13:]]
    assert quality[1] == [*quality[3][:14], *["invalid"] * 10]
    watt_hours = [sum(filter(None, rows["mean_power"].to_pylist()[24 * n : 24 * n + 24])) for n in range(4)]
    assert watt_hours[0] < watt_hours[3]
    assert watt_hours[2] == pytest.approx(watt_hours[3], rel=1e-3)

    audit = next(audit for audit in report.audits if audit.name == "readings_tell_of_the_array")
    assert not audit.passed
    assert not audit.blocking
    assert audit.figures == {
        "beyond": 361,
        "still": 1800,
        "devices": 2,
        "worst": [
            {"device": DEVICES[1], "readings": 4320, "beyond": 0, "still": 1800},
            {"device": DEVICES[0], "readings": 4320, "beyond": 360, "still": 0},
        ],
    }
    assert f"2 devices have too many of them; {DEVICES[1]}: 0 beyond, 1800 still of 4320" in audit.summary
    assert "correct rated_voltage and rated_current in the registry" in audit.summary


@pytest.mark.parametrize(
    ("day", "by", "order"),
    [
        (date(2025, 1, 1), "timestamp", ["deviceID", "timestamp"]),
        (date(2025, 3, 1), "deviceID", ["timestamp"]),
        (date(2025, 5, 1), "deviceID", ["deviceID", "irradiance"]),
    ],
)
def test_a_table_that_somebody_has_arranged_otherwise_gives_the_same(spark, lake_settings, day, by, order):
    """Compacted, or written by time: a device stands in several files, or is not sorted in its own."""
    readings = make_readings(day, DEVICES[:2])
    publish_readings(spark, day, readings, by, order)
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [day])).days
    assert report.published
    assert scalograms_of(lake_settings, day).equals(scalogram_rows(readings.sort_by(BY_KEY), day, EMPTY_REGISTRY))


def test_rows_that_somebody_has_deleted_stay_deleted(spark, lake_settings):
    """An operator takes out a morning of a broken gateway; the files still hold it."""
    day = date(2025, 9, 1)
    readings = make_readings(day, DEVICES[:2]).sort_by(BY_KEY)
    publish_readings(spark, day, readings)
    delete_rows(spark, READINGS, f"deviceID = '{DEVICES[0]}' AND timestamp < '{day} 10:00:00+00:00'")
    gone = pc.and_(
        pc.equal(readings["deviceID"], DEVICES[0]), pc.less(readings["timestamp"], midnight(day) + timedelta(hours=10))
    )
    kept = readings.filter(pc.invert(gone))
    assert len(kept) == len(readings) - 1800
    compute_scalograms.run(spark, config_of(lake_settings, [day]))
    assert scalograms_of(lake_settings, day).equals(scalogram_rows(kept, day, EMPTY_REGISTRY))

    first_hours = f"deviceID = '{DEVICES[1]}' AND window_start < '{day} 06:00:00+00:00'"
    delete_rows(spark, SCALOGRAMS, f"{first_hours} AND window_start >= '{day} 00:00:00+00:00'")
    (report,) = classify_faults.run(spark, config_of(lake_settings, [day])).days
    assert report.published
    judged = rows_of(lake_settings, PREDICTIONS, day)
    assert judged.select(KEY).equals(scalograms_of(lake_settings, day).select(KEY))
    assert len(judged) == 42


def test_a_date_is_judged_beside_the_dates_before(spark, lake_settings):
    """Made in order, as a backfill does: the second date knows the first, and is made the same again later."""
    days = [date(2025, 7, 1), date(2025, 7, 2)]
    readings = [make_readings(day, DEVICES).sort_by(BY_KEY) for day in days]
    for day, of_day in zip(days, readings, strict=True):
        publish_readings(spark, day, of_day)
    reports = compute_scalograms.run(spark, config_of(lake_settings, days)).days
    assert [report.figures["devices_with_history"] for report in reports] == [0, len(DEVICES)]
    first = scalogram_rows(readings[0], days[0], EMPTY_REGISTRY)
    assert scalograms_of(lake_settings, days[0]).equals(first)
    known = references_by_device(reference_rows(first, days[1], EMPTY_REGISTRY))
    second = scalogram_rows(readings[1], days[1], EMPTY_REGISTRY, known)
    assert scalograms_of(lake_settings, days[1]).equals(second)
    assert not second.equals(scalogram_rows(readings[1], days[1], EMPTY_REGISTRY))
    again = compute_scalograms.run(spark, config_of(lake_settings, days[1:])).days
    assert again[0].published
    assert scalograms_of(lake_settings, days[1]).equals(second)


def test_a_date_made_before_its_history_says_so_and_is_found_again(spark, lake_settings):
    """Two dates made side by side give other verdicts than one after the other; without this, nothing tells."""
    days = [date(2025, 11, 1), date(2025, 11, 2), date(2025, 11, 3)]
    for day in days:
        publish_readings(spark, day, make_readings(day, DEVICES[:2]))

    def make(*made):
        reports = compute_scalograms.run(spark, config_of(lake_settings, made)).days
        audits = [next(audit for audit in report.audits if audit.name == "history_is_there") for report in reports]
        return [report.figures["history"] for report in reports], audits

    ((alone,), (audit,)) = make(days[2])
    assert alone == []
    assert (audit.passed, audit.blocking) == (False, False)
    assert audit.figures["not_made"] == ["2025-11-02", "2025-11-01"]
    assert "2025-11-02, 2025-11-01 have readings and no scalograms; make `scalograms` of these dates" in audit.summary
    before = scalograms_of(lake_settings, days[2])

    _, audits = make(*days[:2])
    assert all(audit.passed for audit in audits)
    assert history_made_since(alone, days, days[2]) == [days[1], days[0]]

    ((beside,), (audit,)) = make(days[2])
    assert audit.passed
    assert beside == ["2025-11-02", "2025-11-01"]
    assert history_made_since(beside, days, days[2]) == []
    assert not scalograms_of(lake_settings, days[2]).equals(before)


def test_nothing_of_the_references_is_left(spark, lake_settings):
    """They are for one date's tasks; a folder for each date would fill the disk in a year."""
    days = [date(2026, 1, 1), date(2026, 1, 2)]
    for day in days:
        publish_readings(spark, day, make_readings(day, DEVICES[:1]))
    reports = compute_scalograms.run(spark, config_of(lake_settings, days)).days
    assert reports[1].figures["devices_with_history"] == 1
    assert not list(lake_settings.warehouse.rglob("*references*"))


def test_batches_of_three_readings_give_the_same_scalograms(monkeypatch):
    """A device is cut apart by every batch here; its windows must not be."""
    monkeypatch.setattr(compute_scalograms, "READINGS_AT_ONCE", 1000)
    readings = make_readings(date(2024, 6, 2), DEVICES[:2], period_s=120)
    to_rows = compute_scalograms.to_scalograms(date(2024, 6, 2), EMPTY_REGISTRY)
    found = pa.Table.from_batches(to_rows(iter(readings.sort_by(BY_KEY).to_batches(max_chunksize=3))))
    expected = scalogram_rows(readings.sort_by(BY_KEY), date(2024, 6, 2), EMPTY_REGISTRY)
    assert found.select(expected.column_names).equals(expected)


def test_a_date_without_readings_has_missing_windows_for_the_registered_devices(spark, lake_settings, registry_of):
    """A plant that is off the air all day is missing, and neither healthy nor faulty."""
    path = registry_of(DEVICES)
    day = date(2024, 6, 9)
    (report,) = compute_scalograms.run(spark, config_of(lake_settings, [day], registry=str(path))).days
    assert report.figures["missing"] == report.rows == len(DEVICES) * 24
    assert scalograms_of(lake_settings, day)["scalogram"].null_count == report.rows


def test_a_device_with_an_hour_twice_or_without_one_is_counted():
    """The audit that keeps such a date from its readers stands on this count."""
    tally = compute_scalograms.Tally()
    whole = missing_rows(DEVICES[:3], DAY)
    hours = pa.array([*range(24), *range(23), *range(24), 5])  # whole, an hour short, an hour twice
    places = pa.array([0] * 24 + [24] * 23 + [48] * 25)
    tally.add(whole.take(pc.add(hours, places)))
    tally.add(missing_rows(DEVICES[3:], DAY))
    assert tally.counts == {"made": 4, "not_whole": 2, "missing": 96, "blank": 0}
