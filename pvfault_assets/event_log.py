"""Dagster's event log on a laptop, whose SQLite files stay open.

Dagster's own opens a file anew for each question and each event, so that no statement is ever prepared twice: it takes
three to ten times as long to keep the result of a check, of which a date has twenty. What is kept is Dagster's own.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

# Each run has a file of its own beside the one of all runs, and the page looks at many.
FILES_OPEN = 8


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, with the files that were used last kept open.

    Parameters
    ----------
    base_dir : str
        As Dagster's own has it.
    inst_data : ConfigurableClassData, optional
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None):
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping) -> "OpenEventLog":
        """As Dagster makes it from `dagster.yaml`."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # Dagster has no public way to say how it connects. It is pinned, and tests record and read runs through this.
        with self._db_lock, self._engine_of(shard).begin() as connection:
            yield connection

    def _engine_of(self, shard: str) -> Engine:
        """The way to a file, made if there is none or the file was made anew; the one used longest ago is closed."""
        engine = self._engines.pop(shard, None)
        if engine is None or shard not in self._initialized_dbs:
            if engine is not None:
                engine.dispose()
            engine = create_engine(
                self.conn_string_for_shard(shard), connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
            )
            event.listen(engine, "connect", _write_without_waiting)
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        self._engines[shard] = engine
        while len(self._engines) > FILES_OPEN:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    @cached_property
    def supports_asset_checks(self) -> bool:
        """Whether results of checks can be kept; Dagster's own looks at the file anew for each result."""
        return super().supports_asset_checks

    def dispose(self) -> None:
        """Close all files."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _write_without_waiting(connection: sqlite3.Connection, _record: object) -> None:
    """Leave it to the system when an event reaches the disk: there are hundreds a minute.

    The file stays whole; a power failure, and nothing less, may cost the last events. Dates whose events are lost are
    in the tables all the same, and are asked for again.
    """
    connection.execute("PRAGMA synchronous = NORMAL")
