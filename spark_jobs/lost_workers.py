"""Which of Spark's errors pass by themselves: those of workers, or of a whole virtual machine, that are lost.

A worker is lost with its machine, or is ended for its memory. Spark tries its tasks again on others, and gives up after
four losses of one task. Errors of our own code in a task are none of these: they come again.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from pvfault.errors import TransientError

_LOST = re.compile(
    # in Spark's own words: a worker, the results of a shuffle that were on it, the driver's part in the JVM
    r"ExecutorLostFailure.*|Lost executor.*|FetchFailed(Exception)?\b.*|.*SparkContext was shut down.*"
)


@contextmanager
def raised_as_transient() -> Iterator[None]:
    """Raise Spark's errors of lost workers as what they are.

    Raises
    ------
    TransientError
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        lost = _LOST.search(str(error))
        if lost is None:
            raise
        raise TransientError(
            f"Spark has lost workers ({lost[0].strip()}); if it does so again, give them more memory"
        ) from error
    except Py4JError as error:
        if not _has_no_answer(error):
            raise
        raise TransientError(
            f"Spark's virtual machine has gone ({error}); if it does so again, give it more memory"
        ) from error


def _has_no_answer(error: Py4JError) -> bool:
    """Whether nobody is there to call any more. A call that Java refuses comes with a trace of Java's."""
    lost_at_a_call = str(error).startswith("An error occurred while calling") and "Trace:" not in str(error)
    return isinstance(error, Py4JNetworkError) or lost_at_a_call
