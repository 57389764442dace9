"""What tasks count while rows pass, so that nobody reads the rows again to count them.

Here: how such counts come from Spark's workers to the driver. Not here: what is counted.
"""

from pyspark import AccumulatorParam
from pyspark.sql import SparkSession


class _Append(AccumulatorParam):
    """Lists that grow by what each task adds."""

    def zero(self, value):  # noqa: ARG002 - Spark's signature
        return []

    def addInPlace(self, value1, value2):  # noqa: N802 - Spark's name
        value1.extend(value2)
        return value1


class Tallies:
    """One object from each task of a write.

    A task's object counts once, when the task succeeds; what it added before it failed does not. That holds for tasks
    that write, and not for those before a shuffle, which Spark may run again.

    Parameters
    ----------
    spark : SparkSession
    """

    def __init__(self, spark: SparkSession):
        self._accumulator = spark.sparkContext.accumulator([], _Append())

    def add(self, tally: object) -> None:
        """Add a task's object, in the worker."""
        self._accumulator.add([tally])

    def all(self) -> list:
        """All tasks' objects, in the driver."""
        return self._accumulator.value
