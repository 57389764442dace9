"""The database of the alarms: a file of SQLite in the state folder, or PostgreSQL by its address.

Here: opening it, bringing it to its newest form, and transactions. One process writes at a time, others wait for it:
with SQLite by the lock of its file, with PostgreSQL by a lock of ours. What is written stands in `update.py` and
`book.py`.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import NullPool

from pvfault.errors import TransientError
from pvfault.settings import AWS, Settings
from pvfault_alarms.schema import PROGRESS

REVISION = "0001"
"""The newest of `migrations/versions`."""

SCHEMA = "pvfault_alarms"
"""Where the tables are in PostgreSQL: another tenant of the same database, as Dagster is on AWS, has tables of the same
names, and a revision of its own in Alembic's."""

# How long somebody else's transaction is waited for: an update of a date of 10,000 devices takes about a second. [s]
BUSY_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 5
_WRITERS = 0x70766661  # any number, but the same in all processes: the lock of PostgreSQL that writers take
_OURS = (IntegrityError, ProgrammingError, DataError)


class StoreError(TransientError):
    """The database cannot be used now; what was to be written is not."""


class Store:
    """The database of some settings.

    Each transaction has a connection of its own, so that a file that somebody has moved or replaced is noticed instead
    of written to.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings):
        self._is_on_aws = settings.environment == AWS
        self._path = None if settings.alarms_url else settings.home / "alarms.db"
        self._where = str(self._path or "PVFAULT_ALARMS_DATABASE names")
        self._engine = _sqlite(self._path) if self._path else _postgresql(settings.alarms_url)
        self._made, self._is_made = threading.Lock(), False

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state of the database.

        Raises
        ------
        StoreError
        """
        self._make()
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction beside which nobody else writes; it is kept at the end of the block, or nothing of it is.

        Raises
        ------
        StoreError
        """
        self._make()
        with self._told(), self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._engine.execution_options(writes=True).connect() as connection, connection.begin():
            if not self._path:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITERS})
            yield connection

    def _make(self) -> None:
        """Bring the database to its newest form, once in a process: one that is gone later is told, not made anew."""
        with self._made:
            if self._is_made:
                return
            with self._told():
                if self._path and not self._path.exists():
                    # On a laptop the tables' folder is there, or its name is wrong.
                    if self._is_on_aws:
                        self._path.parent.mkdir(parents=True, exist_ok=True)
                    _create_file(self._path)
                # First by reading: whoever may not write can still look.
                with self._engine.connect() as connection, connection.begin():
                    is_newest = _revision_of(connection) == REVISION
                if not is_newest:
                    with self._transaction() as connection:
                        migrate(connection)
            self._is_made = True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what is wrong with the database, and not what is wrong with our statements."""
        try:
            yield
        except _OURS:
            raise
        except (DBAPIError, sqlite3.Error, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise StoreError(
                f"the database of the alarms ({self._where}) cannot be used now: {str(cause).strip()}; expected one "
                "that this user may write and that nobody holds for longer than "
                f"{BUSY_TIMEOUT_S} s; nothing was written, do it again when that is mended"
            ) from error


def bump(connection: sa.Connection) -> None:
    """Note that something has changed."""
    connection.execute(sa.update(PROGRESS).values(revision=PROGRESS.c.revision + 1))


def migrate(connection: sa.Connection, revision: str = REVISION) -> None:
    """Bring a database up to a revision, in the transaction of its connection.

    Raises
    ------
    StoreError
        If it is of a newer pvfault.
    """
    # Here, because that is done once in the life of a database, and Alembic takes longer to load than to do it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql" and not sa.inspect(connection).has_schema(SCHEMA):
        connection.execute(sa.schema.CreateSchema(SCHEMA))
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        found = _revision_of(connection)
        raise StoreError(
            f"the database of the alarms has the form {found}, and this pvfault knows forms up to {REVISION}; use the "
            "pvfault that made it, or a newer one"
        ) from error


def _revision_of(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _create_file(path: Path) -> None:
    """An empty file where there is none, in the form in which readers and a writer do not wait for each other."""
    path.touch()
    connection = _connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    # By `mode=rw` a file that is gone is an error. We say ourselves where transactions begin.
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # What was answered outlives a power cut too.
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _sqlite(path: Path) -> sa.Engine:
    engine = sa.create_engine("sqlite+pysqlite://", creator=lambda: _connect(path), poolclass=NullPool)

    @sa.event.listens_for(engine, "begin")
    def begin(connection):
        # A transaction that begins by reading could not go on to write if somebody else wrote meanwhile.
        is_writing = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


def _postgresql(url: str) -> sa.Engine:
    # SQLAlchemy takes another driver for a bare postgresql://.
    address = sa.make_url(url).set(drivername="postgresql+psycopg2")
    limits = f"-c lock_timeout={BUSY_TIMEOUT_S}s -c idle_in_transaction_session_timeout=60s"
    options = f"-c search_path={SCHEMA} {limits}"
    return sa.create_engine(
        address, poolclass=NullPool, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "options": options}
    )
