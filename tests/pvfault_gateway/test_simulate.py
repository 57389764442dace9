"""Simulate: the readings of a fleet arrive, with the registry and the labels that belong to them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow.csv as pa_csv
import pytest

from pvfault.errors import PvfaultError
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.simulate import labels_file, simulate, write_fleet
from pvfault_gateway.topics import connect, count_records
from pvfault_workshop.simulation import simulate_fleet
from tests.pvfault_gateway.helpers import make_readings, read_topic

DATES = [date(2024, 6, 1), date(2024, 6, 2)]


@pytest.fixture(scope="module")
def fleet():
    """Four devices for two days."""
    return simulate_fleet(4, DATES, 0)


@pytest.fixture
def home(tmp_path, make_settings):
    """Settings of a home of the test's own."""
    return make_settings(tmp_path)


@pytest.mark.broker
def test_all_readings_of_all_days_arrive_and_the_files_tell_of_the_same_devices(broker, topic, home, fleet):
    settings = replace(home, broker=broker.broker, topic=topic)
    delivery = simulate(settings, fleet, DATES)
    sent = delivery.readings
    assert delivery.kept_out == {}
    assert sent == sum(len(fleet.readings(day)) for day in DATES) == count_records(connect(broker))[topic]
    devices = {key.decode() for _, key, _, _ in read_topic(broker, topic, sent)}
    assert set(pa_csv.read_csv(settings.registry)["deviceID"].to_pylist()) == devices
    assert set(pa_csv.read_csv(labels_file(settings))["deviceID"].to_pylist()) <= devices
    assert simulate(settings, fleet, DATES) == delivery  # the same once more is removed at ingest


@pytest.mark.broker
def test_days_far_behind_those_of_the_topic_are_refused(broker, topic, home, fleet):
    settings = replace(home, broker=broker.broker, topic=topic)
    with ReadingProducer(settings) as producer:
        devices = fleet.registry["deviceID"].to_pylist()
        producer.send(make_readings([datetime(2024, 7, 1, 0, 0, 20, tzinfo=UTC)], devices=devices))
    with pytest.raises(PvfaultError, match=r"already holds readings up to 2024-07-01.*--topic"):
        simulate(settings, fleet, DATES)
    assert not settings.registry.exists()


def test_days_to_come_are_not_simulated(home, fleet):
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    with pytest.raises(PvfaultError, match=r"none of them can be sent: readings are expected from 2001 to the present"):
        simulate(home, fleet, [tomorrow, tomorrow + timedelta(days=1)])
    assert not home.registry.exists()


def test_the_same_fleet_may_be_written_again_but_no_other_registry_is_overwritten(home, fleet):
    """The file may be the user's own registry."""
    write_fleet(home, fleet)
    write_fleet(home, fleet)
    registry = home.registry.read_text()
    with pytest.raises(PvfaultError, match=r"already another registry.*PVFAULT_REGISTRY"):
        write_fleet(home, simulate_fleet(4, DATES, 1))
    assert home.registry.read_text() == registry
