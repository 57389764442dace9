"""What may be done with an alarm, beside a table that was written by hand, and in any order."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pvfault.settings import Settings
from pvfault_alarms.book import Book, Money, NoAlarmError, Wanted
from pvfault_alarms.life import Action, Standing, WrongStateError, act
from pvfault_alarms.schema import ALARMS, DATES, LOG, SIGHTINGS
from pvfault_alarms.store import Store
from pvfault_alarms.update import take_in
from tests.pvfault_alarms.helpers import day, seen

NOW = datetime(2024, 6, 10, 12)
LATER = NOW + timedelta(hours=1)
FROM_TO = {
    ("open", "acknowledge"): "acknowledged",
    ("open", "mute"): "muted",
    ("open", "close"): "closed",
    ("open", "comment"): "open",
    ("acknowledged", "mute"): "muted",
    ("acknowledged", "close"): "closed",
    ("acknowledged", "comment"): "acknowledged",
    ("muted", "acknowledge"): "acknowledged",
    ("muted", "mute"): "muted",
    ("muted", "close"): "closed",
    ("muted", "reopen"): "open",
    ("muted", "comment"): "muted",
    ("closed", "reopen"): "open",
    ("closed", "comment"): "closed",
}
STATES, NAMES = ("open", "acknowledged", "muted", "closed"), ("acknowledge", "mute", "close", "reopen", "comment")


def standing(state):
    return Standing(
        state,
        muted_until=LATER if state == "muted" else None,
        cause="maintenance" if state == "closed" else None,
        closed_through=NOW.date() if state == "closed" else None,
    )


def action(name):
    return Action(name, "kim", "why", LATER if name == "mute" else None, "false_alarm" if name == "close" else None)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", NAMES)
def test_each_action_fits_some_states(state, name):
    if (state, name) not in FROM_TO:
        with pytest.raises(WrongStateError, match=f"the alarm is {state}"):
            act(standing(state), action(name), now=NOW, closes_through=NOW.date())
        return
    after = act(standing(state), action(name), now=NOW, closes_through=NOW.date())
    assert after.state == FROM_TO[state, name]
    assert (after.muted_until is None) == (after.state != "muted")
    assert (after.cause is None) == (after.closed_through is None) == (after.state != "closed")


def test_a_muted_alarm_opens_by_itself(store, book):
    with store.writing() as connection:
        take_in(connection, {day(0): seen(day(0), {"D1": "C"})}, {}, tells=False)
    (alarm,) = book.find(Wanted(), {})
    until = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    muted = book.act(alarm["id"], Action("mute", "kim", until=until), {})
    assert (muted["state"], muted["muted_until"]) == ("muted", until.replace(tzinfo=UTC))
    version = book.version()
    with store.writing() as connection:  # as if an hour had passed
        connection.execute(sa.update(ALARMS).values(muted_until=until - timedelta(hours=2)))
    assert book.version() != version
    assert [one["id"] for one in book.find(Wanted(states=["open"]), {})] == [alarm["id"]]
    assert book.find(Wanted(states=["muted"]), {}) == []
    assert book.act(alarm["id"], Action("acknowledge", "kim"), {})["state"] == "acknowledged"


def test_nothing_is_written_of_what_does_not_fit(store, book):
    with store.writing() as connection:
        take_in(connection, {day(0): seen(day(0), {"D1": "C"})}, {}, tells=False)
    (alarm,) = book.find(Wanted(), {})
    before = book.get(alarm["id"], {})
    with pytest.raises(WrongStateError):
        book.act(alarm["id"], Action("reopen", "kim"), {})
    assert book.get(alarm["id"], {}) == before
    with pytest.raises(NoAlarmError):
        book.act(alarm["id"] + 1, Action("comment", "kim", "?"), {})


def test_an_alarm_is_not_opened_again_beside_a_newer_one(store, book):
    """Two alarms would be of one fault."""
    for number, letter in enumerate("CCC"):
        with store.writing() as connection:
            take_in(connection, {day(number): seen(day(number), {"D1": letter})}, {}, tells=False)
        if number == 0:
            (old,) = book.find(Wanted(), {})
            book.act(old["id"], Action("close", "kim", cause="maintenance"), {})
    new, _ = book.find(Wanted(), {})
    with pytest.raises(WrongStateError, match=f"as alarm {new['id']}"):
        book.act(old["id"], Action("reopen", "kim"), {})


def by_hand(letters):
    """The alarms of a device, told date by date as somebody would who knows nothing of the code.

    Of letters by date; a date that is not there is not made. Gives (subject, first, last, days, over).
    """
    subject_of = {"L": "short", "G": "short", "C": "open_circuit", "S": "partial_shading", "A": "arc_fault"}
    found = []
    for subject in ("short", "open_circuit", "partial_shading", "arc_fault", "communication_outage"):
        is_outage, running = subject == "communication_outage", None
        for when in sorted(letters):
            letter = letters[when]
            if letter == " ":
                continue
            if running and (when - running["last"]).days > 30:
                found.append((running, True))
                running = None
            is_here = letter == "O" if is_outage else subject_of.get(letter) == subject
            says_no = not is_here and (is_outage or letter not in "?O")
            if is_here and not running:
                running = {"subject": subject, "first": when, "last": when, "days": 0, "clean": 0}
            if is_here:
                running |= {"last": when, "days": running["days"] + 1, "clean": 0}
            elif running and says_no:
                running["clean"] += 1
                if running["clean"] == (1 if is_outage else 3):
                    found.append((running, True))
                    running = None
        if running:
            found.append((running, (max(letters) - running["last"]).days >= 30))
    return sorted((one["subject"], one["first"], one["last"], one["days"], over) for one, over in found)


class AnyOrder(RuleBasedStateMachine):
    """Dates are made, made again and taken back in any order, while people do things with alarms."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        home = Path(self.folder.name)
        self.store = Store(Settings.from_environment({"PVFAULT_HOME": str(home)}, home))
        self.book = Book(self.store, Money(None, "EUR"))
        self.letters, self.makings, self.log, self.touched = {}, {}, [], set()

    def teardown(self):
        self.folder.cleanup()

    @initialize(letters=st.text("..CCLS?O ", min_size=1, max_size=12))
    def make_some(self, letters):
        for number, letter in enumerate(letters):
            self.make(day(number), letter)

    @rule(number=st.integers(0, 40), letter=st.sampled_from("...CCCLGSA?O "))
    def make_one(self, number, letter):
        self.make(day(number), letter)

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def make_the_same_again(self, data):
        when = data.draw(st.sampled_from(sorted(self.letters)))
        before = self.rows()
        self.make(when, self.letters[when])
        assert self.rows() == before

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def take_back(self, data):
        when = data.draw(st.sampled_from(sorted(self.letters)))
        with self.store.writing() as connection:
            take_in(connection, {when: None}, {when: self.makings[when]}, tells=True)
        del self.letters[when], self.makings[when]

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def do(self, data, name):
        numbers = self.numbers()
        if not numbers:
            return
        number = data.draw(st.sampled_from(numbers))
        before = self.book.get(number, {})["state"]
        until = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
        cause = "maintenance" if name == "close" else None
        what = Action(name, "kim", "", until if name == "mute" else None, cause)
        if (before, name) in FROM_TO and not (name == "reopen" and self.has_newer(number)):
            assert self.book.act(number, what, {})["state"] == FROM_TO[before, name]
            self.touched.add(number)
        else:
            with pytest.raises(WrongStateError):
                self.book.act(number, what, {})

    def has_newer(self, number):
        with self.store.reading() as connection:
            rows = {row.id: row for row in connection.execute(sa.select(ALARMS))}
        own = rows[number]
        return any(
            row.subject == own.subject and row.first_seen > own.last_seen and not row.withdrawn for row in rows.values()
        )

    def make(self, when, letter):
        making = str(int(self.makings.get(when, "0")) + 1)
        found = seen(when, {"D1": letter, "D2": "."}, making)
        with self.store.writing() as connection:
            take_in(connection, {when: found}, self.makings, tells=True)
        self.letters[when], self.makings[when] = letter, making

    def numbers(self):
        with self.store.reading() as connection:
            return sorted(connection.scalars(sa.select(ALARMS.c.id)))

    def rows(self):
        with self.store.reading() as connection:
            return [connection.execute(sa.select(table)).all() for table in (ALARMS, SIGHTINGS, LOG)]

    @invariant()
    def the_log_is_only_added_to(self):
        with self.store.reading() as connection:
            log = connection.execute(sa.select(LOG).order_by(LOG.c.id)).all()
        assert log[: len(self.log)] == self.log
        self.log = log

    @invariant()
    def what_somebody_has_touched_is_there(self):
        assert self.touched <= {alarm["id"] for alarm in self.book.find(Wanted(), {})}

    @invariant()
    def each_sighting_has_its_alarm(self):
        with self.store.reading() as connection:
            alarms = {row.id: row for row in connection.execute(sa.select(ALARMS))}
            rows = connection.execute(sa.select(SIGHTINGS).where(SIGHTINGS.c.subject != "no_verdict")).all()
            assert set(connection.scalars(sa.select(DATES.c.date))) == set(self.letters)
        for number, alarm in alarms.items():
            dates = sorted(row.date for row in rows if row.alarm_id == number)
            assert alarm.withdrawn == (not dates)
            assert alarm.days == len(dates)
            if dates:
                assert (alarm.first_seen, alarm.last_seen) == (dates[0], dates[-1])
            if alarm.closed_through and dates:
                assert dates[-1] <= alarm.closed_through
        for row in rows:
            assert alarms[row.alarm_id].subject == row.subject

    @invariant()
    def alarms_that_nobody_has_closed_are_as_told_by_hand(self):
        with self.store.reading() as connection:
            rows = connection.execute(sa.select(ALARMS)).all()
        closed = {row.subject for row in rows if row.closed_through}
        found = [
            (row.subject, row.first_seen, row.last_seen, row.days, row.over)
            for row in rows
            if not row.withdrawn and row.subject not in closed
        ]
        assert sorted(found) == [each for each in by_hand(self.letters) if each[0] not in closed]


AnyOrder.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestAnyOrder = AnyOrder.TestCase
