"""No broker outlives the tests, however they end: their process may be killed before its fixtures have ended anything.

An interrupted `make test` gives its two processes 10 s for that, which a broker can need for itself.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvfault.settings import Settings

_PROJECT = Path(__file__).parent.parent
# The end of its input is the end of the tests.
_GUARD = """
import sys
from pathlib import Path

sys.stdin.read()
from pvfault.settings import Settings
from pvfault_gateway.broker import stop

stop(Settings.from_environment({"PVFAULT_HOME": sys.argv[1]}, Path.cwd()))
"""


@contextmanager
def guarded(settings: Settings) -> Iterator[None]:
    """End the broker of this home when the block is left, or this process is gone."""
    command = [sys.executable, "-c", _GUARD, str(settings.home)]
    # A session of its own, so that Ctrl-C reaches the tests and not the guard.
    with subprocess.Popen(command, cwd=_PROJECT, stdin=subprocess.PIPE, start_new_session=True):
        yield
