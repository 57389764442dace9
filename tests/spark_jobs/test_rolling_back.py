"""A date goes back to what an older snapshot had of it; the dates beside it do not."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from pvfault.ledger import making_of_file
from pvfault.readings import DEVICE_ID
from pvfault.tables import DEVICE_DAYS, LEDGER, QUARANTINE, READINGS, SCALOGRAMS
from spark_jobs import catalog, compute_scalograms, ingest_readings, publishing, scans
from spark_jobs.maintain_tables import maintain
from spark_jobs.rolling_back import NoSnapshotError, roll_back
from tests.spark_jobs.helpers import (
    DEVICES,
    config_of,
    load,
    make_readings,
    midnight,
    rows_of,
    scalograms_of,
    send,
    send_readings,
    stage_table,
)

pytestmark = pytest.mark.spark

FIRST = date(2015, 1, 1)


def publish(spark, day, devices):
    catalog.create_tables(spark)
    rows = make_readings(day, devices, 600).sort_by([(DEVICE_ID, "ascending"), ("timestamp", "ascending")])
    publishing.publish(spark, stage_table(spark, rows, READINGS, day))
    return rows


def current(settings, table):
    return load(settings, table).current_snapshot().snapshot_id


@pytest.fixture
def config(lake_settings):
    return config_of(lake_settings, [FIRST])


@pytest.mark.broker
def test_readings_go_back_with_their_quarantine_and_the_ledger_tells_of_them(spark, lake_settings, make_topic):
    """The later date lies on top of the older snapshot: taking the table back would lose it."""
    day, later = FIRST, FIRST + timedelta(days=1)
    good, bad = make_topic(), make_topic()
    send_readings(lake_settings, good, make_readings(day, DEVICES))
    send(lake_settings, good, [(b"x", b"no reading", midnight(day) + timedelta(hours=5))])
    send_readings(lake_settings, bad, make_readings(day, (*DEVICES, "INV0000009")))
    (first,) = ingest_readings.run(spark, config_of(lake_settings, [day], topic=good)).days
    before = rows_of(lake_settings, READINGS, day), rows_of(lake_settings, QUARANTINE, day)
    assert len(before[1]) == 1
    (second,) = ingest_readings.run(spark, config_of(lake_settings, [day], topic=bad)).days
    assert (first.published, second.published, len(rows_of(lake_settings, QUARANTINE, day))) == (True, True, 0)
    publish(spark, later, DEVICES[:2])

    config = config_of(lake_settings, [day])
    refused = roll_back(spark, config, READINGS, day)
    assert "not_fewer_readings_than_before: 17280 readings" in refused.stopped_by
    assert len(rows_of(lake_settings, READINGS, day)) == 5 * 4320
    report = roll_back(spark, config_of(lake_settings, [day], allow_fewer=True), READINGS, day)
    assert report.published, report.stopped_by
    assert (rows_of(lake_settings, READINGS, day), rows_of(lake_settings, QUARANTINE, day)) == before
    assert len(rows_of(lake_settings, READINGS, later)) == 2 * 144
    # What was read for the older making is what was read for this one.
    making = report.figures["making"]
    assert making not in (first.figures["making"], second.figures["making"])
    assert {making_of_file(file.location) for file in scans.files_of(spark, READINGS, day)} == {making}
    told = {row["making"]: [] for row in rows_of(lake_settings, LEDGER, day).to_pylist()}
    for row in rows_of(lake_settings, LEDGER, day).to_pylist():
        kept = ("topic_id", "partition", "first_offset", "end_offset", "scanned", "records", "quarantined")
        told[row["making"]].append([row[name] for name in kept])
    assert told[making] == told[first.figures["making"]]
    # A device's readings stand in one file again, sorted, for whoever reads file by file.
    compute_scalograms.run(spark, config)
    assert len(rows_of(lake_settings, SCALOGRAMS, day)) == 24 * len(DEVICES)


def test_scalograms_of_an_older_making_come_back_bit_by_bit(spark, lake_settings, registry_of):
    day = FIRST + timedelta(days=10)
    publish(spark, day, DEVICES[:2])
    compute_scalograms.run(spark, config_of(lake_settings, [day]))
    before = rows_of(lake_settings, SCALOGRAMS, day)
    registry = str(registry_of(DEVICES))
    compute_scalograms.run(spark, config_of(lake_settings, [day], registry=registry))
    assert len(rows_of(lake_settings, SCALOGRAMS, day)) == 24 * len(DEVICES)
    report = roll_back(spark, config_of(lake_settings, [day]), SCALOGRAMS, day)
    assert report.published, report.stopped_by
    assert rows_of(lake_settings, SCALOGRAMS, day).equals(before)
    assert len(scalograms_of(lake_settings, day)) == 48


def test_rows_that_fail_an_audit_now_do_not_come_back(spark, lake_settings, config):
    """Verdicts are for devices with predictions, and the date has none."""
    day = FIRST + timedelta(days=20)
    catalog.create_tables(spark)
    for fault in ("none", "open_circuit"):
        row = {DEVICE_ID: DEVICES[0], "date": day, "fault": fault, "faulty_hours": 0, "usable_hours": 1,
               "energy_kwh": 1.0, "completeness": 1.0}  # fmt: skip
        rows = pa.Table.from_pylist([row], DEVICE_DAYS.schema)
        publishing.publish(spark, stage_table(spark, rows, DEVICE_DAYS, day))
    report = roll_back(spark, config, DEVICE_DAYS, day)
    assert (report.published, "one_verdict_for_each_device" in report.stopped_by) == (False, True)
    assert rows_of(lake_settings, DEVICE_DAYS, day)["fault"].to_pylist() == ["open_circuit"]


def test_a_moment_and_a_snapshot_name_what_readers_saw(spark, lake_settings, config):
    day = FIRST + timedelta(days=30)
    publish(spark, day, DEVICES[:1])
    snapshot = current(lake_settings, READINGS)
    moment = datetime.now(UTC)
    for devices in (DEVICES[:2], DEVICES[:3]):
        publish(spark, day, devices)
    for as_of in (snapshot, moment):
        assert roll_back(spark, config_of(lake_settings, [day]), READINGS, day, as_of).rows == 144
    refused = stage_table(spark, make_readings(day, DEVICES[:1], 600), READINGS, day)
    with pytest.raises(NoSnapshotError, match="never published"):
        roll_back(spark, config, READINGS, day, refused.snapshot_id)
    with pytest.raises(NoSnapshotError, match=f"no rows of {FIRST - timedelta(days=9)} in {snapshot}"):
        roll_back(spark, config, READINGS, FIRST - timedelta(days=9), snapshot)


def test_of_an_expired_snapshot_the_oldest_that_is_there_is_named(spark, lake_settings, config):
    day = FIRST + timedelta(days=40)
    publish(spark, day, DEVICES[:1])
    gone, moment = current(lake_settings, READINGS), datetime.now(UTC)
    publish(spark, day, DEVICES[:2])
    maintain(spark, apply=True, keep=timedelta(0))
    oldest = current(lake_settings, READINGS)
    for as_of in (gone, moment, None):
        with pytest.raises(NoSnapshotError, match=f"the oldest that is there is {oldest}, of .* UTC.*expired"):
            roll_back(spark, config, READINGS, day, as_of)
