"""The demo as a user runs it: what it shows, what it leaves, and that it leaves nothing running."""

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS
from pvfault_api.published import read_dates
from pvfault_cli.demo import FIRST_DATE
from tests.conftest import JARS, OF_JAVA, PROJECT
from tests.pvfault_cli.test_main import run

ASSETS = ("device_registry", "lenet_model", "readings", "scalograms", "predictions", "device_days")

pytestmark = [pytest.mark.broker, pytest.mark.spark]


@pytest.fixture
def start_demo(tmp_path):
    """Start `pvfault demo` in a folder of its own."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **OF_JAVA,
        "PYTHONPATH": str(PROJECT),
        "PVFAULT_HOME": str(tmp_path / "state"),
        "PVFAULT_JARS": JARS,
        "PVFAULT_MODEL": str(PROJECT / "models" / "lenet5.h5"),
        # The user's own broker, which the demo must neither need nor touch.
        "PVFAULT_BROKER": "localhost:1",
    }

    def start(*options, **changes):
        # What runs tests in the background may have had SIGINT ignored.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        program += "from pvfault_cli.main import main; main()"
        command = [sys.executable, "-c", program, "demo", *options]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment | changes, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start


def processes_of(folder):
    """Processes that name the folder in their command line: broker and Java virtual machine of Spark."""
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or []):
            yield process


def assert_nothing_runs(folder):
    """A Java virtual machine that was told to end takes a moment."""
    _gone, alive = psutil.wait_procs(list(processes_of(folder)), timeout=10)
    assert not alive


def test_the_demo_compares_what_it_finds_with_the_truth(start_demo, tmp_path):
    demo = start_demo("--devices", "8", "--days", "1")
    output, errors = demo.communicate(timeout=300)
    assert (demo.returncode, errors) == (0, "")
    for asset in (*ASSETS, "every_date_is_good"):
        assert re.search(rf"✓ Dagster: {asset} \d", output)
    assert re.search(
        r"Of 2 faulty devices, \d were found\.\nIn \d of their sets is the truth .*, \d have its exact name\.\n", output
    )
    assert re.search(r"Of 6 healthy ones, \d (was|were) called faulty", output)
    assert "PVFAULT_HOME=state/demo PVFAULT_FIRST_DATE=2024-06-01 PVFAULT_LAST_DATE=2024-06-01 make ui" in output
    assert "PVFAULT_HOME=state/demo make serve" in output
    assert "classify FILE" in output
    assert max(map(len, output.split("Tables")[0].splitlines())) <= 110
    assert_nothing_runs(tmp_path)

    home = tmp_path / "state" / "demo"
    settings = Settings.from_environment({"PVFAULT_HOME": str(home)}, tmp_path)
    assert read_dates(settings, DEVICE_DAYS, [FIRST_DATE]).num_rows == 8
    status = run("status", env={"PVFAULT_HOME": str(home), "PVFAULT_MODEL": str(PROJECT / "models" / "lenet5.h5")})
    assert (status.exit_code, f"Good: {FIRST_DATE} (1 date)" in status.stdout) == (0, True)
    assert (home / "dagster" / "history").is_dir()
    assert list((tmp_path / "state").iterdir()) == [home]


@pytest.mark.parametrize(
    ("after", "number", "code"),
    [("Kafka broker started", signal.SIGINT, 130), ("Dagster: device_registry", signal.SIGTERM, 143)],
)
def test_an_interrupted_demo_stops_what_it_started(start_demo, tmp_path, after, number, code):
    """A broker that nobody knows of would hold its port and its memory until the next boot."""
    demo = start_demo("--devices", "4", "--days", "1")
    for line in demo.stdout:
        if after in line:
            break
    assert list(processes_of(tmp_path / "state" / "demo"))
    demo.send_signal(number)
    _output, errors = demo.communicate(timeout=60)
    assert demo.returncode == code
    assert "Traceback" not in errors
    assert_nothing_runs(tmp_path)


def test_a_demo_that_fails_says_why_and_where_to_look(start_demo, tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"no HDF5")
    demo = start_demo("--devices", "4", "--days", "1", PVFAULT_MODEL=str(tmp_path / "broken.h5"))
    output, errors = demo.communicate(timeout=120)
    assert demo.returncode == 2
    assert "✗ Dagster: lenet_model" in output
    assert "no readable HDF5 file" in errors
    assert "state/demo/demo.log" in errors
    assert "Traceback" not in errors
    assert_nothing_runs(tmp_path)
