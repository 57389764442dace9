"""Dagster's page as `make ui` starts it: what it finds, and that it leaves nothing behind."""

import signal
import sys
import time
from datetime import date

import dagster as dg
import psutil
import pytest

from pvfault_assets.instance import open_instance
from pvfault_assets.partitions import tags_of
from pvfault_assets.runs import PROCESS, in_progress
from tests.pvfault_assets.running_page import Page

JOB = dg.JobDefinition(name="another", graph_def=dg.GraphDefinition(name="another"))


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def start(settings, tmp_path):
    """Start a page; it is ended if the test leaves it running."""
    pages = []

    def start():
        pages.append(Page({"PVFAULT_HOME": str(settings.home)}, tmp_path / "page.log"))
        pages[-1].wait()
        return pages[-1]

    yield start
    for page in pages:
        if page.process.poll() is None:
            page.end()


def test_a_run_whose_process_was_killed_is_failed_when_a_page_starts_and_while_it_is_open(start, settings):
    """It would hold the only slot for ever: a queued run waits, and nobody types a command."""

    def lose_run():
        tags = tags_of(date(2024, 6, 1), date(2024, 6, 1)) | {PROCESS: "999999999 0"}
        return instance.create_run_for_job(JOB, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id

    def status_of(run_id):
        return instance.get_run_by_id(run_id).status

    with open_instance(settings) as instance:
        before = lose_run()
        page = start()
        assert status_of(before) == dg.DagsterRunStatus.FAILURE
        beside = lose_run()
        while status_of(beside) != dg.DagsterRunStatus.FAILURE:
            time.sleep(0.1)
    assert page.end(signal.SIGINT) == 128 + signal.SIGINT


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel does not tell")
def test_a_page_that_is_killed_leaves_nothing_behind_that_would_be_in_the_way_of_the_next_one(start):
    page = start()
    _, *started = page.processes()
    assert started
    page.process.kill()
    assert not psutil.wait_procs(started, timeout=90)[1]


def test_it_ends_with_all_that_it_has_started_and_the_run_that_is_being_made_is_failed(start, settings):
    page = start()
    run_id = page.launch(["lenet_model"], {})
    with open_instance(settings) as instance:
        while not in_progress(instance):
            time.sleep(0.1)
        assert page.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
