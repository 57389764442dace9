"""Job: a date's `readings` to its `scalograms`, 24 windows for each device that is registered or sent something.

How readings reach `pvfault.rows.scalograms` device by device, and what is audited.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from pvfault import scalogram
from pvfault.checks import scalograms as checks
from pvfault.checks.check import CheckResult
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP
from pvfault.registry import Registry
from pvfault.rows.columns import whole_devices
from pvfault.rows.scalograms import missing_rows, scalograms_and_doubts
from pvfault.soundness import Doubt
from pvfault.tables import OK, QUALITIES, READINGS, SCALOGRAMS
from spark_jobs import catalog, publishing, references, scans
from spark_jobs.files import Written
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.lineage import marked
from spark_jobs.tasks import ROWS_AT_ONCE

NAME = "compute_scalograms"

# Readings that are cut and transformed at once: about 50 devices, whose images take 10 MB.
READINGS_AT_ONCE = 200_000
# Scalograms that are written once more and are counted at once: their images take 16 MB.
SCALOGRAMS_AT_ONCE = 1000
# Devices that sent nothing whose windows are made at once.
SILENT_AT_ONCE = 10_000
# Readings of a task where they have to be brought together by a shuffle.
READINGS_PER_TASK = 2_000_000

AUDITS = checks.AUDITED


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `scalograms` of each date.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    """
    registry = config.read_registry()
    catalog.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, registry), on_date)


@dataclass
class Tally:
    """What one task has seen, so that nobody has to look again.

    Attributes
    ----------
    devices : set of str
        That had readings.
    apart : bool
        Whether a device's readings did not stand together, sorted by time; what the task gave is then not whole.
    counts : Counter
        `made`, devices whose windows were given; `not_whole`, those among them without each hour once; `blank`, images
        of zeros alone; and by the name of each quality, its windows.
    doubts : list of Doubt
        Of the devices with readings that do not tell of the array.
    """

    devices: set[str] = field(default_factory=set)
    apart: bool = False
    counts: Counter = field(default_factory=Counter)
    doubts: list[Doubt] = field(default_factory=list)

    def add(self, scalograms: pa.Table) -> None:
        """Count rows of `SCALOGRAMS` of devices that were not there before."""
        windows = checks.count_windows(scalograms)
        self.counts["made"] += windows.devices
        self.counts["not_whole"] += windows.not_whole
        for found in scalograms["quality"].value_counts().to_pylist():
            self.counts[found["values"]] += found["counts"]
        self.counts["blank"] += pc.sum(pc.equal(scalograms["scalogram"], bytes(scalogram.BYTES))).as_py() or 0


def to_scalograms(
    day: date,
    registry: Registry,
    learned: Sequence[references.ReferenceFile] = (),
    readings_making: str | None = None,
) -> Callable:
    """From a task's readings of a date to its scalograms.

    Parameters
    ----------
    day : date
    registry : Registry
    learned : sequence of references.ReferenceFile
        What devices should give. Of others, the ratings tell.
    readings_making : str, optional
        Of the date, as `scans.making_of` tells it.

    Returns
    -------
    callable
        From an iterator of batches of readings, each (deviceID, timestamp) once, all of a device in one task, sorted by
        deviceID and timestamp, to one of batches of `SCALOGRAMS`, sorted by key. It returns a `Tally`, which says so
        where the readings do not come like that.
    """
    lineage = _lineage(registry, readings_making)

    def to_rows(readings: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally, reader = Tally(), references.ReferenceReader(learned)
        for table in whole_devices(readings, READINGS_AT_ONCE):
            devices = table[DEVICE_ID].unique().to_pylist()
            tally.apart = tally.apart or not tally.devices.isdisjoint(devices) or not _is_in_order(table)
            if tally.apart:
                break
            tally.devices.update(devices)
            rows = table.select(READING_SCHEMA.names).cast(READING_SCHEMA)
            made, doubts = scalograms_and_doubts(rows, day, registry, reader.of(devices))
            tally.add(made)
            tally.doubts += doubts
            yield from marked(made, lineage).to_batches()
        return tally

    return to_rows


def audit_rows(spark: SparkSession, _config: JobConfig, day: date) -> publishing.RowAudits:
    """How scalograms of a date that are written once more are audited, each device's in one task."""

    def to_rows(scalograms: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for devices in whole_devices(scalograms, SCALOGRAMS_AT_ONCE):
            tally.add(devices)
            yield from devices.to_batches()
        return tally

    def judge(staged: publishing.Staged, tallies: list[Tally]) -> tuple[CheckResult, ...]:
        counts = sum((tally.counts for tally in tallies), Counter())
        images = publishing.count_values(spark, staged, day, "scalogram")
        return _audit(staged, counts, images, devices=counts["made"])

    return publishing.RowAudits(to_rows, judge)


def _lineage(registry: Registry, readings_making: str | None) -> dict[str, str | None]:
    """What the scalograms of a date come from."""
    return {"readings_making": readings_making, "registry_version": registry.version}


def _is_in_order(readings: pa.Table) -> bool:
    """Whether the readings of each device stand together, by time."""
    device = readings[DEVICE_ID].combine_chunks().dictionary_encode().indices.to_numpy()
    step = np.diff(device)
    later = np.diff(readings[TIMESTAMP].cast(pa.int64()).to_numpy()) > 0
    # Devices are numbered as they appear: one that comes back has a smaller number than the one before it.
    return bool(((step > 0) | ((step == 0) & later)).all())


def _make_date(spark: SparkSession, registry: Registry, day: date) -> DateReport:
    making = scans.making_of(spark, READINGS, day)
    with references.temporary_folder(spark) as folder, scans.naming_damage(spark, day, READINGS):
        history = references.learn_history(spark, registry, day, folder)
        written, tallies = _write_seen(spark, to_scalograms(day, registry, history.learned, making), day)
    seen = set().union(*(tally.devices for tally in tallies))
    silent = sorted(set(registry.devices) - seen)
    lineage = _lineage(registry, making)
    written_missing, tallies_missing = _write_missing(spark, silent, lineage, day)
    figures = {
        **lineage,
        "history": [then.isoformat() for then in history.used],
        "devices_with_history": sum(file.devices for file in history.learned),
    }
    staged = publishing.stage(spark, SCALOGRAMS, day, written + written_missing)
    if not staged.rows:
        return publishing.publish_audited(spark, staged, (), dict.fromkeys(QUALITIES, 0) | figures)
    counts = sum((tally.counts for tally in tallies + tallies_missing), Counter())
    images = publishing.count_values(spark, staged, day, "scalogram")
    audits = (
        *_audit(staged, counts, images, devices=len(seen) + len(silent)),
        checks.judge_doubts([doubt for tally in tallies for doubt in tally.doubts]),
        _judge_history(history),
    )
    figures = {name: counts[name] for name in QUALITIES} | {"devices": counts["made"]} | figures
    return publishing.publish_audited(spark, staged, audits, figures)


def _write_seen(spark: SparkSession, to_rows: Callable, day: date) -> tuple[list[Written], list[Tally]]:
    """Write the windows of the devices that sent something."""

    def write(source: scans.Source) -> tuple[list[Written], list[Tally]]:
        return publishing.write(source, to_rows, SCALOGRAMS, day)

    # Ingest writes all readings of a device into one file, sorted, so none has to be moved to come together.
    source = scans.read_file_by_file(spark, READINGS, day, READING_SCHEMA.names, ROWS_AT_ONCE)
    if source:
        written, tallies = write(source)
        if _are_whole(tallies):
            return written, tallies
    # Somebody else has arranged the table: the same again, by way of a shuffle.
    n_tasks = max(
        spark.sparkContext.defaultParallelism, -(-scans.count_rows(spark, READINGS, day) // READINGS_PER_TASK)
    )
    by_device = scans.read(spark, READINGS, day).repartition(n_tasks, DEVICE_ID)
    return write(scans.Source(by_device.sortWithinPartitions(DEVICE_ID, TIMESTAMP)))


def _write_missing(
    spark: SparkSession, silent: Sequence[str], lineage: dict, day: date
) -> tuple[list[Written], list[Tally]]:
    """Write the windows of the devices that sent nothing."""
    if not silent:
        return [], []

    def to_missing(_nothing: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for first in range(0, len(silent), SILENT_AT_ONCE):
            made = missing_rows(silent[first : first + SILENT_AT_ONCE], day)
            tally.add(made)
            yield from marked(made, lineage).to_batches()
        return tally

    return publishing.write(scans.Source(spark.range(0, 1, 1, 1)), to_missing, SCALOGRAMS, day)


def _are_whole(tallies: list[Tally]) -> bool:
    """Whether each task had its devices to itself, and all their readings together."""
    devices = set().union(*(tally.devices for tally in tallies))
    return len(devices) == sum(len(tally.devices) for tally in tallies) and not any(tally.apart for tally in tallies)


def _audit(staged: publishing.Staged, counts: Counter, images: int, devices: int) -> tuple[CheckResult, ...]:
    windows = checks.DeviceWindows(counts["made"], counts["not_whole"])
    return (
        checks.judge_whole_days(windows, rows=staged.rows, devices=devices),
        checks.judge_images(rows=staged.rows, judged=counts[OK], images=images, blank=counts["blank"]),
        checks.judge_qualities(counts),
    )


def _judge_history(history: references.History) -> CheckResult:
    not_made = [then.isoformat() for then in history.not_made]
    damaged = {then.isoformat(): found for then, found in history.damaged.items()}
    return checks.judge_history(len(history.used), not_made, damaged)


if __name__ == "__main__":
    main(NAME)
