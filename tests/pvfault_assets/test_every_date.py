"""The check that stays red as long as any date is not good."""

import dagster as dg
import pytest

from pvfault_assets.assembly import build_definitions
from pvfault_assets.checks.every_date import looking_at_dates
from pvfault_assets.instance import open_instance
from pvfault_assets.partitions import tags_of
from tests.pvfault_api.lake import Plant, days
from tests.standins.spark import SparkStandIn

DAYS = days(1, 3)
CHECK = dg.AssetCheckKey(dg.AssetKey("device_days"), "every_date_is_good")


@pytest.fixture
def plant(make_settings, tmp_path):
    plant = Plant(make_settings(tmp_path, PVFAULT_FIRST_DATE=str(DAYS[0]), PVFAULT_MODEL=str(tmp_path / "weights.h5")))
    plant.make(*DAYS)
    return plant


@pytest.fixture
def instance(plant):
    with open_instance(plant.settings) as instance:
        yield instance


def make(plant, instance, day, **refusals):
    """Let Dagster record a run of a date; the tables are as they are."""
    definitions = build_definitions(plant.settings, spark=SparkStandIn(**refusals))
    return definitions.resolve_job_def("materialise_day").execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("readings")] if refusals else [dg.AssetKey("device_days")],
        tags=tags_of(day, day), raise_on_error=False,
    )  # fmt: skip


@pytest.fixture
def tick(plant, instance):
    """What Dagster's daemon does every half minute; gives what the check says, or why it says nothing new."""
    cursor = None

    def tick():
        nonlocal cursor
        result = looking_at_dates(plant.settings).evaluate_tick(dg.build_sensor_context(instance, cursor=cursor))
        cursor = result.cursor or cursor
        assert result.run_requests in (None, [])
        return result.asset_events[0] if result.asset_events else result.skip_message

    return tick


def test_a_run_looks_at_all_dates_in_its_last_step(plant, instance):
    made = make(plant, instance, DAYS[2])
    (check,) = [each for each in made.get_asset_check_evaluations() if each.check_name == CHECK.name]
    assert (check.passed, check.partition, check.description) == (True, None, "all 3 dates are good")


def test_the_newest_good_date_does_not_turn_it_green_over_an_older_one(plant, instance, tick):
    make(plant, instance, DAYS[0], refuse={"ingest_readings": [DAYS[0]]})
    check = tick()
    assert (check.asset_check_key, check.passed, check.severity) == (CHECK, False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "1 refused; `pvfault status` lists them"
    listed = check.metadata["list"].value
    assert "| 2024-06-01 | readings | refused | not_fewer_readings_than_before: 3 of 4 found" in listed
    assert "type: pvfault materialise --date 2024-06-01" in listed
    newest = make(plant, instance, DAYS[2])
    assert newest.success
    (check,) = [each for each in newest.get_asset_check_evaluations() if each.check_name == CHECK.name]
    assert not check.passed
    assert not tick().passed


def test_it_is_looked_again_when_something_has_changed_and_only_then(plant, tick):
    assert tick().passed
    assert tick() == "Nothing has changed."
    plant.change_network(b"better")
    check = tick()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "3 stale; `pvfault status` lists them"
    assert tick() == "Nothing has changed."
    plant.change_registry("INV0000001", "INV0000002")
    assert "| 2024-06-01..2024-06-03 | scalograms | stale |" in tick().metadata["list"].value


def test_tables_that_cannot_be_read_are_not_called_good(plant, tick):
    for path in plant.settings.warehouse.rglob("snap-*.avro"):
        path.write_bytes(b"")
    check = tick()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "dates could not be looked at" in check.description
