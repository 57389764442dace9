"""Days of a small fleet through Dagster: real broker, real Spark, and what the operator sees afterwards."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.readings import READING_SCHEMA
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS
from pvfault_api.published import read_dates
from pvfault_assets.assembly import build_definitions
from pvfault_assets.notifications import notifications
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.simulate import write_fleet
from pvfault_gateway.topics import connect, count_records, ensure_topic
from pvfault_workshop.simulation import simulate_fleet
from tests.pvfault_assets.test_definitions import CHECKS, TABLES
from tests.spark_jobs.helpers import send as send_records

pytestmark = [pytest.mark.broker, pytest.mark.spark]

# Dates that no other test makes: the tables are those of all tests.
DAYS = [date(2023, 7, 3) + timedelta(n) for n in range(3)]
DEVICES = 6


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(DEVICES, DAYS, seed=4)


@pytest.fixture(scope="module")
def settings(lake_settings, tmp_path_factory, fleet):
    """Settings of a topic with the fleet's three days, and of its registry."""
    settings = replace(lake_settings, topic="materialise", registry=tmp_path_factory.mktemp("registry") / "devices.csv")
    write_fleet(settings, fleet)
    send(settings, *(fleet.readings(day) for day in DAYS))
    return settings


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def run(spark, settings, instance):
    """Run the job of days, for one day or a range; `spark` is here so that its session lasts as long as the tests."""

    def run(first, last=None, *, assets=None, **changes):
        if last:
            range_tags = {
                "dagster/asset_partition_range_start": str(first),
                "dagster/asset_partition_range_end": str(last),
            }
            which = {"tags": range_tags}
        else:
            which = {"partition_key": str(first)}
        run_config = changes.pop("run_config", None)
        once = dg.RetryPolicy(max_retries=0)
        job = build_definitions(replace(settings, **changes), retries=once).resolve_job_def("materialise_day")
        return job.execute_in_process(
            instance=instance,
            asset_selection=assets and [dg.AssetKey(asset) for asset in assets],
            run_config=run_config,
            raise_on_error=False,
            **which,
        )

    return run


@pytest.fixture(scope="module")
def made(run):
    """The first day by itself, and the other two as a range."""
    return [run(DAYS[0]), run(DAYS[1], DAYS[2])]


def send(settings, *days):
    ensure_topic(settings)
    with ReadingProducer(settings) as producer:
        for readings in days:
            producer.send(readings)
        assert producer.finish() == sum(map(len, days))


def materialisations(results, asset):
    """Metadata of an asset's days, as the operator sees them."""
    return {
        date.fromisoformat(event.partition): {key: value.value for key, value in event.materialization.metadata.items()}
        for result in results
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def evaluations(results, asset):
    """Results of an asset's checks, by check and day."""
    return {
        (check.check_name, date.fromisoformat(check.partition)): check
        for result in results
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey(asset) and check.partition
    }


def recorded(instance, result, kind):
    """What Dagster's storage has of a run that failed, by date."""
    by_date = {}
    for entry in instance.all_logs(result.run_id, of_type=kind):
        event = entry.dagster_event
        check = event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        day = event.asset_check_evaluation_data.partition if check else event.partition
        by_date.setdefault(day, []).append(event)
    return by_date


def rows_of_day(settings, table, day):
    return read_dates(settings, table, [day])


def failure_of(result):
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    return event.step_failure_data.user_failure_data.description


def test_what_the_broker_holds_is_what_the_table_has_day_by_day(made, settings, fleet):
    assert [result.success for result in made] == [True, True]
    sent = {day: len(fleet.readings(day)) for day in DAYS}
    assert count_records(connect(settings))[settings.topic] == sum(sent.values())
    assert {day: rows_of_day(settings, READINGS, day).num_rows for day in DAYS} == sent
    recorded = materialisations(made, "readings")
    assert {day: metadata["dagster/partition_row_count"] for day, metadata in recorded.items()} == sent


def test_every_day_reaches_its_verdicts(made, settings):
    for table, rows in ((SCALOGRAMS, 24 * DEVICES), (PREDICTIONS, 24 * DEVICES), (DEVICE_DAYS, DEVICES)):
        assert {day: rows_of_day(settings, table, day).num_rows for day in DAYS} == dict.fromkeys(DAYS, rows)
        recorded = materialisations(made, table.name)
        assert {day: metadata["dagster/partition_row_count"] for day, metadata in recorded.items()} == dict.fromkeys(
            DAYS, rows
        )


def test_the_operator_is_told_snapshot_size_and_time_of_each_day_also_in_a_range(made, settings):
    """With the numbers of the whole range at each day, a bad day would look like its neighbours."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri())
    for asset in TABLES:
        recorded = materialisations(made, asset)
        assert set(recorded) == set(DAYS)
        # Publishing may cherry-pick a staged snapshot under a new id; the staged one stays in the table's metadata.
        snapshots = {str(snapshot.snapshot_id) for snapshot in catalog.load_table(f"pvfault.{asset}").snapshots()}
        assert {metadata["snapshot"] for metadata in recorded.values()} <= snapshots
        assert len({metadata["snapshot"] for metadata in recorded.values()}) == len(DAYS)
        assert all(metadata["published"] for metadata in recorded.values())
        assert all(metadata["seconds"] > 0 for metadata in recorded.values())
        assert all(metadata["bytes"] > 0 and metadata["files"] >= 1 for metadata in recorded.values())


def test_every_check_has_a_result_for_every_day_that_is_kept_in_the_storage(made, instance):
    found = {asset: set(evaluations(made, asset)) for asset in TABLES}
    expected = {asset: {(check, day) for on, check in CHECKS if on == asset for day in DAYS} for asset in TABLES}
    assert found == expected
    blocking = [check for asset in TABLES for check in evaluations(made, asset).values() if check.blocking]
    assert all(check.passed for check in blocking)
    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("readings"), "devices_are_complete"), limit=10
    )
    assert sorted(record.partition for record in history) == sorted(map(str, DAYS))


def test_the_operator_is_told_the_faults_that_the_tables_have(made, settings, instance, inbox):
    """One message for the first day, one for the range of the other two."""
    (sensor,) = notifications(replace(settings, sns_topic_arn=inbox.arn))
    context = dg.build_sensor_context(instance=instance, cursor=(datetime.now(UTC) - timedelta(hours=1)).isoformat())
    sensor.evaluate_tick(context)
    for (subject, text), days in zip(inbox(), (DAYS[:1], DAYS[1:]), strict=True):
        rows = pa.concat_tables(rows_of_day(settings, DEVICE_DAYS, day) for day in days)
        is_faulty = pc.fill_null(pc.not_equal(rows["fault"], "none"), False)
        faulty = rows.filter(is_faulty)
        assert f"{len(set(faulty['deviceID'].to_pylist()))} of {DEVICES} devices faulty" in subject
        assert all(device in text for device in faulty["deviceID"].to_pylist())
        assert subject.startswith(f"pvfault: {days[0]}" + (f" to {days[-1]} made" if len(days) > 1 else " made"))


def test_a_refused_day_of_a_range_fails_the_run_and_the_good_days_are_kept(made, run, settings, instance, fleet):
    """A topic past its retention must not erase history, and one such day must not hide that the others were made."""
    poorer = replace(settings, topic="materialise-poorer")
    half = fleet.readings(DAYS[1]).slice(0, 10_000)
    send(poorer, fleet.readings(DAYS[0]), half, fleet.readings(DAYS[2]))
    before = rows_of_day(settings, READINGS, DAYS[1]).num_rows

    refused = run(DAYS[0], DAYS[2], assets=["readings"], topic=poorer.topic)
    assert not refused.success
    message = failure_of(refused)
    assert "1 of 3 dates were refused" in message
    assert f"{DAYS[1]}: readings, not_fewer_readings_than_before" in message
    assert f"type `pvfault materialise --date {DAYS[1]} --allow-fewer`" in message
    assert "set allow_fewer in the configuration of `readings`" in message
    assert set(recorded(instance, refused, dg.DagsterEventType.ASSET_MATERIALIZATION)) == {str(DAYS[0]), str(DAYS[2])}
    found = recorded(instance, refused, dg.DagsterEventType.ASSET_CHECK_EVALUATION).values()
    each = [event.asset_check_evaluation_data for events in found for event in events]
    checks = {(check.check_name, date.fromisoformat(check.partition)): check for check in each}
    assert not checks["not_fewer_readings_than_before", DAYS[1]].passed
    assert checks["not_fewer_readings_than_before", DAYS[2]].passed
    assert rows_of_day(settings, READINGS, DAYS[1]).num_rows == before

    allow = {"ops": {"readings": {"config": {"allow_fewer": True}}}}
    allowed = run(DAYS[1], assets=["readings"], topic=poorer.topic, run_config=allow)
    assert allowed.success
    assert rows_of_day(settings, READINGS, DAYS[1]).num_rows == len(half)


def test_a_warning_carries_counts_a_sample_and_what_to_do(run, settings, fleet):
    """A device that fell silent is not an outage of the plant, and the run goes on."""
    day = DAYS[2] + timedelta(1)
    readings = fleet.readings(day)
    silent = fleet.devices[0].name
    send(replace(settings, topic="materialise-silent"), readings.filter(pc.not_equal(readings["deviceID"], silent)))
    result = run(day, assets=["readings"], topic="materialise-silent")
    assert result.success
    check = evaluations([result], "readings")["no_device_is_missing", day]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["missing"].value == 1
    assert check.metadata["sample"].value == [silent]
    assert silent in check.description


def test_a_day_on_which_the_whole_fleet_is_silent_is_refused(run, settings):
    """An outage of the way to the topic must not look like a quiet day, down to the verdicts."""
    day = DAYS[0] - timedelta(30)
    result = run(day, assets=["readings", "scalograms", "predictions", "device_days"], topic="materialise-silent")
    assert not result.success
    assert "fleet_is_heard: 0 readings of 6 registered devices" in failure_of(result)
    assert not result.get_asset_materialization_events()


def test_a_day_with_records_that_are_no_readings_reaches_its_verdicts(run, settings, fleet):
    """A count of the wrong kind once failed the run behind the publishing."""
    day = DAYS[2] + timedelta(5)
    bad = replace(settings, topic="materialise-bad")
    send(bad, fleet.readings(day))
    send_records(bad, bad.topic, [(b"k", b"no reading", datetime.combine(day, time_of_day(12), UTC))] * 3)
    result = run(day, topic=bad.topic)
    assert result.success
    check = evaluations([result], "readings")["every_record_is_a_reading", day]
    assert (check.passed, check.metadata["quarantined"].value) == (False, 3)
    assert materialisations([result], "device_days")[day]["dagster/partition_row_count"] == DEVICES


def test_a_range_written_backwards_is_refused(run):
    result = run(DAYS[2], DAYS[0], assets=["readings"])
    assert not result.success
    assert f"ends before it begins: {DAYS[2]} to {DAYS[0]}" in failure_of(result)
    assert not result.get_asset_materialization_events()


def test_a_broker_that_is_down_is_told_with_how_to_start_one(run, closed_port):
    result = run(DAYS[0], assets=["readings"], broker=f"localhost:{closed_port}")
    assert not result.success
    assert f"no Kafka broker answered at localhost:{closed_port}" in failure_of(result)
    assert "pvfault broker start" in failure_of(result)


def test_a_missing_model_stops_before_the_classification(run, tmp_path):
    result = run(DAYS[0], assets=["predictions"], model=tmp_path / "none.h5")
    assert not result.success
    assert "no such file" in failure_of(result)


def test_readings_are_of_the_contract(made, settings):
    assert rows_of_day(settings, READINGS, DAYS[0]).schema == READING_SCHEMA
