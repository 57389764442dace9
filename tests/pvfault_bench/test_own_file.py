"""The command that measures `pvfault classify` on a file of one's own writes that file, reads and judges it."""

import json
import subprocess
import sys

import pytest

from tests.conftest import PROJECT


@pytest.mark.parametrize("order", ["time", "device"])
def test_a_day_of_a_plant_is_written_read_and_judged(order):
    done = subprocess.run(
        [sys.executable, "-m", "pvfault_bench.own_file", "1", order],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["device_days"] == 20
    assert 0.9 * 20 * 4320 < found["rows"] <= 20 * 4320
    assert 28 * found["rows"] < found["bytes"] < 40 * found["rows"]
    for program in ("pyarrow", "read_files", "classify", "classify_without_registry"):
        assert found[program]["seconds"] > 0
        assert found[program]["peak_mib"] > 50  # Python with PyArrow alone
