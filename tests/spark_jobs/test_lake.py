"""The tables, looked at with PyIceberg: what readers see, and when."""

import os
import signal
import subprocess
import sys
from datetime import date, timedelta

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.tables import DEVICE_DAYS, READINGS, TABLES, Table
from spark_jobs import lake
from tests.spark_jobs.helpers import DEVICES, make_readings, rows_of, stage_rows

pytestmark = pytest.mark.spark

DAY = date(2024, 5, 1)


@pytest.fixture
def tables(spark):
    lake.create_tables(spark)
    return spark


def stage(spark, readings, day=DAY):
    rows = spark.createDataFrame(readings.to_pandas(), lake.spark_schema(READINGS))
    return stage_rows(rows.sortWithinPartitions("deviceID", "timestamp"), READINGS, day)


def test_tables_have_the_columns_and_partitions_of_the_contract(tables, lake_settings):
    catalog = SqlCatalog("lake", uri=f"sqlite:///{lake_settings.catalog}", warehouse=lake_settings.warehouse.as_uri())
    for table in TABLES:
        found = catalog.load_table(f"pvfault.{table.name}")
        schema = found.schema().as_arrow()
        assert schema.names == table.schema.names
        assert [field.nullable for field in schema] == [field.nullable for field in table.schema]
        (partition,) = found.spec().fields
        assert found.schema().find_column_name(partition.source_id) == table.day_of
        assert str(partition.transform) == ("identity" if table is DEVICE_DAYS else "day")


def test_readers_see_a_staged_date_only_once_it_is_published(tables, lake_settings):
    readings = make_readings(DAY, DEVICES[:2])
    staged = stage(tables, readings)
    assert len(rows_of(lake_settings, READINGS, DAY)) == 0
    assert lake.read_staged(tables, staged, DAY).count() == staged.rows == len(readings)
    lake.publish(tables, staged)
    assert len(rows_of(lake_settings, READINGS, DAY)) == lake.count(tables, READINGS, DAY) == len(readings)


def test_dates_staged_side_by_side_are_published_in_either_order(tables, lake_settings):
    days = [DAY + timedelta(days=n) for n in (1, 2)]
    staged = [stage(tables, make_readings(day, DEVICES[:1]), day) for day in days]
    for one in reversed(staged):
        lake.publish(tables, one)
    assert [len(rows_of(lake_settings, READINGS, day)) for day in days] == [4320, 4320]


def test_a_date_replaces_itself_and_leaves_the_others(tables, lake_settings):
    first, second = (DAY + timedelta(days=n) for n in (3, 4))
    for day, devices in ((first, DEVICES), (second, DEVICES), (first, DEVICES[:1])):
        lake.publish(tables, stage(tables, make_readings(day, devices), day))
    assert len(rows_of(lake_settings, READINGS, first)) == 4320
    assert len(rows_of(lake_settings, READINGS, second)) == 4320 * len(DEVICES)


_STAGE_AND_DIE = """
import os, pathlib, signal
from datetime import date
from pvfault.settings import Settings
from pvfault.tables import READINGS
from spark_jobs import lake
from spark_jobs.session import start_session
from tests.spark_jobs.helpers import DEVICES, make_readings, stage_rows

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

lake.publish = die
spark = start_session(Settings.from_environment(os.environ, pathlib.Path.cwd()))
rows = spark.createDataFrame(make_readings(date(2024, 5, 6), DEVICES).to_pandas(), lake.spark_schema(READINGS))
staged = stage_rows(rows, READINGS, date(2024, 5, 6))
print("staged", staged.rows, flush=True)
lake.publish_audited(spark, staged, date(2024, 5, 6), (), {})
"""


def test_a_run_killed_between_stage_and_publish_leaves_the_old_table(tables, lake_settings, environment):
    day = date(2024, 5, 6)
    old = make_readings(day, DEVICES[:1])
    lake.publish(tables, stage(tables, old, day))
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
    lake.publish(tables, stage(tables, make_readings(day, DEVICES), day))
    assert len(rows_of(lake_settings, READINGS, day)) == 4320 * len(DEVICES)


def test_a_new_column_is_added_to_the_table_that_is_there(tables, lake_settings, monkeypatch):
    """An operator's tables outlive the release that made them."""
    first = Table("evolving", pa.schema([pa.field("date", pa.date32(), nullable=False)]), ("date",), "date", "gold")
    wider = Table("evolving", first.schema.append(pa.field("note", pa.string())), ("date",), "date", "gold")
    monkeypatch.setattr(lake, "TABLES", (first,))
    lake.create_tables(tables)
    lake.publish(tables, stage_rows(tables.createDataFrame([(DAY,)], lake.spark_schema(first)), first, DAY))
    monkeypatch.setattr(lake, "TABLES", (wider,))
    lake.create_tables(tables)
    assert rows_of(lake_settings, wider, DAY).to_pylist() == [{"date": DAY, "note": None}]


def test_nothing_is_staged_of_no_rows(tables):
    assert stage(tables, make_readings(DAY, DEVICES[:1]).slice(0, 0)) is None


def test_the_environment_of_the_tests_is_not_the_users(lake_settings):
    assert "PVFAULT_HOME" not in os.environ
    assert str(lake_settings.home).startswith("/tmp") or "pytest" in str(lake_settings.home)  # noqa: S108
