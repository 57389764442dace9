"""Runs that have not ended: whose turn it is, and whose process is gone."""

import os
import subprocess
import sys
from datetime import date

import dagster as dg
import psutil
import pytest
from dagster._core.events import EngineEventData

from pvfault_assets.instance import open_instance, prepare_dagster_home
from pvfault_assets.partitions import tags_of
from pvfault_assets.runs import PROCESS, describe, fail_lost, in_progress, let_pass, process_tag, turn

DAY = date(2024, 6, 1)
JOB = dg.JobDefinition(name="another", graph_def=dg.GraphDefinition(name="another"))
STARTED, STARTING, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def instance(settings):
    with open_instance(settings) as instance:
        yield instance


@pytest.fixture
def begin(instance):
    """A run that is in progress."""
    return lambda tags=None, status=STARTED: instance.create_run_for_job(
        JOB, status=status, tags=tags_of(DAY, DAY) | (tags or {})
    )


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def status_of(instance, run):
    return instance.get_run_by_id(run.run_id).status


def test_a_run_waits_for_the_one_that_is_in_progress_and_says_for_which(instance, settings, begin):
    other = begin(process_tag())
    waited = []

    def end(others):
        waited.extend(others)
        instance.report_run_canceled(other)

    with turn(instance, prepare_dagster_home(settings), end):
        assert in_progress(instance) == []
    assert [describe(run) for run in waited] == [f"run {other.run_id[:8]} of 2024-06-01"]


def test_a_run_that_the_queue_has_begun_at_the_same_moment_is_let_pass(instance, begin):
    """The queue has counted the runs just before, and does not know of the turn."""
    ours, other = begin(process_tag(), STARTING), begin(process_tag(), STARTING)
    waited = []

    def end(others):
        waited.extend(others)
        instance.report_run_canceled(other)

    let_pass(instance, ours, end)
    assert [run.run_id for run in waited] == [other.run_id]
    assert status_of(instance, ours) == STARTING


@pytest.mark.parametrize("status", [STARTED, STARTING])
def test_a_run_whose_process_was_killed_holds_nobody_up(instance, settings, begin, gone, status):
    lost = begin({PROCESS: f"{gone} 0"}, status)
    with turn(instance, prepare_dagster_home(settings), pytest.fail):
        pass
    assert status_of(instance, lost) == FAILURE


def test_a_process_that_has_got_the_number_of_a_killed_one_is_another(instance, begin):
    lost = begin({PROCESS: f"{os.getpid()} {psutil.Process().create_time() - 3600}"})
    assert fail_lost(instance) == [lost]


def test_a_run_of_the_page_is_lost_when_the_worker_is_that_its_log_names(instance, begin, gone):
    kept, lost = begin(), begin()
    for run, number in ((kept, os.getpid()), (lost, gone)):
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(number))
    assert fail_lost(instance) == [lost]
    assert (status_of(instance, kept), status_of(instance, lost)) == (STARTED, FAILURE)


def test_a_run_that_was_asked_for_a_moment_ago_may_have_no_process_yet(instance, begin):
    run = begin(status=STARTING)
    assert fail_lost(instance) == []
    assert status_of(instance, run) == STARTING
