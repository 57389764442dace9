"""The tables, looked at with PyIceberg: what readers see, and when."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import And, GreaterThanOrEqual, LessThan

from pvfault.tables import READINGS, TABLES, Table
from spark_jobs import catalog, publishing, scans
from tests.spark_jobs.helpers import DEVICES, load, make_readings, midnight, rows_of, stage_rows

pytestmark = pytest.mark.spark

DAY = date(2024, 5, 1)


@pytest.fixture
def tables(spark):
    catalog.create_tables(spark)
    return spark


def stage(spark, readings, day=DAY):
    rows = spark.createDataFrame(readings.to_pandas(), catalog.spark_schema(READINGS))
    return stage_rows(rows.sortWithinPartitions("deviceID", "timestamp"), READINGS, day)


def test_tables_have_the_columns_and_partitions_of_the_contract(tables, lake_settings):
    for table in TABLES:
        found = load(lake_settings, table)
        schema = found.schema().as_arrow()
        assert schema.names == table.schema.names
        assert [field.nullable for field in schema] == [field.nullable for field in table.schema]
        (partition,) = found.spec().fields
        assert found.schema().find_column_name(partition.source_id) == table.day_of
        assert str(partition.transform) == ("identity" if table.day_of == "date" else "day")


def test_the_catalog_tells_every_reader_what_columns_mean_and_is_written_only_for_another_text(tables, lake_settings):
    """A table of an older version has no texts, or other ones; one commit a job would be thousands of them."""
    aged = load(lake_settings, READINGS)
    with aged.update_schema() as update:
        update.update_column("voltage", doc=None).update_column("current", doc="Amperes?")
    catalog.create_tables(tables)
    told = {table: load(lake_settings, table) for table in TABLES}
    for table, found in told.items():
        assert {column.name: column.doc for column in found.schema().fields} == table.descriptions
    catalog.create_tables(tables)
    for table, found in told.items():
        assert load(lake_settings, table).metadata_location == found.metadata_location


def test_readers_see_a_staged_date_only_once_it_is_published(tables, lake_settings):
    readings = make_readings(DAY, DEVICES[:2])
    staged = stage(tables, readings)
    assert len(rows_of(lake_settings, READINGS, DAY)) == 0
    assert publishing.read_staged(tables, staged, DAY).count() == staged.rows == len(readings)
    publishing.publish(tables, staged)
    assert len(rows_of(lake_settings, READINGS, DAY)) == scans.count_rows(tables, READINGS, DAY) == len(readings)


def test_the_metadata_tell_what_the_files_hold(tables, lake_settings):
    """Readers skip files by their bounds: a wrong one loses rows, and says nothing."""
    day = DAY + timedelta(days=7)
    readings = make_readings(day, DEVICES[1:3])
    publishing.publish(tables, staged := stage(tables, readings, day))
    found = load(lake_settings, READINGS)
    by_name = {field.name: field for field in found.schema().fields}
    in_day = And(
        GreaterThanOrEqual("timestamp", midnight(day).isoformat()),
        LessThan("timestamp", midnight(day + timedelta(days=1)).isoformat()),
    )
    files = [task.file for task in found.scan(row_filter=in_day).plan_files()]
    assert sum(file.record_count for file in files) == staged.rows == len(readings)
    assert sum(file.file_size_in_bytes for file in files) == staged.bytes
    assert {file.partition[0] for file in files} == {(day - date(1970, 1, 1)).days}

    def bound(bounds, name, choose):
        field = by_name[name]
        return choose(from_bytes(field.field_type, getattr(file, bounds)[field.field_id]) for file in files)

    times = [int(edge.timestamp()) * 1_000_000 for edge in (midnight(day), midnight(day + timedelta(days=1)))]
    assert (bound("lower_bounds", "deviceID", min), bound("upper_bounds", "deviceID", max)) == DEVICES[1:3]
    assert bound("lower_bounds", "timestamp", min) == times[0]
    assert bound("upper_bounds", "timestamp", max) == times[1] - 20_000_000
    assert all(file.null_value_counts[by_name["deviceID"].field_id] == 0 for file in files)
    for file in files:
        name = by_name["deviceID"].field_id
        footer = pq.ParquetFile(file.file_path.removeprefix("file:").replace("///", "/")).metadata
        assert file.value_counts[name] == footer.num_rows
        assert file.split_offsets == [4]


def test_a_table_that_somebody_has_partitioned_otherwise_is_named(tables):
    tables.sql(f"ALTER TABLE {catalog.name_of(READINGS)} ADD PARTITION FIELD bucket(2, deviceID)")
    try:
        with pytest.raises(catalog.TableError, match=r"partitioned by .*bucket.*the day of timestamp alone"):
            stage(tables, make_readings(DAY, DEVICES[:1]))
    finally:
        tables.sql(f"ALTER TABLE {catalog.name_of(READINGS)} DROP PARTITION FIELD bucket(2, deviceID)")


def test_dates_staged_side_by_side_are_published_in_either_order(tables, lake_settings):
    days = [DAY + timedelta(days=n) for n in (1, 2)]
    staged = [stage(tables, make_readings(day, DEVICES[:1]), day) for day in days]
    for one in reversed(staged):
        publishing.publish(tables, one)
    assert [len(rows_of(lake_settings, READINGS, day)) for day in days] == [4320, 4320]


def test_a_date_replaces_itself_and_leaves_the_others(tables, lake_settings):
    first, second = (DAY + timedelta(days=n) for n in (3, 4))
    for day, devices in ((first, DEVICES), (second, DEVICES), (first, DEVICES[:1])):
        publishing.publish(tables, stage(tables, make_readings(day, devices), day))
    assert len(rows_of(lake_settings, READINGS, first)) == 4320
    assert len(rows_of(lake_settings, READINGS, second)) == 4320 * len(DEVICES)


_STAGE_AND_DIE = """
import os, pathlib, signal
from datetime import date
from pvfault.settings import Settings
from pvfault.tables import READINGS
from spark_jobs import catalog, publishing, scans
from spark_jobs.session import start_session
from tests.spark_jobs.helpers import DEVICES, make_readings, stage_rows

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

publishing.publish = die
spark = start_session(Settings.from_environment(os.environ, pathlib.Path.cwd()))
rows = spark.createDataFrame(make_readings(date(2024, 5, 6), DEVICES).to_pandas(), catalog.spark_schema(READINGS))
staged = stage_rows(rows, READINGS, date(2024, 5, 6))
print("staged", staged.rows, flush=True)
publishing.publish_audited(spark, staged, (), {})
"""


def test_a_run_killed_between_stage_and_publish_leaves_the_old_table(tables, lake_settings, environment):
    day = date(2024, 5, 6)
    old = make_readings(day, DEVICES[:1])
    publishing.publish(tables, stage(tables, old, day))
    killed = subprocess.run(
        [sys.executable, "-c", _STAGE_AND_DIE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert killed.stdout.strip() == f"staged {4320 * len(DEVICES)}", killed.stderr[-2000:]
    assert killed.returncode == -signal.SIGKILL
    assert rows_of(lake_settings, READINGS, day).equals(old)
    # and the table can be written again
    publishing.publish(tables, stage(tables, make_readings(day, DEVICES), day))
    assert len(rows_of(lake_settings, READINGS, day)) == 4320 * len(DEVICES)


def test_a_new_column_is_added_to_the_table_that_is_there(tables, lake_settings, monkeypatch):
    """An operator's tables outlive the release that made them."""
    schema, texts = pa.schema([pa.field("date", pa.date32(), nullable=False)]), {"date": "The date."}
    first = Table("evolving", schema, ("date",), "date", "gold", texts)
    wider = replace(first, schema=schema.append(pa.field("note", pa.string())), descriptions={**texts, "note": "New."})
    monkeypatch.setattr(catalog, "TABLES", (first,))
    catalog.create_tables(tables)
    publishing.publish(tables, stage_rows(tables.createDataFrame([(DAY,)], catalog.spark_schema(first)), first, DAY))
    monkeypatch.setattr(catalog, "TABLES", (wider,))
    catalog.create_tables(tables)
    assert rows_of(lake_settings, wider, DAY).to_pylist() == [{"date": DAY, "note": None}]
    assert [column.doc for column in load(lake_settings, wider).schema().fields] == ["The date.", "New."]


def test_nothing_is_staged_of_no_rows(tables):
    assert stage(tables, make_readings(DAY, DEVICES[:1]).slice(0, 0)) == publishing.Staged(READINGS, DAY)
