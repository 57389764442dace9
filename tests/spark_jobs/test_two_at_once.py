"""Tables of a laptop that several processes use at once: each gets its turn, and nobody reads a mixture."""

import os
import sqlite3
import subprocess
import sys
import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyiceberg.exceptions import NoSuchTableError

from pvfault.errors import PvfaultError, TransientError
from pvfault.iceberg_files import DamagedTableError
from pvfault.tables import READINGS
from spark_jobs import catalog, publishing, scans
from spark_jobs.session import start_session
from spark_jobs.transient import raised_as_transient
from tests.conftest import JARS, OF_JAVA, PROJECT
from tests.pvfault_api.helpers import day_of, make_table
from tests.spark_jobs.helpers import DEVICES, load, make_readings, rows_of, stage_table

pytestmark = pytest.mark.spark

DAY = date(2024, 8, 1)
OWN = [DAY - timedelta(days=1), DAY + timedelta(days=1)]

_MAKE_DATES = """
import os, pathlib, sys
from datetime import date
from pvfault.errors import TransientError
from pvfault.settings import Settings
from pvfault.tables import READINGS
from spark_jobs import catalog, publishing
from spark_jobs.session import start_session
from spark_jobs.transient import raised_as_transient
from tests.spark_jobs.helpers import make_readings, stage_table

devices, *days = sys.argv[1:]
spark = start_session(Settings.from_environment(os.environ, pathlib.Path.cwd()))
spark.range(1).collect()
print("ready", flush=True)
sys.stdin.readline()
catalog.create_tables(spark)

def stage(day):
    return stage_table(spark, make_readings(day, devices.split(","), 600), READINGS, day)

def is_published(staged):
    try:
        with raised_as_transient():
            publishing.publish(spark, staged)
    except TransientError as error:
        if "another run has made the same date" not in str(error):
            raise
        return False
    return True

again = 0
for day in map(date.fromisoformat, days):
    staged = stage(day)
    print("staged", flush=True)
    sys.stdin.readline()
    while not is_published(staged):
        again += 1
        staged = stage(day)
print(again, flush=True)
"""


@pytest.fixture
def writers(make_settings, tmp_path):
    """Two processes that have a session and no tables yet, and wait for a line before they go on."""
    settings = make_settings(tmp_path / "a home")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "PVFAULT_JARS": JARS,
                   "PVFAULT_HOME": str(settings.home), **OF_JAVA}  # fmt: skip
    fleets = [DEVICES[:1], DEVICES[1:]]
    logs = [(tmp_path / f"log{number}").open("w+") for number in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKE_DATES, ",".join(fleet), *map(str, [own, DAY, DAY, DAY])],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )
        for fleet, own, log in zip(fleets, OWN, logs, strict=True)
    ]  # fmt: skip
    yield settings, fleets, processes, logs
    for process, log in zip(processes, logs, strict=True):
        process.kill()
        process.communicate()
        log.close()


def test_two_first_runs_make_one_date_and_neighbouring_ones_while_somebody_counts(writers):
    """Both have staged each time before one of them publishes: who comes second has to make the date again."""
    settings, fleets, processes, logs = writers
    seen = set()

    def count():
        for day in (*OWN, DAY):
            try:
                rows = rows_of(settings, READINGS, day)
            except NoSuchTableError:
                continue
            seen.add((day, len(rows), frozenset(rows["deviceID"].to_pylist())))

    counting = threading.Event()
    reader = threading.Thread(target=lambda: [count() for _ in iter(counting.is_set, True)])

    def all_say(expected):
        for process, log in zip(processes, logs, strict=True):
            assert process.stdout.readline() == f"{expected}\n", Path(log.name).read_text()[-3000:]

    def all_go_on():
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()

    all_say("ready")
    reader.start()
    try:
        all_go_on()
        for _ in range(4):
            all_say("staged")
            all_go_on()
        made_again = [process.stdout.readline() for process in processes]
        for process, log in zip(processes, logs, strict=True):
            assert process.wait(120) == 0, Path(log.name).read_text()[-3000:]
    finally:
        counting.set()
        reader.join()
    count()
    sizes = [144 * len(fleet) for fleet in fleets]
    whole = {(n, frozenset(fleet)) for n, fleet in zip(sizes, fleets, strict=True)} | {(0, frozenset())}
    assert {(n, devices) for _, n, devices in seen} <= whole
    assert [len(rows_of(settings, READINGS, day)) for day in OWN] == sizes
    assert len(rows_of(settings, READINGS, DAY)) in sizes
    assert sum(map(int, made_again)) >= 3, "what was audited beside other rows than the table has by now was published"
    assert len(load(settings, READINGS).history()) >= 8


@pytest.fixture
def tables(spark):
    catalog.create_tables(spark)
    return spark


@pytest.fixture
def held(lake_settings):
    """A connection to the catalog by which the test holds it, as a backup or another run does."""
    holder = sqlite3.connect(lake_settings.catalog, isolation_level=None, check_same_thread=False)
    yield holder
    holder.close()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_catalog_that_is_held_for_seconds_is_waited_for(tables, lake_settings, held, how):
    """SQLite's driver for Java gives up after 3 s by itself, and at once if it has not closed an earlier query."""
    day = DAY + timedelta(days=10)
    staged = stage_table(tables, make_readings(day, DEVICES[:1], 600), READINGS, day)
    held.execute(f"BEGIN {how}")
    release = threading.Timer(5, held.rollback)
    release.start()
    publishing.publish(tables, staged)
    release.join()
    assert len(rows_of(lake_settings, READINGS, day)) == 144


def test_a_session_holds_the_catalog_for_nobody_else(tables, lake_settings, held):
    """A query that is not closed is a lock on the file for as long as the session lasts."""
    scans.count_rows(tables, READINGS, DAY)
    held.execute("PRAGMA busy_timeout = 0")
    held.execute("BEGIN EXCLUSIVE")


def test_a_catalog_that_stays_held_is_said_in_one_sentence(tables, lake_settings, held):
    held.execute("BEGIN EXCLUSIVE")
    connection = tables._jvm.java.sql.DriverManager.getConnection(f"jdbc:sqlite:{lake_settings.catalog}?busy_timeout=1")
    try:
        with (
            pytest.raises(TransientError, match=r"^another process has held the catalog .*SQLITE_BUSY") as raised,
            raised_as_transient(),
        ):
            connection.createStatement().executeUpdate("DELETE FROM iceberg_tables")
    finally:
        connection.close()
    assert "\n" not in str(raised.value)


def test_no_session_starts_beside_tables_that_the_catalog_does_not_know(make_settings, tmp_path):
    settings = make_settings(tmp_path)
    make_table(settings, [day_of("INV0000001", 1, "none")])
    settings.catalog.write_bytes(b"")
    with pytest.raises(PvfaultError, match=r"holds the tables device_days.*pvfault catalog restore"):
        start_session(settings)
    assert settings.catalog.read_bytes() == b""


@pytest.mark.parametrize("kind", ["manifest list", "manifest"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_list_of_files_that_is_cut_off_is_neither_read_nor_built_upon(tables, lake_settings, kind, share):
    day = DAY + timedelta(days=20)
    readings = make_readings(day, DEVICES[:1], 600)
    publishing.publish(tables, stage_table(tables, readings, READINGS, day))
    table = load(lake_settings, READINGS)
    snapshot = table.current_snapshot()
    location = snapshot.manifest_list if kind == "manifest list" else snapshot.manifests(table.io)[0].manifest_path
    path = Path(location.removeprefix("file:").replace("///", "/"))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        for use in (
            lambda: scans.count_rows(tables, READINGS, day),
            lambda: scans.read(tables, READINGS, day),
            lambda: scans.read_file_by_file(tables, READINGS, day, ["deviceID"], 1000),
            lambda: scans.read_large_rows(tables, READINGS, day, 1000),
            lambda: stage_table(tables, readings, READINGS, day),
        ):
            with pytest.raises(DamagedTableError, match=rf"the table readings: the {kind} .*{path.name}"):
                use()
    finally:
        path.write_bytes(content)
    assert scans.count_rows(tables, READINGS, day) == 144
