"""Records of `quarantine` that decode by now: each becomes a reading once, and none is lost."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from pvfault.readings import DEVICE_ID
from pvfault.tables import LEDGER, QUARANTINE, READINGS
from spark_jobs import catalog, ingest_readings, publishing
from spark_jobs.ledger import Ledger
from spark_jobs.releasing import release
from tests.spark_jobs.helpers import (
    DEVICES,
    avro,
    config_of,
    make_readings,
    midnight,
    rows_of,
    send_readings,
    stage_table,
)

pytestmark = pytest.mark.spark

DAY = date(2016, 2, 10)
BEFORE = DAY - timedelta(days=1)


def quarantined(day, values, topic="gone"):
    """Records as an earlier release has put them aside, at offsets from 100 on."""
    rows = [
        {"topic": topic, "partition": 0, "offset": 100 + n, "key": b"x", "value": value,
         "timestamp": midnight(day) + timedelta(hours=12), "reason": "written with another Avro schema", "date": day}
        for n, value in enumerate(values)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, QUARANTINE.schema)


def publish(spark, table, rows, day):
    publishing.publish(spark, stage_table(spark, rows, table, day))


@pytest.fixture
def tables(spark):
    catalog.create_tables(spark)
    return spark


def test_what_decodes_now_is_taken_once_and_what_does_not_stays(tables, lake_settings):
    readings = make_readings(DAY, DEVICES[:2], 600)
    publish(tables, READINGS, readings.sort_by([(DEVICE_ID, "ascending"), ("timestamp", "ascending")]), DAY)
    noon = midnight(DAY) + timedelta(hours=12)
    values = [
        avro(DEVICES[0], noon + timedelta(seconds=30), voltage=1.5),
        avro(DEVICES[0], noon + timedelta(seconds=30), voltage=2.5),  # the same again, later in the topic
        avro(DEVICES[1], noon, voltage=3.5),  # is in the table
        b"no reading",
        avro(DEVICES[2], noon - timedelta(days=1)),  # late, of the date before
        avro(DEVICES[3], noon + timedelta(days=400)),  # of the future
    ]
    publish(tables, QUARANTINE, quarantined(DAY, values), DAY)
    released = release(tables, config_of(lake_settings, [DAY]), DAY)
    assert (released.readings, released.left, released.stopped_by) == (4, 2, "")
    rows = rows_of(lake_settings, READINGS, DAY)
    assert len(rows) == len(readings) + 1
    by_key = {(row[DEVICE_ID], row["timestamp"]): row["voltage"] for row in rows.to_pylist()}
    assert by_key[DEVICES[0], noon + timedelta(seconds=30)] == 1.5
    assert by_key[DEVICES[1], noon] == 500.0
    assert rows_of(lake_settings, READINGS, BEFORE).select([DEVICE_ID]).to_pylist() == [{DEVICE_ID: DEVICES[2]}]
    left = rows_of(lake_settings, QUARANTINE, DAY)
    assert left["offset"].to_pylist() == [103, 105]
    assert "future" in left["reason"][1].as_py()
    # Once more does nothing.
    again = release(tables, config_of(lake_settings, [DAY]), DAY)
    assert (again.readings, again.left, again.dates) == (0, 2, ())
    assert rows_of(lake_settings, READINGS, DAY).equals(rows)


def test_ended_before_its_end_it_is_done_again_without_a_duplicate(tables, lake_settings):
    """Readings are published first: what is in both tables for a moment is lost in none."""
    day = DAY + timedelta(days=10)
    noon = midnight(day) + timedelta(hours=12)
    values = [avro(DEVICES[n], noon) for n in range(3)]
    publish(tables, QUARANTINE, quarantined(day, values), day)
    release(tables, config_of(lake_settings, [day]), day)
    rows = rows_of(lake_settings, READINGS, day)
    publish(tables, QUARANTINE, quarantined(day, values), day)  # as if the last step had not been
    released = release(tables, config_of(lake_settings, [day]), day)
    assert (released.readings, released.left, released.dates[0].figures["duplicates"]) == (3, 0, 3)
    assert rows_of(lake_settings, READINGS, day).equals(rows)
    assert len(rows_of(lake_settings, QUARANTINE, day)) == 0


@pytest.mark.broker
def test_the_ledger_adds_up_and_the_date_is_not_made_again_by_fewer(tables, lake_settings, make_topic):
    """The topic has the records no more: made again from it, the date would lose what was released."""
    day = DAY + timedelta(days=20)
    topic = make_topic()
    send_readings(lake_settings, topic, make_readings(day, DEVICES[:2], 600))
    config = config_of(lake_settings, [day], topic=topic)
    (made,) = ingest_readings.run(tables, config).days
    partition = max(rows_of(lake_settings, LEDGER, day).to_pylist(), key=lambda row: row["records"])["partition"]
    values = [avro(DEVICES[3], midnight(day) + timedelta(hours=n)) for n in range(5)]
    rows = quarantined(day, values, topic)
    rows = rows.set_column(1, QUARANTINE.schema.field("partition"), pa.array([partition] * 5, pa.int32()))
    publish(tables, QUARANTINE, rows, day)
    released = release(tables, config, day)
    assert (released.readings, released.left) == (5, 0)
    told = rows_of(lake_settings, LEDGER, day).to_pylist()
    newest = max(row["made_at"] for row in told)
    (before,) = (row for row in told if row["made_at"] < newest and row["partition"] == partition)
    (after,) = (row for row in told if row["made_at"] == newest and row["partition"] == partition)
    assert after["readings"] == before["readings"] + 5
    assert after["quarantined"] == before["quarantined"] - 5
    assert after["date_rows"] == len(rows_of(lake_settings, READINGS, day)) == made.rows + 5
    assert after["making"] == released.dates[0].figures["making"]
    topic_id = after["topic_id"]
    assert day in Ledger.read(tables, topic_id).claims(partition)
    (again,) = ingest_readings.run(tables, config).days
    assert "not_fewer_readings_than_before" in again.stopped_by
    assert len(rows_of(lake_settings, READINGS, day)) == made.rows + 5
    assert datetime.now(UTC) > newest
