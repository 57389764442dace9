"""One benchmark from an empty folder to its figures.

What is measured in which order, and how the figures are derived from it.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from pvfault.settings import Settings
from pvfault.tables import OK
from pvfault_bench import original, peer, yardsticks
from pvfault_bench.filling import DAY, fill_topic
from pvfault_bench.machine import describe_machine
from pvfault_bench.stages import BARE_READ, CLASSIFY, SCALOGRAMS, STAGES, Timings, time_stages
from pvfault_gateway import broker
from spark_jobs.job import JobConfig
from spark_jobs.session import start_session

# A name under which a step is shown while it lasts.
Step = Callable[[str], AbstractContextManager]


@dataclass(frozen=True)
class Benchmark:
    """What is to be measured.

    Attributes
    ----------
    devices : int
    runs : int
        After one to warm up.
    stages_only : bool
        Leave the yardsticks out, except Spark's bare read.
    """

    devices: int
    runs: int
    stages_only: bool = False


def measure(
    settings: Settings,
    benchmark: Benchmark,
    step: Step = lambda _name: nullcontext(),
    on_progress: Callable[[int], None] = lambda _sent: None,
) -> dict:
    """Start a broker, fill a topic, time the jobs and the yardsticks, and stop what was started.

    Parameters
    ----------
    settings : Settings
        With a state folder, a registry and a broker's address of the benchmark's own.
    benchmark : Benchmark
    step : function
        Gives a context around each step.
    on_progress : function of int
        Called with the number of readings just sent, while the topic is filled.

    Returns
    -------
    dict
        The figures, as JSON can hold them; docs/performance.md says what they mean.
    """
    port = int(settings.broker.rpartition(":")[2])
    try:
        with step("Kafka broker started"):
            broker.start(settings, port=port, java_home=os.environ.get("JAVA_HOME"))
        started = time.perf_counter()
        with step("Topic filled"):
            readings = fill_topic(settings, benchmark.devices, on_progress)
        fill_seconds = time.perf_counter() - started
        config = JobConfig.from_settings(settings, [DAY], allow_fewer=True)
        with step("Spark started"), _speaking_into(settings.home / "spark.log"):
            spark = start_session(settings)
        timings = time_stages(spark, config, benchmark.runs, step)
        found = {} if benchmark.stages_only else {"original": _time_original(spark, config, benchmark, settings, step)}
        # Not where the above fails: Spark ends with this process, and a connection that was broken off in the middle
        # of a call would only cover what failed.
        spark.stop()
        if not benchmark.stages_only:
            found |= _measure_alone(settings, readings, step)
    finally:
        broker.stop(settings)
    return derive_figures(benchmark, readings, timings, found) | {"fill_seconds": round(fill_seconds, 1)}


def derive_figures(benchmark: Benchmark, readings: int, timings: Timings, found: dict) -> dict:
    """What follows from the measurements.

    Parameters
    ----------
    benchmark : Benchmark
    readings : int
        In the topic.
    timings : Timings
    found : dict
        `original`, `transform`, `network` and `peer`, as their modules give them; absent ones give no figures.

    Returns
    -------
    dict
    """
    machine = describe_machine()
    cores = machine["cores"]
    seconds = {stage: statistics.median(values) for stage, values in timings.seconds.items()}
    path = [sum(run) for run in zip(*(timings.seconds[stage] for stage in STAGES), strict=True)]
    path_seconds = statistics.median(path)
    lit = timings.windows[OK]
    figures = {
        "devices": benchmark.devices,
        "readings": readings,
        "windows": timings.windows,
        "cores": cores,
        "runs": benchmark.runs,
        "ratio_to_kafka_read": path_seconds / seconds[BARE_READ],
        "readings_per_second": readings / path_seconds,
        "peak_memory_gib": max(timings.peak_memory_gib[stage] for stage in STAGES),
        "path_seconds": path_seconds,
        "core_seconds_per_device_day": path_seconds * cores / benchmark.devices,
        "warmup_seconds": sum(timings.warmup[stage] for stage in STAGES),
        "stage_images_per_second": lit / seconds[CLASSIFY],
        "stage_windows_per_second": lit / seconds[SCALOGRAMS],
    }
    if "transform" in found:
        figures["scalogram_share_of_matmul"] = found["transform"]["share"]
        bare = found["transform"]["product_windows_per_second"] * cores
        figures["scalogram_stage_share_of_matmul"] = figures["stage_windows_per_second"] / bare
    if "network" in found:
        figures["images_per_second"] = found["network"]["processes_of_one_thread"]
    if "original" in found:
        ours = (seconds[SCALOGRAMS] + seconds[CLASSIFY]) / lit
        figures["speedup_over_original_method"] = found["original"]["seconds_per_window"] / ours
        figures["original_seconds_extrapolated"] = found["original"]["seconds_per_window"] * lit
    figures |= {
        "seconds": seconds,
        "seconds_all_runs": timings.seconds,
        "seconds_warmup": timings.warmup,
        "bytes_written": timings.bytes_written,
        "peak_memory_gib_by_stage": timings.peak_memory_gib,
        "yardsticks": found,
        "machine": machine,
    }
    return _rounded(figures)


def _time_original(spark, config, benchmark, settings, step):
    with step("Original method timed"):
        return original.time_original(spark, config, benchmark.devices, Path(settings.home))


def _measure_alone(settings, readings, step) -> dict:
    """The yardsticks that need no Spark, after it has gone and has left them the cores."""
    found = {}
    if peer.can_run():
        with step("Plain consumer timed"):
            found["peer"] = peer.time_consumer(settings, readings)
    with step("Matrix product timed"):
        found["transform"] = yardsticks.measure_transform()
    with step("Network timed"):
        found["network"] = yardsticks.measure_network(str(settings.model), describe_machine()["cores"])
    return found


@contextmanager
def _speaking_into(log: Path) -> Iterator[None]:
    """Let what is started inside the block write its standard error into a file, which is shown if the block fails.

    Spark's Java virtual machine greets with ten lines that are not ours to mend.
    """
    kept = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    except BaseException:
        os.write(kept, log.read_bytes())
        raise
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _rounded(value):
    """Floats to four significant figures: more would be noise."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
