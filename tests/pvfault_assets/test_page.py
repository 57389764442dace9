"""Dagster's page as `make ui` starts it: what it finds, and that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import date

import dagster as dg
import psutil
import pytest

from pvfault_assets.instance import open_instance, page_origin
from pvfault_assets.partitions import tags_of
from pvfault_assets.runs import PROCESS, in_progress
from pvfault_gateway.broker import free_port
from tests.conftest import PROJECT

JOB = dg.JobDefinition(name="another", graph_def=dg.GraphDefinition(name="another"))
LOADED = "{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}"
LAUNCH = """mutation($selector: JobOrPipelineSelector!) {
  launchRun(executionParams: {selector: $selector, runConfigData: "{}", mode: "default"}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""


class Page:
    """A page on a port of its own, started as a script starts it: with SIGINT ignored."""

    def __init__(self, settings):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$0" -m pvfault_assets.page --port "$1"', sys.executable, str(self.port)],
            env=os.environ | {"PVFAULT_HOME": str(settings.home), "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, query, **variables):
        """A question in GraphQL."""
        request = urllib.request.Request(
            f"http://localhost:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)["data"]

    def wait(self):
        """Wait until the page answers and knows the code."""
        while True:
            try:
                if self.ask("{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}")[
                    "repositoriesOrError"
                ]:
                    return
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.5)

    def end(self, number):
        """End it, and wait for all that it has started; gives its exit code."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        assert started
        self.process.send_signal(number)
        self.process.communicate(timeout=90)
        assert not psutil.wait_procs(started, timeout=10)[1]
        return self.process.returncode


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path)


@pytest.fixture
def page(settings):
    page = Page(settings)
    yield page
    if page.process.poll() is None:
        page.end(signal.SIGTERM)


def test_a_run_that_was_killed_with_the_page_before_is_failed_when_a_new_one_starts(settings):
    """It would hold the only slot for ever."""
    with open_instance(settings) as instance:
        tags = tags_of(date(2024, 6, 1), date(2024, 6, 1)) | {PROCESS: "999999999 0"}
        lost = instance.create_run_for_job(JOB, status=dg.DagsterRunStatus.STARTED, tags=tags)
        page = Page(settings)
        page.wait()
        assert instance.get_run_by_id(lost.run_id).status == dg.DagsterRunStatus.FAILURE
    assert page.end(signal.SIGINT) == 128 + signal.SIGINT


def test_it_ends_with_all_that_it_has_started_and_the_run_that_is_being_made_is_failed(page, settings):
    page.wait()
    origin = page_origin()
    selector = {
        "repositoryLocationName": origin.code_location_origin.location_name,
        "repositoryName": origin.repository_name,
        "jobName": "materialise_day",
        "assetSelection": [{"path": ["lenet_model"]}],
    }
    launched = page.ask(LAUNCH, selector=selector)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    with open_instance(settings) as instance:
        while not in_progress(instance):
            time.sleep(0.1)
        assert page.end(signal.SIGTERM) == 128 + signal.SIGTERM
        run = instance.get_run_by_id(launched["run"]["runId"])
        assert run.status == dg.DagsterRunStatus.FAILURE
