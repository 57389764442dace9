"""Telling people of alarms: of each that is new, and of each that was told of and is over.

All that is new is one message, so that a plant's first update is one piece of news and not a thousand. An alarm is
marked as told before the message is sent: a process that dies in between leaves it unsent rather than sent twice, and
so does a message that nobody answers. One that is surely not taken is sent with the next update.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from pvfault.settings import Settings
from pvfault_alarms.life import CLOSED
from pvfault_alarms.schema import ALARMS, LOG
from pvfault_alarms.store import Store
from pvfault_alarms.update import US
from pvfault_messages.channels import channel_of
from pvfault_messages.webhook import NotAcceptedError, UnansweredError, WrongMessageError

NEW, OVER = "new", "over"
_NAMED = 20

_log = logging.getLogger("pvfault.alarms")


def tell(settings: Settings, store: Store) -> int:
    """Tell whom the settings name, if anybody, of what was not told yet; gives how many alarms that were.

    Parameters
    ----------
    settings : Settings
    store : Store

    Raises
    ------
    StoreError
    """
    channel = channel_of(settings)
    if channel is None:
        return 0
    with store.reading() as connection:
        if not any(connection.scalar(sa.select(sa.exists().where(*_waits(what)))) for what in (NEW, OVER)):
            return 0
    with store.writing() as connection:
        news = {NEW: _claim(connection, NEW), OVER: _claim(connection, OVER)}
    found = [row for rows in news.values() for row in rows]
    if not found:
        return 0
    try:
        channel.send(*_compose(news))
    except (NotAcceptedError, WrongMessageError) as error:
        _log.error("%s does not take the message on %d alarms: %s. %s", channel.name, len(found), error, channel.advice)
        with store.writing() as connection:
            _mark(connection, news[NEW], None)
            _mark(connection, news[OVER], NEW)
        return 0
    except UnansweredError as error:
        _log.error("%s gave no answer to the message on %d alarms: %s", channel.name, len(found), error)
        _note(store, news, "unknown whether it arrived")
    else:
        _note(store, news, "")
    return len(found)


def _claim(connection: sa.Connection, what: str) -> Sequence[sa.Row]:
    """The alarms to tell of, marked as told."""
    rows = connection.execute(sa.select(ALARMS).where(*_waits(what)).order_by(ALARMS.c.id)).all()
    _mark(connection, rows, what)
    return rows


def _waits(what: str) -> tuple[sa.ColumnElement, ...]:
    is_over = sa.or_(ALARMS.c.over, ALARMS.c.withdrawn)
    is_told = ALARMS.c.told.is_(None) if what == NEW else ALARMS.c.told == NEW
    # Whoever has closed it knows.
    return is_told, sa.not_(is_over) if what == NEW else is_over, ALARMS.c.state != CLOSED


def _mark(connection: sa.Connection, rows: Sequence[sa.Row], told: str | None) -> None:
    if rows:
        update = sa.update(ALARMS).where(ALARMS.c.id == sa.bindparam("number")).values(told=told)
        connection.execute(update, [{"number": row.id} for row in rows])


def _note(store: Store, news: dict[str, Sequence[sa.Row]], comment: str) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    with store.writing() as connection:
        entries = [
            {"alarm_id": row.id, "at": now, "by": US, "action": f"told_{what}", "comment": comment}
            for what, rows in news.items()
            for row in rows
        ]
        connection.execute(sa.insert(LOG), entries)


def _compose(news: dict[str, Sequence[sa.Row]]) -> tuple[str, str]:
    """The subject and the text of a message."""
    counts = [f"{len(rows)} {what}" for what, rows in news.items() if rows]
    parts = []
    for what, rows in news.items():
        lines = [_line(row) for row in sorted(rows, key=lambda row: (-(row.lost_kwh or 0), row.id))]
        if len(lines) > _NAMED:
            lines = [*lines[:_NAMED], f"  and {len(lines) - _NAMED} more"]
        if lines:
            parts.append("\n".join([what.capitalize(), *lines]))
    return f"pvfault alarms: {', '.join(counts)}", "\n\n".join(parts)


def _line(row: sa.Row) -> str:
    what = row.fault or row.kind
    lost = "" if row.lost_kwh is None else f", {row.lost_kwh:.1f} kWh lost"
    seen = f"since {row.first_seen}" if row.first_seen == row.last_seen else f"{row.first_seen} to {row.last_seen}"
    return f"  {row.id}: {row.device} {what} {seen}{lost}" + (", taken back" if row.withdrawn else "")
