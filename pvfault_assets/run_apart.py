"""A run of some dates in a process of its own, which is gone when the call returns, however it returns.

Spark and Dagster each have their own mind about signals, and a Java virtual machine outlives its Python for a moment; a
process group has neither trouble.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from pvfault.errors import PvfaultError

# Spark's shutdown hooks take a second or two.
_END_WITHIN_S = 15


def materialise_apart(
    environment: Mapping[str, str], dates: Sequence[date], log: Path, on_step: Callable[[str, bool], None]
) -> None:
    """Make everything of a range of dates in another process, and wait for it.

    Parameters
    ----------
    environment : mapping of str to str
        The environment of the process: settings and path.
    dates : sequence of date
        The days between the first and the last are made too.
    log : Path
        What the run and its tools say is appended to it.
    on_step : function of str and bool
        Called with an asset's name and False when it is begun, True when it is done.

    Raises
    ------
    PvfaultError
        If the run fails; the message is the run's own, or says where its traceback is.
    """
    command = [sys.executable, "-m", "pvfault_assets.local_run", str(min(dates)), str(max(dates))]
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
    try:
        for line in process.stdout:
            message = json.loads(line)
            if "error" in message:
                raise PvfaultError(message["error"])
            on_step(message["step"], message["done"])
        if process.wait():
            raise PvfaultError(f"the run ended with exit code {process.returncode}; the end of {log} says why")
    finally:
        _end(process)
        process.stdout.close()


def _end(process):
    """End the process and all that it started, at once if it is done anyway."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_WITHIN_S)
