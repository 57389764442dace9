"""What Dagster's daemon loads in a test: pvfault's definitions, with jobs that only report."""

import os
from pathlib import Path

from pvfault.settings import Settings
from pvfault_assets.assembly import build_definitions
from tests.standins.spark import SparkOfAnotherProcess

defs = build_definitions(Settings.from_environment(os.environ, Path.cwd()), spark=SparkOfAnotherProcess())
