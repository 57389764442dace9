"""Whether the newest date that is due is made: whichever date was made last."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from pvfault_assets import freshness
from pvfault_assets.definitions import build_definitions
from tests.pvfault_api.lake import Plant, days

DAYS = days(1, 4)


@pytest.fixture
def plant(make_settings, tmp_path):
    return Plant(make_settings(tmp_path, PVFAULT_MODEL=str(tmp_path / "weights.h5"), PVFAULT_FIRST_DATE="2024-01-01"))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def at(day, hour, minute=0):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def test_a_date_is_due_once_it_was_waited_for_and_could_be_made(plant):
    """Readings are waited for until 2 o'clock, and making takes a while."""
    plant.make(*DAYS[:2])
    passed, found, due = freshness.look(plant.settings, at(DAYS[3], 3, 59))
    assert (passed, due) == (True, DAYS[1])
    passed, found, due = freshness.look(plant.settings, at(DAYS[3], 4))
    assert (passed, due) == (False, DAYS[2])
    assert found.startswith("2024-06-03 is due, and the newest date that is made is 2024-06-02; ")


def test_a_backfill_of_years_ago_makes_nothing_fresh(plant):
    plant.make(*DAYS[:3])
    before = freshness.look(plant.settings, at(DAYS[3], 12))
    plant.make(date(2024, 1, 1))
    assert freshness.look(plant.settings, at(DAYS[3] + timedelta(1), 12))[0] is False
    assert before[0] is True


def test_readings_alone_are_no_verdict_and_a_date_of_silence_is_made(plant):
    plant.make(*DAYS[:2])
    plant.make(DAYS[2], tables=["readings"])
    assert freshness.look(plant.settings, at(DAYS[3], 12))[0] is False
    plant.make_empty(DAYS[2])
    assert freshness.look(plant.settings, at(DAYS[3], 12))[0] is True


def test_a_plant_without_tables_is_not_fresh_and_says_why(make_settings, tmp_path):
    passed, found, _ = freshness.look(make_settings(tmp_path), at(DAYS[3], 12))
    assert not passed
    assert "there are no tables in" in found


def test_the_check_can_be_run_by_hand_and_is_no_part_of_a_day_s_run(plant, instance):
    plant.make(*DAYS)
    definitions = build_definitions(plant.settings)
    key = dg.AssetCheckKey(dg.AssetKey("device_days"), freshness.NAME)
    steps = {node.name for node in definitions.resolve_job_def("materialise_day").nodes}
    assert steps == {"device_registry", "lenet_model", "readings", "scalograms", "predictions", "device_days"}
    job = dg.Definitions(
        assets=definitions.assets,
        asset_checks=definitions.asset_checks,
        resources=definitions.resources,
        jobs=[dg.define_asset_job("by_hand", selection=dg.AssetSelection.checks(key))],
    ).resolve_job_def("by_hand")
    (evaluation,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "the newest date that is made is 2024-06-04" in evaluation.description


def test_the_sensor_records_what_it_finds_once_until_that_changes(plant, instance):
    """An evaluation every ten minutes would be 50,000 a year."""
    plant.make(*DAYS)
    definitions = build_definitions(plant.settings)
    sensor, repository = definitions.resolve_sensor_def("watch_freshness"), definitions.get_repository_def()
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED

    def tick(cursor):
        context = dg.build_sensor_context(instance, cursor=cursor, repository_def=repository)
        return sensor.evaluate_tick(context)

    first = tick(None)
    (evaluation,) = first.asset_events
    assert (evaluation.check_name, evaluation.passed) == (freshness.NAME, False)
    assert tick(first.cursor).asset_events == []
    yesterday = datetime.now(UTC).date() - timedelta(1)
    plant.make(yesterday - timedelta(1), yesterday)
    (evaluation,) = tick(first.cursor).asset_events
    assert evaluation.passed
