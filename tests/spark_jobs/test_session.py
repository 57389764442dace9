"""A session that starts anew, and what a worker of Spark does before its task."""

import importlib
import os
import subprocess
import sys
import zipfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from pvfault.errors import PvfaultError
from pvfault_assets.resources.spark_runner import LocalSparkRunner
from spark_jobs.session import read_archives_once
from tests.conftest import OF_JAVA, PROJECT

# Twice, as Dagster's retries; the second machine is killed while nobody asks it anything.
KILLED = """
import os, sys
from datetime import date
from pathlib import Path

import psutil

from pvfault.errors import TransientError
from pvfault.settings import Settings
from pvfault_assets.resources.spark_runner import LocalSparkRunner

settings = Settings.from_environment(os.environ, Path.cwd())


def kill_machine(report=None):
    (machine,) = (one for one in psutil.Process().children() if one.name() == "java")
    machine.kill()
    machine.wait()


def make(on_date):
    runner = LocalSparkRunner(settings)
    runner.start()
    runner.run("compute_scalograms", [date(2024, 7, 1), date(2024, 7, 2)], None, on_date)


try:
    make(kill_machine)
except TransientError as error:
    print("lost:", error)
make(lambda report: print("made:", report.day))
kill_machine()
make(lambda report: print("made again:", report.day))
"""


def test_a_worker_does_not_read_an_archive_again_for_each_task(tmp_path, monkeypatch):
    """Spark's core, 5,000 names, is on each worker's path, and Spark has Python forget them before each task."""
    archive = tmp_path / "archive.zip"
    monkeypatch.syspath_prepend(str(archive))

    def is_seen(module: str) -> bool:
        with zipfile.ZipFile(archive, "a") as packed:
            packed.writestr(f"{module}.py", "")
        importlib.invalidate_caches()
        return find_spec(module) is not None

    assert is_seen("first_of_the_archive")
    assert is_seen("second_of_the_archive")
    read_archives_once()
    assert not is_seen("third_of_the_archive")
    del sys.path_importer_cache[str(archive)]


def test_the_first_job_tells_why_a_session_that_was_started_before_it_could_not_be(tmp_path, make_settings):
    runner = LocalSparkRunner(make_settings(tmp_path, PVFAULT_JARS=str(tmp_path)))
    runner.start()
    with pytest.raises(PvfaultError, match="no JVM packages for Spark"):
        runner.run("compute_scalograms", [date(2024, 7, 1)], None, pytest.fail)


@pytest.mark.spark
def test_a_lost_virtual_machine_is_followed_by_another_one(tmp_path, make_settings):
    """Dagster tries a step again in its own process, where pyspark held on to the lost one for ever."""
    settings = make_settings(tmp_path)
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PVFAULT_HOME": str(settings.home),
        "PVFAULT_JARS": str(settings.jars),
        **OF_JAVA,
    }
    done = subprocess.run(
        [sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lost, *made = done.stdout.splitlines()
    assert "virtual machine has gone" in lost
    assert made == [f"made{again}: 2024-07-0{n}" for again in ("", " again") for n in (1, 2)]
