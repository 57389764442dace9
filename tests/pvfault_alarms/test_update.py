"""From the tables to alarms, beside what was written down by hand."""

import pytest
import sqlalchemy as sa

from pvfault_alarms.book import Wanted
from pvfault_alarms.life import Action
from pvfault_alarms.schema import ALARMS, LOG, SIGHTINGS
from pvfault_alarms.update import update
from tests.pvfault_alarms.helpers import day, row

# What is drawn, and by hand which alarm each date belongs to; at the end whether the last one is over. The plant's
# dates end where the drawing does.
BY_HAND = {
    "one date": ("..C..", "  1  ", "goes on"),
    "over after three": (".C...", " 1   ", "over"),
    "not after two": ("..C..", "  1  ", "goes on"),
    "goes on over two": ("C..C.", "1  1 ", "goes on"),
    "another after three": ("C...C", "1   2", "goes on"),
    "unknown is not clean": ("C?.?C", "1   1", "goes on"),
    "no row is not clean": ("C    C", "1    1", "goes on"),
    "three among unknown": ("C.?.?.C", "1     2", "goes on"),
    "unknown at the end": ("..C????", "  1    ", "goes on"),
    "both shorts are one": ("LGGLL", "11111", "goes on"),
    "other faults are others": ("CCSCC", "11211", "goes on"),
    "outage": (".OO..", " 11  ", "over"),
    "outage again": ("O.O..", "1 2  ", "over"),
    "outage goes on over nothing": ("O   O", "1   1", "goes on"),
    "fault over an outage": ("COOOC", "12221", "goes on"),
    "healthy": (".....", "     ", "none"),
    "never judged": ("?????", "     ", "none"),
}


def alarms_of(book, device):
    return sorted(book.find(Wanted(devices=[device]), {}), key=lambda alarm: alarm["id"])


def dates_of(store, alarm):
    with store.reading() as connection:
        return set(connection.scalars(sa.select(SIGHTINGS.c.date).where(SIGHTINGS.c.alarm_id == alarm["id"])))


@pytest.mark.parametrize("at_most", [None, 1])
def test_dates_become_alarms_as_written_by_hand(settings, tables, store, book, at_most):
    """All drawings are devices of one plant; each ends on its own last date, so shorter ones begin later."""
    longest = max(len(drawn) for drawn, _, _ in BY_HAND.values())
    devices = {f"D{n}": case for n, case in enumerate(BY_HAND.values())}
    tables.draw(**{device: drawn.rjust(longest) for device, (drawn, _, _) in devices.items()})
    while update(settings, store, at_most=at_most).waiting:
        pass
    for device, (drawn, expected, ending) in devices.items():
        alarms, offset = alarms_of(book, device), longest - len(drawn)
        by_date = {when: n for n, alarm in enumerate(alarms) for when in dates_of(store, alarm)}
        found = [by_date.get(day(offset + n)) for n in range(len(drawn))]
        names = {}
        assert "".join(" " if n is None else str(names.setdefault(n, len(names) + 1)) for n in found) == expected, drawn
        last = max(alarms, key=lambda alarm: alarm["last_seen"], default=None)
        assert ((last and ("over" if last["over"] else "goes on")) or "none") == ending, drawn


def test_after_a_month_without_a_word_it_is_another_alarm(settings, tables, store, book):
    for device, apart in (("D0", 30), ("D1", 31)):
        for number in (0, apart):
            tables.make(day(100 * int(device[1]) + number), row(device, day(100 * int(device[1]) + number), "C"))
    update(settings, store)
    assert [len(alarms_of(book, device)) for device in ("D0", "D1")] == [1, 2]


def test_an_alarm_says_what_its_days_say(settings, tables, store, book):
    tables.make(day(0), row("D1", day(0), "L", hours=3, confidence=0.5, lost=1.0, runner_up="arc_fault"))
    tables.make(day(1), row("D1", day(1), "G", hours=7, confidence=0.75, lost=None, runner_up="none"))
    tables.make(day(2), row("D1", day(2), "G", hours=2, confidence=0.25, lost=4.5, runner_up="line_line"))
    update(settings, store)
    (alarm,) = book.find(Wanted(), {"D1": "Nord"})
    expected = {
        "deviceID": "D1", "site": "Nord", "kind": "fault", "fault": "line_ground", "runner_up": "none",
        "confidence": 0.75, "first_seen": day(0), "last_seen": day(2), "days": 3, "lost_kwh": 5.5,
        "lost_kwh_a_day": 2.75, "money": 1.375, "money_a_day": 0.6875, "currency": "EUR", "state": "open",
        "muted_until": None, "cause": None, "over": False,
    }  # fmt: skip
    assert alarm | expected == alarm
    assert alarm["onset"].isoformat() == "2024-06-01T06:00:00+00:00"


def everything(store):
    """All rows of the database that people see."""
    with store.reading() as connection:
        return [connection.execute(sa.select(table)).all() for table in (ALARMS, SIGHTINGS, LOG)]


def test_the_same_dates_read_twice_change_nothing(settings, tables, store, book):
    tables.draw(D1="CC...C", D2="OO.?LG")
    update(settings, store)
    before = everything(store)
    assert update(settings, store).dates == 0
    again = row("D1", day(1), "C") + row("D2", day(1), "O")
    tables.make(day(1), again)  # other files with the same rows
    done = update(settings, store)
    assert (done.dates, dict(done.events)) == (1, {})
    assert everything(store) == before
    tables.make(day(1), again)
    assert update(settings, store, at_most=0).waiting == 1


def test_a_verdict_taken_back_takes_back_what_nobody_has_touched(settings, tables, store, book):
    tables.draw(D1=".C.", D2=".C.")
    update(settings, store)
    (untouched,), (touched,) = alarms_of(book, "D1"), alarms_of(book, "D2")
    book.act(touched["id"], Action("acknowledge", "kim"), {})
    tables.make(day(1), row("D1", day(1), ".") + row("D2", day(1), "."))
    done = update(settings, store)
    assert done.events == {"withdrawn": 2}
    assert [alarm["id"] for alarm in book.find(Wanted(), {})] == [touched["id"]]
    kept = book.get(touched["id"], {})
    assert (kept["state"], kept["over"], kept["withdrawn"], kept["days"]) == ("acknowledged", True, True, 0)
    assert [(entry["by"], entry["action"]) for entry in kept["log"]] == [
        ("pvfault", "opened"), ("kim", "acknowledge"), ("pvfault", "withdrawn"),
    ]  # fmt: skip
    tables.make(day(1), row("D1", day(1), "C") + row("D2", day(1), "C"))
    assert update(settings, store).events == {"restored": 2}
    assert [alarm["id"] for alarm in alarms_of(book, "D1")] == [untouched["id"]]
    assert book.get(touched["id"], {})["days"] == 1


def test_a_date_that_the_tables_have_no_more_is_forgotten(settings, tables, store, book):
    tables.draw(D1="..C")
    update(settings, store)
    tables.remove(day(2))
    assert update(settings, store).events == {"withdrawn": 1}
    assert book.find(Wanted(), {}) == []


def test_dates_made_later_join_two_alarms_and_the_touched_one_stays(settings, tables, store, book):
    tables.draw(D1="CC....CC")
    update(settings, store)
    first, second = alarms_of(book, "D1")
    book.act(second["id"], Action("comment", "kim", "looked at it"), {})
    for number in (3, 4):
        tables.make(day(number), row("D1", day(number), "C"))
    update(settings, store)
    (alarm,) = alarms_of(book, "D1")
    assert (alarm["id"], alarm["first_seen"], alarm["days"]) == (second["id"], day(0), 6)
    assert [entry["action"] for entry in book.get(first["id"], {})["log"]] == ["opened", "withdrawn"]


def test_what_is_seen_after_an_alarm_was_closed_is_a_new_one(settings, tables, store, book):
    """A repair is told on a day of which the verdict is not made yet, and the fault shows in its morning."""
    tables.draw(D1="CC")
    update(settings, store)
    (closed,) = alarms_of(book, "D1")
    book.act(closed["id"], Action("close", "kim", cause="confirmed_fault"), {})
    tables.make(day(2), row("D1", day(2), "C"))
    assert update(settings, store).events == {}
    tables.make(day(3), row("D1", day(3), "C"))
    assert update(settings, store).events == {"opened": 1, "over": 1}
    old, new = alarms_of(book, "D1")
    assert (old["state"], old["days"], new["state"], new["days"]) == ("closed", 3, "open", 1)
    assert book.get(new["id"], {})["log"][0]["comment"] == f"seen before as alarm {old['id']}"


def test_an_old_date_made_again_opens_nothing_beside_a_closed_alarm(settings, tables, store, book):
    tables.draw(D1="C...")
    update(settings, store)
    (closed,) = alarms_of(book, "D1")
    book.act(closed["id"], Action("close", "kim", cause="maintenance"), {})
    tables.make(day(1), row("D1", day(1), "C"))
    update(settings, store)
    (alarm,) = alarms_of(book, "D1")
    assert (alarm["id"], alarm["state"], alarm["days"]) == (closed["id"], "closed", 2)


def test_what_is_over_is_over_for_devices_that_a_date_says_nothing_else_of(settings, tables, store, book):
    tables.draw(D1="C..")
    update(settings, store)
    assert not alarms_of(book, "D1")[0]["over"]
    tables.make(day(3), row("D1", day(3), "."))
    assert update(settings, store).events == {"over": 1}
    assert alarms_of(book, "D1")[0]["over"]
