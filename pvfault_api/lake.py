"""What the tables hold of all dates, as their metadata and the ledger say it.

Here: reading it, by PyIceberg; no row of a device. Not here: what it tells of a date (`states.py`, which loads no
PyIceberg).
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable

from pvfault.errors import PvfaultError
from pvfault.ledger import Makings, making_of_file
from pvfault.registry import EMPTY_REGISTRY
from pvfault.settings import Settings
from pvfault.tables import LEDGER, MADE_OF, NAMESPACE, TABLES, Table
from pvfault_api.published import data_entries, open_catalog, require_whole
from pvfault_api.states import ORIGIN, Held, Lake, version_at

_TABLES = tuple(table for table in TABLES if table.name in MADE_OF)
_OF_LEDGER = ("date", "made_at", "topic_id", "partition", "scanned", "elsewhere")
_EPOCH = date(1970, 1, 1)


def read_lake(settings: Settings) -> Lake:
    """What the tables hold, as their metadata say it.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their lists of files are not whole.
    """
    with open_catalog(settings) as catalog:
        held = {table.name: _read_held(catalog, table) for table in _TABLES}
        makings = _read_makings(catalog, settings.topic)
    return Lake(held, makings, version_at(settings.registry) or EMPTY_REGISTRY.version, version_at(settings.model))


def read_makings(settings: Settings) -> Makings:
    """What the ledger says of the topic.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their lists of files are not whole.
    """
    with open_catalog(settings) as catalog:
        return _read_makings(catalog, settings.topic)


def _load(catalog: Catalog, table: Table) -> IcebergTable | None:
    """A table that is whole; None if there is none."""
    try:
        iceberg = catalog.load_table(f"{NAMESPACE}.{table.name}")
    except NoSuchTableError:
        return None
    require_whole(table.name, iceberg)
    return iceberg


def _read_held(catalog: Catalog, table: Table) -> dict[date, Held]:
    """What a table holds of each date."""
    held: dict[date, Held] = defaultdict(Held)
    iceberg = _load(catalog, table)
    if iceberg is None:
        return {}
    schema = iceberg.schema()
    columns = {name: schema.find_field(name).field_id for name in ORIGIN if name in schema.column_names}
    written = {each.snapshot_id: datetime.fromtimestamp(each.timestamp_ms // 1000, UTC) for each in iceberg.snapshots()}
    for entry in data_entries(iceberg):
        of_day = held[_day_of(table, entry.data_file)]
        _add(of_day, entry.data_file, columns)
        of_day.made_at = max(filter(None, (of_day.made_at, written.get(entry.snapshot_id))), default=None)
    return dict(held)


def _day_of(table: Table, file: DataFile) -> date:
    """The date of a file, by its partition."""
    if len(file.partition) != 1:
        raise PvfaultError(
            f"the table {table.name} has files that are not of one day of {table.day_of} ({file.file_path}); make the "
            "dates again that another tool has written there"
        )
    return _EPOCH + timedelta(days=file.partition[0])


def _add(held: Held, file: DataFile, columns: Mapping[str, int]) -> None:
    """Add a file of a date. One without bounds of a column, as it is older than that, says nothing of it."""
    held.makings.add(making_of_file(file.file_path))
    for name, number in columns.items():
        least, greatest = ((bounds or {}).get(number) for bounds in (file.lower_bounds, file.upper_bounds))
        if least is not None and greatest is not None:
            held.origin[name].add((least.decode(), greatest.decode()))


def _read_makings(catalog: Catalog, topic: str) -> Makings:
    """What the ledger says of a topic; of the newest one of this name, if it was deleted and created anew."""
    ledger = _load(catalog, LEDGER)
    if ledger is None:
        return Makings()
    rows = ledger.scan(EqualTo("topic", topic), selected_fields=_OF_LEDGER).to_arrow().to_pylist()
    return Makings.of_newest_topic(rows)
