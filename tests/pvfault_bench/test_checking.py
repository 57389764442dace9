"""The command that measures `pvfault check` makes a date on which all is well, and measures it."""

import json
import subprocess
import sys

from tests.conftest import PROJECT


def test_a_good_date_of_the_whole_fleet_is_made_and_measured():
    """A date that has no rows, or fails a check, is not what is to be measured: then the command says so and ends."""
    done = subprocess.run(
        [sys.executable, "-m", "pvfault_bench.checking", "10"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("devices") == 10
    assert 0.9 * 10 * 4320 < found.pop("readings") <= 10 * 4320
    assert found.keys() == {"seconds", "cpu_seconds", "peak_mib"}
    assert found["cpu_seconds"] > 0
    assert found["peak_mib"] > 100  # Python with PyArrow and PyIceberg alone
