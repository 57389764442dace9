"""A run of some dates in a process of its own, which is gone when the call returns, however it returns.

Spark and Dagster each have their own mind about signals, and a Java virtual machine outlives its Python for a moment; a
process group has neither trouble. What the process leaves undone in Dagster's storage is done here: a run that is ended
is recorded as such.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_assets.instance import open_instance
from pvfault_assets.requests import Request, Tell

# Dagster records what is begun as ended, and Spark's shutdown hooks take a second or two.
_END_WITHIN_S = 15


class RunFailedError(PvfaultError):
    """A run that has begun did not make all that it was asked for. The message is its own."""


def materialise_apart(environment: Mapping[str, str], request: Request, log: Path, tell: Tell) -> None:
    """Make what is asked for in another process, and wait for it.

    Parameters
    ----------
    environment : mapping of str to str
        The environment of the process: settings and path.
    request : Request
    log : Path
        What the run and its tools say is appended to it.
    tell : Tell

    Raises
    ------
    RunFailedError
        If the run fails; the message is the run's own, or says where its traceback is.
    PvfaultError
        If it could not begin.
    """
    command = [sys.executable, "-m", "pvfault_assets.local_run", request.to_json()]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end the whole group
        )
    settings, run_id, failed = Settings.from_environment(environment), "", ""
    try:
        for line in process.stdout:
            message = json.loads(line)
            if "error" in message:
                raise PvfaultError(message["error"])
            run_id, failed = message.get("run", run_id), message.get("failed", "")
            tell(message)
        if process.wait():
            failed = f"the run ended with exit code {process.returncode}; the end of {log} says why"
    except (KeyboardInterrupt, SystemExit):
        _cancel(settings, run_id)
        raise
    finally:
        end_group(process)
        process.stdout.close()
        _record_end(settings, run_id)
    if failed:
        raise RunFailedError(failed)


def _cancel(settings: Settings, run_id: str) -> None:
    """Say in Dagster's storage that somebody wants the run to end, so that it is recorded as cancelled."""
    if run_id:
        with open_instance(settings) as instance:
            run = instance.get_run_by_id(run_id)
            if not run.is_finished:
                instance.report_run_canceling(run)


def end_group(process: subprocess.Popen) -> None:
    """End a process that leads a group of its own, and all that it started, at once if it is done anyway."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_WITHIN_S)


def _record_end(settings: Settings, run_id: str) -> None:
    """Record the end of a run whose process could not do so."""
    if not run_id:
        return
    with open_instance(settings) as instance:
        run = instance.get_run_by_id(run_id)
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "The run was ended from the command line.")
        elif not run.is_finished:
            instance.report_run_failed(run, "The process of this run has ended without a word.")
