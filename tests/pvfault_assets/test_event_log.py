"""The event log whose files stay open, against Dagster's own on the same files."""

import shutil
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from pvfault.settings import Settings
from pvfault_assets.event_log import FILES_OPEN, OpenEventLog
from pvfault_assets.instance import open_instance, prepare_dagster_home


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="counted")])
def counted():
    yield dg.MaterializeResult(metadata={"rows": 7})
    yield dg.AssetCheckResult(passed=False, check_name="is_there")


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environment({"PVFAULT_HOME": str(tmp_path / "home")}, tmp_path)


def history(home: Path) -> Path:
    """Where Dagster keeps events if nothing else is said."""
    return home / "history" / "runs"


def latest_rows(storage) -> int:
    """The rows that the newest materialisation of `counted` tells of."""
    (record,) = storage.get_asset_records([dg.AssetKey("counted")])
    return record.asset_entry.last_materialization.asset_materialization.metadata["rows"].value


def test_what_it_keeps_is_read_by_dagsters_own_storage_and_the_other_way_round(settings):
    """A user who takes the entry out of dagster.yaml keeps all history, and one of an older release gains it."""
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, OpenEventLog)
        run = dg.materialize([counted], instance=instance).run_id
        kept = [entry.message for entry in instance.all_logs(run)]
        own = SqliteEventLogStorage(str(history(settings.home / "dagster")))
        assert [entry.message for entry in own.get_logs_for_run(run)] == kept
        assert latest_rows(own) == 7
        check = dg.AssetCheckKey(dg.AssetKey("counted"), "is_there")
        assert own.get_latest_asset_check_execution_by_key([check])[check].status.value == "FAILED"


def test_history_of_many_runs_leaves_no_more_files_open_than_are_of_use(settings):
    """A page that is looked at all day would run out of files."""
    with open_instance(settings) as instance:
        runs = [dg.materialize([counted], instance=instance).run_id for _ in range(FILES_OPEN + 3)]
        assert all(instance.all_logs(run) for run in runs)
        logs = {file.path for file in psutil.Process().open_files() if file.path.endswith(".db")}
        of_events = {path for path in logs if Path(path).parent == history(settings.home / "dagster").resolve()}
        assert 0 < len(of_events) <= FILES_OPEN
    left = {file.path for file in psutil.Process().open_files()}
    assert not of_events & left


def test_a_state_folder_that_has_moved_keeps_its_history(settings, tmp_path):
    """Dagster would begin an empty history in the old place without a word."""
    with open_instance(settings) as instance:
        run = dg.materialize([counted], instance=instance).run_id
    moved = tmp_path / "moved"
    shutil.move(settings.home, moved)
    settings = Settings.from_environment({"PVFAULT_HOME": str(moved)}, tmp_path)
    with open_instance(settings) as instance:
        assert instance.all_logs(run)
    assert not (tmp_path / "home").exists()


def test_what_a_user_has_changed_in_dagsters_settings_stays(settings):
    configuration = prepare_dagster_home(settings) / "dagster.yaml"
    theirs = configuration.read_text().replace("max_concurrent_runs: 1", "max_concurrent_runs: 2")
    configuration.write_text(theirs)
    prepare_dagster_home(settings)
    assert configuration.read_text() == theirs


def test_an_event_does_not_wait_for_the_disk(settings):
    with open_instance(settings) as instance:
        run = dg.materialize([counted], instance=instance).run_id
        with instance.event_log_storage.run_connection(run) as connection:
            (synchronous,) = connection.exec_driver_sql("PRAGMA synchronous").one()
            (journal,) = connection.exec_driver_sql("PRAGMA journal_mode").one()
    assert (synchronous, journal) == (1, "wal")  # with a journal of its own a file stays whole all the same
