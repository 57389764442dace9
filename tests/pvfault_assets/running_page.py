"""A page as `make ui` starts it, for tests that look at it from outside."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import psutil

from pvfault_assets.instance import page_origin
from pvfault_gateway.broker import free_port
from tests.conftest import PROJECT

_LOADED = "{repositoriesOrError {... on RepositoryConnection {nodes {name}}}}"
_LAUNCH = """mutation($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {
    selector: $selector, runConfigData: "{}", mode: "default", executionMetadata: {tags: $tags}
  }) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""


class Page:
    """A page on a port of its own, started as a script starts it: with SIGINT ignored.

    Parameters
    ----------
    environment : mapping of str to str
        Settings, beside what this process has.
    log : Path
        What it says on standard error is written there.
    """

    def __init__(self, environment: Mapping[str, str], log: Path):
        self.port, self.log = free_port(), log
        command = 'trap "" INT; exec "$0" -m pvfault_assets.page --port "$1"'
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                ["sh", "-c", command, sys.executable, str(self.port)],
                env=os.environ | environment | {"PYTHONPATH": str(PROJECT)},
                stdout=subprocess.DEVNULL, stderr=said,
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
                if self.ask(_LOADED)["repositoriesOrError"]:
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                time.sleep(0.5)

    def launch(self, assets, tags) -> str:
        """Ask for a run of some assets, as the button does; gives its number."""
        origin = page_origin()
        selector = {
            "repositoryLocationName": origin.code_location_origin.location_name,
            "repositoryName": origin.repository_name,
            "jobName": "materialise_day",
            "assetSelection": [{"path": [asset]} for asset in assets],
        }
        tags = [{"key": key, "value": value} for key, value in tags.items()]
        launched = self.ask(_LAUNCH, selector=selector, tags=tags)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]

    def wait_for(self, instance: dg.DagsterInstance, run_id: str) -> dg.RunRecord:
        """Wait until a run has ended."""
        while not (record := instance.get_run_record_by_id(run_id)).dagster_run.is_finished:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.5)
        return record

    def processes(self) -> list[psutil.Process]:
        """The page and all that it has started, whoever starts another one first."""
        page = psutil.Process(self.process.pid)
        return [page, *page.children(recursive=True)]

    def end(self, number=signal.SIGTERM) -> int:
        """End it, and wait for all that it has started; gives its exit code."""
        _, *started = self.processes()
        assert started
        self.process.send_signal(number)
        self.process.wait(90)
        assert not psutil.wait_procs(started, timeout=10)[1]
        return self.process.returncode
