"""`pvfault catalog`: its backup, the way back from a catalog that is lost, and from a table of which a file is."""

import sqlite3
import threading
from contextlib import closing
from datetime import date

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.errors import PvfaultError
from pvfault.tables import DEVICE_DAYS
from pvfault_api.published import read_dates
from tests.pvfault.test_settings import ON_AWS
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_cli.test_main import run

DAYS = [date(2024, 6, day) for day in (1, 2, 3)]


@pytest.fixture
def settings(make_settings, tmp_path):
    """A home with the verdicts of three dates, each a commit of its own."""
    settings = make_settings(tmp_path / "a home")
    make_table(settings, *([day_of("INV0000001", day.day, "none")] for day in DAYS))
    return settings


@pytest.fixture
def restore(settings):
    """The command, for the tables of the test."""
    return lambda: run("catalog", "restore", env={"PVFAULT_HOME": str(settings.home)})


def days_of(settings):
    return read_dates(settings, DEVICE_DAYS, DAYS)["date"].to_pylist()


def newest(settings, pattern):
    """The newest file of a table with such a name."""
    return max(settings.warehouse.rglob(pattern), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_catalog_that_is_gone_or_emptied_is_made_again(settings, restore, damage):
    damage(settings.catalog)
    with pytest.raises(PvfaultError, match="pvfault catalog restore"):
        days_of(settings)
    done = restore()
    assert done.exit_code == 0, done.output
    assert f"device_days: restored, as of {date.today():%Y-%m-}" in done.stdout
    assert newest(settings, "*.metadata.json").name in done.stdout
    assert days_of(settings) == DAYS
    again = restore()
    assert again.stdout == done.stdout.replace("restored", "known already")
    # and the table goes on from there, for whoever writes it
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}") as catalog:
        catalog.load_table("pvfault.device_days").delete("date = '2024-06-02'")
    assert days_of(settings) == [DAYS[0], DAYS[2]]


def test_a_catalog_that_is_no_database_is_to_be_moved_away_first(settings, restore):
    """It may be somebody's file, and nothing says that it is of no use to them."""
    settings.catalog.write_bytes(b"x" * 9000)
    refused = restore()
    assert refused.exit_code == 2
    assert "move it away" in refused.stderr
    settings.catalog.rename(settings.home / "damaged.db")
    assert restore().exit_code == 0
    assert days_of(settings) == DAYS


@pytest.mark.parametrize("pattern", ["*.metadata.json", "snap-*.avro", "*-m0.avro"])
def test_a_table_goes_back_to_the_last_state_that_is_whole(settings, restore, pattern):
    path = newest(settings, pattern)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PvfaultError, match=path.name):
        days_of(settings)
    done = restore()
    assert done.exit_code == 0, done.output
    assert "passed over" in done.stderr
    assert path.name in done.stderr
    assert "Materialise the dates again that were made later than that" in done.stderr
    assert days_of(settings) == DAYS[:2]


def test_of_a_table_that_went_back_and_on_again_the_newest_state_is_found(settings, restore):
    """The states that were given up have the higher numbers."""
    newest(settings, "snap-*.avro").write_bytes(b"")
    assert restore().exit_code == 0
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}") as catalog:
        catalog.load_table("pvfault.device_days").delete("date = '2024-06-01'")
    settings.catalog.unlink()
    assert restore().exit_code == 0
    assert days_of(settings) == [DAYS[1]]


def test_a_table_without_any_whole_state_is_said_and_may_be_begun_anew(settings, restore):
    for path in settings.warehouse.rglob("*-m0.avro"):
        path.write_bytes(b"")
    for path in settings.warehouse.rglob("00000-*.metadata.json"):  # the table before its first row
        path.unlink()
    refused = restore()
    assert refused.exit_code == 2
    assert "No state of device_days is whole" in refused.stderr
    (settings.warehouse / "pvfault" / "device_days").rename(settings.home / "device_days")
    with pytest.raises(PvfaultError, match="there is no table device_days yet"):
        days_of(settings)


def test_without_tables_there_is_nothing_to_restore(make_settings, tmp_path):
    refused = run("catalog", "restore", env={"PVFAULT_HOME": str(tmp_path)})
    assert (refused.exit_code, "there are no tables in" in refused.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["restore"], ["backup", "copy.db"]])
def test_the_catalog_of_aws_is_not_looked_after_here(command):
    refused = run("catalog", *command, env=ON_AWS)
    assert (refused.exit_code, "the catalog is Glue's" in refused.stderr) == (2, True)


@pytest.fixture
def catalog(settings):
    """The commands, for the tables of the test."""
    return lambda *arguments: run("catalog", *arguments, env={"PVFAULT_HOME": str(settings.home)})


def test_a_backup_is_put_back_and_says_what_it_does_not_know(settings, catalog, tmp_path):
    """Back it goes to the backup's moment, and on from there; nothing later is lost in silence."""
    copy = tmp_path / "copy.db"
    done = catalog("backup", copy)
    assert (done.exit_code, done.stdout) == (0, f"{copy}: device_days.\n"), done.output
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}") as tables:
        tables.load_table("pvfault.device_days").delete("date = '2024-06-01'")
    settings.catalog.write_bytes(b"no database any more" * 50)
    settings.catalog.with_name(f"{settings.catalog.name}-journal").write_bytes(b"of a process that was killed")
    restored = catalog("restore", "--from", copy)
    assert restored.exit_code == 0, restored.output
    assert "which the backup does not" in restored.stderr
    assert days_of(settings) == DAYS
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}") as tables:
        tables.load_table("pvfault.device_days").delete("date = '2024-06-02'")
    assert days_of(settings) == [DAYS[0], DAYS[2]]
    assert "there is no folder" in catalog("backup", tmp_path / "absent" / "copy.db").stderr


def test_a_backup_beside_a_writer_is_of_one_moment(settings, catalog, tmp_path):
    stop, problems = threading.Event(), []

    def write():
        with closing(sqlite3.connect(settings.catalog, timeout=60, isolation_level=None)) as writer:
            number = 0
            while not stop.wait(0.005):
                # Pages at both ends of the file change in one commit.
                writer.execute("BEGIN IMMEDIATE")
                for name in (f"first{number % 9}", f"second{number % 9}"):
                    writer.execute(
                        "INSERT OR REPLACE INTO iceberg_namespace_properties VALUES ('lake', ?, 'key', ?)",
                        (name, f"{number:03000}"),
                    )
                writer.execute("COMMIT")
                number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(5):
            copy = tmp_path / f"copy{number}.db"
            done = catalog("backup", copy)
            assert done.exit_code == 0, done.output
            with closing(sqlite3.connect(copy)) as found:
                problems += [row for row in found.execute("PRAGMA integrity_check") if row != ("ok",)]
                assert found.execute("SELECT table_name FROM iceberg_tables").fetchall() == [("device_days",)]
                both = "SELECT max(property_value) FROM iceberg_namespace_properties WHERE namespace GLOB ?"
                first, second = (found.execute(both, (name,)).fetchone() for name in ("first*", "second*"))
                assert first == second
    finally:
        stop.set()
        writing.join()
    assert problems == []


def test_a_good_backup_is_not_replaced_by_a_catalog_that_is_lost(settings, catalog, tmp_path):
    copy = tmp_path / "copy.db"
    assert catalog("backup", copy).exit_code == 0
    before = copy.read_bytes()
    settings.catalog.write_bytes(b"")
    refused = catalog("backup", copy)
    assert (refused.exit_code, "pvfault catalog restore" in refused.stderr) == (2, True)
    assert copy.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy.db"]


@pytest.mark.parametrize("content", [None, b"", b"x" * 9000])
def test_what_is_no_backup_leaves_the_catalog_as_it_is(settings, catalog, tmp_path, content):
    copy = tmp_path / "copy.db"
    if content is not None:
        copy.write_bytes(content)
    before = settings.catalog.read_bytes()
    refused = catalog("restore", "--from", copy)
    assert (refused.exit_code, str(copy) in refused.stderr) == (2, True)
    assert settings.catalog.read_bytes() == before
