"""What the tests themselves stand on: a user's own settings do not reach them."""

import os
import subprocess
import sys

from tests.conftest import PROJECT

_SEEN = """
import os

def test_what_is_seen():
    seen = sorted(name for name in os.environ if name.startswith(("PVFAULT_", "AWS_")))
    print("seen:", *seen)
"""


def test_the_tests_see_no_settings_of_the_user(tmp_path):
    """Else they would write a user's own tables, or ask a user's own account."""
    (tmp_path / "test_seen.py").write_text(_SEEN)
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PVFAULT_HOME": "/the/users", "AWS_PROFILE": "theirs"}

    def seen(*options):
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *options, "test_seen.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("seen:"))
        return set(line.split()[1:])

    assert seen() >= {"AWS_PROFILE", "PVFAULT_HOME"}
    assert seen("-p", "tests.conftest") == set()
