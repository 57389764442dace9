"""The stages of a job, as they show from outside, and the trials that are made of them.

Here: by what a stage is known to be reached, whom it can strike, and which trials a seed draws. The jobs know nothing
of it: a stage shows by a new process, a connection, or a new file of a table. Not here: the processes (`plant.py`).
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.chaos.plant import JOBS, JobProcess, Plant

DRIVER, JVM, WORKER, BROKER = "driver", "JVM", "worker", "broker"
# A job into a folder without any table: it makes the catalog and all tables first.
FIRST = "first ingest_readings"

# Looking for processes takes a core some 10 ms, and for a file far less.
_LOOK_FOR_PROCESSES_S, _LOOK_FOR_FILES_S = 0.05, 0.002


@dataclass(frozen=True)
class Watched:
    """A running job, unless its process is somebody else's, and the files that were there before it."""

    plant: Plant
    job: JobProcess | None
    known: frozenset[Path]

    def new_files(self, pattern: str) -> int:
        """How many files of the tables are new."""
        return sum(path not in self.known for path in _tables(self.plant).glob(pattern))


@dataclass(frozen=True)
class Stage:
    """A stage of a job.

    Attributes
    ----------
    name : str
    is_reached : callable
        Whether a watched job has begun it.
    every_s : float
        How often to ask. [s]
    """

    name: str
    is_reached: Callable[[Watched], bool]
    every_s: float = _LOOK_FOR_FILES_S


def _commit(table: str, number: int, name: str) -> Stage:
    """Metadata are written and the catalog is about to point to them."""
    return Stage(name, lambda watched: watched.new_files(f"{table}/metadata/*.metadata.json") >= number)


def _written(table: str, name: str = "written") -> Stage:
    return Stage(name, lambda watched: watched.new_files(f"{table}/data/*/*.parquet") >= 1)


def _talks_to_broker(watched: Watched) -> bool:
    port = int(watched.plant.settings.broker.rpartition(":")[2])
    try:
        return any(one.raddr and one.raddr.port == port for one in watched.job.jvm.net_connections("tcp"))
    except (AttributeError, psutil.Error):  # there is none, or none any more
        return False


_SESSION = Stage("session", lambda watched: watched.job.jvm is not None, _LOOK_FOR_PROCESSES_S)
_OFFSETS = Stage("offsets", _talks_to_broker, _LOOK_FOR_PROCESSES_S)
_WORK = Stage("work", lambda watched: bool(watched.job.workers), _LOOK_FOR_PROCESSES_S)


def _stages_of_table(table: str) -> tuple[Stage, ...]:
    return _SESSION, _WORK, _written(table), _commit(table, 1, "staged"), _commit(table, 2, "published")


STAGES = {
    "ingest_readings": (
        _SESSION,
        _OFFSETS,
        _WORK,
        _written("readings"),
        _commit("readings", 1, "staged"),
        _written("quarantine", "quarantine written"),
        _commit("quarantine", 1, "quarantine staged"),
        _commit("quarantine", 2, "quarantine published"),
        _commit("readings", 2, "published"),
        _written("ledger", "ledger written"),
        _commit("ledger", 1, "ledger published"),
    ),
    "compute_scalograms": _stages_of_table("scalograms"),
    "classify_faults": _stages_of_table("predictions"),
    "summarise_device_days": _stages_of_table("device_days"),
    FIRST: (
        Stage("catalog", lambda watched: watched.plant.settings.catalog.exists()),
        _commit("readings", 1, "first table"),
        _commit("device_days", 1, "last table"),
        # The two before are those of the table's making, and of its order.
        _commit("readings", 3, "staged"),
        _commit("readings", 4, "published"),
    ),
}


def watch(plant: Plant, scenario: str) -> Watched:
    """Start a scenario's job and watch it."""
    watched = follow(plant)
    return replace(watched, job=plant.start(job_of(scenario)))


def follow(plant: Plant) -> Watched:
    """Watch a job that somebody else starts, by the files that it writes."""
    return Watched(plant, None, frozenset(_tables(plant).glob("*/*/**/*")))


def job_of(scenario: str) -> str:
    """The job that a scenario runs."""
    return JOBS[0] if scenario == FIRST else scenario


def wait_for(watched: Watched, stage: Stage) -> bool:
    """Wait until a stage is reached; False if the job ends before."""
    while not stage.is_reached(watched):
        if watched.job.driver.poll() is not None:
            return stage.is_reached(watched)
        time.sleep(stage.every_s)
    return True


def wait_inside(watched: Watched, scenario: str, stage: Stage, seconds: float) -> None:
    """Wait for some time, but not beyond the beginning of the stage that follows."""
    following = STAGES[scenario][STAGES[scenario].index(stage) + 1 :][:1]
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at and not any(one.is_reached(watched) for one in following):
        time.sleep(min(stage.every_s, seconds))


@dataclass(frozen=True)
class Trial:
    """What is killed, and when.

    Attributes
    ----------
    number : int
    scenario : str
        A job, or `FIRST`.
    stage : Stage
    victim : str
    after_s : float
        How long after the stage's beginning, if it is not over before. [s]
    """

    number: int
    scenario: str
    stage: Stage
    victim: str
    after_s: float

    def __str__(self):
        return f"trial{self.number}-{self.scenario}-{self.stage.name}-{self.victim}".replace(" ", "-")


def draw_trials(n: int, seed: int) -> list[Trial]:
    """Trials of a seed: every stage of every job in turn, the first ones of a job each.

    The same seed draws the same trials, and fewer are the first ones of more. What a process has done when its moment
    comes is still up to the machine.
    """
    draw = random.Random(seed)  # noqa: S311 - nothing is secret
    places = [(scenario, stage) for scenario, stages in STAGES.items() for stage in stages]
    victims = {place: _shuffled(draw, _victims(*place)) for place in places}
    rounds = -(-n // len(places))
    order = [place for _ in range(rounds) for place in _a_job_each_first(_shuffled(draw, places))]
    return [
        # A commit takes milliseconds of the stage that it begins, and Spark's start many seconds.
        Trial(number, scenario, stage, _next(victims[scenario, stage]), draw.choice((0, 0.002 * 5000 ** draw.random())))
        for number, (scenario, stage) in enumerate(order[:n])
    ]


def strike(watched: Watched, victim: str, seed: int) -> bool:
    """Kill a process of the job, or the broker, as the kernel does when memory is short; False if it has ended."""
    job = watched.job
    found = {
        DRIVER: lambda: [psutil.Process(job.driver.pid)] if job.driver.poll() is None else [],
        JVM: lambda: [job.jvm] if job.jvm else [],
        WORKER: lambda: job.workers,
        BROKER: lambda: [watched.plant.broker_process],
    }[victim]()
    if found:
        random.Random(seed).choice(found).kill()  # noqa: S311 - nothing is secret
    return bool(found)


def _victims(scenario: str, stage: Stage) -> tuple[str, ...]:
    """Who takes part in a stage: only ingest talks to the broker, and workers are there from their first task on."""
    worker = () if stage.name in ("session", "offsets", "catalog", "first table", "last table") else (WORKER,)
    return DRIVER, JVM, *worker, *((BROKER,) if job_of(scenario) == JOBS[0] else ())


def _a_job_each_first(places: Sequence[tuple[str, Stage]]) -> list[tuple[str, Stage]]:
    first = [next(place for place in places if place[0] == job) for job in JOBS]
    return first + [place for place in places if place not in first]


def _shuffled(draw: random.Random, items: Sequence) -> list:
    return draw.sample(items, len(items))


def _next(items: list):
    """The item that was not taken for the longest time."""
    items.append(items.pop(0))
    return items[-1]


def _tables(plant: Plant) -> Path:
    return plant.settings.warehouse / "pvfault"
