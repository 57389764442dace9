"""`pvfault serve` as a process: it answers, loads nothing that takes long, and ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from pvfault_gateway.broker import free_port
from tests.conftest import PROJECT
from tests.pvfault_api.helpers import day_of, make_table


@pytest.fixture
def server(make_settings, tmp_path):
    """A server of two verdicts, and its port."""
    make_table(make_settings(tmp_path), [day_of("INV0000001", 1, "none"), day_of("INV0000002", 1, "none")])
    port = free_port()
    command = "from pvfault_cli.main import main; main()"
    environment = {**os.environ, "PVFAULT_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--port", str(port)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process, port
        process.kill()


def get(port, path):
    """An answer, as soon as the server listens."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                raise
            time.sleep(0.1)
    raise AssertionError("the server does not listen")


def test_a_server_that_has_answered_holds_nothing_that_takes_long(server):
    """PyArrow would load pandas, and the answer to come first would wait for it."""
    process, port = server
    assert len(get(port, "/devices")["rows"]) == 2
    assert get(port, "/devices/INV0000001")["fault"] == "none"
    held = {part for each in psutil.Process(process.pid).memory_maps() for part in Path(each.path).parts}
    assert "pyarrow" in held
    assert not held & {"pandas", "tensorflow", "pyspark", "matplotlib", "scipy"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_until_it_is_told_to_end(server, number):
    process, port = server
    assert [row["deviceID"] for row in get(port, "/devices")["rows"]] == ["INV0000001", "INV0000002"]
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert "Traceback" not in output + errors
    assert process.returncode in (0, -number), errors


def test_the_server_starts_without_what_takes_long():
    """The first answer would wait some seconds for TensorFlow, and Spark is not there where it runs."""
    heavy = {"tensorflow", "pyspark", "dagster", "pvlib", "confluent_kafka"}
    code = f"import sys, pvfault_server.serve; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
