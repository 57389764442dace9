"""Bringing alarms up to what the tables say now.

Only dates are read whose files are others than when they were read last; a date that the tables have no more is
forgotten. A few dates are one transaction: what they say of devices is put in the place of what they said, the dates of
these devices are cut into alarms anew (`spells.py`), and held against the alarms that there are (`matching.py`). So the
same dates read twice, in whatever order, by one process or two, come to the same alarms.
"""

import hashlib
import logging
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from pvfault.settings import Settings
from pvfault_alarms.matching import Known, match
from pvfault_alarms.reading import DateSeen, Published, Sighting
from pvfault_alarms.schema import ALARMS, DATES, LOG, PROGRESS, ROSTERS, SIGHTINGS
from pvfault_alarms.spells import MOST_DAYS_APART, cut, is_over
from pvfault_alarms.store import Store, bump
from pvfault_alarms.subjects import FAULT, NO_VERDICT, OUTAGE, kind_of
from pvfault_messages.channels import channel_of

US = "pvfault"
"""Who stands in the log for what is done here."""

# The most parameters of a statement that any SQLite takes is 32,766.
_AT_ONCE = 1000
# Dates of a transaction. Each begins with reading all that is known of their devices, and while it lasts nobody else
# can do anything with an alarm.
_DATES_AT_ONCE = 7
# How often somebody else may be quicker.
_PLANS = 5

_log = logging.getLogger("pvfault.alarms")


@dataclass(frozen=True)
class Updated:
    """What an update did.

    Attributes
    ----------
    dates : int
        That were read, or forgotten.
    waiting : int
        That are still to be read.
    events : Counter
        How many alarms were `opened`, are `over`, are seen `again`, were `withdrawn`, or `restored`.
    """

    dates: int
    waiting: int
    events: Counter


class MovedError(Exception):
    """Somebody else has read a date meanwhile."""


class _Pair(NamedTuple):
    """What there is at most one alarm of at a time."""

    device: str
    subject: str


def update(settings: Settings, store: Store, *, at_most: int | None = None) -> Updated:
    """Bring the alarms up to the tables.

    Parameters
    ----------
    settings : Settings
    store : Store
    at_most : int, optional
        Dates that are read; all by default. The oldest come first.

    Returns
    -------
    Updated

    Raises
    ------
    PvfaultError
        If the tables cannot be read.
    StoreError
    """
    events: Counter = Counter()
    done = 0
    for _ in range(_PLANS):
        plan = _plan(settings, store)
        left = plan.changed if at_most is None else plan.changed[: max(at_most - done, 0)]
        try:
            for start in range(0, len(left), _DATES_AT_ONCE):
                days = left[start : start + _DATES_AT_ONCE]
                seen = {day: plan.published.read(day, files) if files else None for day, files in days}
                with store.writing() as connection:
                    events += take_in(connection, seen, plan.known, tells=channel_of(settings) is not None)
                done += len(days)
        except MovedError:
            continue
        if len(left) == len(plan.changed) and not plan.is_noted:
            with store.writing() as connection:
                connection.execute(sa.update(PROGRESS).values(snapshots=plan.published.version))
        return Updated(done, len(plan.changed) - len(left), events)
    _log.info("Other processes bring the alarms up to date; this one leaves it to them.")
    return Updated(done, len(plan.changed), events)


@dataclass(frozen=True)
class _Plan:
    """What there is to read.

    Attributes
    ----------
    published : Published
    known : dict of date to str
        What names the files that were read of each date.
    changed : list of tuple
        Dates to read, in order, and what names their files now; None of those that are gone.
    is_noted : bool
        Whether it is known that the snapshots were read to their end.
    """

    published: Published
    known: dict[date, str]
    changed: list[tuple[date, str | None]]
    is_noted: bool


def _plan(settings: Settings, store: Store) -> _Plan:
    # First what is known, then the tables: so these are never older than what somebody else has read of them.
    with store.reading() as connection:
        snapshots = connection.scalar(sa.select(PROGRESS.c.snapshots))
        known = dict(connection.execute(sa.select(DATES.c.date, DATES.c.files)).all())
    published = Published(settings)
    if snapshots == published.version:
        return _Plan(published, known, [], is_noted=True)
    there = published.files()
    gone = [(day, None) for day in known.keys() - there.keys()]
    changed = sorted([*gone, *((day, files) for day, files in there.items() if known.get(day) != files)])
    return _Plan(published, known, changed, is_noted=False)


def take_in(
    connection: sa.Connection, seen: Mapping[date, DateSeen | None], expected: Mapping[date, str], *, tells: bool
) -> Counter:
    """Put what dates say in the place of what they said, and bring the alarms of their devices up to it.

    Parameters
    ----------
    connection : sa.Connection
        A transaction that writes.
    seen : mapping of date to DateSeen or None
        None of a date that the tables have no more.
    expected : mapping of date to str
        What names the files that were read of these dates before.
    tells : bool
        Whether somebody is to be told of alarms that come up.

    Returns
    -------
    Counter
        How many alarms were `opened`, are `over`, are seen `again`, were `withdrawn`, or `restored`.

    Raises
    ------
    MovedError
        If somebody else has read one of them meanwhile.
    """
    of_dates = sa.select(DATES.c.date, DATES.c.files).where(DATES.c.date.in_(seen))
    now = dict(connection.execute(of_dates).all())
    if any(now.get(day) != expected.get(day) for day in seen):
        raise MovedError
    pairs: set[_Pair] = set()
    for day in seen:
        pairs |= _replace_sightings(connection, day, seen[day])
    events = _Alarms(connection, tells=tells).bring_up(pairs.union(*(_near(connection, day) for day in seen)))
    bump(connection)
    return events


def _replace_sightings(connection: sa.Connection, day: date, seen: DateSeen | None) -> set[_Pair]:
    """Keep what a date says; gives what it says otherwise than before."""
    of_day = sa.select(SIGHTINGS).where(SIGHTINGS.c.date == day)
    old = {_Pair(row.device, row.subject): row for row in connection.execute(of_day)}
    new = {_Pair(one.device, one.subject): one for one in (seen.sightings if seen else ())}
    if seen:
        _keep_date(connection, seen)
    other = {pair for pair in old.keys() & new.keys() if _as_sighting(old[pair]) != new[pair]}
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    for pair in gone:
        connection.execute(sa.delete(SIGHTINGS).where(*_is(day, pair)))
    for pair in other:
        connection.execute(sa.update(SIGHTINGS).where(*_is(day, pair)).values(**asdict(new[pair])))
    _insert(connection, SIGHTINGS, [{"date": day, **asdict(new[pair])} for pair in sorted(come)])
    if not seen:
        connection.execute(sa.delete(DATES).where(DATES.c.date == day))
    return gone | come | other


def _keep_date(connection: sa.Connection, seen: DateSeen) -> None:
    names = "\n".join(sorted(seen.devices)).encode()
    roster = hashlib.sha256(names).hexdigest()
    if not connection.scalar(sa.select(sa.func.count()).select_from(ROSTERS).where(ROSTERS.c.id == roster)):
        connection.execute(sa.insert(ROSTERS).values(id=roster, names=zlib.compress(names)))
    values = {"files": seen.files, "roster": roster}
    if not connection.execute(sa.update(DATES).where(DATES.c.date == seen.day).values(**values)).rowcount:
        connection.execute(sa.insert(DATES).values(date=seen.day, **values))


def _near(connection: sa.Connection, day: date) -> set[_Pair]:
    """Whose alarms a date may say something of, though it says nothing of them: so they may be over."""
    far = timedelta(days=MOST_DAYS_APART + 1)
    near = sa.select(ALARMS.c.device, ALARMS.c.subject).where(
        ALARMS.c.first_seen <= day + far, sa.or_(ALARMS.c.last_seen >= day - far, sa.not_(ALARMS.c.over))
    )
    return {_Pair(*row) for row in connection.execute(near)}


class _Alarms:
    """The alarms of a database, in a transaction that writes.

    Parameters
    ----------
    connection : sa.Connection
    tells : bool
        Whether somebody is to be told of those that come up.
    """

    def __init__(self, connection: sa.Connection, *, tells: bool):
        self._connection, self._tells = connection, tells
        self._now = datetime.now(UTC).replace(tzinfo=None)
        self._read = sorted(connection.scalars(sa.select(DATES.c.date)))
        self._rosters = _Rosters(connection)
        self._events: Counter = Counter()
        self._entries: list[dict] = []
        self._moved: dict[int | None, list[tuple[date, _Pair]]] = defaultdict(list)

    def bring_up(self, pairs: Iterable[_Pair]) -> Counter:
        """Cut the dates of some devices and subjects into alarms anew; gives what has become of how many."""
        # A date without a verdict, or with one, may join or part the alarms of each subject of its device.
        devices = sorted({pair.device for pair in pairs})
        for start in range(0, len(devices), _AT_ONCE):
            self._bring_up_devices(devices[start : start + _AT_ONCE])
        self._write_moves()
        _insert(self._connection, LOG, self._entries)
        return self._events

    def _bring_up_devices(self, devices: Sequence[str]) -> None:
        seen: dict[_Pair, dict[date, sa.Row]] = defaultdict(dict)
        of_devices = sa.select(SIGHTINGS).where(SIGHTINGS.c.device.in_(devices)).order_by(SIGHTINGS.c.date)
        for row in self._connection.execute(of_devices):
            seen[_Pair(row.device, row.subject)][row.date] = row
        known: dict[_Pair, list[sa.Row]] = defaultdict(list)
        for row in self._connection.execute(sa.select(ALARMS).where(ALARMS.c.device.in_(devices))):
            known[_Pair(row.device, row.subject)].append(row)
        for pair in sorted(seen.keys() | known.keys()):
            if pair.subject != NO_VERDICT:
                unknown = () if pair.subject == OUTAGE else seen.get(_Pair(pair.device, NO_VERDICT), ())
                self._bring_up_pair(pair, seen.get(pair, {}), known.get(pair, []), unknown)

    def _bring_up_pair(
        self, pair: _Pair, seen: Mapping[date, sa.Row], known: Sequence[sa.Row], unknown: Iterable[date]
    ) -> None:
        kind, unknown = kind_of(pair.subject), set(unknown)

        def is_clean(day: date) -> bool:
            return day not in unknown and day not in seen and self._rosters.has(day, pair.device)

        ends = [alarm.closed_through for alarm in known if alarm.closed_through]
        spells = cut(list(seen), self._read, is_clean, kind, ends)
        found = match(spells, [_known(alarm, seen) for alarm in known])
        by_number = {alarm.id: alarm for alarm in known}
        for position, spell in enumerate(spells):
            is_last = position == len(spells) - 1
            over = not is_last or is_over(spell[-1], self._read, is_clean, kind)
            figures = {**_figures(kind, [seen[day] for day in spell]), "over": over, "withdrawn": False}
            alarm = by_number.get(found.get(position))
            number = self._change(alarm, figures) if alarm else self._open(pair, kind, figures, known)
            for day in spell:
                if seen[day].alarm_id != number:
                    self._moved[number].append((day, pair))
        left = by_number.keys() - set(found.values())
        for number in sorted(left):
            self._withdraw(by_number[number], has_others=bool(spells))

    def _open(self, pair: _Pair, kind: str, figures: dict, known: Sequence[sa.Row]) -> int:
        told = None if self._tells else "nothing"
        insert = sa.insert(ALARMS).values(device=pair.device, subject=pair.subject, kind=kind, told=told, **figures)
        number = self._connection.execute(insert).inserted_primary_key[0]
        before = [alarm.id for alarm in known if alarm.last_seen < figures["first_seen"] and not alarm.withdrawn]
        self._note(number, "opened", f"seen before as alarm {max(before)}" if before else "")
        return number

    def _change(self, alarm: sa.Row, figures: dict) -> int:
        differing = {name: value for name, value in figures.items() if getattr(alarm, name) != value}
        if alarm.withdrawn:
            self._note(alarm.id, "restored", "the verdicts say so again")
        elif differing.get("over") is True:
            self._note(alarm.id, "over", f"last seen on {figures['last_seen']}")
        elif differing.get("over") is False:
            self._note(alarm.id, "again", f"seen until {figures['last_seen']} after all")
        if differing.get("over") is False and alarm.told == "over":
            differing["told"] = None  # who was told that it is over shall know
        if differing:
            self._connection.execute(sa.update(ALARMS).where(ALARMS.c.id == alarm.id).values(**differing))
        return alarm.id

    def _withdraw(self, alarm: sa.Row, *, has_others: bool) -> None:
        """Take back an alarm of which no date says anything any more. Its row stays: its number may be known."""
        if alarm.withdrawn:
            return
        nothing = {"days": 0, "lost_kwh": None, "lost_days": 0, "over": True, "withdrawn": True}
        self._connection.execute(sa.update(ALARMS).where(ALARMS.c.id == alarm.id).values(**nothing))
        why = "its dates were made again, and say so no more"
        self._note(alarm.id, "withdrawn", f"{why}, or belong to another alarm" if has_others else why)

    def _note(self, number: int, action: str, comment: str) -> None:
        self._events[action] += 1
        self._entries.append({"alarm_id": number, "at": self._now, "by": US, "action": action, "comment": comment})

    def _write_moves(self) -> None:
        """Note which alarm each sighting belongs to, where that is another one now."""
        moves = [
            {"number": number, "on": day, "of": pair.device, "what": pair.subject}
            for number, found in self._moved.items()
            for day, pair in found
        ]
        if moves:
            c = SIGHTINGS.c
            which = (c.date == sa.bindparam("on"), c.device == sa.bindparam("of"), c.subject == sa.bindparam("what"))
            self._connection.execute(sa.update(SIGHTINGS).where(*which).values(alarm_id=sa.bindparam("number")), moves)


class _Rosters:
    """Which devices have a row on which date."""

    def __init__(self, connection: sa.Connection):
        names = {row.id: row.names for row in connection.execute(sa.select(ROSTERS))}
        self._of_date = dict(connection.execute(sa.select(DATES.c.date, DATES.c.roster)).all())
        self._names, self._devices = names, {}

    def has(self, day: date, device: str) -> bool:
        roster = self._of_date[day]
        if roster not in self._devices:
            self._devices[roster] = frozenset(zlib.decompress(self._names[roster]).decode().split("\n"))
        return device in self._devices[roster]


def _known(alarm: sa.Row, seen: Mapping[date, sa.Row]) -> Known:
    dates = frozenset(day for day, sighting in seen.items() if sighting.alarm_id == alarm.id)
    return Known(alarm.id, alarm.touched, alarm.first_seen, alarm.last_seen, alarm.closed_through, dates)


def _figures(kind: str, sightings: Sequence[sa.Row]) -> dict:
    """What an alarm says, of the dates on which it was seen, in order.

    Its fault is the one that showed for the most hours; how sure it is and the runner-up are those of the day on which
    it showed for the most, the newest of several.
    """
    hours: Counter = Counter()
    for sighting in sightings:
        hours[sighting.fault] += sighting.hours
    # Of as many hours the one that was seen first: `max` takes the first, and a Counter keeps the order.
    fault = max(hours, key=hours.get)
    longest = max((one for one in sightings if one.fault == fault), key=lambda one: (one.hours, one.date))
    losses = [one.lost_kwh for one in sightings if one.lost_kwh is not None]
    return {
        "fault": fault if kind == FAULT else None,
        "runner_up": longest.runner_up,
        "confidence": longest.confidence,
        "onset": sightings[0].onset,
        "first_seen": sightings[0].date,
        "last_seen": sightings[-1].date,
        "days": len(sightings),
        "lost_kwh": sum(losses) if losses else None,
        "lost_days": len(losses),
    }


def _as_sighting(row: sa.Row) -> Sighting:
    return Sighting(*(getattr(row, name) for name in Sighting.__dataclass_fields__))


def _is(day: date, pair: _Pair) -> Iterator[sa.ColumnElement]:
    columns = SIGHTINGS.c
    return iter((columns.date == day, columns.device == pair.device, columns.subject == pair.subject))


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def newest_read(connection: sa.Connection) -> date | None:
    """The newest date whose verdicts are known."""
    return connection.scalar(sa.select(sa.func.max(DATES.c.date)))
