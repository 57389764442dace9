"""Nothing that the tests start outlives them: their process may be killed before it has ended anything.

An interrupted `make test` gives its two processes 10 s, which a broker can need for itself; a terminated one gives them
none.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The end of its input is the end of the tests. What they have started has a new parent by then, but still says by its
# command line or its environment that its files are theirs. Other programs may look at these files.
_GUARD = """
import sys
from contextlib import suppress
import psutil

def is_left(process):
    with suppress(psutil.Error):
        words = [*process.cmdline(), *process.environ().values()]
        return process.name().startswith(("java", "python")) and any(f"{sys.argv[1]}/" in word for word in words)
    return False

sys.stdin.read()
left = [process for process in psutil.process_iter() if is_left(process)]
for process in left:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
for process in psutil.wait_procs(left, timeout=30)[1]:
    with suppress(psutil.NoSuchProcess):
        process.kill()
"""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """End all programs that use this folder if this process is gone before the block is left."""
    # A session of its own, so that Ctrl-C reaches the tests and not the guard.
    command = [sys.executable, "-c", _GUARD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        yield
        guard.kill()
