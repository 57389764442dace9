"""Which dates are good, which need a look, and what to type for each.

Here: what the tables say of a date (`pvfault_api/states.py`) beside what Dagster's storage knows: what was refused,
beside which dates a date was judged, in which order tables were made, and what is being made. Not here: making dates
(`local_run.py`), how they are shown (`pvfault_cli/status.py`, `checks/every_date.py`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from pvfault.date_ranges import written
from pvfault.settings import Settings
from pvfault.tables import MADE_OF, READINGS, SCALOGRAMS, tables_from
from pvfault_api.states import EMPTY, MADE, REFUSED, STALE, Lake, State, states_of
from pvfault_assets.instance import is_scheduled
from pvfault_assets.partitions import dates_of_run
from pvfault_assets.recording import REFUSED as WHY_REFUSED
from pvfault_assets.runs import not_ended

Events = Mapping[str, Mapping[date, int]]
"""By table and date, the number of the last event of a kind in Dagster's storage: a later one has a higher number."""

# Dagster gives no more events at once.
_EVENTS_AT_ONCE = 500
_NAMED = 3
# What the daemon takes to notice that a date is due, with plenty to spare.
_BEGUN_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Look:
    """A date that is not good, told by the first of its tables that is not: what comes after is made of that.

    Attributes
    ----------
    day : date
    table : str
    state : str
        One of `STATES`.
    reason : str
    held : bool
        Whether the table has the date all the same, as an earlier run made it.
    """

    day: date
    table: str
    state: str
    reason: str
    held: bool = False


@dataclass(frozen=True)
class Looks:
    """Looks of the same kind at dates that follow each other.

    Attributes
    ----------
    first, last : date
    table, state, reason : str
    held : bool
    """

    first: date
    last: date
    table: str
    state: str
    reason: str
    held: bool

    @property
    def days(self) -> str:
        """The dates as a command takes them."""
        return written(self.first, self.last)

    @property
    def command(self) -> str:
        """What makes these dates again."""
        return command(self.first, self.last, self.table)

    @property
    def next(self) -> str:
        """What to do, in one sentence with the line to type."""
        if self.state == REFUSED:
            kept = f"; or, to go on from the `{self.table}` that are there: {self._accepted}" if self._accepted else ""
            return f"mend what the reason says, then type: {self.command}{kept}"
        if self.state == EMPTY:
            return f"once its readings are in the topic, type: {self.command}"
        return f"type: {self.command}"

    @property
    def _accepted(self) -> str:
        """What makes the tables behind a refused one that has an earlier making; nothing then asks for it any more."""
        after = [table for table, sources in MADE_OF.items() if self.table in sources]
        return command(self.first, self.last, after[0]) if self.held and after else ""


@dataclass(frozen=True)
class Dates:
    """All dates from the first that was made.

    Attributes
    ----------
    made : list of date
        Those that are good.
    under_way : list of date
        Those that a run makes just now or is to make next; nothing else is said of them.
    to_look_at : list of Look
        Those that are not good, in order.
    is_scheduled : bool
        Whether each day is made by itself. Only then is a date missing that comes after the newest one made.
    """

    made: list[date]
    under_way: list[date]
    to_look_at: list[Look]
    is_scheduled: bool


def command(first: date, last: date, table: str) -> str:
    """The line that makes some dates from a table on.

    Examples
    --------
    >>> command(date(2024, 6, 1), date(2024, 6, 1), "readings")
    'pvfault materialise --date 2024-06-01'
    >>> command(date(2024, 6, 1), date(2024, 6, 2), "predictions")
    'pvfault materialise --date 2024-06-01..2024-06-02 --asset predictions'
    """
    return f"pvfault materialise --date {written(first, last)}" + (
        "" if table == READINGS.name else f" --asset {table}"
    )


def last_date_due(settings: Settings, now: datetime) -> date:
    """The newest date that the daily schedule has made, or begun to make."""
    return (now - timedelta(hours=settings.lateness_hours) - _BEGUN_WITHIN).date() - timedelta(days=1)


def read_dates(
    settings: Settings,
    instance: dg.DagsterInstance,
    *,
    until: date | None = None,
    now: datetime | None = None,
    but_for: str = "",
) -> Dates:
    """Look at all dates.

    Parameters
    ----------
    settings : Settings
    instance : DagsterInstance
    until : date, optional
        Dates up to this one are expected, whether the daily schedule is on or not.
    now : datetime, optional
    but_for : str
        A run that is not waited for: whoever asks is part of it.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    # Not with the definitions, which are loaded often: PyIceberg takes half as long to import as all else here.
    from pvfault_api.lake import read_lake

    lake = read_lake(settings)
    made = _last_events(instance, dg.DagsterEventType.ASSET_MATERIALIZATION)
    refused = _refused(instance, made)
    under_way = {day for run in not_ended(instance) if run.run_id != but_for for day in dates_of_run(run)}
    scheduled = is_scheduled(instance)
    known = [day for day in {*lake.dates, *refused} if _is_offered(settings, day)]
    last = max([*known, until or settings.first_date, settings.first_date])
    if scheduled:
        last = max(last, last_date_due(settings, now or datetime.now(UTC)))
    last = min(last, settings.last_date or last)
    states = states_of(lake, settings.first_date, last)
    told = (_judged_without(instance, lake, made), _made_before(made), states, refused)
    looks = {
        day: _look(day, _joined(*(by_day.get(day, {}) for by_day in told)), lake) for day in sorted({*states, *known})
    }
    return Dates(
        made=[day for day, look in looks.items() if look is None and day not in under_way],
        under_way=sorted(under_way),
        to_look_at=[look for day, look in looks.items() if look and day not in under_way],
        is_scheduled=scheduled,
    )


def _is_offered(settings: Settings, day: date) -> bool:
    return settings.first_date <= day <= (settings.last_date or day)


def together(looks: Iterable[Look]) -> list[Looks]:
    """Looks at dates that follow each other and differ in nothing else as one."""
    runs: list[list[Look]] = []
    for look in sorted(looks, key=lambda look: (look.table, look.state, look.reason, look.day)):
        before = runs[-1][-1] if runs else None
        if before and replace(before, day=look.day) == look and look.day - before.day == timedelta(days=1):
            runs[-1].append(look)
        else:
            runs.append([look])
    found = [Looks(run[0].day, run[-1].day, run[0].table, run[0].state, run[0].reason, run[0].held) for run in runs]
    return sorted(found, key=lambda looks: looks.first)


def _joined(*states: Mapping[str, State]) -> dict[str, State]:
    """What is known of a date by table: of several things, the last one that is not good."""
    known = [each for by_table in states for each in by_table.items()]
    return {table: state for table, state in known if state.what != MADE}


def _look(day: date, states: Mapping[str, State], lake: Lake) -> Look | None:
    """The first table of a date that is not good; None if all are."""
    for table in MADE_OF:
        if table in states:
            return Look(day, table, states[table].what, states[table].reason, held=day in lake.held[table])
    return None


def _last_events(instance: dg.DagsterInstance, kind: dg.DagsterEventType) -> dict[str, dict[date, int]]:
    ids = {
        table: instance.event_log_storage.get_latest_storage_id_by_partition(dg.AssetKey(table), kind)
        for table in MADE_OF
    }
    return {table: {date.fromisoformat(key): number for key, number in ids[table].items() if key} for table in ids}


def _refused(instance: dg.DagsterInstance, made: Events) -> dict[date, dict[str, State]]:
    """What was refused, by date and table, and nothing was made of it since."""
    refused: dict[date, dict[str, State]] = defaultdict(dict)
    noted = _last_events(instance, dg.DagsterEventType.ASSET_OBSERVATION)
    for table in MADE_OF:
        # Whoever makes what comes after it goes on from what is there, and so has dealt with it.
        done = {day: max(made[later].get(day, -1) for later in tables_from(table)) for day in noted[table]}
        days = [day for day, number in noted[table].items() if number > done[day]]
        wanted = dg.AssetRecordsFilter(dg.AssetKey(table), asset_partitions=[str(day) for day in days])
        for record in _all(instance.fetch_observations, wanted) if days else ():
            day = date.fromisoformat(record.partition_key)
            metadata = record.asset_observation.metadata
            # What a date's run has cost is noted too, behind it.
            if WHY_REFUSED in metadata and record.storage_id > done[day]:
                refused[day].setdefault(table, State(REFUSED, metadata[WHY_REFUSED].value))
    return refused


def _made_before(made: Events) -> dict[date, dict[str, State]]:
    """Dates of tables that are older than what they are made of."""
    stale: dict[date, dict[str, State]] = defaultdict(dict)
    for table, sources in MADE_OF.items():
        for day, number in made[table].items():
            for source in sources:
                if made[source].get(day, -1) > number:
                    stale[day][table] = State(STALE, f"made of `{source}` that were made again since")
    return stale


def _judged_without(instance: dg.DagsterInstance, lake: Lake, made: Events) -> dict[date, dict[str, State]]:
    """Dates that would be judged beside other dates before them than they were, or beside other readings of these."""
    # Not with the definitions, which are loaded often: it brings along what references are fitted with.
    from pvfault.rows.references import history_made_since

    with_scalograms = lake.held[SCALOGRAMS.name].keys()
    table = made[SCALOGRAMS.name]
    stale = {}
    for day, history in _histories(instance, {day: table[day] for day in table.keys() & with_scalograms}).items():
        used = [date.fromisoformat(before) for before in history]
        again = [before for before in used if made[READINGS.name].get(before, -1) > table[day]]
        for what, days in (
            ("without", history_made_since(history, with_scalograms, day)),
            ("beside earlier readings of", again),
        ):
            if days:
                reason = f"judged {what} {_some(days)}, made since"
                stale[day] = {SCALOGRAMS.name: State(STALE, reason)}
    return stale


def _histories(instance: dg.DagsterInstance, made: Mapping[date, int]) -> dict[date, Sequence[str]]:
    """Beside which dates each date was judged when its scalograms were made last, where that is known."""
    histories = {}
    numbers = list(made.values())
    for first in range(0, len(numbers), _EVENTS_AT_ONCE):
        some = numbers[first : first + _EVENTS_AT_ONCE]
        wanted = dg.AssetRecordsFilter(dg.AssetKey(SCALOGRAMS.name), storage_ids=some)
        for record in instance.fetch_materializations(wanted, limit=len(some)).records:
            history = record.asset_materialization.metadata.get("history")
            if history:
                histories[date.fromisoformat(record.partition_key)] = history.value
    return histories


def _some(days: Sequence[date]) -> str:
    """Some of the days by their names, and how many more there are."""
    named = ", ".join(str(day) for day in sorted(days)[:_NAMED])
    return named + (f" and {len(days) - _NAMED} more" if len(days) > _NAMED else "")


def _all(fetch: Callable, wanted: dg.AssetRecordsFilter) -> Iterator[dg.EventLogRecord]:
    """All events that Dagster has, the newest one first."""
    found = fetch(wanted, limit=_EVENTS_AT_ONCE)
    yield from found.records
    while found.has_more:
        found = fetch(wanted, limit=_EVENTS_AT_ONCE, cursor=found.cursor)
        yield from found.records
