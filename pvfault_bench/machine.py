"""The machine that is measured: its processor, and the memory that processes take."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pvfault.crew import count_cores

GIB = 2**30
LOOK_EVERY_S = 0.5


def describe_machine() -> dict:
    """Cores, memory and model of the processor."""
    return {
        "cores": count_cores(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "cpu_model": _cpu_model(),
    }


class MemoryWatch:
    """Watches the memory of this process and all that it started: Spark's JVM, its workers, the broker.

    To be used as a context.

    Attributes
    ----------
    peaks : dict of str to float
        The highest sum during each stage. [GiB]
    """

    def __init__(self):
        self.peaks: dict[str, float] = {}
        self._stage = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._done.set()
        self._thread.join()

    @contextmanager
    def during(self, stage: str) -> Iterator[None]:
        """Count what is taken inside the block as this stage's."""
        self._stage = stage
        try:
            yield
        finally:
            # Also at its end: a stage may be shorter than the time between two looks.
            self._look(stage)
            self._stage = None

    def _watch(self):
        while not self._done.wait(LOOK_EVERY_S):
            stage = self._stage
            if stage:
                self._look(stage)

    def _look(self, stage):
        used = memory_of_all() / GIB
        self.peaks[stage] = max(self.peaks.get(stage, 0.0), used)


def memory_of_all(pid: int | None = None) -> int:
    """Bytes that a process, by default this one, and its descendants take; what several share is counted once."""
    total = 0
    try:
        first = psutil.Process(pid)
        processes = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            # rss counts the pages that forked workers share once for each of them, pss in parts.
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
        except psutil.Error:  # it has ended meanwhile
            continue
    return total


def peak_memory() -> int:
    """Bytes that this process has taken at most, since it began to run its program."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        # Not Linux. There it would not do: it counts the parent too, until this process runs a program of its own.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) * 1024


def _cpu_model() -> str:
    """What the processor calls itself; empty where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
