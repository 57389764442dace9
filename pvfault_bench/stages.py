"""The real jobs, timed one by one, with Spark's bare read of the same topic before them."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from pyspark.sql import SparkSession

from pvfault.dates import midnight_ms
from pvfault.errors import PvfaultError
from pvfault.tables import QUALITIES
from pvfault_bench.filling import DAY
from pvfault_bench.machine import MemoryWatch
from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from spark_jobs.job import JobConfig

JOBS = (ingest_readings, compute_scalograms, classify_faults, summarise_device_days)
BARE_READ = "bare_read"
INGEST, SCALOGRAMS, CLASSIFY, SUMMARISE = STAGES = tuple(job.NAME for job in JOBS)


@dataclass
class Timings:
    """What the runs of the jobs gave.

    Attributes
    ----------
    warmup : dict of str to float
        Of the first run, by stage; classes are loaded, workers start and import TensorFlow. [s]
    seconds : dict of str to list of float
        Of each later run, by stage. [s]
    bytes_written : dict of str to int
        Added to the tables by one run, by job.
    peak_memory_gib : dict of str to float
        Of all processes in all runs, by stage. [GiB]
    windows : dict of str to int
        Windows of the date, by quality.
    """

    warmup: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    bytes_written: dict[str, int] = field(default_factory=dict)
    peak_memory_gib: dict[str, float] = field(default_factory=dict)
    windows: dict[str, int] = field(default_factory=dict)


def time_stages(
    spark: SparkSession, config: JobConfig, runs: int, step: Callable[[str], AbstractContextManager]
) -> Timings:
    """Run the jobs over `DAY` once to warm up, then `runs` times, each time replacing what the last run made.

    Raises
    ------
    PvfaultError
        If an audit refuses the date: times of work that was not done say nothing.
    """
    timings = Timings()
    with MemoryWatch() as memory:
        for run in range(runs + 1):
            with step(f"Run {run} of {runs}" if run else "Warm-up"):
                taken = _run_once(spark, config, memory, timings)
            if not run:
                timings.warmup = taken
                continue
            for stage, seconds in taken.items():
                timings.seconds.setdefault(stage, []).append(seconds)
    timings.peak_memory_gib = memory.peaks
    return timings


def read_bare(spark: SparkSession, config: JobConfig) -> None:
    """Read the date's records and throw them away, as Spark does it if nobody sets anything."""
    records = (
        spark.read.format("kafka")
        .options(**{f"kafka.{name}": value for name, value in config.broker_access.java_options().items()})
        .option("subscribe", config.topic)
        .option("startingTimestamp", midnight_ms(DAY))
        .option("endingTimestamp", midnight_ms(DAY + timedelta(days=1)))
        .option("startingOffsetsByTimestampStrategy", "latest")  # a small fleet leaves a partition empty
        .load()
    )
    records.write.format("noop").mode("overwrite").save()


def _run_once(spark, config, memory, timings) -> dict[str, float]:
    """Seconds of each stage, once."""
    taken = {}
    started = time.perf_counter()
    with memory.during(BARE_READ):
        read_bare(spark, config)
        taken[BARE_READ] = time.perf_counter() - started
    for job in JOBS:
        started = time.perf_counter()
        with memory.during(job.NAME):
            report = job.run(spark, config)
            taken[job.NAME] = time.perf_counter() - started
        (day,) = report.days
        if not day.published:
            reason = day.stopped_by or "there was nothing to publish"
            raise PvfaultError(f"{job.NAME} did not publish the measured day: {reason}")
        timings.bytes_written[job.NAME] = day.figures["bytes"]
        if job.NAME == SCALOGRAMS:
            timings.windows = {quality: day.figures[quality] for quality in QUALITIES}
    return taken
