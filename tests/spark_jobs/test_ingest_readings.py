"""Ingest against a real broker: what arrives is kept, what is no reading is put aside, and nothing is lost."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pvfault.errors import PvfaultError
from pvfault.tables import QUARANTINE, READINGS
from spark_jobs import ingest_readings
from tests.spark_jobs.helpers import DEVICES, avro, config_of, make_readings, midnight, rows_of, send, send_readings

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAY = date(2024, 3, 10)


@pytest.fixture
def ingest(spark, lake_settings, topic):
    """Ingest dates of this test's topic."""

    def run(*days, **options):
        return ingest_readings.run(spark, config_of(lake_settings, days, **{"topic": topic, **options})).days

    return run


def audit(report, name):
    return next(result for result in report.audits if result.name == name)


def test_every_reading_of_the_date_is_in_the_table_once(ingest, lake_settings, topic):
    readings = make_readings(DAY, DEVICES)
    send_readings(lake_settings, topic, readings)
    (report,) = ingest(DAY)
    table = rows_of(lake_settings, READINGS, DAY)
    assert table.equals(readings.sort_by([("deviceID", "ascending"), ("timestamp", "ascending")]))
    assert (report.rows, report.published, report.figures["duplicates"]) == (len(readings), True, 0)
    assert audit(report, "devices_are_complete").passed


def test_a_date_takes_its_own_readings_from_a_topic_of_several(ingest, lake_settings, topic):
    before, day, after = (date(2024, 4, n) for n in (1, 2, 3))
    for each in (before, day, after):
        send_readings(lake_settings, topic, make_readings(each, DEVICES[:1]))
    (report,) = ingest(day)
    times = rows_of(lake_settings, READINGS, day)["timestamp"]
    assert report.rows == len(times) == 4320
    assert (pc.min(times).as_py(), pc.max(times).as_py()) == (midnight(day), midnight(after) - timedelta(seconds=20))


def test_what_is_no_reading_is_quarantined_with_offset_and_reason(ingest, lake_settings, topic):
    """One bad gateway must neither stop the plant's ingest nor lose what it sent."""
    at = midnight(day := date(2024, 3, 12))
    good = avro(DEVICES[0], at + timedelta(hours=1))
    bad = {
        "cut off": good[:-1],
        "noise": b"\xff" * 33,
        "empty": b"",
        "tombstone": None,
        # A string that claims 2 GB: decoding it blindly would take the whole worker down.
        "huge": b"\xfe\xff\xff\xff\x0f" + good[5:],
        "another schema": good + b"\0\0\0\0",
        "endless timestamp": good[:11] + b"\xff" * 22,
        "ID of 9": avro("INV000001", at),
        "ID of 11": avro("INV00000001", at),
        "ID with a dash": avro("INV-000001", at),
        "clock in 2037": avro(DEVICES[0], datetime(2037, 1, 1, tzinfo=UTC)),
        "clock in 1971": avro(DEVICES[0], datetime(1971, 1, 1, tzinfo=UTC)),
    }
    sent = send(lake_settings, topic, [(b"k", value, at + timedelta(hours=2)) for value in bad.values()])
    send(lake_settings, topic, [(DEVICES[0].encode(), good, at + timedelta(hours=1))])

    (report,) = ingest(day)

    quarantine = rows_of(lake_settings, QUARANTINE, day).sort_by("offset").to_pylist()
    assert rows_of(lake_settings, READINGS, day)["timestamp"].to_pylist() == [at + timedelta(hours=1)]
    assert {(row["partition"], row["offset"]): row["value"] for row in quarantine} == dict(
        zip(sent, bad.values(), strict=True)
    )
    reasons = {row["value"]: row["reason"] for row in quarantine}
    assert reasons[bad["cut off"]].startswith("32 bytes that are no reading")
    assert "another schema" in reasons[bad["another schema"]]
    assert reasons[bad["endless timestamp"]] == "the Avro does not decode"
    assert reasons[bad["ID with a dash"]] == "deviceID is not 10 letters and digits"
    assert reasons[bad["clock in 2037"]] == "timestamp in the future: 2037-01-01 00:00:00"
    assert "30 days before" in reasons[bad["clock in 1971"]]
    result = audit(report, "every_record_is_a_reading")
    assert (result.passed, result.blocking, result.figures["quarantined"]) == (False, False, len(bad))
    assert report.published


def test_of_duplicates_the_first_in_the_topic_stays(ingest, lake_settings, topic):
    at = midnight(day := date(2024, 3, 13))
    send(lake_settings, topic, [(b"k", avro(DEVICES[0], at, voltage=v), at) for v in (500.0, 501.0, 502.0)])
    (report,) = ingest(day)
    assert rows_of(lake_settings, READINGS, day)["voltage"].to_pylist() == [500.0]
    assert report.figures["duplicates"] == 2
    assert not audit(report, "no_reading_came_twice").passed


def test_a_device_in_several_partitions_comes_together_and_of_duplicates_the_first_stays(ingest, lake_settings, topic):
    """Other gateways choose other keys, and a topic may have been given more partitions."""
    at = midnight(day := date(2024, 3, 25))
    times = [at + timedelta(seconds=20 * i) for i in range(60)]
    voltage_of_partition = {}
    for voltage in range(500, 505):
        key = b"gateway %d" % voltage
        records = [(key, avro(device, t, float(voltage)), t) for t in times for device in DEVICES[:2]]
        ((partition, _), *_) = send(lake_settings, topic, records)
        voltage_of_partition.setdefault(partition, voltage)
    assert len(voltage_of_partition) > 1

    (report,) = ingest(day)

    rows = rows_of(lake_settings, READINGS, day).to_pylist()
    assert [(row["deviceID"], row["timestamp"]) for row in rows] == [(d, t) for d in DEVICES[:2] for t in times]
    assert {row["voltage"] for row in rows} == {voltage_of_partition[min(voltage_of_partition)]}
    assert (report.figures["records"], report.figures["duplicates"]) == (600, 480)
    assert audit(report, "devices_are_complete").figures["devices"] == 2


def test_readings_out_of_order_are_kept_and_sorted(ingest, lake_settings, topic):
    at = midnight(day := date(2024, 3, 14))
    seconds = [0, 7200, 20, 86_000, 40]
    send(lake_settings, topic, [(b"k", avro(DEVICES[0], t := at + timedelta(seconds=s)), t) for s in seconds])
    ingest(day)
    times = rows_of(lake_settings, READINGS, day)["timestamp"].to_pylist()
    assert [(time - at).seconds for time in times] == sorted(seconds)


def test_a_late_reading_is_taken_and_a_later_one_flagged_and_taken_by_the_next_run(ingest, lake_settings, topic):
    """A gateway that was cut off sends its night's readings hours later: they must not vanish."""
    day = date(2024, 3, 16)
    at, after = midnight(day), midnight(day + timedelta(days=1))

    def record(time, arrives):
        return (b"k", avro(DEVICES[0], time), arrives)

    send(
        lake_settings,
        topic,
        [
            record(at, at),
            record(at + timedelta(hours=20), after + timedelta(hours=1)),  # within the lateness of 2 h
            record(after + timedelta(hours=3), after + timedelta(hours=3)),
            record(at + timedelta(hours=21), after + timedelta(hours=4)),  # beyond it
        ],
    )
    (first,) = ingest(day)
    assert first.rows == 2
    (following,) = ingest(day + timedelta(days=1))
    late = audit(following, "no_reading_came_too_late")
    assert (late.passed, late.figures["late"]) == (False, {str(day): 1})
    assert f"{day}; materialise these dates again" in late.summary

    (again,) = ingest(day)
    assert again.rows == 3
    (calm,) = ingest(day + timedelta(days=1))
    assert audit(calm, "no_reading_came_too_late").passed


def test_values_that_cannot_be_measured_are_kept_and_counted(ingest, lake_settings, topic):
    at = midnight(day := date(2024, 3, 18))
    currents = [7.0, float("nan"), float("inf"), -5e30]
    send(
        lake_settings,
        topic,
        [(b"k", avro(DEVICES[0], t := at + timedelta(seconds=20 * i), current=c), t) for i, c in enumerate(currents)],
    )
    (report,) = ingest(day)
    plausible = audit(report, "values_are_plausible")
    assert report.rows == 4
    assert (plausible.passed, plausible.figures["current"], plausible.figures["voltage"]) == (False, 3, 0)


def test_making_a_date_again_gives_the_same_table(ingest, lake_settings, topic):
    readings = make_readings(day := date(2024, 3, 19), DEVICES[:2])
    send_readings(lake_settings, topic, readings)
    ingest(day)
    before = rows_of(lake_settings, READINGS, day)
    ingest(day)
    assert rows_of(lake_settings, READINGS, day).equals(before)


def test_a_date_is_not_replaced_by_fewer_readings_unless_told(ingest, spark, lake_settings, topic, make_topic):
    """A topic past its retention must not erase history."""
    readings = make_readings(day := date(2024, 3, 20), DEVICES[:2])
    send_readings(lake_settings, topic, readings)
    send_readings(lake_settings, shorter := make_topic(), readings.slice(0, 100))
    send(lake_settings, shorter, [(b"k", b"no reading", midnight(day))])
    ingest(day)

    def from_the_shorter_topic(**options):
        config = config_of(lake_settings, [day], topic=shorter, **options)
        return ingest_readings.run(spark, config).days[0]

    refused = from_the_shorter_topic()
    assert not refused.published
    assert [result.name for result in refused.refusals] == ["not_fewer_readings_than_before"]
    assert f"100 readings in the topic, {len(readings)} in the table" in refused.refusals[0].summary
    assert len(rows_of(lake_settings, READINGS, day)) == len(readings)
    assert len(rows_of(lake_settings, QUARANTINE, day)) == 0

    assert from_the_shorter_topic(allow_fewer=True).published
    assert len(rows_of(lake_settings, READINGS, day)) == 100
    assert len(rows_of(lake_settings, QUARANTINE, day)) == 1


def test_an_empty_date_is_reported_and_refused(ingest, lake_settings, topic):
    send_readings(lake_settings, topic, make_readings(DAY, DEVICES[:1]).slice(0, 10))
    (report,) = ingest(date(2024, 3, 22))
    assert (report.rows, report.published) == (0, False)
    assert [refusal.name for refusal in report.refusals] == ["fleet_is_heard"]
    assert "the topic has no reading of this date" in audit(report, "devices_are_complete").summary


def test_devices_that_are_silent_incomplete_or_unknown_are_named(ingest, lake_settings, topic, registry_of):
    day = date(2024, 3, 23)
    registry = registry_of([DEVICES[0], DEVICES[1], "SILENT0001"])
    whole = make_readings(day, DEVICES[:3])
    cut = pc.and_(pc.equal(whole["deviceID"], DEVICES[1]), pc.greater(whole["timestamp"], pa.scalar(midnight(day) + timedelta(hours=12))))  # fmt: skip # noqa: E501
    send_readings(lake_settings, topic, whole.filter(pc.invert(cut)))
    (report,) = ingest(day, registry=str(registry))
    assert audit(report, "no_device_is_missing").figures["sample"] == ["SILENT0001"]
    assert audit(report, "every_device_is_registered").figures["sample"] == [DEVICES[2]]
    assert audit(report, "devices_are_complete").figures["sample"] == {DEVICES[1]: pytest.approx(0.5, abs=0.01)}


def test_a_topic_that_is_not_there_is_named_with_those_that_are(ingest, topic):
    with pytest.raises(PvfaultError, match=rf"no topic 'absent', only .*{topic}.*pvfault simulate"):
        ingest(DAY, topic="absent")


def test_a_broker_that_is_down_is_named_before_spark_waits_for_it(ingest, closed_port):
    with pytest.raises(PvfaultError, match=rf"localhost:{closed_port} within 10 s.*pvfault broker start"):
        ingest(DAY, broker=f"localhost:{closed_port}")
