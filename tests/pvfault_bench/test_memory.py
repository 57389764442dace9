"""Peaks a device, of steps that really run."""

import json
import subprocess
import sys

import pytest

from pvfault_bench import memory
from pvfault_bench.memory import STEPS, derive_slopes
from tests.conftest import PROJECT
from tests.pvfault_cli.test_main import run


def test_a_slope_is_what_one_more_device_takes():
    """A step that holds 2 kB a device and 1 MB whatever the fleet."""
    rows = derive_slopes({n: 1_000_000 + 2_000 * n for n in (1_000, 10_000, 100_000)})
    assert [row["bytes_a_device_more"] for row in rows] == [None, 2_000, 2_000]
    assert [row["bytes_a_device"] for row in rows] == [3_000, 2_100, 2_010]


def test_the_peak_of_a_process_is_what_it_held_at_most_and_not_what_its_parent_holds():
    """200 MB that are held for a moment, in a child of a process that holds twice as much."""
    code = (
        "import sys; from pvfault_bench.machine import peak_memory\n"
        "before = peak_memory(); held = bytearray(b'x') * 200_000_000; del held\n"
        "print(before, peak_memory() - before)"
    )
    parent = bytearray(b"x") * 400_000_000
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    del parent
    before, risen = map(int, done.stdout.split())
    assert before < 300_000_000
    assert risen == pytest.approx(200_000_000, rel=0.05)


def test_every_step_is_measured_with_every_fleet(tmp_path):
    output = tmp_path / "memory.json"
    done = run("bench", "--memory", "10", "--memory", "100", "--output", output)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())["steps"]
    assert set(found) == set(STEPS) == {"references", "notifications", "registry"}
    for rows in found.values():
        assert [row["devices"] for row in rows] == [10, 100]
        assert all(row["peak_bytes"] >= 0 for row in rows)
    # 19 dates of 24 hours of four numbers of 8 bytes are held for each device, if no more than that.
    assert found["references"][1]["peak_bytes"] > 100 * 19 * 24 * 4 * 8
    for name in found:
        assert sum(line.split()[:1] == [name] for line in done.stdout.splitlines()) == 2


def test_steps_of_a_large_fleet_find_what_they_are_given(tmp_path):
    """A step over nothing takes no memory."""
    from pvfault.tables import DEVICE_DAYS
    from pvfault_api.fleet import read_fleet
    from pvfault_api.published import read_dates

    prepare, _ = STEPS["notifications"]
    prepare(tmp_path, 100)
    settings = memory._settings_of(tmp_path)
    assert len(read_dates(settings, DEVICE_DAYS, memory.MONTH)) == 3_000
    assert len(read_fleet(settings, memory.MONTH).faulty) == 2
    assert sum(batch.num_rows for batch in memory._histories(50)) == 50 * 19 * 24


def test_a_message_on_a_month_of_a_large_fleet_holds_the_faulty_devices_alone(tmp_path):
    """300,000 verdicts as Python's objects are 360 MB, and a year of them no process can hold."""
    prepare, _ = STEPS["notifications"]
    prepare(tmp_path, 10_000)
    assert memory._measure_apart("notifications", 10_000, tmp_path) < 100_000_000
