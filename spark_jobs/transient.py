"""Which errors of Spark and Iceberg pass by themselves: of what is lost, and of what somebody else holds.

A worker is lost with its machine, or is ended for its memory. Spark tries its tasks again on others, and gives up after
four losses of one task; on a laptop, after the first. A broker is lost for as long as it takes to start it again. The
catalog of a laptop is one file, which one process at a time may write; the commits of one table are made one after the
other everywhere. Errors of our own code in a task are none of these: they come again.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError
from pyspark.errors import PySparkException

from pvfault.catalog_file import BUSY_TIMEOUT_S
from pvfault.errors import TransientError

_LOST = re.compile(
    # in Spark's own words: a worker, the results of a shuffle that were on it, the driver's part in the JVM
    r"ExecutorLostFailure.*|Lost executor.*|FetchFailed(Exception)?\b.*|.*SparkContext was shut down.*"
    # the Python beside a worker, in which our tasks run
    r"|Python worker exited unexpectedly.*"
)
_NOT_STARTED = re.compile(r"\[JAVA_GATEWAY_EXITED\].*")
# in the words of Kafka's client and of Spark's source
_SILENT = re.compile(
    r"org\.apache\.kafka\.common\.errors\.(Timeout|Disconnect|Network|BrokerNotAvailable)Exception.*"
    r"|Cannot fetch record for offset .*"
)
_HELD = re.compile(r"\[SQLITE_BUSY\w*\]")
# in Iceberg's own words: what this run has staged replaces what is not there any more, or is itself not there any more
_REPLACED = re.compile(r"Cannot cherry-pick .*|Missing required files to delete.*")
_EXPIRED = re.compile(r"Cannot apply unknown WAP ID .*")
_OUTRUN = re.compile(
    r"CommitFailedException: .*|Cannot commit rewrite because of .*|Deleted manifest .* could not be found .*"
    r"|Manifest is missing: .*"
)


@contextmanager
def raised_as_transient() -> Iterator[None]:
    """Raise errors of Spark and Iceberg that may pass by themselves as such.

    Raises
    ------
    TransientError
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        told = _reason(str(error))
        if told is None:
            raise
        raise TransientError(told) from error
    except (Py4JError, ConnectionError) as error:
        if not _has_no_answer(error):
            raise
        raise TransientError(_gone(str(error))) from error


def _has_no_answer(error: Py4JError | ConnectionError) -> bool:
    """Whether nobody is there to call any more. A call that Java refuses comes with a trace of Java's."""
    lost_at_a_call = str(error).startswith("An error occurred while calling") and "Trace:" not in str(error)
    return isinstance(error, (Py4JNetworkError, ConnectionError)) or lost_at_a_call


def _gone(error: str) -> str:
    return f"Spark's virtual machine has gone ({error}); if it does so again, look for Java 17 and give it more memory"


def _reason(error: str) -> str | None:
    """What has passed, or will, and what to do if it comes again; None if it will not pass."""
    if lost := _LOST.search(error):
        return f"Spark has lost workers ({lost[0].strip()}); if it does so again, give them more memory"
    if not_started := _NOT_STARTED.search(error):
        return _gone(not_started[0])
    if silent := _SILENT.search(error):
        return f"the Kafka broker has stopped answering ({silent[0].strip()}); if it does so again, look at its log"
    if _HELD.search(error):
        return (
            f"another process has held the catalog of the tables for more than {BUSY_TIMEOUT_S} s (SQLITE_BUSY); if "
            "it does so again, end it"
        )
    if replaced := _REPLACED.search(error):
        return (
            f"another run has made the same date meanwhile ({replaced[0].strip()}); this one has to make it again, "
            "from what is there now"
        )
    if expired := _EXPIRED.search(error):
        return (
            f"what this run has staged was expired before it was published ({expired[0].strip()}); it has to be made "
            "again"
        )
    if outrun := _OUTRUN.search(error):
        return (
            f"other runs have changed the same table again and again ({outrun[0].strip()}); if they do so again, let "
            "fewer of them run at once"
        )
    return None
