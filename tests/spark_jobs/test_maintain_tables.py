"""Upkeep of the tables: what goes, what stays, and that nobody who works beside it loses anything."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pvfault.tables import LEDGER, READINGS
from pvfault_api.verifying import verify_dates
from spark_jobs import catalog, ingest_readings, publishing
from spark_jobs.maintain_tables import KEEP, maintain
from tests.spark_jobs.helpers import DEVICES, config_of, load, make_readings, rows_of, send_readings, stage_table

pytestmark = pytest.mark.spark

FIRST = date(2014, 1, 1)
NOTHING = timedelta(0)


@pytest.fixture
def tables(spark):
    catalog.create_tables(spark)
    return spark


def publish(spark, day, devices=DEVICES[:1]):
    publishing.publish(spark, stage(spark, day, devices))


def stage(spark, day, devices=DEVICES[:1]):
    return stage_table(spark, make_readings(day, devices, 600), READINGS, day)


def files_on_disk(settings):
    return {path for path in settings.warehouse.rglob("*") if path.is_file()}


def upkeep_of(done, table):
    (found,) = (each for each in done if each.table == table.name)
    return found


def data_files(settings, table):
    return {task.file.file_path for task in load(settings, table).scan().plan_files()}


def ledger_row(day, number):
    """A making of a date in one partition of a topic that nobody reads."""
    row = {"date": day, "making": f"{number:032x}", "made_at": datetime.now(UTC), "topic": "none", "topic_id": "none",
           "partition": 0, "first_offset": 0, "end_offset": 1, "records": 1, "readings": 1, "quarantined": 0,
           "date_rows": 1, "date_duplicates": 0}  # fmt: skip
    return pa.Table.from_pylist([row], LEDGER.schema)


def n_manifests(settings):
    table = load(settings, READINGS)
    return len(table.current_snapshot().manifests(table.io))


def leave(settings, table, name, days):
    """A file that no snapshot knows, of some days ago."""
    path = settings.warehouse / "pvfault" / table.name / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"of a task that was killed")
    then = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return path


def test_a_dry_run_tells_what_is_done_and_does_nothing_and_rows_stay_as_they_are(tables, lake_settings):
    publish(tables, FIRST, DEVICES)
    replaced = data_files(lake_settings, READINGS)
    publish(tables, FIRST)
    replaced -= data_files(lake_settings, READINGS)
    rows, current = rows_of(lake_settings, READINGS, FIRST), data_files(lake_settings, READINGS)
    old, young = (leave(lake_settings, READINGS, name, days) for name, days in (("old.parquet", 4), ("young", 2)))
    before = files_on_disk(lake_settings)
    told = upkeep_of(maintain(tables, apply=False, keep=NOTHING), READINGS)
    assert files_on_disk(lake_settings) == before
    assert (told.snapshots > 0, told.orphans, told.files_of_snapshots) == (True, 1, 0)

    done = upkeep_of(maintain(tables, apply=True, keep=NOTHING), READINGS)
    assert (done.snapshots >= told.snapshots, done.orphans) == (True, 1)
    assert (old.exists(), young.exists()) == (False, True)
    assert replaced
    assert not any(Path(path.removeprefix("file:").replace("///", "/")).exists() for path in replaced)
    assert rows_of(lake_settings, READINGS, FIRST).equals(rows)
    assert data_files(lake_settings, READINGS) == current, "whose devices stand together is not rewritten"
    assert len(load(lake_settings, READINGS).metadata.snapshots) == 1
    assert verify_dates(lake_settings, [FIRST]).damages == []
    again = upkeep_of(maintain(tables, apply=False, keep=NOTHING), READINGS)
    assert (again.snapshots, again.orphans, again.manifests) == (0, 0, 0)
    young.unlink()


def test_what_readers_saw_in_the_days_that_are_kept_stays(tables, lake_settings):
    """Five days back means the state of then, also if it was made long before and replaced since."""
    day = FIRST + timedelta(days=1)
    publish(tables, day, DEVICES)
    seen = load(lake_settings, READINGS).current_snapshot().snapshot_id
    start = datetime.now(UTC)
    time.sleep(0.05)
    publish(tables, day)
    maintain(tables, apply=True, keep=datetime.now(UTC) - start)
    kept = load(lake_settings, READINGS).scan(snapshot_id=seen).to_arrow()
    assert set(kept["deviceID"].to_pylist()) >= set(DEVICES)


def test_what_was_staged_before_upkeep_is_published_after_it(tables, lake_settings):
    """The snapshot that it was staged beside is old and replaced: without it nothing could be published."""
    first, second, refused = (FIRST + timedelta(days=n) for n in (2, 3, 4))
    old = stage(tables, refused)
    publish(tables, FIRST + timedelta(days=5))
    time.sleep(0.05)
    start = datetime.now(UTC)
    time.sleep(0.05)
    staged = stage(tables, first)
    publish(tables, second)
    done = upkeep_of(maintain(tables, apply=True, keep=datetime.now(UTC) - start), READINGS)
    assert done.snapshots > 0
    publishing.publish(tables, staged)
    assert [len(rows_of(lake_settings, READINGS, day)) for day in (first, second)] == [144, 144]
    assert verify_dates(lake_settings, [first, second]).damages == []
    known = {snapshot.snapshot_id for snapshot in load(lake_settings, READINGS).metadata.snapshots}
    assert old.snapshot_id not in known
    assert timedelta(days=5) <= KEEP


def test_the_ledger_has_a_file_a_date_afterwards_and_each_making_is_in_it(tables, lake_settings):
    day = FIRST + timedelta(days=6)
    rows = [ledger_row(day, n) for n in range(3)]
    for row in rows:
        publishing.append(tables, LEDGER, day, row)
    assert upkeep_of(maintain(tables, apply=False), LEDGER).data_files >= 3
    maintain(tables, apply=True)
    assert rows_of(lake_settings, LEDGER, day)["making"].to_pylist() == [row["making"][0].as_py() for row in rows]
    scan = load(lake_settings, LEDGER).scan(row_filter=f"date = '{day}'")
    assert len(list(scan.plan_files())) == 1
    assert upkeep_of(maintain(tables, apply=False), LEDGER).data_files == 0


def test_manifests_of_an_earlier_releases_table_become_few_and_stay_so(tables, lake_settings):
    """Its target of 8 MB let each date add a manifest; with the one of now Iceberg merges them as dates are made."""
    days = [FIRST + timedelta(days=10 + n) for n in range(40)]
    tables.sql(f"ALTER TABLE {catalog.name_of(READINGS)} UNSET TBLPROPERTIES ('{catalog.MANIFEST_SIZE}')")
    for day in days[:20]:
        publish(tables, day)
    assert n_manifests(lake_settings) >= 20
    assert upkeep_of(maintain(tables, apply=False), READINGS).manifests >= 20
    maintain(tables, apply=True)
    few = n_manifests(lake_settings)
    assert few < 10
    for day in days[20:]:
        publish(tables, day)
    assert n_manifests(lake_settings) < few + 15
    assert upkeep_of(maintain(tables, apply=False), READINGS).manifests == 0
    assert [len(rows_of(lake_settings, READINGS, day)) for day in days] == [144] * len(days)


@pytest.mark.broker
def test_upkeep_beside_a_running_job_takes_nothing_from_it(tables, lake_settings, make_topic):
    """The job makes dates again and again while old snapshots are expired, files deleted and manifests rewritten."""
    days = [FIRST + timedelta(days=60 + n) for n in range(3)]
    topic = make_topic()
    readings = {day: make_readings(day, DEVICES, 300) for day in days}
    for day in days:
        send_readings(lake_settings, topic, readings[day])
    config = config_of(lake_settings, days, topic=topic)
    stop, reports = threading.Event(), []

    def make():
        while not stop.is_set():
            reports.extend(ingest_readings.run(tables, config).days)

    expired = 0
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(make)
        try:
            while not job.done() and (expired <= 6 or len(reports) <= 12):
                expired += upkeep_of(maintain(tables, apply=True, keep=timedelta(seconds=15)), READINGS).snapshots
        finally:
            stop.set()
        job.result()
    assert all(report.published for report in reports), [report.stopped_by for report in reports]
    for day in days:
        expected = readings[day].sort_by([("deviceID", "ascending"), ("timestamp", "ascending")])
        assert rows_of(lake_settings, READINGS, day).equals(expected)
        makings = {report.figures["making"] for report in reports if report.day == day}
        assert set(rows_of(lake_settings, LEDGER, day)["making"].to_pylist()) == makings
    assert verify_dates(lake_settings, days).damages == []
    maintain(tables, apply=True, keep=NOTHING)
    assert verify_dates(lake_settings, days).damages == []
