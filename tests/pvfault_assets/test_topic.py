"""The topic as the operator sees it: what it holds, what of that was read, and that its silence fails nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from pvfault_assets.assembly import build_definitions
from pvfault_gateway.topics import topic_id
from tests.pvfault_api.lake import Plant
from tests.spark_jobs.helpers import avro, send

DAY = date(2024, 6, 1)
KEY = dg.AssetKey("readings_topic")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def observe(instance):
    """What the page has of the topic after somebody has looked at it."""

    def observe(settings):
        definitions = build_definitions(settings)
        job = dg.Definitions(
            assets=definitions.assets,
            resources=definitions.resources,
            jobs=[dg.define_asset_job("by_hand", selection=[KEY])],
        ).resolve_job_def("by_hand")
        result = job.execute_in_process(instance=instance)
        (event,) = result.get_asset_observation_events()
        return {name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()}

    return observe


def test_a_silent_broker_is_a_sentence_and_no_failure(make_settings, tmp_path, closed_port, observe):
    settings = make_settings(tmp_path, PVFAULT_BROKER=f"localhost:{closed_port}")
    metadata = observe(settings)
    assert metadata["found"].startswith(f"No Kafka broker answers at localhost:{closed_port}")
    assert set(metadata) == {"found", "looked_at"}


def test_the_sensor_observes_a_silent_broker_too_and_is_off_until_started(
    make_settings, tmp_path, closed_port, instance
):
    definitions = build_definitions(make_settings(tmp_path, PVFAULT_BROKER=f"localhost:{closed_port}"))
    sensor = definitions.resolve_sensor_def("watch_topic")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    context = dg.build_sensor_context(instance, repository_def=definitions.get_repository_def())
    (observation,) = sensor.evaluate_tick(context).asset_events
    assert observation.asset_key == KEY
    assert observation.metadata["found"].value.startswith("No Kafka broker answers")


def test_looking_makes_nothing_out_of_date(make_settings, tmp_path, closed_port, observe, instance):
    """With a version of its own the topic would mark all dates, at each new record."""
    settings = make_settings(tmp_path, PVFAULT_BROKER=f"localhost:{closed_port}")
    observe(settings)
    record = instance.get_latest_data_version_record(KEY)
    assert "dagster/data_version" not in (record.event_log_entry.tags or {})


@pytest.mark.broker
def test_the_topic_tells_what_it_holds_and_what_no_date_has_read(broker, topic, make_settings, tmp_path, observe):
    settings = replace(make_settings(tmp_path), broker=broker.broker, topic=topic, model=tmp_path / "weights.h5")
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    times = [noon + timedelta(minutes=n) for n in range(30)]
    places = send(broker, topic, [("INV0000001", avro("INV0000001", time), time) for time in times])
    ((partition, _), *_) = places
    metadata = observe(settings)
    assert (metadata["records"], metadata["unread"]) == (30, 30)
    assert metadata["newest"] == times[-1].timestamp()
    plant = Plant(settings)
    note_read(plant, topic_id(settings), partition, end=20)
    metadata = observe(settings)
    assert (metadata["records"], metadata["unread"]) == (30, 10)
    assert metadata["found"] == ("30 records, the newest of 2024-06-01 12:29:00 UTC; 10 of them no date has read yet")
    assert len(metadata["partitions"].records) == 8


@pytest.mark.broker
def test_a_topic_that_is_not_there_or_was_made_anew_was_not_read(broker, topic, make_settings, tmp_path, observe):
    settings = replace(make_settings(tmp_path), broker=broker.broker, topic=topic, model=tmp_path / "weights.h5")
    assert "has no topic 'another'" in observe(replace(settings, topic="another"))["found"]
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    ((partition, _),) = send(broker, topic, [("INV0000001", avro("INV0000001", noon), noon)])
    note_read(Plant(settings), "the id of the topic before", partition, end=1)
    assert observe(settings)["unread"] == 1


def note_read(plant, topic, partition, end):
    """Tell the ledger that a date has read a partition up to an offset."""
    scanned = [{"first_offset": 0, "end_offset": end}]
    plant.note(DAY, topic_id=topic, partition=partition, first_offset=0, end_offset=end, scanned=scanned)
