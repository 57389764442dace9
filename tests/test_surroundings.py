"""What the tests themselves stand on: a user's own settings do not reach them, and nothing that they start stays."""

import os
import signal
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


# One names the folder in its environment, as a job does, the other in its command line, as a broker does.
_KILLED = """
import os, signal, subprocess, sys
from pathlib import Path
from tests.guard import guarded

folder = Path(sys.argv[1])
with guarded(folder):
    waits = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(waits, env={"PVFAULT_HOME": f"{folder}/home"})
    subprocess.Popen([*waits, f"{folder}/server.properties"], start_new_session=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_the_tests_have_started_ends_with_them_when_they_are_killed(tmp_path):
    """A broker would hold half a gigabyte until the next boot, and nobody knows of it."""
    command = [sys.executable, "-c", _KILLED, tmp_path / "tests"]
    # All of them have the same output, so this waits for the last of them.
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
