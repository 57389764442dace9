"""Dagster's own storage on a laptop: what ran, and what came of it.

Here: its folder, the settings that pvfault needs in it, and what Dagster's page and the command line must call by the
same name, so that each sees what the other does. Not here: runs (`runs.py`), the page itself (`page.py`).
"""

import json
import re
from datetime import timedelta
from pathlib import Path

import dagster as dg

# Dagster has no public way to speak of a code location that it has not loaded. It is pinned, and a test compares this
# with what it loads.
from dagster._core.definitions.repository_definition.valid_definitions import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.workspace.load import location_origin_from_module_name
from dagster._time import get_current_timestamp

from pvfault.errors import PvfaultError
from pvfault.settings import AWS, Settings
from pvfault_assets.schedules import EVERY_DAY, cron_of

_DAGSTER_YAML = """\
# Written by pvfault if absent; yours to change.
telemetry:
  enabled: false
# No newsletter dialog on the first visit.
nux:
  enabled: false
# One run, so one Java virtual machine, at a time: a second one does not fit into a laptop's memory.
concurrency:
  runs:
    max_concurrent_runs: 1
# What the jobs say of each date goes into the run's log.
python_logs:
  managed_python_loggers: [spark_jobs]
  python_log_level: INFO
# Dagster's own storage of events, many times faster. The folder is where this file is: it is put right if it moves.
event_log_storage:
  module: pvfault_assets.event_log
  class: OpenEventLog
  config:
    base_dir: FOLDER
"""
_EVENT_LOG_FOLDER = re.compile(r"(?<=  class: OpenEventLog\n  config:\n    base_dir: ).*")


def prepare_dagster_home(settings: Settings) -> Path:
    """Dagster's folder inside the state folder, made if it is not there: what DAGSTER_HOME must name."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    found = configuration.read_text(encoding="utf-8") if configuration.exists() else None
    events = json.dumps(str((home / "history" / "runs").resolve()))  # a string of JSON is one of YAML
    wanted = _EVENT_LOG_FOLDER.sub(lambda _: events, _DAGSTER_YAML if found is None else found)
    if wanted != found:
        configuration.write_text(wanted, encoding="utf-8")
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The storage that Dagster's page has too, to be used as a context.

    Raises
    ------
    PvfaultError
        On AWS, where it is a database that only Dagster's own tasks reach.
    """
    if settings.environment == AWS:
        raise PvfaultError(
            "PVFAULT_ENV is 'aws', where runs are kept in a database that Dagster's own tasks reach; look and start "
            "runs there in Dagster's page (docs/deployment.md), or unset PVFAULT_ENV for the tables of this machine"
        )
    return dg.DagsterInstance.from_config(str(prepare_dagster_home(settings)))


def page_origin() -> RemoteRepositoryOrigin:
    """The definitions as Dagster's page on a laptop has loaded them (`workspace.yaml`)."""
    location = location_origin_from_module_name("pvfault_assets.definitions", attribute=None, working_directory=".")
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME)


def is_scheduled(instance: dg.DagsterInstance) -> bool:
    """Whether the daily schedule is on, whatever the code location is called."""
    if instance.schedule_storage is None:  # in memory, as where a test runs a job
        return False
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return any(state.instigator_name == EVERY_DAY and state.is_running for state in states)


def set_scheduled(instance: dg.DagsterInstance, lateness_hours: float, *, on: bool) -> None:
    """Turn the daily schedule on or off, as its switch in the page does; it is made by the daemon of `make ui`."""
    if on == is_scheduled(instance):
        return
    origin = page_origin().get_instigator_origin(EVERY_DAY)
    # Days before now are not made up for: these are for `pvfault backfill`.
    data = ScheduleInstigatorData(cron_of(timedelta(hours=lateness_hours)), get_current_timestamp() if on else None)
    status = InstigatorStatus.RUNNING if on else InstigatorStatus.STOPPED
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, data)
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
        instance.update_instigator_state(state)
    else:
        instance.add_instigator_state(state)
