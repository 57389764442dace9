"""Simulate: the readings of a fleet arrive, with the registry and the labels that belong to them."""

from dataclasses import replace
from datetime import date

import pyarrow.csv as pa_csv
import pytest

from pvfault.errors import PvfaultError
from pvfault_gateway.simulate import labels_file, simulate, write_fleet
from pvfault_gateway.topics import connect, count_records
from pvfault_workshop.simulation import simulate_fleet
from tests.pvfault_gateway.helpers import read_topic

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
    sent = simulate(settings, fleet, DATES)
    assert sent == sum(len(fleet.readings(day)) for day in DATES) == count_records(connect(broker))[topic]
    devices = {key.decode() for _, key, _, _ in read_topic(broker, topic, sent)}
    assert set(pa_csv.read_csv(settings.registry)["deviceID"].to_pylist()) == devices
    assert set(pa_csv.read_csv(labels_file(settings))["deviceID"].to_pylist()) <= devices
    with pytest.raises(PvfaultError, match="already holds readings"):
        simulate(settings, fleet, DATES)
    assert simulate(settings, fleet, DATES, again=True) == sent


def test_the_same_fleet_may_be_written_again_but_no_other_registry_is_overwritten(home, fleet):
    """The file may be the user's own registry."""
    write_fleet(home, fleet)
    write_fleet(home, fleet)
    registry = home.registry.read_text()
    with pytest.raises(PvfaultError, match=r"already another registry.*PVFAULT_REGISTRY"):
        write_fleet(home, simulate_fleet(4, DATES, 1))
    assert home.registry.read_text() == registry
