"""Runs that have not ended, as Dagster's storage of a laptop has them: whose turn it is, and whose process is gone.

Dagster's queue lets one run begin when no other is in progress (`instance.py`), and so does a run of the command line
here: each counts those of the other. The queue is served by the daemon of `make ui`, and a run of the command line is
not put there because it does without.

A run whose process was killed together with Dagster's page says for ever that it is in progress, and nothing else would
begin. Whose process is gone is told by the number that Dagster's log has of it.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunRecord

from pvfault.date_ranges import written
from pvfault_assets.partitions import dates_of_run

PROCESS = "pvfault/process"
"""The tag with the number of the process of a run that the command line has started."""

# A worker of Dagster's page tells its number some seconds after the run is begun.
_UNTOLD_AT_MOST = timedelta(minutes=2)
_LOOK_AGAIN_S = 1.0


def in_progress(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that have begun and not ended, the first one first."""
    return instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES), ascending=True)


def not_ended(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that have begun and not ended, and those that wait in Dagster's queue."""
    return instance.get_runs(dg.RunsFilter(statuses=[*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]))


def describe(run: dg.DagsterRun) -> str:
    """A run in a few words."""
    dates = dates_of_run(run)
    return f"run {run.run_id[:8]}" + (f" of {written(dates[0], dates[-1])}" if dates else f" of {run.job_name}")


@contextmanager
def turn(
    instance: dg.DagsterInstance, folder: Path, on_wait: Callable[[Sequence[dg.DagsterRun]], None]
) -> Iterator[None]:
    """Wait until a run may begin, and let no other run of the command line begin while the block lasts.

    The block is to create the run as one that is starting: from then on the others wait for it.

    Parameters
    ----------
    instance : DagsterInstance
    folder : Path
        Dagster's.
    on_wait : callable
        Called with the runs that are waited for, as often as they are looked for in vain.
    """
    while True:
        with (folder / "turn.lock").open("a") as lock:
            flock(lock, LOCK_EX)
            fail_lost(instance)
            others = in_progress(instance)
            if len(others) < _at_once(instance):
                yield
                return
        on_wait(others)
        time.sleep(_LOOK_AGAIN_S)


def let_pass(
    instance: dg.DagsterInstance, run: dg.DagsterRun, on_wait: Callable[[Sequence[dg.DagsterRun]], None]
) -> None:
    """Wait for a run that Dagster's queue was about to begin when this one got its turn.

    The queue does not know the lock of `turn`: it may have counted the runs just before this one was created. From now
    on it begins no other one.

    Parameters
    ----------
    instance : DagsterInstance
    run : DagsterRun
        That is starting.
    on_wait : callable
        As `turn` takes it.
    """
    time.sleep(_LOOK_AGAIN_S)
    while True:
        fail_lost(instance)
        others = [other for other in in_progress(instance) if other.run_id != run.run_id]
        if len(others) < _at_once(instance):
            return
        on_wait(others)
        time.sleep(_LOOK_AGAIN_S)


def fail_lost(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """End the runs whose process is gone, as failed, so that nothing waits for them; these are given back."""
    records = instance.get_run_records(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
    lost = [record.dagster_run for record in records if _is_lost(instance, record)]
    for run in lost:
        instance.report_run_failed(
            run, "The process of this run is gone: it was killed, or the machine was. What it had published stays."
        )
    return lost


def _is_lost(instance: dg.DagsterInstance, record: RunRecord) -> bool:
    run = record.dagster_run
    told = _process_of(instance, run)
    if told is None:
        return datetime.now(UTC) - record.update_timestamp.replace(tzinfo=UTC) > _UNTOLD_AT_MOST
    number, since = told
    try:
        process = psutil.Process(number)
        # Another process may have got the number since.
        return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > since + 1
    except psutil.NoSuchProcess:
        return True


def _process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[int, float] | None:
    """The number of a run's process, and a moment at which it was there; None if it is not told yet."""
    told = None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        number = entry.dagster_event.engine_event_data.metadata.get("pid")
        if number:
            told = int(number.value), entry.timestamp
    if told is None and PROCESS in run.tags:
        number, since = run.tags[PROCESS].split(" ")
        told = int(number), float(since)
    return told


def process_tag() -> dict[str, str]:
    """The tag of a run of this process."""
    return {PROCESS: f"{os.getpid()} {psutil.Process().create_time()}"}


def _at_once(instance: dg.DagsterInstance) -> float:
    """How many runs may be in progress."""
    limit = instance.get_concurrency_config().run_queue_config
    return limit.max_concurrent_runs if limit and limit.max_concurrent_runs >= 0 else float("inf")
