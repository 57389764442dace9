"""What the crew found, as labels of days.

The file is of the form that `pvfault evaluate --measured` reads beside the weights (`measured_days.md`): a heading for
each device and date, and under it, first, the class that the day is of.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from pvfault.errors import PvfaultError
from pvfault.faults import NONE
from pvfault_alarms.life import CLOSED, CONFIRMED, FALSE_ALARM, OTHER
from pvfault_alarms.schema import ALARMS, FINDINGS, LOG
from pvfault_alarms.store import Store
from pvfault_alarms.subjects import FAULT

_OF_ALARM = ("id", "device", "kind", "cause", "found_fault")
_HEAD = "# What the crew found"
_ABOUT = (
    "Written by `pvfault labels export` from alarms that were closed with a cause. The first word of a paragraph is "
    "the class of the day; dates are in UTC."
)


def find_labels(store: Store) -> dict[tuple[str, date], list[str]]:
    """What the crew says of days.

    A confirmed fault is the alarm's, another fault is the one that was named, and a false alarm is `none`. Alarms of
    maintenance, of another fault without a name, and confirmed ones of communication or sensors tell no class.

    Returns
    -------
    dict of (str, date) to list of str
        By device and date, sorted: a sentence for each alarm, which begins with the class; faults before `none`.

    Raises
    ------
    StoreError
    """
    closed = (
        sa.select(*(ALARMS.c[name] for name in _OF_ALARM), FINDINGS.c.date, FINDINGS.c.fault)
        .join(FINDINGS, FINDINGS.c.alarm_id == ALARMS.c.id)
        .where(ALARMS.c.state == CLOSED)
        .order_by(ALARMS.c.device, FINDINGS.c.date, ALARMS.c.id)
    )
    closings = sa.select(LOG).where(LOG.c.cause.is_not(None)).order_by(LOG.c.id)
    found: dict[tuple[str, date], list[tuple[bool, str]]] = {}
    with store.reading() as connection:
        last = {entry.alarm_id: entry for entry in connection.execute(closings)}
        for row in connection.execute(closed):
            label = _label_of(row)
            if label:
                sentence = _sentence(row, label, last[row.id])
                found.setdefault((row.device, row.date), []).append((label == NONE, sentence))
    return {day: [sentence for _, sentence in sorted(each)] for day, each in found.items()}


def write_labels(labels: Mapping[tuple[str, date], list[str]], file: Path) -> None:
    """Write labels into a file, in the place of one that this has written before.

    Raises
    ------
    PvfaultError
        If it is another's file, or cannot be written.
    """
    try:
        if file.exists() and not file.read_text(encoding="utf-8", errors="replace").startswith(_HEAD):
            raise PvfaultError(
                f"{file} is there, and is none that `pvfault labels export` has written; name another file, and copy "
                "what you want from it"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.new")
        beside.write_text(as_text(labels), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise PvfaultError(f"{file} cannot be written ({error.strerror}); name another file") from error


def as_text(labels: Mapping[tuple[str, date], list[str]]) -> str:
    """Labels as they stand in a file."""
    return "\n".join([_HEAD, "", _ABOUT, *_paragraphs(labels)]) + "\n"


def _paragraphs(labels: Mapping[tuple[str, date], list[str]]) -> Iterator[str]:
    for (device, day), sentences in sorted(labels.items()):
        yield from ("", f"## {device} {day}", "", " ".join(sentences))


def _label_of(row: sa.Row) -> str | None:
    if row.cause == OTHER:
        return row.found_fault
    if row.kind != FAULT:
        return None
    return {CONFIRMED: row.fault, FALSE_ALARM: NONE}.get(row.cause)


def _sentence(row: sa.Row, label: str, closing: sa.Row) -> str:
    # On one line, behind other words: what somebody has written there cannot be a heading of the file.
    said = " ".join(closing.comment.split())
    alarm = f"Alarm {row.id} ({row.fault or row.kind}), closed as {row.cause} on {closing.at:%Y-%m-%d}"
    return f"{label}. {alarm} by {' '.join(closing.by.split())}" + (f": {said}" if said else ".")
