"""How long `pvfault check` takes for one date of a fleet, and what memory, beside tables as the jobs leave them.

As a program it prints one line of JSON: `python -m pvfault_bench.checking [DEVICES]`. The rows of a few simulated
devices stand in the tables under many names, in the files, row groups and order of the jobs, and without their tasks.
Not here: the jobs' own time (`stages.py`).
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from pvfault.checks.device_days import WEEKS_DAYS
from pvfault.classify import distinct_readings
from pvfault.dates import midnight
from pvfault.errors import PvfaultError
from pvfault.lenet import load_classifier
from pvfault.readings import DEVICE_ID
from pvfault.registry import read_registry, write_registry
from pvfault.rows.device_days import HOURLY_COLUMNS, device_day_rows
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.scalograms import scalogram_rows
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, LEDGER, PREDICTIONS, READINGS, SCALOGRAMS, Table
from pvfault_bench.filling import DAY, SEED, SIMULATED, copied_registry, device_names
from pvfault_workshop.simulation import simulate_fleet
from spark_jobs import catalog, files, publishing
from spark_jobs.lineage import marked
from spark_jobs.session import start_session

DEVICES = 10_000
RUNS = 3
# A file of each partition of the topic; predictions are made of 64 MiB of one, of which images fill some four.
PARTITIONS, PREDICTIONS_EACH = 8, 4
# Devices whose rows go into files at once: some 50,000 readings, as tasks hand them on, and a few MB of images.
AT_ONCE = 11
MAKING = "0" * 32
PROJECT = Path(__file__).parent.parent
# The command as it is typed, which tells at its end what it took.
_CHECK = """
import json, sys, time
from pvfault_cli.main import main
try:
    main()
finally:
    cpu_s = time.process_time()
    from pvfault_bench.machine import peak_memory
    sys.stderr.write("\\n" + json.dumps({"cpu_seconds": cpu_s, "peak_bytes": peak_memory()}))
"""


def make_tables(spark: SparkSession, settings: Settings, devices: int) -> int:
    """Publish a date of a fleet, with the verdicts and the ledger of the four weeks before it.

    Parameters
    ----------
    spark : SparkSession
        On tables of the measurement's own.
    settings : Settings
    devices : int

    Returns
    -------
    int
        Readings of the date.
    """
    fleet = simulate_fleet(min(devices, SIMULATED), [DAY], SEED)
    write_registry(fleet.registry, settings.registry)
    rows = _judged(distinct_readings(fleet.readings(DAY)), settings)
    write_registry(copied_registry(fleet, devices), settings.registry)
    lineage = {"readings_making": MAKING, "registry_version": read_registry(settings.registry).version}
    catalog.create_tables(spark)
    for table, parts in (
        (READINGS, PARTITIONS),
        (SCALOGRAMS, PARTITIONS),
        (PREDICTIONS, PARTITIONS * PREDICTIONS_EACH),
    ):
        own = rows[table.name] if table is READINGS else marked(rows[table.name], lineage)
        _publish(spark, table, DAY, [_copies(own, devices, range(part, devices, parts)) for part in range(parts)])
    for day in (DAY - timedelta(days=back) for back in range(WEEKS_DAYS + 1)):
        own = marked(_of_day(rows[DEVICE_DAYS.name], day), lineage).select(DEVICE_DAYS.schema.names)
        _publish(spark, DEVICE_DAYS, day, [_copies(own, devices, range(devices), at_once=devices)])
        ledger = _ledger(settings, day, rows[READINGS.name], devices)
        publishing.append(spark, LEDGER, day, ledger)
    return ledger["date_rows"][0].as_py()


def measure_check(settings: Settings, day: date, runs: int) -> dict[str, float]:
    """Check a date as a user does, once to warm up and then some times.

    Returns
    -------
    dict
        Medians of `seconds`, `cpu_seconds`, and `peak_mib`.
    """
    found = [_check(settings, day) for _ in range(runs + 1)][1:]
    return {name: round(statistics.median(run[name] for run in found), 2) for name in found[0]}


def _check(settings: Settings, day: date) -> dict[str, float]:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, "check", "--date", str(day)],
        env=os.environ | {"PVFAULT_HOME": str(settings.home)}, cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        raise PvfaultError(f"the date was not good: {done.stdout} {done.stderr}")
    took = json.loads(done.stderr.splitlines()[-1])
    return {"seconds": seconds, "cpu_seconds": took["cpu_seconds"], "peak_mib": took["peak_bytes"] / 2**20}


def _judged(readings: pa.Table, settings: Settings) -> dict[str, pa.Table]:
    """What the jobs make of readings, without lineage, by table."""
    registry, classifier = read_registry(settings.registry), load_classifier(settings.model)
    windows = scalogram_rows(readings, DAY, registry)
    predictions = prediction_rows(windows, classifier)
    hours = predictions
    for name in HOURLY_COLUMNS:
        hours = hours.append_column(name, windows[name])
    days = device_day_rows(hours, DAY, registry)
    version = pa.array([classifier.version] * len(days), pa.string())
    return {
        READINGS.name: readings,
        SCALOGRAMS.name: windows,
        PREDICTIONS.name: predictions,
        DEVICE_DAYS.name: days.append_column("model_version", version),
    }


def _copies(rows: pa.Table, devices: int, places: Sequence[int], *, at_once: int = AT_ONCE) -> Iterator[pa.RecordBatch]:
    """Rows of some of many devices, which are those of the simulated ones under other names."""
    names = device_names(devices)
    counts = rows[DEVICE_ID].value_counts()  # in the order in which they come
    ends = np.cumsum(counts.field("counts").to_numpy())
    originals = [rows.slice(first, end - first) for first, end in zip([0, *ends[:-1]], ends, strict=True)]
    for first in range(0, len(places), at_once):
        some = places[first : first + at_once]
        copied = [originals[place % len(originals)] for place in some]
        device = pa.array(np.repeat(names[list(some)], [len(one) for one in copied]), pa.string())
        yield from pa.concat_tables(copied).set_column(0, DEVICE_ID, device).combine_chunks().to_batches()


def _of_day(verdicts: pa.Table, day: date) -> pa.Table:
    return verdicts.set_column(1, "date", pa.array([day] * len(verdicts), pa.date32()))


def _publish(spark: SparkSession, table: Table, day: date, parts: Iterable[Iterable[pa.RecordBatch]]) -> None:
    target = publishing.target_of(spark, table, day, MAKING)
    written = [file for file in (files.write(part, target) for part in parts) if file]
    publishing.publish(spark, publishing.stage(spark, table, day, written))


def _ledger(settings: Settings, day: date, readings: pa.Table, devices: int) -> pa.Table:
    """A making of a date, whose readings came in as many partitions as it has files."""
    counts = readings[DEVICE_ID].value_counts().field("counts").to_numpy()
    by_device = counts[np.arange(devices) % len(counts)]
    total = int(by_device.sum())
    rows = []
    for partition in range(PARTITIONS):
        own = int(by_device[partition::PARTITIONS].sum())
        first = day.toordinal() * total
        span = {"first_offset": first, "end_offset": first + own}
        rows.append({
            "date": day, "making": MAKING, "made_at": midnight(day) + timedelta(hours=26), "snapshot_id": 1,
            "topic": settings.topic, "topic_id": "bench", "partition": partition, **span, "scanned": [span],
            "newest": midnight(day), "records": own, "readings": own, "quarantined": 0, "elsewhere": [],
            "date_rows": total, "date_duplicates": 0, "code_version": "bench",
        })  # fmt: skip
    return pa.Table.from_pylist(rows, LEDGER.schema)


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    devices = int(sys.argv[1]) if len(sys.argv) > 1 else DEVICES
    with tempfile.TemporaryDirectory(prefix="pvfault-checking-") as folder:
        settings = Settings.from_environment({"PVFAULT_HOME": folder}, PROJECT)
        spark = start_session(settings)
        readings = make_tables(spark, settings, devices)
        # The virtual machine would be in the way of what is measured.
        spark.stop()
        found = measure_check(settings, DAY, RUNS)
    sys.stdout.write(json.dumps({"devices": devices, "readings": readings, **found}) + "\n")


if __name__ == "__main__":
    main()
