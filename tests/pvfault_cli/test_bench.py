"""`pvfault bench`: from a broker to a page of figures, with a fleet as small as it can be."""

import json

import pytest

from tests.conftest import JARS, PROJECT
from tests.pvfault_cli.test_main import run

PLACES = "".join(
    f"<!-- pvfault bench: {name} -->\nold\n<!-- end of {name} -->\n"
    for name in ("yardsticks", "stages", "parts", "scaling", "sizing")
)


def figures(devices, seconds):
    """What a benchmark of a fleet writes."""
    stages = ("bare_read", "ingest_readings", "compute_scalograms", "classify_faults", "summarise_device_days")
    return {
        "devices": devices,
        "readings": devices * 4320,
        "runs": 3,
        "path_seconds": 4 * seconds,
        "ratio_to_kafka_read": 4.0,
        "core_seconds_per_device_day": 8 * seconds / devices,
        "peak_memory_gib": 5.0,
        "seconds": dict.fromkeys(stages, seconds),
        "bytes_written": dict.fromkeys(stages[1:], 1_000_000),
        "peak_memory_gib_by_stage": dict.fromkeys(stages, 5.0),
        "windows": {"ok": 12 * devices},
        "yardsticks": {
            "transform": {"product_windows_per_second": 5000.0, "transform_windows_per_second": 2500.0},
            "network": {"processes_of_one_thread": 10_000.0},
        },
        "machine": {"cores": 2, "cpu_model": "Abacus", "memory_gib": 16.0},
    }


@pytest.fixture
def measured(tmp_path):
    """Files of two benchmarks."""
    paths = []
    for devices, seconds in ((10_000, 60.0), (100, 2.0)):
        paths.append(tmp_path / f"{devices}.json")
        paths[-1].write_text(json.dumps(figures(devices, seconds)))
    return paths


def test_the_page_gets_new_tables_between_its_marks_and_a_plot_beside_it(tmp_path, measured):
    page = tmp_path / "performance.md"
    page.write_text(f"# Words above\n{PLACES}words below\n")
    for _ in range(2):  # a second time it replaces its own
        assert run("bench", "--page", page, *measured).exit_code == 0
    text = page.read_text()
    assert text.startswith("# Words above\n")
    assert text.endswith("words below\n")
    assert "old" not in text
    lines = [line for line in text.splitlines() if line.startswith(("| 100 |", "| 10,000 | 43,200,000 |"))]
    assert [line.split("|")[1].strip() for line in lines] == ["100", "10,000"]
    assert text.count("From 0.0480 core-seconds a device-day") == 1
    # 120,000 windows: 12 s of product and 12 s more of transform on two cores, 12 s of network, of 60 s each.
    assert "| compute_scalograms | bare matrix product | 12.0 | 20% |" in text
    assert "| classify_faults | network | 12.0 | 20% |" in text
    assert page.with_suffix(".png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("text", "files", "message"),
    [
        (PLACES, [], "no figures for"),
        ("no marks", ["100.json"], "has no place for the table 'yardsticks'"),
        (PLACES, ["absent.json"], "holds no figures of a benchmark"),
    ],
)
def test_a_page_that_cannot_be_made_is_a_users_mistake(tmp_path, measured, text, files, message):
    page = tmp_path / "performance.md"
    page.write_text(text)
    result = run("bench", "--page", page, *(tmp_path / name for name in files))
    assert result.exit_code == 2
    assert message in result.stderr
    assert page.read_text() == text


@pytest.mark.broker
@pytest.mark.spark
def test_a_small_fleet_gives_every_figure(tmp_path):
    """In a process of its own, since a Java virtual machine has one Spark session."""
    import os
    import subprocess
    import sys

    output = tmp_path / "bench.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PVFAULT_")}
    done = subprocess.run(
        [sys.executable, "-c", "from pvfault_cli.main import main; main()",
         "bench", "--devices", "3", "--runs", "1", "--output", str(output)],
        cwd=PROJECT, env=environment | {"PVFAULT_JARS": JARS}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    expected = {
        "devices", "readings", "cores", "runs", "ratio_to_kafka_read", "speedup_over_original_method",
        "scalogram_share_of_matmul", "images_per_second", "readings_per_second", "peak_memory_gib", "seconds",
        "seconds_all_runs", "bytes_written", "peak_memory_gib_by_stage", "warmup_seconds", "machine",
    }  # fmt: skip
    assert expected <= set(found)
    assert found["devices"] == 3
    assert 0 < found["readings"] <= 3 * 4320
    assert found["yardsticks"]["original"]["same_fault_share"] > 0.95
    assert found["yardsticks"]["peer"]["readings"] == found["readings"]
    assert "whole path" in done.stdout
