"""What has become of each date, as the tables themselves say it.

Here: for each date and table whether it is made, of what, and whether that is what is there now. Read are the tables'
metadata, whose bounds of a file tell which network, registry and making its rows are of, and the ledger; no row of a
device. Not here: what was refused, and beside which dates a date was judged, which Dagster's storage knows
(`pvfault_assets/dates.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, timedelta

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.utils.truncate import truncate_upper_bound_text_string

from pvfault.date_ranges import days_between
from pvfault.errors import PvfaultError
from pvfault.ledger import Makings, making_of_file
from pvfault.locations import Location, is_there, local_file
from pvfault.registry import EMPTY_REGISTRY
from pvfault.settings import Settings
from pvfault.tables import LEDGER, MADE_OF, NAMESPACE, PREDICTIONS, READINGS, SCALOGRAMS, TABLES, Table
from pvfault.versions import version_of
from pvfault_api.published import data_files, open_catalog, require_whole

MADE, REFUSED, EMPTY, LATE, STALE, MISSING = "made", "refused", "empty", "late", "stale", "missing"
STATES = {
    MADE: "as it should be",
    REFUSED: "a run could not make it, and nothing was made of it since",
    EMPTY: "made, and no reading of it had come",
    LATE: "readings of it came after it was made, and nobody has read them",
    STALE: "made of something else than what is there now",
    MISSING: "not made, though dates before it are",
}

_TABLES = tuple(table for table in TABLES if table.name in MADE_OF)
_ORIGIN = ("readings_making", "registry_version", "model_version")
_OF_LEDGER = ("date", "made_at", "topic_id", "partition", "scanned", "elsewhere")
_EPOCH = date(1970, 1, 1)

Bounds = tuple[str, str]
"""The least and the greatest value of a column in a file, perhaps cut short, as Iceberg's metadata have them."""


@dataclass(frozen=True)
class State:
    """What has become of a date in a table.

    Attributes
    ----------
    what : str
        One of `STATES`.
    reason : str
        What was found; empty if it is made.
    """

    what: str
    reason: str = ""


@dataclass
class Held:
    """What a table holds of a date.

    Attributes
    ----------
    makings : set of str or None
        What the names of its files say.
    origin : dict of str to set of Bounds
        By column of its lineage, one for each file that has a value.
    """

    makings: set[str | None] = field(default_factory=set)
    origin: dict[str, set[Bounds]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True)
class Lake:
    """What the tables hold of all dates, and what they would be made of now.

    Attributes
    ----------
    held : dict of str to dict of date to Held
        By table.
    makings : Makings
        What the ledger says of the topic.
    registry_version, model_version : str
        Of the files that are there now; `model_version` is empty if there are no weights.
    """

    held: dict[str, dict[date, Held]]
    makings: Makings
    registry_version: str
    model_version: str

    @property
    def dates(self) -> list[date]:
        """The dates that were made in any table, in order."""
        return sorted(set(self.makings.last).union(*self.held.values()))


def version_at(location: Location) -> str:
    """Version of a file as the jobs name it; empty without one."""
    if not is_there(location):
        return ""
    with local_file(location) as file:
        return version_of(file.read_bytes())


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


def states_of(lake: Lake, first: date, last: date) -> dict[date, dict[str, State]]:
    """The state of each date in each table, in the order in which tables are made.

    Parameters
    ----------
    lake : Lake
    first, last : date
        Dates before the first one that was made are not expected, and not in the answer.
    """
    if not lake.dates:
        return {}
    first = max(first, lake.dates[0])
    late = lake.makings.dates_to_make_again()
    return {day: {table: _state(lake, late, table, day) for table in MADE_OF} for day in days_between(first, last)}


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
    columns = {name: schema.find_field(name).field_id for name in _ORIGIN if name in schema.column_names}
    for file in data_files(iceberg):
        _add(held[_day_of(table, file)], file, columns)
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


def _state(lake: Lake, late: Mapping[date, int], table: str, day: date) -> State:
    if day in lake.makings.last and day not in lake.held[READINGS.name]:
        return State(EMPTY, "made, and the topic had no reading of this date")
    if day not in lake.held[table]:
        sources = [f"`{source}`" for source in MADE_OF[table] if day in lake.held[source]]
        return State(MISSING, f"not made, though {' and '.join(sources)} are" if sources else "not made")
    if table == READINGS.name and day in late:
        return State(LATE, f"{late[day]:,} readings came after it was made, and nobody has read them")
    other = next(filter(None, _other_origins(lake, table, day)), "")
    return State(STALE, other) if other else State(MADE)


def _other_origins(lake: Lake, table: str, day: date) -> Iterator[str]:
    """What a date is made of that is not there any more; empty texts where it is."""
    held = lake.held[table][day]
    if table == SCALOGRAMS.name:
        yield _other_file(held, "registry_version", "registry", lake.registry_version)
        makings = lake.held[READINGS.name][day].makings if day in lake.held[READINGS.name] else {None}
        if len(makings) == 1 and _is_other(held.origin["readings_making"], *makings):
            yield "made of `readings` that were made again since"
    if table == PREDICTIONS.name:
        yield _other_file(held, "model_version", "network", lake.model_version)
    for source in MADE_OF[table]:
        of_source = lake.held[source].get(day, Held()).origin
        if any(held.origin[name] and of_source[name] and held.origin[name] != of_source[name] for name in _ORIGIN):
            yield f"made of `{source}` that were made again since"


def _other_file(held: Held, column: str, noun: str, version: str) -> str:
    if not _is_other(held.origin[column], version):
        return ""
    found = ", ".join(sorted({least for least, _ in held.origin[column]}))
    return f"made with the {noun} {found}, and it is {version} now"


def _is_other(found: Set[Bounds], value: str | None) -> bool:
    """Whether a column has another value than this one anywhere; not if either is unknown."""
    if not value:
        return False
    # Iceberg cuts long texts short, the greatest one to a text behind it.
    return any(
        (value[: len(least)], truncate_upper_bound_text_string(value, len(greatest))) != (least, greatest)
        for least, greatest in found
    )
