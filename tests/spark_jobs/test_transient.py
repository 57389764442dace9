"""Errors of a real Spark that pass by themselves, and one that does not: workers are killed in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import OF_JAVA, PROJECT

pytestmark = pytest.mark.spark

PROGRAM = """
import json, os, signal, sys
from datetime import date

import psutil
from pyspark.sql import SparkSession

from spark_jobs.job import JobConfig, run_dates

# A worker of its own process, which Spark gives up with the first task that is lost on it.
spark = (
    SparkSession.builder.master("local-cluster[1,1,512]").config("spark.task.maxFailures", 1)
    .config("spark.executor.memory", "512m").config("spark.ui.enabled", False).getOrCreate()
)


def java(processes):
    return next(process for process in processes if "java" in process.name())


def kill_python(batches):
    os.kill(os.getpid(), signal.SIGKILL)
    yield from batches


def kill_worker(batches):
    java(psutil.Process().parents()).kill()
    yield from batches


def divide(batches):
    1 / 0
    yield from batches


def make(task):
    return lambda _day: spark.range(1).mapInArrow(task, "id long").collect()


def kill_driver(_day):
    java(psutil.Process().children(recursive=True)).kill()
    spark.range(1).collect()


def ask_the_dead(_day):
    spark.range(1).collect()


for make_date in (make(kill_python), make(kill_worker), make(divide), kill_driver, ask_the_dead):
    try:
        run_dates("job", JobConfig((date(2024, 7, 1),), "", "", 2.0, "", ""), make_date)
    except Exception as error:
        sys.stdout.write(json.dumps([type(error).__name__, str(error)]) + "\\n")
"""


def test_lost_workers_and_a_lost_virtual_machine_may_pass_and_an_error_of_a_task_may_not():
    """What is tried again for nothing delays the message by 20 minutes; what is not stops a night's date."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PYSPARK_PYTHON": sys.executable,
        **OF_JAVA,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.count("\n") == 5, done.stderr[-3000:]
    lost_python, lost_worker, error, *lost_machine = (json.loads(line) for line in done.stdout.splitlines())
    assert lost_python[0] == "TransientError"
    assert "Spark has lost workers (Python worker exited unexpectedly" in lost_python[1]
    assert lost_worker[0] == "TransientError"
    assert "Spark has lost workers (ExecutorLostFailure" in lost_worker[1]
    assert error[0] == "PythonException"
    assert "ZeroDivisionError" in error[1]
    assert [kind for kind, _ in lost_machine] == ["TransientError"] * 2
    assert all("virtual machine has gone" in told for _, told in lost_machine)
