"""A run of some dates in this process, without Dagster's web server.

Here: what `pvfault demo` calls. The run is kept in Dagster's storage of the state folder, where `make ui` shows it. Not
here: what is run (`definitions.py`).
"""

import uuid
from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_assets.definitions import build_definitions
from pvfault_assets.instance import prepare_dagster_home
from pvfault_assets.schedules import materialise_day

_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def materialise(
    settings: Settings, dates: Sequence[date], on_step: Callable[[str, bool], None] = lambda _step, _done: None
) -> None:
    """Make everything of a range of dates, in one run.

    Parameters
    ----------
    settings : Settings
    dates : sequence of date
        The days between the first and the last are made too.
    on_step : function of str and bool
        Called with an asset's name and False when it is begun, True when it is done.

    Raises
    ------
    PvfaultError
        If a step fails for a reason that a user can mend.
    """
    run_id = str(uuid.uuid4())
    job = build_definitions(settings).resolve_job_def(materialise_day.name)
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        instance.add_event_listener(run_id, lambda entry: _tell(entry.dagster_event, on_step))
        try:
            job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags={_RANGE_START: str(min(dates)), _RANGE_END: str(max(dates))},
            )
        except dg.Failure as failure:
            raise PvfaultError(failure.description) from failure


def _tell(event, on_step):
    """Hand on that a step has begun or is done."""
    if event is not None and event.step_key is not None and (event.is_step_start or event.is_step_success):
        on_step(event.step_key, event.is_step_success)
