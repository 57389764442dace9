"""How long a plant's day takes from the topic to the verdicts, in units of Spark's bare read of the same topic.

    make bench                                            # 1,000 devices, three runs
    .venv/bin/python benchmarks/ingest_to_gold.py --devices 200 --runs 1

Starts a broker of its own in a temporary folder, fills a topic with a simulated day, and runs the real jobs. Prints the
medians; the start of the Java virtual machine is left out. Ratios are of one run on one machine: absolute times of
another day or machine are not to be compared with them.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.registry import write_registry
from pvfault.settings import Settings
from pvfault.simulation import simulate_fleet
from pvfault_gateway import broker
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import ensure_topic
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from spark_jobs.job import JobConfig
from spark_jobs.session import start_session
from spark_jobs.topic import read_topic

DAY = date(2024, 6, 1)
JOBS = (ingest_readings, compute_scalograms, classify_faults, summarise_device_days)
# Devices that are really simulated; the others are copies of these under other names.
SIMULATED = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pvfault-bench-") as folder:
        settings = Settings.from_environment(os.environ | {"PVFAULT_HOME": folder}, Path.cwd())
        port = broker.free_port()
        settings = replace(settings, broker=f"localhost:{port}", registry=Path(folder) / "devices.csv")
        broker.start(settings, port=port)
        try:
            n_readings = fill(settings, options.devices)
            report(options, n_readings, measure(settings, options.runs))
        finally:
            broker.stop(settings)


def fill(settings: Settings, devices: int) -> int:
    """Fill the topic with one day of the fleet, in time order."""
    fleet = simulate_fleet(min(devices, SIMULATED), [DAY], 1)
    names = np.array([f"BENCH{number:05d}" for number in range(devices)], dtype=object)
    original = {name: number for number, name in enumerate(fleet.registry[DEVICE_ID].to_pylist())}
    copies = np.arange(devices) % len(original)
    write_registry(
        fleet.registry.take(copies).set_column(0, DEVICE_ID, pa.array(names, pa.string())), settings.registry
    )
    ensure_topic(settings)
    readings = fleet.readings(DAY)
    code = np.array([original[name] for name in readings[DEVICE_ID].to_pylist()])
    # A stretch of time after the other, all copies of each: a fleet sends side by side, not one after the other.
    time_us = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    edges = np.searchsorted(time_us, np.linspace(time_us[0], time_us[-1] + 1, 97))
    with ReadingProducer(settings) as producer:
        for first, last in pairwise(edges):
            part, part_code = readings.slice(first, last - first), code[first:last]
            for offset in range(0, devices, len(original)):
                there = pa.array(part_code + offset < devices)
                name = pa.array(names[np.minimum(part_code + offset, devices - 1)], pa.string())
                producer.send(part.set_column(0, part.schema.field(0), name).filter(there))
        return producer.finish()


def measure(settings: Settings, runs: int) -> dict[str, list[float]]:
    """Seconds of each step in each run, and the peak memory of all processes."""
    spark = start_session(settings)
    config = JobConfig.from_settings(settings, [DAY], allow_fewer=True)
    seconds = {name: [] for name in ("bare read", *(job.NAME for job in JOBS))}
    with PeakMemory() as memory:
        for run in range(runs + 1):
            timed = {"bare read": bare_read} | {job.NAME: job.run for job in JOBS}
            for name, step in timed.items():
                started = time.perf_counter()
                step(spark, config)
                if run:  # the first one warms up: classes are loaded, the workers import TensorFlow
                    seconds[name].append(time.perf_counter() - started)
    spark.stop()
    return seconds | {"peak memory": [memory.peak / 2**30]}


def bare_read(spark, config) -> None:
    """Read the date's records and throw them away: the least that any job over the topic takes."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    records = read_topic(spark, config.broker, config.topic, start, start + timedelta(days=1))
    records.write.format("noop").mode("overwrite").save()


class PeakMemory:
    """Watches the memory of this process and all that it started: Spark's JVM, its workers, the broker."""

    def __enter__(self):
        self.peak = 0
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._watch.join()

    def _look(self):
        me = psutil.Process()
        while not self._done.wait(0.5):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    # Shared pages (forked workers) are counted once for each process by rss, and in parts by pss.
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)


def report(options, n_readings: int, measured: dict[str, list[float]]) -> None:
    """Print the medians."""
    console = Console()
    (peak,) = measured.pop("peak memory")
    medians = {name: statistics.median(values) for name, values in measured.items()}
    floor = medians["bare read"]
    path = [sum(values) for values in zip(*(measured[job.NAME] for job in JOBS), strict=True)]
    medians["ingest to gold"] = statistics.median(path)
    table = Table("step", "seconds (median)", "× bare read", "readings/s")
    for name, median in medians.items():
        table.add_row(name, f"{median:.1f}", f"{median / floor:.2f}", f"{n_readings / median:,.0f}")
    console.print(
        f"{options.devices:,} devices, {n_readings:,} readings, {options.runs} runs after a warm-up, "
        f"{os.cpu_count()} cores"
    )
    console.print(table)
    console.print(f"peak memory of all processes: {peak:.2f} GiB")


if __name__ == "__main__":
    sys.exit(main())
