"""What Dagster's page and its runs load (`workspace.yaml`).

The environment is read when this module is imported, and nowhere else in this folder.
"""

import os

from pvfault.settings import Settings
from pvfault_assets.assembly import build_definitions

defs = build_definitions(Settings.from_environment(os.environ))
