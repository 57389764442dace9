"""Work of our own in Spark's tasks.

How a result comes back from a task, and how an error does that a user can mend.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

from pvfault.errors import PvfaultError, TransientError
from spark_jobs.session import read_archives_once

# Rows that Spark hands to Python at once: some MB, which stay in the caches of a core.
ROWS_AT_ONCE = 50_000
_ARROW_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_RESULT = "result binary"


def run_in_tasks(frame: DataFrame, work: Callable, *, rows_at_once: int = ROWS_AT_ONCE) -> list:
    """What each task makes of its share of some rows.

    Parameters
    ----------
    frame : DataFrame
    work : callable
        From an iterator of batches, a task's share, to anything that can be pickled.
    rows_at_once : int
        The most rows of a batch.

    Returns
    -------
    list
        Of each task that succeeded, whether it had rows or not, once, however often Spark runs it.

    Raises
    ------
    PvfaultError
        That a task has raised, as it was raised: a task hands it back as its result. Raised through Spark it would be
        a traceback of both languages, and Spark would try again what gives the same. A TransientError is raised in the
        task, so that Spark does try again, until the last time that it would.
    """
    spark = frame.sparkSession
    tries = spark.sparkContext._jsc.sc().taskScheduler().maxTaskFailures()
    with _settings_of_session(spark, {_ARROW_ROWS: rows_at_once}):
        rows = frame.mapInArrow(_handing_back(work, tries), _RESULT).collect()
    results = [pickle.loads(row.result) for row in rows]  # noqa: S301
    for result in results:
        if isinstance(result, PvfaultError):
            raise result
    return results


def _handing_back(work: Callable, tries: int) -> Callable:
    def task(share: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        read_archives_once()
        try:
            result = work(share)
        except TransientError as error:
            if TaskContext.get().attemptNumber() + 1 < tries:
                raise
            result = error
        except PvfaultError as error:
            result = error
        yield pa.record_batch([pa.array([pickle.dumps(result)])], names=["result"])

    return task


@contextmanager
def _settings_of_session(spark: SparkSession, settings: dict) -> Iterator[None]:
    """Settings of the session for what is done inside."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)
