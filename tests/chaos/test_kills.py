"""kill -9 at any moment: each table shows a date's old rows or its new ones, and the job run again makes the new ones.

`make chaos` strikes at each stage of each job, the suite a few times. CHAOS_TRIALS and CHAOS_SEED say how often and
which; the seed's number and a trial's own repeat it: `CHAOS_SEED=7 CHAOS_TRIALS=20 pytest tests/chaos -k "[17,"`.
"""

import os
import time

import pytest

from tests.chaos.plant import Rows
from tests.chaos.stages import BROKER, DRIVER, draw_trials, job_of, strike, wait_for, watch

pytestmark = [pytest.mark.broker, pytest.mark.spark]

SEED = int(os.environ.get("CHAOS_SEED", "1"))
N_TRIALS = int(os.environ.get("CHAOS_TRIALS", "4"))


@pytest.mark.parametrize("trial", draw_trials(N_TRIALS, SEED), ids=str)
def test_a_killed_job_leaves_old_rows_or_new_ones_and_its_next_run_makes_the_new_ones(undisturbed, trial, told):
    undisturbed.restore(trial.scenario)
    plant, old, new = undisturbed.plant, undisturbed.old[trial.scenario], undisturbed.new[trial.scenario]
    told |= {"trial": f"{SEED}/{trial.number}", "job": trial.scenario, "stage": trial.stage.name}

    watched = watch(plant, trial.scenario)
    try:
        assert wait_for(watched, trial.stage), watched.job.log.read_text()[-3000:]
        delay = trial.share * undisturbed.stages[trial.scenario][trial.stage.name]
        time.sleep(delay)
        strike(watched, trial.victim, trial.number)
        told |= {"victim": trial.victim, "after": f"{delay:.2f} s", "at once": judge(plant.rows(), old, new)}
        if trial.victim == BROKER:
            plant.start_broker()
        told["exit code"] = code = watched.job.wait()
        told["when gone"] = judge(plant.rows(), old, new)
    finally:
        watched.job.end()
    said = watched.job.log.read_text()
    assert code in ((-9,) if trial.victim == DRIVER else (0, 2)), said[-3000:]
    assert "Traceback" not in said, said[-3000:]

    again = plant.start(job_of(trial.scenario))
    try:
        assert again.wait() == 0, again.log.read_text()[-3000:]
    finally:
        again.end()
    told["run again"] = judge(plant.rows(), old, new)
    assert told["run again"] == "new"


def judge(found: Rows, old: Rows, new: Rows) -> str:
    """Whether all tables have their old rows, or their new ones, or which of them have the new ones.

    Raises
    ------
    AssertionError
        If a table has neither.
    """
    made = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    for name in found.keys() | old.keys() | new.keys():
        assert found.get(name) in (old.get(name), new.get(name)), f"{name}: {found.get(name)}"
    new_ones = {name for name in made if found.get(name) == new.get(name)}
    if not new_ones:
        return "old"
    return "new" if new_ones == made else f"new {', '.join(sorted(new_ones))}"
