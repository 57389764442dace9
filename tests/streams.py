"""Which tests run in one process when `make test` runs them in two, and which are begun first.

Here: what has to stay together, and the order. Not here: how many processes there are (Makefile).
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

# Tests that share a Spark session and its tables: two processes would have two of them, and less time for either.
_OF_ONE_SESSION = (
    "tests/spark_jobs/",
    "tests/pvfault_assets/test_materialise.py",
    "tests/pvfault_cli/test_tables.py",
    "tests/test_real_data.py",
)


class Scheduling(LoadScopeScheduling):
    """Give a process all tests of the Spark session, or else those of one file, which share its fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        return _OF_ONE_SESSION[0] if nodeid.startswith(_OF_ONE_SESSION) else nodeid.partition("::")[0]


def arrange(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the Spark session's tests, then those that start virtual machines of their own.

    At the end there are short files alone, so that neither process waits long for the other.

    Raises
    ------
    pytest.UsageError
        If a test of the session is in a file that is not known for it.
    """
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()) and not item.nodeid.startswith(_OF_ONE_SESSION):
            raise pytest.UsageError(f"{item.nodeid} uses the Spark session; name its file in tests/streams.py")
    items.sort(key=_when)


def _when(item: pytest.Item) -> int:
    first = (item.nodeid.startswith(_OF_ONE_SESSION), *map(item.get_closest_marker, ("spark", "broker")), True)
    return next(n for n, holds in enumerate(first) if holds)
