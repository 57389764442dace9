"""A run of some dates in this process, without Dagster's web server.

The run is kept in Dagster's storage of the state folder, where `make ui` shows it among its own. As a program it takes
a `Request` as JSON, and tells `run_apart.py` how far it is by lines of JSON.
"""

import json
import os
import sys
from collections.abc import Sequence

import dagster as dg

# Dagster's public way to run a job in this process gives it no place in the page's job, and no state before it begins.
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._utils.interrupts import setup_interrupt_handlers

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, READINGS, tables_from
from pvfault_assets.assembly import build_definitions
from pvfault_assets.checks.every_date import evaluate
from pvfault_assets.instance import open_instance, page_origin, prepare_dagster_home
from pvfault_assets.partitions import tags_of
from pvfault_assets.recording import REFUSED
from pvfault_assets.requests import Request, Tell
from pvfault_assets.resources.spark_runner import LocalSparkRunner
from pvfault_assets.runs import describe, let_pass, process_tag, turn
from pvfault_assets.schedules import materialise_day


def materialise(settings: Settings, request: Request, tell: Tell) -> None:
    """Make what is asked for in one run, when it is its turn.

    Parameters
    ----------
    settings : Settings
    request : Request
    tell : Tell
    """

    def tell_of(others: Sequence[dg.DagsterRun]) -> None:
        tell({"waiting": [describe(run) for run in others]})

    home, spark = prepare_dagster_home(settings), LocalSparkRunner(settings)
    with open_instance(settings) as instance:
        with turn(instance, home, tell_of):
            # Not before its turn: a second virtual machine does not fit into a laptop's memory. It starts beside
            # all that is done before the first job.
            spark.start()
            job = build_definitions(settings, spark=spark).resolve_job_def(materialise_day.name)
            run = _create(instance, job, request)
        tell({"run": run.run_id})
        let_pass(instance, run, tell_of)
        instance.add_event_listener(run.run_id, lambda entry: _report(entry.dagster_event, tell))
        result = execute_run(InMemoryJob(job), run, instance)
        if not result.success:
            # A run that made everything has looked at all dates in its last step.
            instance.report_runless_asset_event(evaluate(settings, instance))
            tell({"failed": _why(result)})


def _create(instance: dg.DagsterInstance, job: dg.JobDefinition, request: Request) -> dg.DagsterRun:
    """The run, as one that is starting: it is in progress, and Dagster's daemon leaves it alone."""
    selected = {dg.AssetKey(table) for table in tables_from(request.table)} if request.table else None
    config = {"ops": {READINGS.name: {"config": {"allow_fewer": True}}}} if request.allow_fewer else {}
    return instance.create_run_for_job(
        job.get_subset(asset_selection=selected) if selected else job,
        run_config=config,
        status=dg.DagsterRunStatus.STARTING,
        tags=tags_of(request.first, request.last) | process_tag(),
        asset_selection=selected and frozenset(selected),
        remote_job_origin=page_origin().get_job_origin(job.name),
    )


def _report(event: dg.DagsterEvent | None, tell: Tell) -> None:
    """Tell of steps and dates."""
    if event is None:
        return
    asset = event.asset_key and event.asset_key.to_user_string()
    if event.is_step_start or event.is_step_success or event.is_step_failure:
        state = "begun" if event.is_step_start else "done" if event.is_step_success else "failed"
        # The step of a check is named after its asset too.
        tell({"step": event.step_key.removeprefix(f"{DEVICE_DAYS.name}_"), "is": state})
    elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.partition:
        tell({"made": event.partition, "table": asset})
    elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and event.partition:
        metadata = event.event_specific_data.asset_observation.metadata
        if REFUSED in metadata:
            tell(
                {"refused": event.partition, "table": event.asset_key.to_user_string(), "why": metadata[REFUSED].value}
            )


def _why(result: dg.JobExecutionResult) -> str:
    """Why a run failed: the words of a failure that a user can mend, else the error itself."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            return data.user_failure_data.description if data.user_failure_data else data.error.to_string()
        if event.is_job_failure:
            return event.message or "the run failed"
    return "the run failed"


def main() -> None:
    """Make what the argument asks for."""
    # Whatever else writes to standard output, the Java virtual machine above all, goes where errors go.
    with os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8") as channel:
        os.dup2(2, 1)
        # Told to end, a run ends as if by Ctrl-C: its steps are recorded as ended, and those that are begun fail.
        setup_interrupt_handlers()

        def tell(message):
            channel.write(json.dumps(message) + "\n")

        try:
            settings = Settings.from_environment(os.environ)
            materialise(settings, Request.from_json(sys.argv[1]), tell)
        except PvfaultError as error:
            tell({"error": str(error)})
            sys.exit(2)


if __name__ == "__main__":
    main()
