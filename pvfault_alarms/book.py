"""Asking for alarms, and doing something with one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from pvfault.errors import PvfaultError
from pvfault_alarms.life import CLOSED, MUTED, OPEN, REOPEN, Action, Standing, WrongStateError, act
from pvfault_alarms.schema import ALARMS, FINDINGS, LOG, PROGRESS, SIGHTINGS
from pvfault_alarms.store import Store, bump
from pvfault_alarms.update import newest_read

_AT_ONCE = 1000


class NoAlarmError(PvfaultError):
    """There is no alarm of that number."""


@dataclass(frozen=True)
class Wanted:
    """Which alarms are asked for; what is empty or None lets all pass.

    Attributes
    ----------
    states, kinds, faults, devices, sites : sequence of str
    over : bool or None
        Whether what they are of is no longer seen.
    """

    states: Sequence[str] = ()
    kinds: Sequence[str] = ()
    faults: Sequence[str] = ()
    devices: Sequence[str] = ()
    sites: Sequence[str] = ()
    over: bool | None = None


@dataclass(frozen=True)
class Money:
    """What lost energy is worth.

    Attributes
    ----------
    tariff_per_kwh : float or None
        None if nothing is to be said.
    currency : str
    """

    tariff_per_kwh: float | None
    currency: str

    def of(self, energy_kwh: float | None) -> float | None:
        """The worth of an energy, as far as both are known."""
        return None if None in (energy_kwh, self.tariff_per_kwh) else energy_kwh * self.tariff_per_kwh


class Book:
    """The alarms as people and programs see them.

    Parameters
    ----------
    store : Store
    money : Money
    """

    def __init__(self, store: Store, money: Money):
        self._store, self._money = store, money

    def version(self) -> str:
        """Changes with every alarm, also with one that opens by itself because it was muted long enough.

        Raises
        ------
        StoreError
        """
        with self._store.reading() as connection:
            heard = connection.scalar(
                sa.select(sa.func.count()).where(ALARMS.c.state == MUTED, ALARMS.c.muted_until <= _now())
            )
            revision = connection.scalar(sa.select(PROGRESS.c.revision))
        return f"alarms@{revision}-{heard}-{self._money}"

    def find(
        self, wanted: Wanted, sites: Mapping[str, str], *, limit: int | None = None, before: int | None = None
    ) -> list[dict]:
        """Find alarms, the newest first.

        Parameters
        ----------
        wanted : Wanted
            Alarms that were taken back are left out if nobody has touched them.
        sites : mapping of str to str
            Of devices.
        limit : int, optional
            The most of them; all by default.
        before : int, optional
            Only those with a smaller number: so one goes on.

        Raises
        ------
        StoreError
        """
        found = []
        with self._store.reading() as connection:
            for row in self._rows(connection, wanted, before):
                if not wanted.sites or sites.get(row.device) in wanted.sites:
                    found.append(self._alarm(row, sites))
                    if len(found) == limit:
                        break
        return found

    def get(self, number: int, sites: Mapping[str, str]) -> dict:
        """An alarm with its log, one that was taken back too.

        Raises
        ------
        NoAlarmError
        StoreError
        """
        with self._store.reading() as connection:
            return self._with_log(connection, number, sites)

    def act(self, number: int, action: Action, sites: Mapping[str, str]) -> dict:
        """Do something with an alarm; gives it as it is then.

        Raises
        ------
        NoAlarmError
        WrongStateError
            If it does not fit. Nothing is written then.
        StoreError
            If it could not be written. Nothing is, then.
        """
        now = _now()
        with self._store.writing() as connection:
            row = _row_of(connection, number)
            standing = Standing(*(getattr(row, field.name) for field in fields(Standing)))
            # A repair is of the day on which it is told; where dates are made much later, of the next one that is.
            newest = newest_read(connection) or now.date()
            through = max(min(now.date(), newest + timedelta(days=1)), row.last_seen)
            after = act(standing, action, now=now, closes_through=through)
            if action.name == REOPEN:
                _require_the_newest(connection, row)
            connection.execute(sa.update(ALARMS).where(ALARMS.c.id == number).values(**asdict(after), touched=True))
            _keep_findings(connection, row, after)
            entry = {name: value for name, value in asdict(action).items() if name != "name"}
            connection.execute(sa.insert(LOG).values(alarm_id=number, at=now, action=action.name, **entry))
            bump(connection)
            return self._with_log(connection, number, sites)

    def _rows(self, connection: sa.Connection, wanted: Wanted, before: int | None) -> Iterator[sa.Row]:
        """Rows of what is asked for, whatever the site."""
        asked = sa.select(ALARMS).where(*_conditions(wanted)).order_by(ALARMS.c.id.desc()).limit(_AT_ONCE)
        while True:
            rows = connection.execute(asked if before is None else asked.where(ALARMS.c.id < before)).all()
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            before = rows[-1].id

    def _with_log(self, connection: sa.Connection, number: int, sites: Mapping[str, str]) -> dict:
        row = _row_of(connection, number)
        entries = connection.execute(sa.select(LOG).where(LOG.c.alarm_id == number).order_by(LOG.c.id))
        log = [
            {
                "at": entry.at.replace(tzinfo=UTC),
                "by": entry.by,
                "action": entry.action,
                "comment": entry.comment,
                "until": _with_zone(entry.until),
                "cause": entry.cause,
                "fault": entry.fault,
            }
            for entry in entries
        ]
        return {**self._alarm(row, sites), "log": log}

    def _alarm(self, row: sa.Row, sites: Mapping[str, str]) -> dict:
        standing = Standing(*(getattr(row, field.name) for field in fields(Standing))).at(_now())
        a_day = row.lost_kwh / row.lost_days if row.lost_days else None
        return {
            "id": row.id,
            "deviceID": row.device,
            "site": sites.get(row.device),
            "kind": row.kind,
            "fault": row.fault,
            "runner_up": row.runner_up,
            "confidence": row.confidence,
            "onset": _with_zone(row.onset),
            "first_seen": row.first_seen,
            "last_seen": row.last_seen,
            "days": row.days,
            "lost_kwh": row.lost_kwh,
            "lost_kwh_a_day": a_day,
            "money": self._money.of(row.lost_kwh),
            "money_a_day": self._money.of(a_day),
            "currency": None if self._money.tariff_per_kwh is None else self._money.currency,
            "state": standing.state,
            "muted_until": _with_zone(standing.muted_until),
            "cause": standing.cause,
            "found_fault": standing.found_fault,
            "over": row.over,
            "withdrawn": row.withdrawn,
        }


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement]:
    columns = ALARMS.c
    yield sa.or_(sa.not_(columns.withdrawn), columns.touched)
    if wanted.states:
        is_heard = sa.and_(columns.state == MUTED, columns.muted_until <= _now())
        yield sa.case((is_heard, OPEN), else_=columns.state).in_(wanted.states)
    for column, values in (
        (columns.kind, wanted.kinds),
        (columns.fault, wanted.faults),
        (columns.device, wanted.devices),
    ):
        if values:
            yield column.in_(values)
    if wanted.over is not None:
        yield columns.over == wanted.over


def _row_of(connection: sa.Connection, number: int) -> sa.Row:
    row = connection.execute(sa.select(ALARMS).where(ALARMS.c.id == number)).one_or_none()
    if row is None:
        raise NoAlarmError(f"there is no alarm {number}")
    return row


def _keep_findings(connection: sa.Connection, row: sa.Row, after: Standing) -> None:
    """Keep which days a closed alarm is of; none of one that goes on."""
    if (row.state == CLOSED) == (after.state == CLOSED):
        return
    connection.execute(sa.delete(FINDINGS).where(FINDINGS.c.alarm_id == row.id))
    if after.state == CLOSED:
        days = sa.select(SIGHTINGS.c.alarm_id, SIGHTINGS.c.date, sa.literal(row.fault, sa.String))
        days = days.where(SIGHTINGS.c.alarm_id == row.id)
        connection.execute(sa.insert(FINDINGS).from_select(["alarm_id", "date", "fault"], days))


def _require_the_newest(connection: sa.Connection, row: sa.Row) -> None:
    """Refuse to open an alarm again beside a newer one of the same: two would be of one fault."""
    newer = connection.scalar(
        sa.select(sa.func.min(ALARMS.c.id)).where(
            ALARMS.c.device == row.device,
            ALARMS.c.subject == row.subject,
            ALARMS.c.first_seen > row.last_seen,
            sa.not_(ALARMS.c.withdrawn),
        )
    )
    if newer is not None:
        raise WrongStateError(f"the same was seen again later, as alarm {newer}; go on with that one")


def _with_zone(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
