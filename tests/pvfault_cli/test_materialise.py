"""`pvfault materialise` and `pvfault backfill` as an operator types them, with a real broker and Spark."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from datetime import date, timedelta

import dagster as dg
import h5py
import psutil
import pytest

from pvfault.date_ranges import written
from pvfault.tables import DEVICE_DAYS, PREDICTIONS
from pvfault.versions import version_of
from pvfault_api.published import read_dates
from pvfault_assets.instance import open_instance
from pvfault_gateway.simulate import simulate
from pvfault_workshop.simulation import simulate_fleet
from tests.conftest import JARS, OF_JAVA, PROJECT

pytestmark = [pytest.mark.broker, pytest.mark.spark]

DAYS = [date(2024, 6, 1) + timedelta(n) for n in range(3)]
DEVICES = 3
SUCCESS, FAILURE, CANCELED = (dg.DagsterRunStatus(each) for each in ("SUCCESS", "FAILURE", "CANCELED"))


@pytest.fixture(scope="module")
def environment(broker, tmp_path_factory):
    """A home with a topic that has the first two of three days."""
    home = tmp_path_factory.mktemp("operator")
    shutil.copy(PROJECT / "models" / "lenet5.h5", home / "lenet5.h5")
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **OF_JAVA,
        "PYTHONPATH": str(PROJECT),
        "PVFAULT_BROKER": broker.broker,
        "PVFAULT_TOPIC": "operator",
        "PVFAULT_HOME": str(home),
        "PVFAULT_JARS": JARS,
        "PVFAULT_MODEL": str(home / "lenet5.h5"),
        "PVFAULT_FIRST_DATE": str(DAYS[0]),
    }


@pytest.fixture(scope="module")
def settings(environment, tmp_path_factory):
    from pvfault.settings import Settings

    settings = Settings.from_environment(environment, tmp_path_factory.mktemp("cwd"))
    simulate(settings, simulate_fleet(DEVICES, DAYS[:2], seed=0), DAYS[:2])
    return settings


@pytest.fixture
def start(environment, settings, tmp_path):
    """Start a command."""

    def start(line):
        # Who runs the tests in the background of a script has SIGINT ignored, and so would the command.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        program += "from pvfault_cli.main import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, *shlex.split(line)[1:]],
            cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


@pytest.fixture
def pvfault(start):
    """Run a command to its end; gives its exit code and what it says."""

    def pvfault(line):
        process = start(line)
        output, errors = process.communicate(timeout=300)
        assert "Traceback" not in errors
        return process.returncode, output + errors

    return pvfault


@pytest.fixture(scope="module")
def runs(settings):
    """The runs that Dagster's page shows, the newest one first."""

    def runs():
        with open_instance(settings) as instance:
            return instance.get_run_records()

    return runs


def processes_of(home):
    return [each for each in psutil.process_iter(["cmdline"]) if str(home) in " ".join(each.info["cmdline"] or [])]


def test_an_operators_day(pvfault, runs, settings):
    """Made, refused, taken all the same, a new network: each step is the line that the one before has said to type."""
    code, said = pvfault(f"pvfault materialise --date {DAYS[0]}..{DAYS[2]}")
    assert code == 1
    assert f"Made: {DAYS[0]}..{DAYS[1]} (2 dates)." in said
    assert f"Refused: {DAYS[2]}, readings: fleet_is_heard: 0 readings of {DEVICES} registered devices" in said
    assert re.search(r"✗ device_days \d", said)
    (record,) = runs()
    assert (record.dagster_run.status, record.dagster_run.job_name) == (FAILURE, "materialise_day")
    assert read_dates(settings, DEVICE_DAYS, DAYS).num_rows == 2 * DEVICES

    code, said = pvfault("pvfault status")
    assert (code, f"Good: {DAYS[0]}..{DAYS[1]} (2 dates)." in said) == (1, True)
    (all_the_same,) = set(re.findall(r"`(pvfault materialise [^`]*--allow-fewer)`", " ".join(said.split())))
    code, said = pvfault(all_the_same)
    assert code == 0, said

    with h5py.File(settings.model, "a") as file:
        file.attrs["note"] = "the same weights under another version"
    code, said = pvfault("pvfault status")
    assert (code, "empty" in said) == (1, True)
    (line,) = re.findall(r"type: (pvfault materialise .* --asset predictions)", said)
    assert line == f"pvfault materialise --date {DAYS[0]}..{DAYS[1]} --asset predictions"


def test_two_at_once_of_overlapping_dates_take_turns_and_no_date_is_lost(start, runs, settings):
    """One makes again what another network has judged, the other begins with a table that comes after that."""
    before = read_dates(settings, DEVICE_DAYS, DAYS)
    assert set(before["date"].to_pylist()) == set(DAYS)
    again = start(f"pvfault backfill --date {written(DAYS[0], DAYS[2])} --only stale")
    assert "Dagster loaded" in again.stdout.readline()  # by now it has looked which dates are stale
    both = [again, start(f"pvfault materialise --date {written(*DAYS[1:])} --asset device_days")]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    for days, each in zip((DAYS[:2], DAYS[1:]), said, strict=True):
        assert f"Made: {written(*days)} (2 dates)." in each
    assert sum("Waiting for run" in each for each in said) == 1
    assert "readings" not in "".join(said)
    second, first = runs()[:2]
    assert first.end_time <= second.start_time
    rows = read_dates(settings, PREDICTIONS, DAYS[:2])
    assert rows["model_version"].unique().to_pylist() == [version_of(settings.model.read_bytes())]
    after = read_dates(settings, DEVICE_DAYS, DAYS)
    assert after.drop_columns(["model_version"]).equals(before.drop_columns(["model_version"]))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_ended_is_recorded_as_cancelled_and_leaves_nothing_running(start, runs, settings, number, code):
    """Else it would hold the only slot of Dagster's queue."""
    process = start(f"pvfault materialise --date {DAYS[0]}")
    for line in process.stdout:
        if "device_registry" in line:
            break
    process.send_signal(number)
    _output, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (code, False)
    assert runs()[0].dagster_run.status == CANCELED
    assert not psutil.wait_procs(processes_of(settings.home), timeout=10)[1]


def test_a_run_whose_process_was_killed_is_recorded_as_failed(start, runs, settings):
    process = start(f"pvfault materialise --date {DAYS[0]}")
    for line in process.stdout:
        if "device_registry" in line:
            break
    (worker,) = (each for each in psutil.Process(process.pid).children() if "local_run" in " ".join(each.cmdline()))
    worker.kill()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, "ended with exit code -9" in errors) == (1, True), output
    assert runs()[0].dagster_run.status == FAILURE
    assert not psutil.wait_procs(processes_of(settings.home), timeout=10)[1]
