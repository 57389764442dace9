"""Job: a date's `readings` to its `scalograms`, 24 windows for each device that is registered or sent something.

Here: how readings reach `pvfault.rows.scalograms` device by device, and what is audited. Not here: windows and images
themselves.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema

from pvfault import scalogram
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP
from pvfault.reference import LEAST_LIGHT
from pvfault.registry import Registry
from pvfault.rows.references import (
    HISTORY_COLUMNS,
    REFERENCE_SCHEMA,
    history_dates,
    reference_rows,
    references_by_device,
)
from pvfault.rows.scalograms import Doubt, missing_rows, scalograms_and_doubts
from pvfault.tables import INVALID, OK, QUALITIES, READINGS, SCALOGRAMS, SPARSE, WINDOW_START
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY
from spark_jobs import catalog, publishing, scans
from spark_jobs.files import Written
from spark_jobs.job import (
    REPORT_IT,
    Audit,
    AuditResult,
    DateReport,
    JobConfig,
    JobReport,
    OnDate,
    main,
    run_dates,
    to_nobody,
)

NAME = "compute_scalograms"

# Readings that are cut and transformed at once: about 50 devices, whose images take 10 MB.
READINGS_AT_ONCE = 200_000
# Devices that sent nothing whose windows are made at once.
SILENT_AT_ONCE = 10_000
# Readings of a task where they have to be brought together by a shuffle.
READINGS_PER_TASK = 2_000_000

JUDGED_SHARE = 0.8
# Of a device's readings of a date: single values are spoilt on the way now and then, and cost a minute each.
DOUBTED_SHARE = 0.01
WORST = 5  # devices that an audit names

WHOLE_DAYS = Audit(
    "every_device_has_24_windows", "Each device has each hour of the date once.", REPORT_IT, blocking=True
)
FINITE = Audit(
    "scalograms_are_whole_and_finite",
    "As many windows have an image as can be judged, and none is blank. A value that is not finite would leave none.",
    REPORT_IT,
    blocking=True,
)
JUDGED = Audit(
    "lit_windows_can_be_judged",
    f"At least {JUDGED_SHARE:.0%} of the windows in the light are neither `sparse` nor `invalid`.",
    "look at the communication and the sensors of the devices",
)
BELIEVED = Audit(
    "readings_tell_of_the_array",
    f"No device has more than {DOUBTED_SHARE:.0%} of its readings beyond what its ratings allow, or standing still "
    "while the light moves. They count as gaps.",
    "look at the meters and loggers of these devices; if the readings beyond are right, correct rated_voltage and "
    "rated_current in the registry, which are of the whole array, and make the date's scalograms again",
)
AUDITS = (WHOLE_DAYS, FINITE, JUDGED, BELIEVED)


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
    made : int
        Devices whose windows were given.
    not_whole : int
        Those among them without each hour once.
    windows : Counter
        By quality.
    blank : int
        Images of zeros alone.
    doubts : list of Doubt
        Of the devices with readings that do not tell of the array.
    """

    devices: set[str] = field(default_factory=set)
    apart: bool = False
    made: int = 0
    not_whole: int = 0
    windows: Counter = field(default_factory=Counter)
    blank: int = 0
    doubts: list[Doubt] = field(default_factory=list)

    def count(self, scalograms: pa.Table) -> None:
        """Add rows of `SCALOGRAMS` of devices that were not there before."""
        device = scalograms[DEVICE_ID].combine_chunks().dictionary_encode()
        hour = scalograms[WINDOW_START].cast(pa.int64()).to_numpy() // (WINDOW_S * 1_000_000) % WINDOWS_PER_DAY
        place = device.indices.to_numpy().astype(np.int64) * WINDOWS_PER_DAY + hour
        times = np.bincount(place, minlength=len(device.dictionary) * WINDOWS_PER_DAY).reshape(-1, WINDOWS_PER_DAY)
        self.made += len(times)
        self.not_whole += int(np.count_nonzero((times != 1).any(axis=1)))
        for found in scalograms["quality"].value_counts().to_pylist():
            self.windows[found["values"]] += found["counts"]
        self.blank += pc.sum(pc.equal(scalograms["scalogram"], bytes(scalogram.BYTES))).as_py() or 0


def references_of(hours: DataFrame, day: date, registry: Registry) -> dict[str, np.ndarray]:
    """What each device should give on a date, from its scalograms' hourly means of the dates before.

    Parameters
    ----------
    hours : DataFrame
        Rows of `SCALOGRAMS` of the dates before; those of dates that were not made are absent.
    day : date
    registry : Registry

    Returns
    -------
    dict
        As `references_by_device` gives it, of each device that had an hour in the light: 400 bytes each, in every task.
    """
    lit = hours.where(f.col("mean_irradiance") > LEAST_LIGHT).select(DEVICE_ID, WINDOW_START, *HISTORY_COLUMNS)
    by_device = lit.repartition(hours.sparkSession.sparkContext.defaultParallelism, DEVICE_ID)
    rows = by_device.mapInArrow(_to_references(day, registry), from_arrow_schema(REFERENCE_SCHEMA))
    return references_by_device(rows.toArrow())


def _to_references(day: date, registry: Registry) -> Callable:
    def to_references(hours: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = list(hours)
        if held:
            yield from reference_rows(pa.Table.from_batches(held), day, registry).to_batches()

    return to_references


def whole_devices(readings: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join and cut batches of sorted readings so that each table holds whole devices, `READINGS_AT_ONCE` or more."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in readings:
        held.append(batch)
        n_held += batch.num_rows
        if n_held < READINGS_AT_ONCE:
            continue
        table = pa.Table.from_batches(held)
        # Sorted: the last device, which may go on in the next batch, is the tail.
        first_of_last = pc.index(table[DEVICE_ID], table[DEVICE_ID][-1]).as_py()
        if first_of_last:
            yield table.slice(0, first_of_last)
        held = table.slice(first_of_last).to_batches()
        n_held = table.num_rows - first_of_last
    if n_held:
        yield pa.Table.from_batches(held)


def to_scalograms(day: date, registry: Registry, references: Mapping[str, np.ndarray]) -> Callable:
    """From a task's readings of a date to its scalograms.

    Parameters
    ----------
    day : date
    registry : Registry
    references : mapping
        What devices should give, as `references_of` has it.

    Returns
    -------
    callable
        From an iterator of batches of readings, each (deviceID, timestamp) once, all of a device in one task, sorted by
        deviceID and timestamp, to one of batches of `SCALOGRAMS`, sorted by key. It returns a `Tally`, which says so
        where the readings do not come like that.
    """

    def to_rows(readings: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for table in whole_devices(readings):
            devices = table[DEVICE_ID].unique().to_pylist()
            tally.apart = tally.apart or not tally.devices.isdisjoint(devices) or not _is_in_order(table)
            if tally.apart:
                break
            tally.devices.update(devices)
            rows = table.select(READING_SCHEMA.names).cast(READING_SCHEMA)
            made, doubts = scalograms_and_doubts(rows, day, registry, references)
            tally.count(made)
            tally.doubts += doubts
            yield from made.to_batches()
        return tally

    return to_rows


def _is_in_order(readings: pa.Table) -> bool:
    """Whether the readings of each device stand together, by time."""
    device = readings[DEVICE_ID].combine_chunks().dictionary_encode().indices.to_numpy()
    step = np.diff(device)
    later = np.diff(readings[TIMESTAMP].cast(pa.int64()).to_numpy()) > 0
    # Devices are numbered as they appear: one that comes back has a smaller number than the one before it.
    return bool(((step > 0) | ((step == 0) & later)).all())


def _make_date(spark: SparkSession, registry: Registry, day: date) -> DateReport:
    before = scans.read(spark, SCALOGRAMS, *history_dates(day))
    references = references_of(before, day, registry)
    written, tallies = _write_seen(spark, registry, references, day)
    seen = set().union(*(tally.devices for tally in tallies))
    silent = sorted(set(registry.devices) - seen)
    written_missing, tallies_missing = _write_missing(spark, silent, day)
    staged = publishing.stage(spark, SCALOGRAMS, day, written + written_missing)
    if not staged.rows:
        return publishing.publish_audited(spark, staged, (), dict.fromkeys(QUALITIES, 0))
    found = _sum_up(tallies + tallies_missing)
    images = publishing.count_values(spark, staged, day, "scalogram")
    figures = {name: found.windows[name] for name in QUALITIES}
    figures |= {"devices": found.made, "devices_with_history": len(references)}
    audits = _audit(staged, found, images, devices=len(seen) + len(silent))
    return publishing.publish_audited(spark, staged, audits, figures)


def _write_seen(
    spark: SparkSession, registry: Registry, references: Mapping[str, np.ndarray], day: date
) -> tuple[list[Written], list[Tally]]:
    """Write the windows of the devices that sent something."""

    def write(source: scans.Source) -> tuple[list[Written], list[Tally]]:
        return publishing.write(source, to_scalograms(day, registry, references), SCALOGRAMS, day)

    # Ingest writes all readings of a device into one file, sorted, so none has to be moved to come together.
    source = scans.read_files(spark, READINGS, day, READING_SCHEMA.names, publishing.ROWS_AT_ONCE)
    if source:
        written, tallies = write(source)
        if _are_whole(tallies):
            return written, tallies
    # Somebody else has arranged the table: the same again, by way of a shuffle.
    n_tasks = max(spark.sparkContext.defaultParallelism, -(-scans.count(spark, READINGS, day) // READINGS_PER_TASK))
    by_device = scans.read(spark, READINGS, day).repartition(n_tasks, DEVICE_ID)
    return write(scans.Source(by_device.sortWithinPartitions(DEVICE_ID, TIMESTAMP)))


def _write_missing(spark: SparkSession, silent: Sequence[str], day: date) -> tuple[list[Written], list[Tally]]:
    """Write the windows of the devices that sent nothing."""
    if not silent:
        return [], []

    def to_missing(_nothing: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for first in range(0, len(silent), SILENT_AT_ONCE):
            made = missing_rows(silent[first : first + SILENT_AT_ONCE], day)
            tally.count(made)
            yield from made.to_batches()
        return tally

    return publishing.write(scans.Source(spark.range(0, 1, 1, 1)), to_missing, SCALOGRAMS, day)


def _are_whole(tallies: list[Tally]) -> bool:
    """Whether each task had its devices to itself, and all their readings together."""
    devices = set().union(*(tally.devices for tally in tallies))
    return len(devices) == sum(len(tally.devices) for tally in tallies) and not any(tally.apart for tally in tallies)


def _sum_up(tallies: list[Tally]) -> Tally:
    """All tasks' counts of windows as one."""
    total = Tally()
    for tally in tallies:
        for name in ("made", "not_whole", "windows", "blank", "doubts"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))
    return total


def _audit(staged: publishing.Staged, found: Tally, images: int, devices: int) -> tuple[AuditResult, ...]:
    n_ok, n_sparse, n_invalid = (found.windows[quality] for quality in (OK, SPARSE, INVALID))
    unjudged = n_sparse + n_invalid
    lit = n_ok + unjudged
    broken = abs(n_ok - images) + found.blank
    return (
        WHOLE_DAYS.judge(
            found.not_whole == 0 and found.made == devices and staged.rows == WINDOWS_PER_DAY * devices,
            f"{found.not_whole} of {found.made} devices do not have each hour once, {staged.rows} windows, "
            f"{devices} devices are registered or sent something",
            devices=found.made,
            not_whole=found.not_whole,
        ),
        FINITE.judge(
            broken == 0,
            f"{broken} of {staged.rows} windows have an image that is lost, blank or of no right",
            windows=staged.rows,
            broken=broken,
        ),
        JUDGED.judge(
            n_ok >= JUDGED_SHARE * lit,
            f"{unjudged} of {lit} lit windows cannot be judged ({n_sparse} sparse, {n_invalid} invalid)",
            sparse=n_sparse,
            invalid=n_invalid,
            lit=lit,
        ),
        _judge_doubts(found.doubts),
    )


def _judge_doubts(doubts: list[Doubt]) -> AuditResult:
    """Name the devices whose readings do not tell of the array, the worst ones first."""
    many = [doubt for doubt in doubts if doubt.beyond + doubt.still > DOUBTED_SHARE * doubt.readings]
    worst = sorted(many, key=lambda doubt: (-doubt.beyond - doubt.still, doubt.device))[:WORST]
    beyond, still = sum(doubt.beyond for doubt in doubts), sum(doubt.still for doubt in doubts)
    named = "".join(f"; {d.device}: {d.beyond} beyond, {d.still} still of {d.readings}" for d in worst)
    return BELIEVED.judge(
        not many,
        f"{beyond} readings are beyond what the ratings allow and {still} stand still while the light moves; "
        f"{len(many)} devices have too many of them{named}",
        beyond=beyond,
        still=still,
        devices=len(many),
        worst=[doubt._asdict() for doubt in worst],
    )


if __name__ == "__main__":
    main(NAME)
