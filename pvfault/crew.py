"""Many readings examined and judged in several processes, each of which has a group of the devices.

Here: who has which devices, and what goes between the processes: readings of one date at a time, images, verdicts. Not
here: what is done with them (`classify.py`, `credibility.py`). Verdicts of a device do not hang on other devices, so
the groups change nothing. The network stays in the process that has the readings: it takes more memory than all else
that a process needs.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from pvfault.classify import Judged, date_spans, distinct_readings, judge_days, judge_readings, put_together
from pvfault.credibility import Finding, conclude, examine_readings, look_at_days
from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.registry import Registry

# Device-days below which starting processes takes longer than they save.
LEAST_DEVICE_DAYS = 500


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Crew:
    """Processes that examine and judge readings, to be used as a context; without any where they would not pay.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by time; deviceID may be coded (`code_devices`). Is held and not copied.
    registry : Registry
    workers : int
        How many at most, a core each.
    least : int
        Device-days from which on there are any.
    """

    def __init__(self, readings: pa.Table, registry: Registry, workers: int, *, least: int = LEAST_DEVICE_DAYS):
        self._readings, self._registry = readings, registry
        pa.default_memory_pool().release_unused()  # what reading has left behind
        self._served = _Served(readings, registry)
        n_devices = len(self._served.devices)
        some = min(workers, n_devices) if n_devices * len(self._served.dates) >= least else 0
        self._groups = np.array_split(np.arange(n_devices), some) if some > 1 else []
        self._processes: list = []

    def __enter__(self) -> "Crew":
        # Not forked: threads of Arrow and of BLAS do not go on in a forked process.
        context = multiprocessing.get_context("spawn")
        for _ in self._groups:
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, self._registry), daemon=True)
            process.start()
            there.close()
            self._processes.append((process, here))
        return self

    def __exit__(self, *error) -> None:
        for process, here in self._processes:
            here.close()
            process.terminate()
            process.join()

    def examine(self) -> list[Finding]:
        """As `examine_readings`."""
        if not self._groups:
            return examine_readings(_plain(self._readings), self._registry)
        parts = self._each("examine")
        found = [finding for findings, _ in parts for finding in findings]
        return conclude(found, sum(count for _, count in parts))

    def judge(self, classifier, doubts: Mapping[str, str]) -> Judged:
        """As `judge_readings`."""
        if not self._groups:
            return judge_readings(_plain(self._readings), self._registry, classifier, doubts=doubts)
        return put_together(self._each("judge", classifier.version, classifier.sets, doubts, classifier=classifier))

    def _each(self, *task, classifier=None):
        """What each process makes of its devices."""
        with ThreadPoolExecutor(len(self._groups)) as threads:
            served = [
                threads.submit(self._serve, here, group, task, classifier)
                for (_, here), group in zip(self._processes, self._groups, strict=True)
            ]
            return [each.result() for each in served]

    def _serve(self, here, group, task, classifier):
        """Hand one process what it asks for, until it is done."""
        try:
            here.send(task)
            while True:
                asked, what = here.recv()
                if asked == "day":
                    here.send(self._served.day_of(group, *what))
                elif asked == "images":
                    here.send(classifier.predict(what))
                elif asked == "refused":
                    raise PvfaultError(what)
                else:
                    return what
        except (EOFError, OSError) as error:
            raise PvfaultError(
                "a process that judges a part of the devices has ended before it was done, perhaps for want of "
                "memory. Judge fewer files at once."
            ) from error


def code_devices(readings: pa.Table) -> pa.Table:
    """Readings with a number in place of each deviceID, as small as will do: a year of a plant takes a third less."""
    coded = pc.dictionary_encode(readings[DEVICE_ID])
    n_devices = len(coded.chunk(0).dictionary) if coded.num_chunks else 0
    number = next(each for each in (pa.int8(), pa.int16(), pa.int32()) if n_devices < 2 ** (each.bit_width - 1))
    return readings.set_column(0, DEVICE_ID, coded.cast(pa.dictionary(number, pa.string())))


def _plain(readings):
    return readings.set_column(0, READING_SCHEMA.field(DEVICE_ID), readings[DEVICE_ID].cast(pa.string()))


class _Served:
    """Readings of one date and some devices, as they go to another process."""

    def __init__(self, readings, registry):
        is_coded = pa.types.is_dictionary(readings[DEVICE_ID].type)
        column = (readings if is_coded else code_devices(readings))[DEVICE_ID]
        # Put together even where it is one part, it would be a copy.
        column = column.chunk(0) if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()
        self.devices = column.dictionary.to_pylist()
        self._codes = column.indices.to_numpy()
        self._time = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
        self._values = [readings[name].to_numpy() for name in MEASUREMENTS]
        self._is_registered = np.isin(self.devices, list(registry.devices))
        self.dates = list(date_spans(self._time))

    def day_of(self, group, unregistered, number):
        """The next date from a number on of which there is anything, its number and columns; None behind the last."""
        which = np.zeros(len(self.devices), bool)
        which[group] = True
        if unregistered:
            which &= ~self._is_registered
        if not which.any():
            return None
        for place in range(number, len(self.dates)):
            day, begin, end = self.dates[place]
            codes = self._codes[begin:end]
            own = np.flatnonzero(which[codes])
            if len(own):
                devices, codes = np.unique(codes[own], return_inverse=True)
                names = [self.devices[device] for device in devices]
                values = [column[begin:end][own] for column in self._values]
                return place, day, names, codes.astype(np.int32), self._time[begin:end][own], values
        return None


def _work(there, registry):
    """What a process does: the tasks that it is sent."""
    pa.set_cpu_count(1)
    with threadpool_limits(1):
        while True:
            try:
                what, *arguments = there.recv()
            except EOFError:  # nobody waits for more
                return
            try:
                there.send(("done", _TASKS[what](there, registry, *arguments)))
            except PvfaultError as error:
                there.send(("refused", str(error)))


def _examine(there, registry):
    return look_at_days(_days(there), registry)


def _judge(there, registry, version, sets, doubts):
    network = _Asked(there, version, sets)
    return judge_days(lambda *, unregistered: _days(there, unregistered), registry, network, doubts=doubts)


_TASKS = {"examine": _examine, "judge": _judge}


class _Asked:
    """The network of another process."""

    def __init__(self, there, version, sets):
        self.version, self.sets = version, sets
        self._there = there

    def predict(self, images):
        """As `pvfault.lenet.Classifier`'s."""
        self._there.send(("images", images))
        return self._there.recv()


def _days(there, unregistered=False) -> Iterator[tuple[date, pa.Table]]:
    """Dates and readings, as `days_of` gives them."""
    number = 0
    while True:
        there.send(("day", (unregistered, number)))
        found = there.recv()
        if found is None:
            return
        number, day, names, codes, time, values = found
        number += 1
        devices = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())).cast(pa.string())
        columns = [devices, pa.array(time).cast(TIMESTAMP_TYPE), *map(pa.array, values)]
        yield day, distinct_readings(pa.table(columns, schema=READING_SCHEMA))
