"""What the command line and Dagster's page call by the same names, so that each sees what the other does."""

import dagster as dg
import pytest
from dagster._core.workspace.load import location_origins_from_yaml_paths

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_assets.assembly import build_definitions
from pvfault_assets.instance import is_scheduled, open_instance, page_origin, set_scheduled
from tests.conftest import PROJECT
from tests.pvfault.test_settings import ON_AWS


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


def test_a_run_of_the_command_line_is_of_the_code_that_the_page_has_loaded(settings):
    """The page would show it without its job, and offer no way to start it again."""
    (location,) = location_origins_from_yaml_paths([str(PROJECT / "workspace.yaml")])
    assert page_origin().code_location_origin == location
    assert page_origin().repository_name == build_definitions(settings).get_repository_def().name


def test_the_daily_schedule_is_turned_on_as_by_the_switch_in_the_page(settings):
    """By the name under which the daemon looks for it."""
    schedule = build_definitions(settings).resolve_schedule_def("every_day")
    selector = page_origin().get_instigator_origin(schedule.name).get_selector()
    with open_instance(settings) as instance:

        def stored():
            states = instance.all_instigator_state()
            return [(state.selector, state.instigator_data.cron_schedule, state.is_running) for state in states]

        assert not is_scheduled(instance)
        set_scheduled(instance, settings.lateness_hours, on=True)
        assert stored() == [(selector, schedule.cron_schedule, True)]
        assert instance.all_instigator_state()[0].instigator_data.start_timestamp is not None
        assert is_scheduled(instance)
        set_scheduled(instance, settings.lateness_hours, on=False)
        assert stored() == [(selector, schedule.cron_schedule, False)]
        assert not is_scheduled(instance)


def test_turning_it_on_twice_does_not_begin_again(settings):
    """A day that is due just then would be left out."""
    with open_instance(settings) as instance:
        set_scheduled(instance, settings.lateness_hours, on=True)
        before = instance.all_instigator_state()
        set_scheduled(instance, settings.lateness_hours, on=True)
        assert instance.all_instigator_state() == before


def test_on_aws_runs_are_in_a_database_of_dagsters_own(tmp_path):
    with pytest.raises(PvfaultError, match="look and start runs there in Dagster's page"):
        open_instance(Settings.from_environment(ON_AWS, tmp_path))


def test_a_folder_is_made_for_dagster_where_the_page_finds_it(settings):
    with open_instance(settings) as instance:
        assert isinstance(instance, dg.DagsterInstance)
        assert instance.root_directory == str(settings.home / "dagster")
