"""Dagster's own storage on a laptop: what ran, and what came of it.

The folder, and the settings that pvfault needs in it. Run as a module it prints the folder, for `make ui`.
"""

import os
import sys
from pathlib import Path

from pvfault.settings import Settings

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
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Dagster's folder inside the state folder, made if it is not there: what DAGSTER_HOME must name."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    configuration = home / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(_DAGSTER_YAML)
    return home


if __name__ == "__main__":
    sys.stdout.write(f"{prepare_dagster_home(Settings.from_environment(os.environ, Path.cwd()))}\n")
