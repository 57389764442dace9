"""The catalog of a laptop made again from the tables' own files.

All that is decided is which of a table's metadata files the catalog is to name; no row is read, written or deleted.
That a catalog is wrong is found in `pvfault.catalog_file`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyiceberg.exceptions import ValidationError
from pyiceberg.table import StaticTable

from pvfault.catalog_file import make_catalog, metadata_folders, put_back_catalog, read_locations
from pvfault.errors import PvfaultError
from pvfault.iceberg_files import DamagedTableError
from pvfault.locations import local_path, uri_of
from pvfault.settings import AWS, Settings
from pvfault.tables import NAMESPACE
from pvfault_api.published import open_catalog_file, require_whole


@dataclass(frozen=True)
class RestoredTable:
    """What the catalog says of a table now.

    Attributes
    ----------
    name : str
    metadata : Path or None
        The table's metadata file; None if no state of it is whole, so that the catalog does not know it.
    changed_at : datetime or None
        When the table came to be as this file says (UTC).
    kept : bool
        Whether the catalog knew that already.
    passed_over : tuple of str
        Metadata files that cannot be used and may be newer, each with the reason.
    newest : datetime or None
        When the newest state came to be that any of the table's files tells of (UTC).
    """

    name: str
    metadata: Path | None
    changed_at: datetime | None
    kept: bool
    passed_over: tuple[str, ...]
    newest: datetime | None


def restore_catalog(settings: Settings, backup: Path | None = None) -> list[RestoredTable]:
    """Let the catalog know each table of the warehouse again, as it was last.

    What the catalog says stays if it leads to a table that is whole. Otherwise the newest metadata file that does is
    named. A table whose folder is gone is forgotten.

    Parameters
    ----------
    settings : Settings
    backup : Path, optional
        Put in the place of the catalog first, so that what it says counts.

    Raises
    ------
    PvfaultError
        If the tables are not on this machine, there are none, or the catalog's file is damaged and in the way.
    """
    if settings.environment == AWS:
        raise PvfaultError(
            "PVFAULT_ENV is 'aws', where the catalog is Glue's; this restores the catalog file of a laptop. Unset "
            "PVFAULT_ENV, or register the tables by Iceberg's `register_table` in Glue"
        )
    folders = metadata_folders(settings)
    if not folders:
        raise PvfaultError(
            f"there are no tables in {settings.warehouse}; materialise a date, or point PVFAULT_HOME at the folder "
            "that has them"
        )
    if backup:
        put_back_catalog(settings, backup)
    known = read_locations(settings)
    make_catalog(settings)
    restored = [_find(folder, known.get(folder.parent.name)) for folder in folders]
    with open_catalog_file(settings) as catalog:
        for name in known.keys() - {table.name for table in restored if table.kept}:
            catalog.drop_table(f"{NAMESPACE}.{name}")  # from the catalog: its files stay
        for table in restored:
            if table.metadata and not table.kept:
                catalog.register_table(f"{NAMESPACE}.{table.name}", uri_of(table.metadata))
    return restored


def _find(folder: Path, location: str | None) -> RestoredTable:
    """What the catalog is to say of the table whose metadata are in a folder."""
    named = local_path(location) if location else None
    states, passed_over = _read_states(folder)
    # By time and not by number: a table that was restored to an older state goes on from that one's number.
    states = sorted(states, key=lambda state: (state[0] == named, state[1].metadata.last_updated_ms), reverse=True)
    newest = max((_changed_at(table) for _, table in states), default=None)
    for path, table in states:
        try:
            require_whole(folder.parent.name, table)
        except DamagedTableError as error:
            passed_over.append(f"{path.name}: {error.found}")
        else:
            kept = path == named
            return RestoredTable(folder.parent.name, path, _changed_at(table), kept, tuple(passed_over), newest)
    return RestoredTable(folder.parent.name, None, None, kept=False, passed_over=tuple(passed_over), newest=newest)


def _changed_at(table: StaticTable) -> datetime:
    return datetime.fromtimestamp(table.metadata.last_updated_ms / 1000, UTC)


def _read_states(folder: Path) -> tuple[list[tuple[Path, StaticTable]], list[str]]:
    """The states of a table that its metadata files tell of, and the files that tell of none."""
    states, unreadable = [], []
    for path in sorted(folder.glob("*.metadata.json")):
        try:
            states.append((path, StaticTable.from_metadata(uri_of(path))))
        except (ValidationError, ValueError):  # no metadata, no JSON, no text
            unreadable.append(f"{path.name}: cut off or damaged, {path.stat().st_size} bytes")
    return states, unreadable
