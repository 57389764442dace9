"""kill -9 at any moment: each table shows a date's old rows or its new ones, and the job run again makes the new ones.

`make chaos` strikes at each stage of each job, the suite a few times. CHAOS_TRIALS and CHAOS_SEED say how often and
which; the seed's number and a trial's own repeat it: `CHAOS_SEED=7 CHAOS_TRIALS=20 pytest tests/chaos -k trial17-`.
"""

import os
import time

import pytest

from tests.chaos.plant import Rows
from tests.chaos.stages import BROKER, DRIVER, draw_trials, strike, wait_for, wait_inside, watch

pytestmark = [
    pytest.mark.broker,
    pytest.mark.spark,
    pytest.mark.timeout(3600),  # the first trial makes all tables twice, and a busy machine takes its time
]

SEED = int(os.environ.get("CHAOS_SEED", "1"))
N_TRIALS = int(os.environ.get("CHAOS_TRIALS", "4"))


@pytest.mark.parametrize("trial", draw_trials(N_TRIALS, SEED), ids=str)
def test_a_killed_job_leaves_old_rows_or_new_ones_and_its_next_run_makes_the_new_ones(undisturbed, trial, told):
    plant = undisturbed.restore(trial.scenario)
    seen = Seen(undisturbed.old[trial.scenario], undisturbed.new[trial.scenario])
    told |= {"trial": f"{SEED}/{trial.number}", "job": trial.scenario, "stage": trial.stage.name}

    watched = watch(plant, trial.scenario)
    try:
        assert wait_for(watched, trial.stage), watched.job.log.read_text()[-3000:]
        begun = time.monotonic()
        wait_inside(watched, trial.scenario, trial.stage, trial.after_s)
        told["after"] = f"{time.monotonic() - begun:.2f} s"
        struck = strike(watched, trial.victim, trial.number)
        told["victim"] = trial.victim if struck else f"no {trial.victim} left"
        told["at once"] = seen.look_at(plant.rows())
        if trial.victim == BROKER:
            plant.start_broker()
        told["exit code"] = code = watched.job.wait()
        told["when gone"] = seen.look_at(plant.rows())
    finally:
        watched.job.end()
    said = watched.job.log.read_text()
    assert code in ((-9,) if struck and trial.victim == DRIVER else (0, 2)), said[-3000:]
    assert code != 2 or any(line.startswith("error: ") for line in said.splitlines()), said[-3000:]

    undisturbed.run(trial.scenario)
    told["run again"] = seen.look_at(plant.rows())
    assert told["run again"] == "new"


class Seen:
    """What a reader has seen so far of the tables of a job.

    Parameters
    ----------
    old, new : Rows
        Before the job, and after it.
    """

    def __init__(self, old: Rows, new: Rows):
        self._old, self._new = old, new
        self._made = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        self._seen_new: set[str] = set()

    def look_at(self, rows: Rows) -> str:
        """Say whether the tables have their old rows, or their new ones, or which of them have the new ones.

        Raises
        ------
        AssertionError
            If a table has neither, or has its old ones again.
        """
        for name in rows.keys() | self._old.keys() | self._new.keys():
            assert rows.get(name) in (self._old.get(name), self._new.get(name)), f"{name}: {rows.get(name)}"
        new = {name for name in self._made if rows.get(name) == self._new.get(name)}
        assert new >= self._seen_new
        self._seen_new = new
        if not new:
            return "old"
        return "new" if new == self._made else f"new {', '.join(sorted(new))}"
