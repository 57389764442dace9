"""What is published of some dates, as it is asked for.

Not here: what is judged of it (`checking.py`).

A date may be made again meanwhile. So each table is read as it was at one moment, and `readings`, `quarantine` and
`ledger`, which are published one after the other, only when they are of one making. A table whose rows are of something
else than the date has now is held against nothing but itself; one check says so (`verdicts_are_of_what_is_there`).
"""

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.checks import device_days
from pvfault.date_ranges import days_between
from pvfault.ledger import Makings, making_of_file
from pvfault.locations import is_there
from pvfault.places import Place, read_places
from pvfault.readings import BEHIND_RECORD, DEVICE_ID
from pvfault.registry import EMPTY_REGISTRY, Registry, read_registry
from pvfault.rows.references import history_dates
from pvfault.settings import Settings
from pvfault.tables import (
    DEVICE_DAYS,
    LEDGER,
    PREDICTIONS,
    QUARANTINE,
    READINGS,
    SCALOGRAMS,
    WINDOW_START,
    Table,
    table_named,
)
from pvfault_api.published import NoTableError, View, as_table, read_batches
from pvfault_api.reading_figures import ReadingFigures, count_readings
from pvfault_api.states import version_at

ORIGIN = ("readings_making", "registry_version")
# The three commits of a making of `readings` take a second or two; after a run that was killed between them, nothing
# else comes.
_LOOKS, _LOOK_AGAIN_S = 5, 1.0


_VERDICT = (DEVICE_ID, "date", "fault", "model_version", *ORIGIN)
# As far as a late reading may come.
_FAR = timedelta(days=BEHIND_RECORD.days + 1)


class PublishedDates:
    """What is published of some dates.

    The tables are opened once for all of them, and anew for a date that is found half published.

    Parameters
    ----------
    settings : Settings
    days : sequence of date
        At least one.
    """

    def __init__(self, settings: Settings, days: Sequence[date]):
        self._settings, self._days = settings, days
        self._verdicts: OrderedDict[date, pa.Table] = OrderedDict()

    def of(self, day: date) -> "PublishedDate":
        """One of them."""
        return PublishedDate(self, day)

    @cached_property
    def registry(self) -> Registry:
        """The registry as it is now; an empty one where there is no file."""
        location = self._settings.registry
        return read_registry(location) if is_there(location) else EMPTY_REGISTRY

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where its devices stand, as far as the registry says."""
        return read_places(self._settings.registry) if is_there(self._settings.registry) else {}

    @cached_property
    def network(self) -> str:
        """Version of the network as it is now; empty where there is none."""
        return version_at(self._settings.model)

    def at_one_moment(self, day: date) -> tuple[View, list[dict]]:
        """The tables, and the ledger's rows around a date, when no making of its readings is half published."""
        for look in range(_LOOKS):
            if look:
                time.sleep(_LOOK_AGAIN_S)
            view, ledger = _look(self._settings, [day]) if look else self._first_look
            around = [row for row in ledger if abs(row["date"] - day) <= _FAR]
            if _is_whole(view, around, day):
                break
        return view, around

    def verdicts(self, view: View, days: Sequence[date]) -> pa.Table:
        """The `device_days` of some dates; those that the next date asks for too are read once."""
        if view is not self._first_look[0]:
            return _read(view, DEVICE_DAYS, _VERDICT, days)
        for day in days:
            if day not in self._verdicts:
                self._verdicts[day] = _read(view, DEVICE_DAYS, _VERDICT, [day])
            self._verdicts.move_to_end(day)
        found = [self._verdicts[day] for day in days]
        while len(self._verdicts) > len(found):
            self._verdicts.popitem(last=False)
        return pa.concat_tables(found)

    @cached_property
    def _first_look(self) -> tuple[View, list[dict]]:
        return _look(self._settings, self._days)


class PublishedDate:
    """What is published of a date, read as it is asked for, and once, from each table as it was at one moment.

    Parameters
    ----------
    dates : PublishedDates
        That it is one of.
    day : date
    """

    def __init__(self, dates: PublishedDates, day: date):
        self._dates, self.day = dates, day

    @property
    def registry(self) -> Registry:
        """The registry as it is now; an empty one where there is no file."""
        return self._dates.registry

    @property
    def places(self) -> dict[str, Place]:
        """Where its devices stand, as far as the registry says."""
        return self._dates.places

    @property
    def network(self) -> str:
        """Version of the network as it is now; empty where there is none."""
        return self._dates.network

    @cached_property
    def readings(self) -> ReadingFigures:
        """What its readings are like."""
        return count_readings(self._view, self.day, self.registry)

    @property
    def _view(self) -> View:
        return self._at_one_moment[0]

    @cached_property
    def _makings(self) -> Makings:
        """What the ledger says of the dates around it, as far as a late reading may come."""
        return Makings.of_newest_topic(self._at_one_moment[1])

    @cached_property
    def _at_one_moment(self) -> tuple[View, list[dict]]:
        return self._dates.at_one_moment(self.day)

    def is_outdated(self, table: Table, columns: Sequence[str] = ORIGIN) -> bool:
        """Whether a table's rows are of something else than the date has now; not where nothing says so.

        While a date is made again they are for some time, and after a run that was killed.
        """
        ours, theirs = self._origin(table.name), self._origin(_HELD_AGAINST[table.name])
        return any(ours[name] and theirs[name] and ours[name] != theirs[name] for name in columns)

    def _origin(self, table: str) -> dict[str, set[str]]:
        """What a table's rows are made of; of `readings`, which making they are, and the registry as it is."""
        if table == READINGS.name:
            made = _makings_of_files(self._view, self.day)
            return {"readings_making": made - {None}, "registry_version": {self.registry.version}}
        rows = {SCALOGRAMS.name: "windows", PREDICTIONS.name: "predictions", DEVICE_DAYS.name: "own_verdicts"}[table]
        return {name: set(getattr(self, rows)[name].drop_null().unique().to_pylist()) for name in ORIGIN}

    @cached_property
    def making(self) -> list[dict]:
        """The ledger's rows of its last making, one for each partition of the topic."""
        return list(self._makings.last.get(self.day, {}).values())

    @cached_property
    def quarantine(self) -> list[str]:
        """Why its records are none, of each."""
        return self._table(QUARANTINE, ["reason"])["reason"].to_pylist()

    @cached_property
    def late(self) -> dict[date, int]:
        """Readings that wait to be read, by their dates."""
        return self._makings.dates_to_make_again()

    @cached_property
    def windows(self) -> pa.Table:
        """Its scalograms, without their images."""
        return self._table(SCALOGRAMS, [DEVICE_ID, WINDOW_START, "quality", "mean_irradiance", *ORIGIN])

    @cached_property
    def images(self) -> int:
        """Windows that have an image, from the table's metadata."""
        return self._view.count_values(SCALOGRAMS, self.day, "scalogram")

    @cached_property
    def predictions(self) -> pa.Table:
        """Its predictions."""
        columns = [DEVICE_ID, WINDOW_START, "quality", "fault", "probabilities", *ORIGIN]
        return self._table(PREDICTIONS, columns)

    @cached_property
    def verdicts(self) -> pa.Table:
        """Its `device_days`, and those of the four weeks before."""
        days = [self.day - timedelta(days=n) for n in range(device_days.WEEKS_DAYS + 1)]
        return self._dates.verdicts(self._view, days)

    @cached_property
    def own_verdicts(self) -> pa.Table:
        """Its `device_days` alone."""
        return self.verdicts.filter(pc.equal(self.verdicts["date"], pa.scalar(self.day)))

    @property
    def duplicates(self) -> int:
        """How many readings were dropped when it was made, because they came before."""
        return self.making[0]["date_duplicates"] if self.making else 0

    def is_made(self, table: str) -> bool:
        """Whether a table has the date; `readings` may have it without a row."""
        has_rows = bool(self._view.files(table_named(table), self.day))
        return has_rows or (table == READINGS.name and bool(self.making))

    @cached_property
    def history(self) -> tuple[int, list[str]]:
        """How many of the dates before have scalograms, and which have readings and none."""
        before = history_dates(self.day)
        unmade = [then for then in before if not self._view.files(SCALOGRAMS, then)]
        with_readings = [then.isoformat() for then in unmade if self._view.files(READINGS, then)]
        return len(before) - len(unmade), with_readings

    def _table(self, table: Table, columns: Iterable[str]) -> pa.Table:
        return _read(self._view, table, columns, [self.day])


_HELD_AGAINST = {
    SCALOGRAMS.name: READINGS.name,
    PREDICTIONS.name: SCALOGRAMS.name,
    DEVICE_DAYS.name: PREDICTIONS.name,
}


def _read(view: View, table: Table, columns: Iterable[str], days: Sequence[date]) -> pa.Table:
    columns = list(columns)
    return as_table(read_batches(view, table, days, columns), table, columns)


def _look(settings: Settings, days: Sequence[date]) -> tuple[View, list[dict]]:
    """The tables as they are now, and the ledger's rows of some dates and those around them; none without a ledger."""
    view = View(settings)
    try:
        around = days_between(min(days) - _FAR, max(days) + _FAR)
        return view, _read(view, LEDGER, LEDGER.schema.names, around).to_pylist()
    except NoTableError:
        return view, []


def _makings_of_files(view: View, day: date) -> set[str | None]:
    """The makings that a date's files of `readings` are of; None is one that no file's name says."""
    return {making_of_file(file.file_path) for file in view.files(READINGS, day)}


def _is_whole(view: View, ledger: Sequence[Mapping], day: date) -> bool:
    """Whether a date's last making of `readings` is published down to its row in the ledger, as far as files tell."""
    of_files = _makings_of_files(view, day)
    if not of_files or None in of_files:
        return True
    told = [row for row in ledger if row["date"] == day]
    last = [row for row in told if row["made_at"] == max(row["made_at"] for row in told)]
    quarantined = sum(file.record_count for file in view.files(QUARANTINE, day))
    return (of_files, quarantined) == ({row["making"] for row in last}, sum(row["quarantined"] for row in last))
