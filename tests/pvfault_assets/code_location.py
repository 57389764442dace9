"""What Dagster's daemon loads in a test: pvfault's definitions, with jobs that only report.

A process of its own loads them, so what the test wants of the jobs stands in the environment.
"""

import os
from datetime import date
from pathlib import Path

from pvfault.settings import Settings
from pvfault_assets.definitions import build_definitions
from tests.standins.spark import SparkStandIn

REFUSED = "REFUSED_READINGS"
"""Names the dates, with spaces between, whose readings are refused."""

_refused = [date.fromisoformat(day) for day in os.environ.get(REFUSED, "").split()]
defs = build_definitions(
    Settings.from_environment(os.environ, Path.cwd()), spark=SparkStandIn(refuse={"ingest_readings": _refused})
)
