"""The file that is the catalog of a laptop's tables, before Iceberg opens it.

The SQLite file is made, copied beside running jobs and put back, and is refused where it does not know tables whose
files are there: Iceberg would make them anew, empty, and nobody would be told. Making the catalog again of the tables'
files is in another room: `pvfault_api.restoring`.
"""

import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pvfault.errors import PvfaultError, TransientError
from pvfault.locations import local_path
from pvfault.settings import Settings
from pvfault.tables import CATALOG, NAMESPACE

# How long everybody waits for the catalog: a commit holds it for some milliseconds, a backup program for seconds.
BUSY_TIMEOUT_S = 60

# As Iceberg makes them in its version V1. It is not left to Iceberg: two that do it at once get in each other's way,
# and Iceberg 1.10 looks for the tables by queries that it does not close, so that it keeps a lock on the file.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS iceberg_tables (catalog_name VARCHAR(255) NOT NULL, "
    "table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), "
    "previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5), "
    "PRIMARY KEY (catalog_name, table_namespace, table_name))",
    "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (catalog_name VARCHAR(255) NOT NULL, "
    "namespace VARCHAR(255) NOT NULL, property_key VARCHAR(255), property_value VARCHAR(1000), "
    "PRIMARY KEY (catalog_name, namespace, property_key))",
)
_NAMESPACE = "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')"
_LOCATIONS = "SELECT table_name, metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ?"

RESTORE = "run `pvfault catalog restore`, which finds tables by their files"


def prepare_catalog(settings: Settings) -> None:
    """Make the catalog of a laptop if there are no tables yet; any number of processes may do so at once.

    Raises
    ------
    PvfaultError
        If it does not know tables whose files are there, or cannot be used.
    """
    require_no_table_lost(settings)
    make_catalog(settings)


def make_catalog(settings: Settings) -> None:
    """Make the catalog, with the namespace and no tables; one that is there stays as it is."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with _connected(settings.catalog) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(_NAMESPACE, (CATALOG, NAMESPACE))
        connection.execute("COMMIT")


def back_up_catalog(settings: Settings, backup: Path) -> list[str]:
    """Copy the catalog as it is at one moment, beside whatever uses it; the names of the tables that are in it.

    An earlier file of that name is replaced at once, and stays if this fails.

    Raises
    ------
    PvfaultError
        If the catalog is not there, does not know all tables, or the copy cannot be written.
    TransientError
        If somebody else holds the catalog.
    """
    require_no_table_lost(settings)  # a good backup must not be replaced by a catalog that is lost
    known = read_locations(settings)
    if not known:
        raise PvfaultError(f"the catalog {settings.catalog} knows no tables, so there is nothing to back up")
    if not backup.parent.is_dir():
        raise PvfaultError(f"there is no folder {backup.parent} for a backup; make it, or name another one")
    with _replacing(backup) as copy, _connected(settings.catalog) as connection, _connected(copy) as target:
        # With a lock for readers, which waits like everybody's, the copy itself need not wait any more.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM iceberg_tables").fetchone()
        connection.backup(target)
    return sorted(known)


def put_back_catalog(settings: Settings, backup: Path) -> Path | None:
    """Put a backup in the place of the catalog; where the catalog that was there is now, if there was one.

    Raises
    ------
    PvfaultError
        If the backup is not there, damaged, or knows no tables.
    """
    if not backup.is_file():
        raise PvfaultError(f"there is no backup {backup}; name a file that `pvfault catalog backup` has written")
    if not _read_locations(backup):
        raise PvfaultError(
            f"{backup} knows no tables, expected a catalog that `pvfault catalog backup` has written; the catalog "
            "stays as it is"
        )
    with _replacing(settings.catalog) as copy:
        shutil.copyfile(backup, copy)
        return _move_away(settings.catalog)


def _move_away(catalog: Path) -> Path | None:
    """Rename a catalog, with the journal of whoever was killed while it wrote: it would be played into the next one."""
    if not catalog.exists():
        return None
    away = catalog.with_name(f"{catalog.name}.replaced")
    for suffix in ("", "-journal"):
        if (path := catalog.with_name(catalog.name + suffix)).exists():
            path.replace(away.with_name(away.name + suffix))
    return away


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside another one, which takes its place once the block is done."""
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield new
        new.replace(path)
    except OSError as error:
        raise PvfaultError(f"{path} cannot be written ({error}); name another file, or change who may write") from error
    finally:
        new.unlink(missing_ok=True)


def require_no_table_lost(settings: Settings) -> None:
    """Refuse a catalog that is not there, emptied or cut off, beside tables that are.

    Raises
    ------
    PvfaultError
        If it does not know a table that has rows, or its word on a table leads nowhere.
    """
    # In this order: a table is in the catalog before it has rows, so one that another process makes is found in both.
    with_rows = find_tables_with_rows(settings)
    known = read_locations(settings)
    lost = sorted(with_rows - set(known))
    if lost:
        found = "is not there" if not settings.catalog.is_file() else "knows nothing of them"
        raise PvfaultError(
            f"{settings.warehouse} holds the tables {', '.join(lost)}, and the catalog {settings.catalog} {found}; "
            f"put it back from a backup, or {RESTORE}"
        )
    for table, location in known.items():
        _require_readable(settings, table, location)


def find_tables_with_rows(settings: Settings) -> set[str]:
    """Names of the tables in the warehouse that were ever written to: nothing is lost with one that was only made."""
    return {folder.parent.name for folder in metadata_folders(settings) if any(folder.glob("snap-*.avro"))}


def metadata_folders(settings: Settings) -> list[Path]:
    """The folders of the warehouse in which a table has its metadata."""
    return sorted((settings.warehouse / NAMESPACE).glob("*/metadata"))


def read_locations(settings: Settings) -> dict[str, str]:
    """The metadata file of each table that the catalog knows; of none if it is not there or holds no tables.

    Raises
    ------
    PvfaultError
        If it is no SQLite file, or damaged.
    TransientError
        If somebody else holds it.
    """
    return _read_locations(settings.catalog) if settings.catalog.is_file() else {}


def _read_locations(catalog: Path) -> dict[str, str]:
    with _connected(catalog) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'iceberg_tables'").fetchone():
            return {}
        return dict(connection.execute(_LOCATIONS, (CATALOG, NAMESPACE)).fetchall())


@contextmanager
def _connected(catalog: Path) -> Iterator[sqlite3.Connection]:
    """A connection that waits for others, and says in words what is wrong."""
    try:
        with closing(sqlite3.connect(catalog, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise TransientError(
                f"another process has held the catalog {catalog} for more than {BUSY_TIMEOUT_S} s; end it, "
                "or wait for its end, and do this again"
            ) from error
        raise PvfaultError(
            f"the catalog {catalog} cannot be used ({error}), expected an SQLite file that this user may "
            f"write; put it back from a backup, or move it away and {RESTORE}"
        ) from error


def _require_readable(settings: Settings, table: str, location: str) -> None:
    """Refuse a catalog that names a metadata file which is gone, or is not whole."""
    path = local_path(location)
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        found = "is not there"
    except ValueError:
        found = f"has {path.stat().st_size} bytes that are no JSON: it is cut off or damaged"
    else:
        return
    raise PvfaultError(
        f"the catalog {settings.catalog} says that the table {table} is as in {path}, and this file {found}; put it "
        f"back from a backup, or {RESTORE}"
    )
