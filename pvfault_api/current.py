"""What is there now, without looking at all of it for each request: tables, and files of known content.

Here: when something has to be read anew. A catalog that says nothing else than before names the same tables, and a file
that was not written since has the same content. Not here: what a table has (`plans.py`), rows (`kept_rows.py`).
"""

import threading
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TypeVar

from pyiceberg.table import Table as IcebergTable

from pvfault.locations import Location, local_path
from pvfault.settings import AWS, Settings
from pvfault.tables import Table
from pvfault_api.published import open_table

# Where something can only be asked over the network, it is asked again after so long.
LOOK_AGAIN_S = 1.0
# A file that was written just now may be written again within the same tick of the file system's clock.
_TICK_NS = 100_000_000
# The bytes of an SQLite file that count its transactions (https://www.sqlite.org/fileformat.html, 1.3.7).
_COUNTER = slice(24, 28)

Content = TypeVar("Content")


def open_now(settings: Settings, table: Table) -> IcebergTable:
    """A table as it is now.

    Raises
    ------
    PvfaultError
        As from `open_table`.
    """
    return _tables_of(settings).open(table)


class _Tables:
    """Tables as they were when the catalog was last seen to change."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._lock = threading.Lock()
        self._seen: Hashable = None
        self._open: dict[str, IcebergTable] = {}

    def open(self, table: Table) -> IcebergTable:
        """A table as the catalog has it now; one request of several at once reads it, and the others wait."""
        state = _state_of_catalog(self._settings)
        found = self._find(table, state)
        if found is not None:
            return found
        with self._lock:
            # Looked at before it is read: what is published meanwhile is seen the next time.
            state = _state_of_catalog(self._settings)
            found = self._find(table, state)
            if found is None:
                with open_table(self._settings, table) as found:
                    kept = self._open if self._seen == state else {}
                    self._seen, self._open = state, {**kept, table.name: found}
            return found

    def _find(self, table: Table, state: Hashable) -> IcebergTable | None:
        seen, tables = self._seen, self._open
        return tables.get(table.name) if state is not None and seen == state else None


@lru_cache(maxsize=8)
def _tables_of(settings: Settings) -> _Tables:
    return _Tables(settings)


def _state_of_catalog(settings: Settings) -> Hashable:
    """Changes whenever a table does; None if the catalog has to be asked."""
    if settings.environment == AWS:
        return int(time.monotonic() / LOOK_AGAIN_S)
    try:
        with settings.catalog.open("rb") as file:
            counter = file.read(_COUNTER.stop)[_COUNTER]
        stat = settings.catalog.stat()
    except OSError:
        return None
    return counter, stat.st_ino, stat.st_size, stat.st_mtime_ns


class Kept:
    """What was read from a file, until the file is another one.

    Parameters
    ----------
    read : callable
        Gives it, from the file's place.
    """

    def __init__(self, read: Callable[[Location], Content]):
        self._read = read
        self._found: dict[Location, tuple[Hashable, Content]] = {}

    def of(self, location: Location) -> Content:
        """What the file says now.

        Raises
        ------
        PvfaultError
            As `read` does.
        """
        state = _state_of_file(location)
        seen, content = self._found.get(location, (None, None))
        if state is None or seen != state:
            content = self._read(location)
            self._found[location] = state, content
        return content


def _state_of_file(location: Location) -> Hashable:
    """Changes whenever a file is written; None if nothing can be said of it."""
    path = local_path(str(location))
    if path is None:
        return int(time.monotonic() / LOOK_AGAIN_S)
    try:
        stat = path.stat()
    except OSError:
        return "not there"
    if time.time_ns() - stat.st_mtime_ns < _TICK_NS:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
