"""`pvfault catalog restore`: the way back from a catalog that is lost, and from a table of which a file is."""

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


def test_the_catalog_of_aws_is_not_restored_here():
    refused = run("catalog", "restore", env=ON_AWS)
    assert (refused.exit_code, "the catalog is Glue's" in refused.stderr) == (2, True)
