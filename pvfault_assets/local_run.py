"""A run of some dates in this process, without Dagster's web server.

The run is kept in Dagster's storage of the state folder, where `make ui` shows it. As a program it takes the first and
the last date, and writes its steps for `run_apart.py` as lines of JSON.
"""

import json
import os
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_assets.definitions import build_definitions
from pvfault_assets.instance import prepare_dagster_home
from pvfault_assets.partitions import RANGE_END, RANGE_START
from pvfault_assets.schedules import materialise_day


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
        instance.add_event_listener(run_id, lambda entry: _report_step(entry.dagster_event, on_step))
        try:
            job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags={RANGE_START: str(min(dates)), RANGE_END: str(max(dates))},
            )
        except dg.Failure as failure:
            raise PvfaultError(failure.description) from failure


def _report_step(event, on_step):
    """Hand on that a step has begun or is done."""
    if event is not None and event.step_key is not None and (event.is_step_start or event.is_step_success):
        on_step(event.step_key, event.is_step_success)


def main() -> None:
    """Make the dates from the first argument to the second; exits with 2 on a user's mistake."""
    # Whatever else writes to standard output, the Java virtual machine above all, goes where errors go.
    with os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8") as channel:
        os.dup2(2, 1)
        try:
            materialise(
                Settings.from_environment(os.environ, Path.cwd()),
                [date.fromisoformat(day) for day in sys.argv[1:]],
                lambda step, done: channel.write(json.dumps({"step": step, "done": done}) + "\n"),
            )
        except PvfaultError as error:
            channel.write(json.dumps({"error": str(error)}) + "\n")
            sys.exit(2)


if __name__ == "__main__":
    main()
