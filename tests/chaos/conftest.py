"""The plant of the trials, and the table of what came of them."""

import pytest

from pvfault_gateway.broker import free_port
from tests.chaos.plant import JOBS, Dagster, Plant
from tests.chaos.stages import FIRST

# What a trial says of itself, in this order.
COLUMNS = ("trial", "job", "stage", "victim", "after", "at once", "when gone", "exit code", "run again")
TRIAL = "trial"


class Undisturbed:
    """The plant, and what its tables are when nothing is killed.

    Attributes
    ----------
    old, new : dict of str to Rows
        By scenario, the tables before and after its job.
    """

    def __init__(self, plant: Plant, without_tables: Plant, dagster: Dagster):
        self._plant, self._without_tables, self._dagster = plant, without_tables, dagster
        self.old, self.new = {}, {}
        plant.send_the_morning()
        for job in JOBS:
            dagster.run(job)
        plant.send_the_rest()
        for job in JOBS:
            plant.save(job)
            self.old[job] = plant.rows()
            dagster.run(job)
            self.new[job] = plant.rows()

    def restore(self, scenario: str) -> Plant:
        """Let the tables be as they are before a scenario's job."""
        if scenario != FIRST:
            self._plant.restore(scenario)
            return self._plant
        if scenario not in self.new:
            self._without_tables.empty()
            self.run(scenario)
            self.old[scenario], self.new[scenario] = {}, self._without_tables.rows()
        self._without_tables.empty()
        return self._without_tables

    def run(self, scenario: str) -> None:
        """Run a scenario's job to its end."""
        if scenario != FIRST:
            self._dagster.run(scenario)
            return
        job = self._without_tables.start(JOBS[0])
        try:
            assert job.wait() == 0, job.log.read_text()[-3000:]
        finally:
            job.end()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, make_settings):
    """A plant with a broker of its own, whose jobs have all run twice without any trouble."""
    folder, broker = tmp_path_factory.mktemp("chaos"), f"localhost:{free_port()}"
    plant, without_tables = (
        Plant(make_settings(folder / name, PVFAULT_BROKER=broker), folder) for name in ("plant", "without tables")
    )
    plant.empty()
    plant.start_broker()
    try:
        with plant.dagster() as dagster:
            yield Undisturbed(plant, without_tables, dagster)
    finally:
        plant.stop_broker()


@pytest.fixture
def told(request):
    """What a trial tells of itself, column by column; its report takes it to the process that shows it."""
    row = {}
    request.node.user_properties.append((TRIAL, row))
    return row


def pytest_terminal_summary(terminalreporter):
    """Show what came of each trial."""
    reports = [each for outcome in ("passed", "failed") for each in terminalreporter.getreports(outcome)]
    trials = [dict(report.user_properties).get(TRIAL) for report in reports if report.when == "call"]
    rows = [[str(row.get(column, "-")) for column in COLUMNS] for row in trials if row]
    if rows:
        widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
        terminalreporter.section("kill -9")
        for row in [COLUMNS, *rows]:
            terminalreporter.line("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
