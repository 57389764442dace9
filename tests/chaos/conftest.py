"""The plant of the trials, and the table of what came of them."""

import pytest

from pvfault_gateway.broker import free_port
from tests.chaos.plant import JOBS, Plant
from tests.chaos.stages import FIRST, time_stages, watch
from tests.spark_jobs.helpers import DEVICES

# What a trial says of itself, in this order.
COLUMNS = ("trial", "job", "stage", "victim", "after", "at once", "when gone", "exit code", "run again")
TRIALS = pytest.StashKey[list[dict]]()


class Undisturbed:
    """The plant, and what its jobs do when nothing is killed.

    Attributes
    ----------
    plant : Plant
    old, new : dict of str to Rows
        By scenario, the tables before and after its job.
    stages : dict of str to dict
        By scenario, how long each stage takes. [s]
    """

    def __init__(self, plant: Plant):
        self.plant = plant
        self.old, self.new, self.stages = {}, {}, {}
        plant.save(FIRST)
        plant.start_broker()
        plant.send_the_morning()
        plant.make_all()
        plant.send_the_rest()
        for job in JOBS:
            plant.save(job)
            self._follow(job)

    def restore(self, scenario: str) -> None:
        """Let the tables be as they are before a scenario's job."""
        self.plant.restore(scenario)
        if scenario not in self.new:
            self._follow(scenario)
            self.plant.restore(scenario)

    def _follow(self, scenario: str) -> None:
        self.old[scenario] = self.plant.rows()
        watched = watch(self.plant, scenario)
        try:
            self.stages[scenario] = time_stages(watched, scenario)
        finally:
            watched.job.end()
        self.new[scenario] = self.plant.rows()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, make_settings):
    """A plant with a broker of its own, whose jobs have all run once without any trouble."""
    home, saved = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("saved")
    devices = [f"{device},500,10" for device in DEVICES]  # the last of which is silent
    (home / "devices.csv").write_text("\n".join(["deviceID,rated_voltage,rated_current", *devices]) + "\n")
    plant = Plant(make_settings(home, PVFAULT_BROKER=f"localhost:{free_port()}"), saved)
    try:
        yield Undisturbed(plant)
    finally:
        plant.stop_broker()


@pytest.fixture
def told(request):
    """What a trial tells of itself, column by column."""
    row = {}
    request.config.stash.setdefault(TRIALS, []).append(row)
    return row


def pytest_terminal_summary(terminalreporter, config):
    """Show what came of each trial."""
    rows = [[str(row.get(column, "-")) for column in COLUMNS] for row in config.stash.get(TRIALS, [])]
    if rows:
        widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
        terminalreporter.section("kill -9")
        for row in [COLUMNS, *rows]:
            terminalreporter.line("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
