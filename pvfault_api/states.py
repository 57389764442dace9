"""What has become of each date, as the tables themselves say it.

Here: for each date and table whether it is made, of what, and whether that is what is there now. The bounds of a file
tell which network, registry and making its rows are of, and the ledger tells of readings; no row of a device is looked
at. Not here: reading these from the tables (`lake.py`), for which PyIceberg is loaded; what was refused, and beside
which dates a date was judged, which Dagster's storage knows (`pvfault_assets/dates.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime

from pyiceberg.utils.truncate import truncate_upper_bound_text_string

from pvfault.date_ranges import days_between
from pvfault.ledger import Makings
from pvfault.locations import Location, is_there, local_file
from pvfault.tables import MADE_OF, PREDICTIONS, READINGS, SCALOGRAMS
from pvfault.versions import version_of

MADE, REFUSED, EMPTY, LATE, STALE, MISSING = "made", "refused", "empty", "late", "stale", "missing"
STATES = {
    MADE: "as it should be",
    REFUSED: "a run could not make it, and nothing was made of it since",
    EMPTY: "made, and no reading of it had come",
    LATE: "readings of it came after it was made, and nobody has read them",
    STALE: "made of something else than what is there now",
    MISSING: "not made, though dates before it are",
}

# The columns of a row's lineage that tell what it is made of.
ORIGIN = ("readings_making", "registry_version", "model_version")

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
    made_at : datetime or None
        When its newest file was written (UTC); None if the snapshot of that is not kept any more.
    """

    makings: set[str | None] = field(default_factory=set)
    origin: dict[str, set[Bounds]] = field(default_factory=lambda: defaultdict(set))
    made_at: datetime | None = None


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
        if any(held.origin[name] and of_source[name] and held.origin[name] != of_source[name] for name in ORIGIN):
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
