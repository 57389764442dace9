"""What a run has made and what it has refused, as Dagster's storage has it.

Dagster's own way is to record every date of a step when the step has ended well. So what ends it early would leave
dates in the tables that Dagster does not know of, and a step could not go on beside one bad date. Here a date is
recorded when it is made, and a step says that it is done without recording its dates once more.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

# There is no public way to do one without the other. Dagster is pinned, and tests look at what it has recorded.
from dagster import DagsterEvent
from dagster._core.definitions.assets.definition.asset_spec import AssetExecutionType
from dagster._core.execution.plan.execute_step import _get_output_asset_events
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle

from pvfault_assets.checks.audits import audit_results

if TYPE_CHECKING:
    from spark_jobs.job import DateReport

# Dagster's tags of a run that goes on with another one, which has failed or whose process was lost.
_PARENT = "dagster/parent_run_id"
_GOES_ON = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")
REFUSED = "refused"
"""What an observation of a date is called that says why a run has left it as it was."""


@dataclass
class Recorded:
    """What became of the dates of a run, and of those runs that it goes on with.

    Attributes
    ----------
    made : dict of str to set of date
        By table.
    refused : dict of str to dict of date to str
        By table, why; of each table as it was tried last.
    """

    made: Mapping[str, set[date]] = field(default_factory=lambda: defaultdict(set))
    refused: Mapping[str, dict[date, str]] = field(default_factory=lambda: defaultdict(dict))


def record_date(
    context: dg.AssetExecutionContext, show: Callable[[date], Mapping[str, dg.MetadataValue]], report: "DateReport"
) -> None:
    """Record what a job has done for a date of the asset, at once, with what is shown of it beside its figures."""
    for evaluation in audit_results(context.asset_key, report):
        context.log_event(evaluation)
    if report.stopped_by:
        note_date(context, report.day, {REFUSED: report.stopped_by})
        return
    metadata = {
        "dagster/partition_row_count": report.rows,
        "published": report.published,
        # As text: the page would round 64-bit integers.
        "snapshot": str(report.snapshot_id) if report.snapshot_id is not None else "none, there was nothing to write",
        "seconds": report.seconds,
        **report.figures,
        **(show(report.day) if report.published else {}),
    }
    # With the versions of what it is made of, by which Dagster marks it as out of date later.
    for materialisation in _get_output_asset_events(
        context.asset_key,
        [str(report.day)],
        dg.Output(None, metadata=metadata),
        None,
        {},
        context.get_step_execution_context(),
        AssetExecutionType.MATERIALIZATION,
    ):
        context.log_event(materialisation)


def checked_in_run(context: dg.AssetCheckExecutionContext, table: str) -> Mapping[str, set[str]]:
    """The checks of a table that this run has recorded already, by partition."""
    checked: Mapping[str, set[str]] = defaultdict(set)
    for entry in context.instance.all_logs(context.run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        found = entry.dagster_event.asset_check_evaluation_data
        if found.asset_key == dg.AssetKey(table):
            checked[found.partition].add(found.check_name)
    return checked


def note_date(context: dg.AssetExecutionContext, day: date, metadata: dict) -> None:
    """Add something to what is known of a date of the asset."""
    context.log_event(dg.AssetObservation(context.asset_key, partition=str(day), metadata=metadata))


def read_recorded(context: dg.AssetExecutionContext) -> Recorded:
    """What is recorded of the run so far."""
    recorded = Recorded()
    tried: set[str] = set()
    run = context.run
    while run is not None:
        refused = _read_run(context.instance, run.run_id, recorded.made)
        for table in refused.keys() - tried:
            recorded.refused[table] = refused[table]
        tried.update(tables_of_run(run) or ())
        goes_on = any(run.tags.get(tag) == "true" for tag in _GOES_ON)
        run = context.instance.get_run_by_id(run.tags[_PARENT]) if goes_on else None
    return recorded


def tables_of_run(run: dg.DagsterRun) -> set[str] | None:
    """The assets, or steps, that a run was to make; None if they are all of its job."""
    if run.step_keys_to_execute is not None:
        return set(run.step_keys_to_execute)
    return None if run.asset_selection is None else {key.to_user_string() for key in run.asset_selection}


def _read_run(instance: dg.DagsterInstance, run_id: str, made: Mapping[str, set[date]]) -> dict[str, dict[date, str]]:
    """Add what a run has made; gives what it has refused."""
    refused = defaultdict(dict)
    of_type = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    for entry in instance.all_logs(run_id, of_type=of_type):
        event = entry.dagster_event
        if event.partition is None:
            continue
        table, day = event.asset_key.to_user_string(), date.fromisoformat(event.partition)
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            made[table].add(day)
        elif REFUSED in (metadata := event.event_specific_data.asset_observation.metadata):
            refused[table][day] = metadata[REFUSED].value
    return refused


def pass_on(context: dg.AssetExecutionContext) -> Iterator[dg.Output | DagsterEvent]:
    """Let the steps that depend on this one begin: its dates and checks are recorded already."""
    step = context.get_step_execution_context()
    output = context.assets_def.get_output_name_for_asset_key(context.asset_key)
    # A Pipes session makes Dagster wait for results of its own kind, of which each would record all dates of the run.
    step._requires_typed_event_stream = False
    yield DagsterEvent.step_output_event(step, StepOutputData(StepOutputHandle(step.step.key, output)))
    for check in context.selected_asset_check_keys:
        yield dg.Output(None, output_name=context.assets_def.get_output_name_for_asset_check_key(check))


def pass_on_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.Output]:
    """Say that checks are done whose results are recorded already."""
    step = context.op_execution_context.get_step_execution_context()
    for output in step.step.step_outputs:
        if output.properties.asset_check_key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=output.name)
