"""Ranges of dates in Dagster: what is recorded beside a bad date, of a range that ends early, and in a backfill."""

import logging
import os
import time
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.instance_for_test import instance_for_test
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RESUME_RETRY_TAG
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from pvfault.errors import PvfaultError, TransientError
from pvfault.settings import Settings
from pvfault_assets.assembly import build_definitions
from pvfault_assets.assets.daily_tables import DATES_PER_RUN
from pvfault_assets.failures import RETRIES
from pvfault_assets.partitions import RANGE_END, RANGE_START
from tests.conftest import PROJECT
from tests.standins.spark import JOBS, REFUSED, SparkStandIn

CODE_LOCATION = Path(__file__).with_name("code_location.py")
FIRST = date(2024, 6, 1)
DAYS = [FIRST + timedelta(n) for n in range(5)]
TABLES = ("readings", "scalograms", "predictions", "device_days")
INGEST, SCALOGRAMS, CLASSIFY, SUMMARISE = JOBS
AT_ONCE = dg.RetryPolicy(max_retries=6)


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path, PVFAULT_FIRST_DATE=str(FIRST))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(settings, instance):
    """Materialise a range of the tables; gives the run."""

    def materialise(spark, first=DAYS[0], last=DAYS[-1], *, tables=TABLES, tags=None):
        span = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
        job = build_definitions(settings, spark=spark, retries=AT_ONCE).resolve_job_def("materialise_day")
        return job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(table) for table in tables],
            raise_on_error=False,
            tags=span if tags is None else tags,
        ).dagster_run

    return materialise


def events_of(instance, run, kind):
    return [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kind)]


def made_by(instance, run):
    """Dates that a run has recorded as made, by table, in the order in which it did."""
    made = {table: [] for table in TABLES}
    for event in events_of(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION):
        made[event.asset_key.to_user_string()].append(event.partition and date.fromisoformat(event.partition))
    return made


def checks_of(instance, run, table):
    """Dates for which a run has results of a table's checks."""
    found = [
        event.asset_check_evaluation_data
        for event in events_of(instance, run, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]
    return {date.fromisoformat(check.partition) for check in found if check.asset_key == dg.AssetKey(table)}


def failure_of(instance, run):
    """The step that failed, and what Dagster was told."""
    (event,) = events_of(instance, run, dg.DagsterEventType.STEP_FAILURE)
    return event.step_key, event.step_failure_data.user_failure_data


def without(*days):
    return [day for day in DAYS if day not in days]


# --- one bad date


def test_a_refused_date_leaves_the_others_of_its_range_made_down_to_the_verdicts(run, instance):
    spark = SparkStandIn(refuse={INGEST: [DAYS[1]]})
    ended = run(spark)
    assert made_by(instance, ended) == dict.fromkeys(TABLES, without(DAYS[1]))
    assert [dates for _, dates in spark.runs] == [DAYS, *[without(DAYS[1])] * 3]
    # Its checks are recorded too, and the run as a whole is red and says why.
    assert checks_of(instance, ended, "readings") == set(DAYS)
    assert ended.status == dg.DagsterRunStatus.FAILURE
    step, failure = failure_of(instance, ended)
    assert step == "device_days"
    assert "1 of 5 dates were refused" in failure.description
    reason = "readings, not_fewer_readings_than_before: 3 of 4 found; the date is as it was"
    assert f"{DAYS[1]}: {reason}" in failure.description
    assert list(failure.metadata["refused"].value) == [str(DAYS[1])]
    assert failure.metadata["refused"].value[str(DAYS[1])].startswith(reason)


def test_dates_that_are_refused_in_other_tables_are_all_named_at_the_end(run, instance):
    spark = SparkStandIn(
        refuse={INGEST: [DAYS[0]], SCALOGRAMS: [DAYS[1]], SUMMARISE: [DAYS[4]]}, fail={CLASSIFY: [DAYS[2]]}
    )
    ended = run(spark)
    assert made_by(instance, ended) == {
        "readings": DAYS[1:], "scalograms": DAYS[2:], "predictions": DAYS[3:], "device_days": [DAYS[3]],
    }  # fmt: skip
    _, failure = failure_of(instance, ended)
    tables = {day: why.split(",")[0] for day, why in failure.metadata["refused"].value.items()}
    assert tables == {
        str(DAYS[0]): "readings", str(DAYS[1]): "scalograms", str(DAYS[2]): "predictions", str(DAYS[4]): "device_days",
    }  # fmt: skip
    assert f"{DAYS[2]}: predictions, a file is damaged; make it again" in failure.description


def test_a_range_of_which_no_date_is_left_ends_where_it_lost_the_last(run, instance):
    spark = SparkStandIn(refuse={INGEST: DAYS[:2], SCALOGRAMS: DAYS[2:]})
    step, failure = failure_of(instance, ended := run(spark))
    assert step == "scalograms"
    assert "5 of 5 dates were refused" in failure.description
    assert made_by(instance, ended)["readings"] == DAYS[2:]
    assert [job for job, _ in spark.runs] == [INGEST, SCALOGRAMS]


@pytest.mark.parametrize("tables", [("readings",), ("readings", "device_days")], ids=" and ".join)
def test_a_table_from_which_nothing_is_made_says_itself_what_was_refused(run, instance, tables):
    ended = run(SparkStandIn(refuse={INGEST: [DAYS[1]]}), tables=tables)
    failed = events_of(instance, ended, dg.DagsterEventType.STEP_FAILURE)
    assert "readings" in [event.step_key for event in failed]
    assert made_by(instance, ended)["readings"] == without(DAYS[1])


def test_a_table_alone_is_made_for_all_dates(run, instance):
    """What another run has refused is no business of this one: it may be mended."""
    run(SparkStandIn(refuse={INGEST: [DAYS[1]]}))
    assert made_by(instance, run(SparkStandIn(), tables=["scalograms"]))["scalograms"] == DAYS


def test_each_date_is_recorded_once_with_what_it_was_made_of(run, settings, instance):
    """A table that was made with an older registry is marked as out of date."""

    def status(table):
        graph = build_definitions(settings).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        return {resolver.get_status(dg.AssetKey(table), str(day)) for day in DAYS}

    ended = run(SparkStandIn(), tables=["device_registry", *TABLES])
    assert ended.is_success
    recorded = events_of(instance, ended, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert len(recorded) == 1 + len(TABLES) * len(DAYS)
    assert status("scalograms") == {StaleStatus.FRESH}

    settings.registry.write_text("deviceID,rated_voltage,rated_current\nINV0000001,500,10\n")
    run(SparkStandIn(), tables=["device_registry"], tags={})
    assert status("scalograms") == {StaleStatus.STALE}
    assert status("readings") == {StaleStatus.FRESH}


# --- ranges that end early


def test_what_ends_a_range_early_has_recorded_what_is_published(run, instance):
    """Otherwise dates stand in the tables that Dagster does not know of."""
    ended = run(SparkStandIn(ends={SCALOGRAMS: [(2, ZeroDivisionError("division by zero"))]}))
    made = made_by(instance, ended)
    assert (made["readings"], made["scalograms"], made["predictions"]) == (DAYS, DAYS[:2], [])
    assert checks_of(instance, ended, "scalograms") == set(DAYS[:2])


def test_what_may_pass_is_tried_again_for_the_dates_that_are_left(run, instance):
    busy = TransientError("the broker is busy; wait")
    spark = SparkStandIn(refuse={INGEST: [DAYS[1]]}, ends={INGEST: [(3, busy), (0, busy), (1, busy)]})
    ended = run(spark)
    assert [dates for job, dates in spark.runs if job == INGEST] == [DAYS, DAYS[3:], DAYS[3:], DAYS[4:]]
    assert made_by(instance, ended) == dict.fromkeys(TABLES, without(DAYS[1]))
    # The date that was refused before the retry is not forgotten.
    assert list(failure_of(instance, ended)[1].metadata["refused"].value) == [str(DAYS[1])]


def test_what_does_not_pass_is_told_after_six_retries(run, instance):
    spark = SparkStandIn(ends={INGEST: [(0, TransientError("the broker is busy; wait"))] * 9})
    ended = run(spark)
    assert len(spark.runs) == 1 + 6
    assert failure_of(instance, ended)[1].description == "the broker is busy; wait"


def test_a_lost_job_is_tried_again_with_what_is_known_of_it(run, instance):
    lost = dg.Failure("the driver is lost", metadata={"job_run": "00r1"}, allow_retries=True)
    spark = SparkStandIn(ends={INGEST: [(1, lost)] * 9})
    ended = run(spark)
    # A date is made with each attempt, so it comes to its end.
    assert [len(dates) for job, dates in spark.runs if job == INGEST] == [5, 4, 3, 2, 1]
    assert made_by(instance, ended)["device_days"] == DAYS
    ended = run(SparkStandIn(ends={INGEST: [(0, lost)] * 9}))
    assert failure_of(instance, ended)[1].metadata["job_run"].value == "00r1"


@pytest.mark.parametrize(
    "error",
    [
        PvfaultError("the topic is empty; fill it"),
        dg.Failure("no workers", allow_retries=False),
        ZeroDivisionError("0"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_would_come_again_is_not_tried_again(run, instance, error):
    spark = SparkStandIn(ends={INGEST: [(0, error)]})
    ended = run(spark)
    assert len(spark.runs) == 1
    (event,) = events_of(instance, ended, dg.DagsterEventType.STEP_FAILURE)
    data = event.step_failure_data
    if isinstance(error, ZeroDivisionError):  # a mistake of our own keeps its traceback
        assert "standins/spark.py" in data.error.to_string()
    else:
        assert data.user_failure_data.description in (str(error), "no workers")


def test_retries_wait_longer_each_time_and_six_are_all():
    delays = [[RETRIES.calculate_delay(attempt) for _ in range(200)] for attempt in range(1, 1 + RETRIES.max_retries)]
    assert RETRIES.max_retries <= 6
    # Doubled each time, and spread: runs that failed together do not come again together.
    assert all(min(later) > max(sooner) for sooner, later in pairwise(delays))
    assert all(len(set(each)) > 1 for each in delays)


# --- a run that goes on with another one

_gone_on = SparkStandIn()


def daily_job():
    """The job as another process makes it."""
    settings = Settings.from_environment(os.environ, Path.cwd())
    return build_definitions(settings, spark=_gone_on, retries=AT_ONCE).resolve_job_def("materialise_day")


@pytest.fixture
def go_on(settings, instance, monkeypatch):
    """Re-execute a failed run as Dagster does by itself, where the process of a run was lost."""
    monkeypatch.setenv("PVFAULT_HOME", str(settings.home))
    monkeypatch.setenv("PVFAULT_FIRST_DATE", str(FIRST))

    def execute(run, **stand_in):
        vars(_gone_on).update(vars(SparkStandIn(**stand_in)))
        return dg.execute_job(
            dg.reconstructable(daily_job),
            instance,
            asset_selection=list(run.asset_selection),
            tags=run.tags | {RESUME_RETRY_TAG: "true", PARENT_RUN_ID_TAG: run.run_id},
            reexecution_options=dg.ReexecutionOptions.from_failure(run.run_id, instance),
        ).dagster_run

    return execute


def test_a_run_that_goes_on_makes_what_is_left_and_remembers_what_was_refused(run, go_on, instance):
    lost = run(SparkStandIn(refuse={INGEST: [DAYS[1]]}, ends={SCALOGRAMS: [(2, ZeroDivisionError())]}))
    ended = go_on(lost)
    assert _gone_on.runs == [
        (SCALOGRAMS, DAYS[3:]), (CLASSIFY, without(DAYS[1])), (SUMMARISE, without(DAYS[1])),
    ]  # fmt: skip
    assert made_by(instance, ended)["device_days"] == without(DAYS[1])
    assert list(failure_of(instance, ended)[1].metadata["refused"].value) == [str(DAYS[1])]


def test_a_refused_date_is_tried_again_when_its_table_is(run, go_on, instance):
    refused = run(SparkStandIn(refuse={INGEST: DAYS}))
    assert go_on(refused, refuse={INGEST: [DAYS[2]]}).status == dg.DagsterRunStatus.FAILURE
    assert _gone_on.runs[0] == (INGEST, DAYS)
    assert _gone_on.runs[-1] == (SUMMARISE, without(DAYS[2]))


# --- backfills

# Dagster's own planner calls a part of itself that is deprecated.
deprecated_in_dagster = pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")


class Backfill:
    """A backfill of the tables, on a storage of its own, by Dagster's own daemon."""

    def __init__(self, settings, instance, workspace):
        self._settings, self._workspace = settings, workspace
        self.instance = instance

    def request(self, dates):
        graph = build_definitions(self._settings).resolve_asset_graph()
        request = PartitionBackfill.from_asset_partitions(
            backfill_id="backfill", asset_graph=graph, partition_names=[str(day) for day in dates],
            asset_selection=[dg.AssetKey(table) for table in TABLES], backfill_timestamp=time.time(), tags={},
            dynamic_partitions_store=self.instance, all_partitions=False, title=None, description=None, run_config=None,
        )  # fmt: skip
        self.instance.add_backfill(request)

    def go_on(self):
        """What the daemon does every few seconds; gives the runs that it has queued, the first one first."""
        assert not any(execute_backfill_iteration(self._workspace, logging.getLogger("backfill")))
        return self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), ascending=True)

    def launch(self):
        """What the daemon of the queue does once; each run ends at once. Gives what the runs have come to."""
        assert not any(QueuedRunCoordinatorDaemon(interval_seconds=1).run_iteration(self._workspace))
        return self.instance.get_runs(ascending=True)

    @property
    def status(self):
        return self.instance.get_backfill("backfill").status


@pytest.fixture
def backfill(settings, monkeypatch):
    monkeypatch.setenv("PVFAULT_HOME", str(settings.home))
    monkeypatch.setenv("PVFAULT_FIRST_DATE", str(FIRST))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    on_aws = yaml.safe_load((PROJECT / "infra" / "images" / "dagster" / "dagster.yaml").read_text())
    target = PythonFileTarget(str(CODE_LOCATION), "defs", str(PROJECT), None)
    with (
        instance_for_test({"concurrency": on_aws["concurrency"]}, synchronous_run_launcher=True) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        yield Backfill(settings, instance, workspace)


@deprecated_in_dagster
def test_a_backfill_makes_every_date_but_the_refused_one(backfill, monkeypatch):
    """The planner gave up all later dates, by way of those that they look back at."""
    monkeypatch.setenv(REFUSED, str(DAYS[1]))
    backfill.request(DAYS)
    backfill.go_on()
    (ended,) = backfill.launch()
    assert made_by(backfill.instance, ended) == dict.fromkeys(TABLES, without(DAYS[1]))
    assert ended.status == dg.DagsterRunStatus.FAILURE
    assert backfill.go_on() == []
    assert backfill.status == BulkActionStatus.COMPLETED_FAILED


@deprecated_in_dagster
def test_a_range_is_one_run_and_a_long_one_is_cut_into_months(backfill):
    """All tables of a date are made in the same run, so in one Java virtual machine, and earlier dates come first."""
    backfill.request(FIRST + timedelta(n) for n in range(DATES_PER_RUN + 9))
    planned = [
        (run.tags[RANGE_START], run.tags[RANGE_END], {key.to_user_string() for key in run.asset_selection})
        for run in backfill.go_on()
    ]
    assert planned == [("2024-06-01", "2024-07-01", set(TABLES)), ("2024-07-02", "2024-07-10", set(TABLES))]


@deprecated_in_dagster
def test_the_runs_of_a_backfill_follow_each_other_on_aws(backfill, monkeypatch):
    """A date is judged by the dates before it: made side by side with them it would not find them."""
    monkeypatch.setenv(REFUSED, "")
    backfill.request([DAYS[2], DAYS[0], DAYS[4]])
    assert [run.tags[RANGE_START] for run in backfill.go_on()] == [str(DAYS[n]) for n in (0, 2, 4)]
    done, waiting = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.QUEUED
    assert [run.status for run in backfill.launch()] == [done, waiting, waiting]
    assert [run.status for run in backfill.launch()] == [done, done, waiting]


# --- dates that are none


def test_a_range_that_is_written_backwards_is_refused(run, instance):
    """It would make nothing and call that success."""
    spark = SparkStandIn()
    ended = run(spark, DAYS[3], DAYS[1])
    step, failure = failure_of(instance, ended)
    assert step == "readings"
    assert f"ends before it begins: {DAYS[3]} to {DAYS[1]}" in failure.description
    assert (spark.runs, made_by(instance, ended)) == ([], {table: [] for table in TABLES})


def test_a_run_without_a_date_says_so(run, instance):
    ended = run(SparkStandIn(), tags={})
    assert "without a date; start it for a date" in failure_of(instance, ended)[1].description
