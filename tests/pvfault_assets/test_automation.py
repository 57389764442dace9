"""Dates that are asked for again by themselves: which, once for each state of the tables, in bounded runs."""

import logging
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance_for_test import instance_for_test
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration

from pvfault_assets.assembly import build_definitions
from pvfault_assets.automation import LATE_AT_LEAST
from tests.conftest import PROJECT
from tests.pvfault_api.lake import Plant, days
from tests.standins.spark import REFUSED, SparkStandIn

DAYS = days(1, 5)
LATE, OTHER_NETWORK = "make_late_dates_again", "judge_history_again"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
ONE = "dagster/partition"


@pytest.fixture
def plant(make_settings, tmp_path):
    return Plant(make_settings(tmp_path, PVFAULT_MODEL=str(tmp_path / "weights.h5"), PVFAULT_FIRST_DATE="2024-01-01"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def tick(plant, instance):
    """What a sensor asks for: the dates of each run, with what the daemon would start."""

    def tick(name):
        definitions = build_definitions(plant.settings, spark=SparkStandIn())
        context = dg.build_sensor_context(instance, repository_def=definitions.get_repository_def(), sensor_name=name)
        return definitions.resolve_sensor_def(name).evaluate_tick(context).run_requests or []

    return tick


def dates_of(requests):
    """First and last date of each run that is asked for."""
    return [tuple(request.tags.get(ONE) or request.tags[edge] for edge in (START, END)) for request in requests]


def run_keys(requests):
    return {request.run_key for request in requests}


@pytest.mark.parametrize("name", [LATE, OTHER_NETWORK])
def test_nothing_is_asked_for_while_all_is_as_it_should_be_and_nobody_has_started_it(plant, tick, name):
    assert tick(name) == []
    plant.make(*DAYS)
    assert tick(name) == []
    sensor = build_definitions(plant.settings).resolve_sensor_def(name)
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED


@pytest.mark.parametrize("name", [LATE, OTHER_NETWORK])
def test_a_plant_without_tables_is_no_error(make_settings, tmp_path, instance, name):
    definitions = build_definitions(make_settings(tmp_path))
    context = dg.build_sensor_context(instance, repository_def=definitions.get_repository_def(), sensor_name=name)
    tick = definitions.resolve_sensor_def(name).evaluate_tick(context)
    assert "there are no tables in" in tick.skip_message
    assert not tick.run_requests


def test_dates_with_late_readings_are_made_again_once_these_are_enough(plant, tick):
    plant.make(*DAYS[:3])
    plant.make(DAYS[3], late={DAYS[0]: LATE_AT_LEAST, DAYS[1]: LATE_AT_LEAST - 1, DAYS[2]: 5000})
    assert dates_of(tick(LATE)) == [(str(DAYS[0]), str(DAYS[0])), (str(DAYS[2]), str(DAYS[2]))]


def test_the_same_late_readings_are_asked_for_under_the_same_key_and_more_of_them_under_another(plant, tick):
    """Dagster starts a key once: a date that cannot be made is not tried for ever, and new readings are taken."""
    plant.make(*DAYS[:2])
    plant.make(DAYS[2], late={DAYS[0]: 500, DAYS[1]: 500})
    first = tick(LATE)
    assert dates_of(first) == [(str(DAYS[0]), str(DAYS[1]))]
    assert run_keys(tick(LATE)) == run_keys(first)
    plant.make(DAYS[3], late={DAYS[0]: 400})
    assert dates_of(tick(LATE)) == dates_of(first)
    assert not run_keys(tick(LATE)) & run_keys(first)


def test_what_was_made_again_is_not_asked_for(plant, tick):
    plant.make(DAYS[0])
    plant.make(DAYS[1], late={DAYS[0]: 500})
    assert tick(LATE)
    plant.make(DAYS[0])
    assert tick(LATE) == []


def test_another_network_has_all_history_judged_again_a_month_in_a_run(plant, tick):
    history = [date(2024, 1, 1) + timedelta(n) for n in range(40)]
    plant.make(*history, *DAYS)
    plant.change_network(b"better weights")
    requests = tick(OTHER_NETWORK)
    assert dates_of(requests) == [
        ("2024-01-01", "2024-01-31"),
        ("2024-02-01", "2024-02-09"),
        (str(DAYS[0]), str(DAYS[-1])),
    ]
    again = tick(OTHER_NETWORK)
    plant.change_network(b"best weights")
    assert run_keys(again) == run_keys(requests)
    assert not run_keys(tick(OTHER_NETWORK)) & run_keys(requests)


def test_verdicts_wait_for_scalograms_that_are_to_be_made_again(plant, tick):
    """Judged now, they would be judged once more."""
    plant.make(*DAYS[:2])
    plant.change_registry("INV0000001", "INV0000002")
    plant.make(DAYS[1])
    plant.change_network(b"better weights")
    assert dates_of(tick(OTHER_NETWORK)) == [(str(DAYS[1]), str(DAYS[1]))]


@pytest.mark.parametrize(("name", "made"), [(LATE, 4), (OTHER_NETWORK, 2)])
def test_what_is_asked_for_can_be_run_and_makes_just_these_tables_and_dates(plant, instance, tick, name, made):
    plant.make(*DAYS[:2])
    plant.make(DAYS[2], late={DAYS[0]: 500, DAYS[1]: 500})
    if name == OTHER_NETWORK:
        plant.change_network(b"better weights")
    (request,) = tick(name)
    definitions = build_definitions(plant.settings, spark=SparkStandIn())
    job = definitions.resolve_sensor_def(name).job_name
    expected = DAYS[:2] if name == LATE else DAYS[:3]
    ran = definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        tags=request.tags,
        asset_selection=[dg.AssetKey(table) for table in ("readings", "scalograms", "predictions", "device_days")][
            -made:
        ],
    )
    found = {(event.asset_key.to_user_string(), event.partition) for event in ran.get_asset_materialization_events()}
    assert {day for _, day in found} == set(map(str, expected))
    assert len(found) == made * len(expected)


@pytest.mark.parametrize("name", [LATE, OTHER_NETWORK])
def test_nothing_more_is_asked_for_while_a_run_is_under_way(plant, instance, tick, name):
    """Half of its dates are made by then, and the other half would be asked for twice."""
    plant.make(DAYS[0])
    plant.make(DAYS[1], late={DAYS[0]: 500})
    plant.change_network(b"better weights")
    assert tick(name)
    run = instance.create_run_for_job(
        build_definitions(plant.settings).resolve_job_def("judge_again"),
        tags={"dagster/sensor_name": name},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert tick(name) == []
    instance.report_run_canceled(run)
    assert tick(name)


def test_dagster_s_daemon_starts_what_they_ask_for(plant, monkeypatch):
    """A run of one date, and one of a range: neither is started as the page does it."""
    plant.make(*DAYS[:2])
    plant.make(DAYS[2], late={DAYS[0]: 500})
    plant.change_network(b"better weights")
    for name, value in {
        "PVFAULT_HOME": plant.settings.home,
        "PVFAULT_MODEL": plant.settings.model,
        "PVFAULT_FIRST_DATE": plant.settings.first_date,
        "PYTHONPATH": PROJECT,
        REFUSED: "",
    }.items():
        monkeypatch.setenv(name, str(value))
    target = PythonFileTarget(str(Path(__file__).with_name("code_location.py")), "defs", str(PROJECT), None)
    with (
        instance_for_test(synchronous_run_launcher=True) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        (location,) = workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        for name in (LATE, OTHER_NETWORK):
            instance.start_sensor(repository.get_sensor(name))
        errors = list(execute_sensor_iteration(workspace, logging.getLogger("sensors"), None, None))
        errors += QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(workspace)
        made = {
            (run.tags["dagster/sensor_name"], event.asset_key.to_user_string(), event.partition)
            for run in instance.get_runs()
            for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
            if (event := entry.dagster_event).partition
        }
    assert not any(errors)
    # What these weights are is found by the asset of the network, and it stops a date before its predictions.
    assert made == {
        *((LATE, table, str(DAYS[0])) for table in ("readings", "scalograms")),
        *((OTHER_NETWORK, table, str(day)) for table in ("predictions", "device_days") for day in DAYS[:3]),
    }
