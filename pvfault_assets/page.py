"""Dagster's page on a laptop: `make ui`.

Dagster's own `dagster dev`, with three things around it. Runs whose process was killed, with an earlier page or beside
this one, are failed, so that nothing waits for them. SIGINT and SIGTERM end it also where a script has started it: a
shell lets what it puts into the background ignore the first, and Dagster then ignores both. And all that it has started
is gone when it is, also when it is killed: a run that is being made is ended and recorded as failed, where Dagster
would leave it behind.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg

from pvfault.settings import Settings
from pvfault_assets.instance import prepare_dagster_home
from pvfault_assets.run_apart import end_group
from pvfault_assets.runs import fail_lost

_WORKSPACE = Path(__file__).parent.parent / "workspace.yaml"
# The graph of assets asks for the state of all checks and dates, which takes 2 s after a year of dates; by default the
# page would ask again every 2 s, for as long as it is open.
_ASK_AGAIN_EVERY_MS = 15_000
# A run that the queue holds back for a lost one is not to wait much longer than for its own start.
_LOOK_FOR_LOST_EVERY_S = 10
_PR_SET_PDEATHSIG = 1  # of Linux


def main() -> int:
    """Serve the page until a signal comes; arguments are those of `dagster dev`. Gives the exit code."""
    settings = Settings.from_environment(os.environ)
    environment = os.environ | {
        "DAGSTER_HOME": str(prepare_dagster_home(settings)),
        "PYTHONWARNINGS": "ignore:Function `dev_command`",
    }
    told = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not ignored, so that Dagster does not either: what has a handler is as by default in a new program.
        signal.signal(number, lambda number, _frame: told.append(number))
    _fail_lost(settings)
    options = ["--workspace", str(_WORKSPACE), "--live-data-poll-rate", str(_ASK_AGAIN_EVERY_MS)]
    dagster = subprocess.Popen(
        [str(Path(sys.executable).with_name("dagster")), "dev", *options, *sys.argv[1:]],
        cwd=_WORKSPACE.parent,
        env=environment,
        start_new_session=True,
        preexec_fn=_end_with_page if sys.platform == "linux" else None,
    )
    try:
        looked = time.monotonic()
        while not told and dagster.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                dagster.wait(timeout=0.5)
            if time.monotonic() - looked > _LOOK_FOR_LOST_EVERY_S:
                _fail_lost(settings)
                looked = time.monotonic()
        code = 128 + told[0] if told else dagster.returncode
    finally:
        end_group(dagster)
        _fail_lost(settings)
    return code


def _end_with_page() -> None:
    """Let the kernel tell this process to end when the page is killed: another page would find its port in use."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _fail_lost(settings: Settings) -> None:
    # Also where the jobs of this page run on AWS: its storage is this machine's.
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(settings))) as instance:
        for run in fail_lost(instance):
            sys.stderr.write(f"The process of run {run.run_id} is gone; it is recorded as failed.\n")


if __name__ == "__main__":
    sys.exit(main())
