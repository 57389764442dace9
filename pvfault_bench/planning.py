"""How long the planning of a date takes after many dates, with the tables maintained as they are every week.

As a program it prints one line of JSON: `python -m pvfault_bench.planning [DATES]`. Rows are few and files as many as a
real date has, because planning reads neither.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pyarrow as pa
from pyspark.sql import SparkSession

from pvfault.dates import midnight
from pvfault.readings import READING_SCHEMA
from pvfault.settings import Settings
from pvfault.tables import READINGS
from spark_jobs import catalog, files, publishing, scans
from spark_jobs.maintain_tables import maintain
from spark_jobs.session import start_session

FIRST = date(2024, 1, 1)
FEW, MANY = 10, 400
# A file of each partition of the topic.
FILES = 8
# Upkeep is once a week; here less often, so that it is no more than a few minutes.
DAYS_BETWEEN, DAYS_SINCE = 28, 7
REPEATS = 30


def measure_planning(spark: SparkSession, dates: int, on_date: Callable[[int], None] = lambda _n: None) -> dict:
    """Publish some dates one after the other and plan one of them, after the first ten and at the end.

    Parameters
    ----------
    spark : SparkSession
        On tables of the measurement's own.
    dates : int
        The last seven come after the last upkeep.
    on_date : callable
        Called with the number of dates so far.

    Returns
    -------
    dict
        Medians of the time that planning took, and their ratio.
    """
    catalog.create_tables(spark)
    few = 0.0
    for number in range(dates):
        _publish(spark, FIRST + timedelta(days=number))
        on_date(number + 1)
        if number + 1 == FEW:
            few = _plan(spark, FIRST + timedelta(days=FEW // 2))
        left = dates - number - 1
        if left == DAYS_SINCE or (left > DAYS_SINCE and (number + 1) % DAYS_BETWEEN == 0):
            # Dates are made within minutes here, and days apart in a plant: so nothing is kept here.
            maintain(spark, apply=True, keep=timedelta(0))
    many = _plan(spark, FIRST + timedelta(days=dates // 2))
    return {"dates": dates, "ms_after_10": round(1000 * few, 1), "ms": round(1000 * many, 1), "ratio": many / few}


def _publish(spark: SparkSession, day: date) -> None:
    target = publishing.target_of(spark, READINGS, day, None)
    written = [files.write(_reading(midnight(day)).to_batches(), target) for _ in range(FILES)]
    publishing.publish(spark, publishing.stage(spark, READINGS, day, written))


def _reading(time_: datetime) -> pa.Table:
    values = {field.name: 0.0 for field in READING_SCHEMA} | {"deviceID": "BENCH00000", "timestamp": time_}
    return pa.Table.from_pylist([values], READING_SCHEMA)


def _plan(spark: SparkSession, day: date) -> float:
    """The median time in which the files of a date are found, in seconds."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = scans.files_of(spark, READINGS, day)
        taken.append(time.perf_counter() - started)
        if len(found) != FILES:
            raise RuntimeError(f"{len(found)} files of {day} were planned, expected {FILES}")
    return statistics.median(taken[REPEATS // 3 :])  # Java compiles what is done often


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    dates = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with tempfile.TemporaryDirectory(prefix="pvfault-planning-") as folder:
        settings = Settings.from_environment({"PVFAULT_HOME": folder})
        found = measure_planning(start_session(settings), dates)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
