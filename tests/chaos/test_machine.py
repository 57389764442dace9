"""A machine that loses everything at once while a date is made, and then makes it again twice.

Killed with -9 are Dagster's page with its web server, daemon and code server, the run's worker with its virtual
machine, and the broker. Then all is started anew, as an operator does it, and the page and a command are asked for the
date at the same moment. `make chaos` strikes in each table, the suite in two of them.
"""

import shlex
import subprocess
import sys
import time
from contextlib import suppress

import dagster as dg
import psutil
import pyarrow as pa
import pytest

from pvfault.settings import Settings
from pvfault.tables import MADE_OF, tables_from
from pvfault_assets.dates import read_dates
from pvfault_assets.instance import open_instance
from pvfault_assets.partitions import tags_of
from pvfault_assets.runs import in_progress
from tests.chaos.plant import DAY, JOBS, Plant, Rows, name_of
from tests.chaos.stages import STAGES, follow
from tests.chaos.test_kills import N_TRIALS
from tests.conftest import PROJECT
from tests.pvfault_assets.running_page import Page

pytestmark = [pytest.mark.broker, pytest.mark.spark, pytest.mark.timeout(3600)]

SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
# The table that is being made, and how far it is; the suite takes the first two.
LOST = [("readings", "staged"), ("device_days", "published"), ("scalograms", "written"), ("predictions", "published")]
JOB_OF = dict(zip(MADE_OF, JOBS, strict=True))


class Machine:
    """The plant's machine, with Dagster's page open.

    Attributes
    ----------
    plant : Plant
    settings : Settings
        As an operator has them.
    instance : DagsterInstance
        What the page shows.
    page : Page
    """

    def __init__(self, plant: Plant, settings: Settings, instance: dg.DagsterInstance):
        self.plant, self.settings, self.instance = plant, settings, instance
        self.start()

    def start(self) -> None:
        """Do as `make ui` and `pvfault broker start` do."""
        self.page = Page(self.plant.environment, self.plant.saved / "page.log")
        self.plant.start_broker()
        self.page.wait()

    def lose(self, table: str, stage: str) -> str:
        """Let the page make `DAY` from a table on, and kill everything when that is so far; gives the run."""
        run_id = self.page.launch(tables_from(table), tags_of(DAY, DAY))
        watched = follow(self.plant)
        (reached,) = (each for each in STAGES[JOB_OF[table]] if each.name == stage)
        while not reached.is_reached(watched):
            assert not self.instance.get_run_by_id(run_id).is_finished, self.page.log.read_text()[-3000:]
            time.sleep(reached.every_s)
        lost = [*self.page.processes(), self.plant.broker_process]
        # The virtual machines of the run and of the broker; Spark's workers come and go.
        assert [name_of(process) for process in lost].count("java") == 2
        for process in lost:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.page.process.wait()
        assert not psutil.wait_procs(lost, timeout=60)[1]
        return run_id

    def type(self, line: str) -> subprocess.Popen:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-c", "from pvfault_cli.main import main; main()", *shlex.split(line)[1:]],
            cwd=self.plant.saved, env=self.plant.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture(scope="module")
def machine(undisturbed):
    plant = undisturbed.restore(JOBS[0])
    settings = Settings.from_environment(plant.environment, PROJECT)
    with open_instance(settings) as instance:
        machine = Machine(plant, settings, instance)
        yield machine
        machine.page.end()


@pytest.mark.parametrize(("table", "stage"), LOST[: max(2, N_TRIALS // 9)])
def test_a_date_is_made_again_after_page_run_and_broker_were_killed_at_once(machine, undisturbed, table, stage):
    undisturbed.restore(JOB_OF[table])
    lost = machine.lose(table, stage)
    assert machine.instance.get_run_by_id(lost).status == dg.DagsterRunStatus.STARTED
    machine.start()
    assert machine.instance.get_run_by_id(lost).status == FAILURE
    assert in_progress(machine.instance) == []

    command = machine.type(f"pvfault materialise --date {DAY} --asset device_days")
    machine.page.launch(tables_from(table), tags_of(DAY, DAY))
    said, _ = command.communicate(timeout=300)
    assert command.returncode == 0, said
    runs = [machine.page.wait_for(machine.instance, run.run_id) for run in machine.instance.get_runs(limit=2)]
    assert [record.dagster_run.status for record in runs] == [SUCCESS, SUCCESS]
    first, second = sorted(runs, key=lambda record: record.start_time)
    assert first.end_time <= second.start_time
    assert _of_any_making(machine.plant.rows()) == _of_any_making(undisturbed.new[JOBS[-1]])
    assert read_dates(machine.settings, machine.instance).made == [DAY]


def _of_any_making(rows: Rows) -> Rows:
    """Rows without the name of the making of `readings` that they come from."""
    return {name: _without(table, "readings_making") for name, table in rows.items()}


def _without(table: pa.Table, column: str) -> pa.Table:
    return table.drop_columns([column]) if column in table.schema.names else table
