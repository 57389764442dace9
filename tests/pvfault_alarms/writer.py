"""A process that writes into the alarms of a home until it is killed, and tells what it was answered."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from pvfault.settings import Settings
from pvfault_alarms.book import Book, Money
from pvfault_alarms.life import Action
from pvfault_alarms.schema import DATES
from pvfault_alarms.store import Store
from pvfault_alarms.update import MovedError, take_in
from tests.pvfault_alarms.helpers import day, seen


def comment(book, name, times):
    """Write comments, and tell of each one that was taken."""
    for number in range(times):
        book.act(1, Action("comment", name, f"{name} {number}"), {})
        print(f"{name} {number}", flush=True)  # noqa: T201 - what the test reads


def make(store, n_devices, times):
    """Make a date again and again, with a fault of all devices and without."""
    for number in range(times):
        letters = {f"D{n}": "C."[number % 2] for n in range(n_devices)}
        with store.reading() as connection:
            before = connection.scalar(sa.select(DATES.c.files).where(DATES.c.date == day(1)))
        try:
            with store.writing() as connection:
                take_in(connection, {day(1): seen(day(1), letters, f"{number}")}, {day(1): before}, tells=False)
        except MovedError:
            continue
        print(datetime.now(UTC), flush=True)  # noqa: T201


if __name__ == "__main__":
    home, url, what, name, times = sys.argv[1:]
    environment = {"PVFAULT_HOME": home, "PVFAULT_ALARMS_DATABASE": url}
    store = Store(Settings.from_environment(environment, Path(home)))
    if what == "comment":
        comment(Book(store, Money(None, "EUR")), name, int(times))
    else:
        make(store, 50, int(times))
