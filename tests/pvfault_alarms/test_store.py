"""The database: what it is made of, what is kept when a process dies, and what is told when it cannot be used."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.exc import DBAPIError

from pvfault_alarms import store as store_module
from pvfault_alarms.book import Book, Money, Wanted
from pvfault_alarms.life import Action
from pvfault_alarms.schema import ALARMS, LOG, METADATA, SIGHTINGS
from pvfault_alarms.store import REVISION, Store, StoreError, migrate
from pvfault_alarms.update import take_in
from tests.conftest import PROJECT
from tests.pvfault_alarms.helpers import day, seen

_MIGRATIONS = Config()
_MIGRATIONS.set_main_option("script_location", str(PROJECT / "pvfault_alarms" / "migrations"))
_MIGRATIONS.set_main_option("path_separator", "os")
SCRIPTS = ScriptDirectory.from_config(_MIGRATIONS)
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request, make_settings, tmp_path):
    """Settings of an empty database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    return make_settings(tmp_path, PVFAULT_ALARMS_DATABASE=url)


def take(store, when, letters, making="1", before=None):
    with store.writing() as connection:
        return take_in(connection, {when: seen(when, letters, making)}, {when: before}, tells=False)


def start_writer(home, what, name="kim", times=10_000):
    command = [sys.executable, "-m", "tests.pvfault_alarms.writer", str(home.home), home.alarms_url or "", what, name]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*command, str(times)], cwd=PROJECT, **pipes)


def comments(store):
    with store.reading() as connection:
        return connection.scalars(sa.select(LOG.c.comment).where(LOG.c.action == "comment").order_by(LOG.c.id)).all()


def test_the_newest_form_is_what_the_code_reads_and_writes(home):
    assert REVISIONS[-1] == REVISION
    store = Store(home)
    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_older_form_comes_to_the_newest_and_keeps_what_it_has(home, revision):
    older = Store(home)
    if older._path:
        store_module._create_file(older._path)
    with older._transaction() as connection:
        migrate(connection, revision)
        connection.execute(sa.text(
            "INSERT INTO alarms (id, device, subject, kind, first_seen, last_seen, days, lost_days, \"over\") "
            "VALUES (7, 'D1', 'short', 'fault', '2024-06-01', '2024-06-02', 2, 0, false)"
        ))  # fmt: skip
    (alarm,) = Book(Store(home), Money(None, "EUR")).find(Wanted(), {})
    assert (alarm["id"], alarm["deviceID"], alarm["state"], alarm["days"]) == (7, "D1", "open", 2)


def test_a_database_of_a_newer_pvfault_is_refused(home):
    with Store(home).writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="has the form 9999"), Store(home).reading():
        pass


@pytest.mark.parametrize("change", ["UPDATE log SET comment = ''", "DELETE FROM log"])
def test_the_log_cannot_be_changed(home, change):
    store = Store(home)
    take(store, day(0), {"D1": "C"})
    # The words of the database: PostgreSQL's P0001, SQLite's "constraint failed".
    with pytest.raises((DBAPIError, StoreError), match="the log is only added to"), store.writing() as connection:
        connection.execute(sa.text(change))
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(LOG)) == 1


def test_the_database_may_be_dagster_s_as_well(make_settings, tmp_path, postgres_url):
    """Both keep the revision of their tables in `alembic_version`: the other's looked like that of a newer pvfault."""
    address = postgres_url.replace("postgresql:", "postgresql+psycopg2:")
    dagster = DagsterPostgresStorage(address)
    store = Store(make_settings(tmp_path, PVFAULT_ALARMS_DATABASE=postgres_url))
    take(store, day(0), {"D1": "C"})
    assert [alarm["deviceID"] for alarm in Book(store, Money(None, "EUR")).find(Wanted(), {})] == ["D1"]
    assert dagster.run_storage.get_runs() == []
    # Dagster looks at its revision when it starts.
    assert DagsterPostgresStorage(address).run_storage.get_runs() == []


def test_two_databases_come_to_the_same(make_settings, tmp_path, postgres_url):
    found = []
    for name, url in (("one", ""), ("other", postgres_url)):
        settings = make_settings(tmp_path / name, PVFAULT_ALARMS_DATABASE=url)
        settings.home.mkdir()
        store = Store(settings)
        for number, letters in enumerate(["CL", "CO", ".O", "??", ".G", ".."]):
            take(store, day(number), dict(zip(("D1", "D2"), letters, strict=True)))
        book = Book(store, Money(0.1, "EUR"))
        book.act(1, Action("close", "kim", "<b>“Nord” 漢字 🔌</b>", cause="other_fault", fault="arc_fault"), {})
        take(store, day(1), {"D1": ".", "D2": "."}, "2", "1")
        rows = sorted(book.find(Wanted(), {}), key=lambda row: row["id"])
        log = [entry | {"at": None} for row in rows for entry in book.get(row["id"], {})["log"]]
        found.append((rows, log))
    assert found[0] == found[1]
    assert found[0][0]


def test_what_was_answered_is_kept_when_the_process_is_killed(home):
    store = Store(home)
    take(store, day(0), {"D1": "C"})
    answered = 0
    for pause in (0.05, 0.15, 0.3):
        with start_writer(home, "comment") as writer:
            first = writer.stdout.readline()
            assert first, writer.stderr.read()
            time.sleep(pause)
            writer.kill()
            answered += 1 + len(writer.stdout.readlines())
        kept = comments(Store(home))
        # One more may have been kept, and its answer was on the way.
        assert answered <= len(kept) <= answered + 3
        answered = len(kept)


def test_a_date_that_is_half_taken_in_is_not_there_when_the_process_is_killed(home):
    store = Store(home)
    take(store, day(0), {"D0": "C"})
    with start_writer(home, "make") as writer:
        assert writer.stdout.readline(), writer.stderr.read()
        time.sleep(0.2)
        writer.kill()
        writer.communicate()
    with Store(home).reading() as connection:
        made = connection.scalar(sa.text("SELECT count(*) FROM dates WHERE date = '2024-06-02'"))
        sightings = connection.scalar(sa.select(sa.func.count()).where(SIGHTINGS.c.date == day(1)))
        days = connection.scalar(sa.select(sa.func.sum(ALARMS.c.days)))
    assert made == 1
    assert sightings in (0, 50)
    assert days == 1 + sightings


def test_two_who_write_at_once_lose_nothing(home):
    store = Store(home)
    take(store, day(0), {"D1": "C"})
    with start_writer(home, "comment", "kim", 30) as one, start_writer(home, "comment", "sam", 30) as other, \
         start_writer(home, "make", "", 10) as third, start_writer(home, "make", "", 10) as fourth:  # fmt: skip
        for writer in (one, other, third, fourth):
            _, errors = writer.communicate(timeout=120)
            assert writer.returncode == 0, errors
    kept = comments(store)
    for name in ("kim", "sam"):
        assert [text for text in kept if text.startswith(name)] == [f"{name} {number}" for number in range(30)]
    with store.reading() as connection:
        names = connection.execute(sa.select(ALARMS.c.device, ALARMS.c.subject)).all()
    assert len(names) == len(set(names))


def test_two_who_make_the_database_at_once_make_one(home):
    with start_writer(home, "make", "", 1) as one, start_writer(home, "make", "", 1) as other:
        for writer in (one, other):
            _, errors = writer.communicate(timeout=120)
            assert writer.returncode == 0, errors
    with Store(home).reading() as connection:
        assert connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all() == [REVISION]


def test_a_database_that_somebody_holds_is_told_and_nothing_is_written(settings, store, book, monkeypatch):
    take(store, day(0), {"D1": "C"})
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(settings.home / "alarms.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            book.act(1, Action("comment", "kim", "now"), {})
        assert [entry["action"] for entry in book.get(1, {})["log"]] == ["opened"]  # who reads does not wait
    book.act(1, Action("comment", "kim", "then"), {})
    assert comments(store) == ["then"]


def test_a_database_that_is_gone_is_not_made_anew_behind_the_back(settings, store, book):
    take(store, day(0), {"D1": "C"})
    file = settings.home / "alarms.db"
    away = file.rename(settings.home / "away.db")
    with pytest.raises(StoreError, match="unable to open"):
        book.act(1, Action("comment", "kim", "?"), {})
    assert not file.exists()
    away.rename(file)
    assert [entry["action"] for entry in book.get(1, {})["log"]] == ["opened"]


def test_a_file_that_is_no_database_is_left_as_it_is(settings, store):
    file = settings.home / "alarms.db"
    file.write_bytes(b"no database at all, but a letter to somebody " * 50)
    with pytest.raises(StoreError, match="not a database"), store.reading():
        pass
    assert file.read_bytes().startswith(b"no database")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which root alone can")
def test_who_may_not_write_can_look(make_settings):
    with tempfile.TemporaryDirectory(prefix="pvfault-alarms-") as folder:
        home = Path(folder) / "home"
        settings = make_settings(home)
        home.mkdir()
        store = Store(settings)
        take(store, day(0), {"D1": "C"})
        for path in (Path(folder), home):
            path.chmod(0o777)
        (home / "alarms.db").chmod(0o444)
        os.seteuid(65534)
        try:
            book = Book(Store(settings), Money(None, "EUR"))
            assert len(book.find(Wanted(), {})) == 1
            with pytest.raises(StoreError, match="readonly"):
                book.act(1, Action("comment", "kim", "?"), {})
        finally:
            os.seteuid(0)
        assert comments(store) == []
        shutil.rmtree(home)


def test_a_password_is_not_told(make_settings, tmp_path, closed_port):
    url = f"postgresql://crew:geheim@127.0.0.1:{closed_port}/alarms"
    settings = make_settings(tmp_path, PVFAULT_ALARMS_DATABASE=url)
    with pytest.raises(StoreError) as told, Store(settings).reading():
        pass
    assert "geheim" not in str(told.value) + repr(settings)
