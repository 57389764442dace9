"""What comes back from Spark's tasks: results, and errors that a user can mend."""

import os
import subprocess
import sys

import pytest

from pvfault.data_files import FileError
from pvfault.errors import PvfaultError, TransientError
from spark_jobs.tasks import run_in_tasks

pytestmark = pytest.mark.spark


def numbers_of(share):
    return [number for batch in share for number in batch.column(0).to_pylist()]


def test_each_task_gives_its_result_also_one_without_rows(spark):
    found = run_in_tasks(spark.range(0, 10, 1, 4).where("id < 5"), numbers_of, rows_at_once=2)
    assert found == [[0, 1], [2, 3, 4], [], []]


@pytest.mark.parametrize("error", [FileError, TransientError])
def test_what_a_user_can_mend_comes_back_as_it_was_raised(spark, error):
    """Through Java it would be 16,000 characters in which the sentence is lost."""

    def work(share):
        if 7 in numbers_of(share):
            raise error("look at seven")

    with pytest.raises(error) as raised:
        run_in_tasks(spark.range(0, 10, 1, 4), work)
    assert str(raised.value) == "look at seven"
    assert isinstance(raised.value, PvfaultError)


def test_a_mistake_of_our_own_keeps_its_traceback(spark):
    def work(_share):
        raise ZeroDivisionError("of our own")

    with pytest.raises(Exception, match="of our own"):
        run_in_tasks(spark.range(0, 1, 1, 1), work)


_TRY_AGAIN = """
import sys
from pyspark import TaskContext
from pyspark.sql import SparkSession
from pvfault.errors import TransientError
from spark_jobs.tasks import run_in_tasks

fails = int(sys.argv[1])

def work(share):
    tried = TaskContext.get().attemptNumber()
    if tried < fails:
        raise TransientError(f"silent at try {tried + 1}")
    return tried

spark = SparkSession.builder.master("local[1,3]").config("spark.ui.enabled", "false").getOrCreate()
try:
    print("found", run_in_tasks(spark.range(0, 1, 1, 1), work))
except TransientError as error:
    print("raised", error)
"""


@pytest.mark.parametrize(("fails", "expected"), [(2, "found [2]"), (9, "raised silent at try 3")])
def test_spark_tries_again_what_may_pass_as_often_as_it_would(fails, expected):
    """A storage that is silent for a second must not end a night's job; one that stays so ends with its sentence."""
    done = subprocess.run(
        [sys.executable, "-c", _TRY_AGAIN, str(fails)],
        env=os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == expected, done.stderr[-2000:]
