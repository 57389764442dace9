"""What each device should give, on its way from the tasks that learn it to those that need it.

Here: which dates before are there, how a fleet's history is cut into batches of devices, and how a task finds the
references of its own: nothing of a device passes the driver. Not here: what a reference is
(`pvfault/rows/references.py`).
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from pvfault.locations import create, open_to_read
from pvfault.readings import DEVICE_ID
from pvfault.reference import LEAST_LIGHT
from pvfault.registry import Registry
from pvfault.rows.columns import whole_devices
from pvfault.rows.references import HOUR_COLUMNS, history_dates, reference_rows, references_by_device
from pvfault.tables import READINGS, SCALOGRAMS
from pvfault.windows import WINDOWS_PER_DAY
from spark_jobs import catalog, scans
from spark_jobs.tasks import run_in_tasks

_log = logging.getLogger(__name__)

# Hours that a task holds at once, and makes one file of: of about 1,000 devices with a whole history, 11 MB.
HOURS_AT_ONCE = 220_000
# Fewer are not worth a task of their own.
DEVICES_PER_TASK = 500


@dataclass(frozen=True)
class ReferenceFile:
    """References of some devices in a file of their own, for as long as a date is made.

    Attributes
    ----------
    location : str
    first, last : str
        Of its devices, in the order of their names.
    devices : int
    """

    location: str
    first: str
    last: str
    devices: int


@dataclass(frozen=True)
class History:
    """The dates before that a date is judged beside, yesterday first.

    Attributes
    ----------
    used : tuple of date
    not_made : tuple of date
        Those that have readings and no scalograms.
    damaged : dict of date to str
        Those whose scalograms cannot be read, and what is wrong with them.
    learned : tuple of ReferenceFile
        What the dates that were used tell, of each device that had an hour in the light.
    """

    used: tuple[date, ...]
    not_made: tuple[date, ...]
    damaged: dict[date, str]
    learned: tuple[ReferenceFile, ...]


@contextmanager
def temporary_folder(spark: SparkSession) -> Iterator[str]:
    """A folder beside the data of `scalograms`, which is gone afterwards.

    What a process leaves that was killed, Iceberg's `remove_orphan_files` takes away: the table does not know it.
    """
    iceberg = catalog.load(spark, SCALOGRAMS)
    folder = f"{iceberg.location()}/references-{uuid.uuid4()}"
    try:
        yield folder
    finally:
        try:
            iceberg.io().deletePrefix(folder)
        except (*scans.SPARK_ERRORS, OSError) as error:
            # Where Java is gone, what has ended it is the error to tell.
            _log.warning("%s could not be removed, and is not needed any more: %s", folder, error)


def learn_history(spark: SparkSession, registry: Registry, day: date, folder: str) -> History:
    """Learn from the dates before what each device should give on a date; a date that is damaged is done without."""
    before = history_dates(day)
    found = scans.files_of(spark, SCALOGRAMS, *before)
    made = {file.day for file in found}
    unmade = [then for then in before if then not in made]
    damaged = {}
    try:
        learned = _learn(spark, found, registry, day, folder)
    except scans.SPARK_ERRORS:
        with suppress(*scans.SPARK_ERRORS):
            damaged = scans.find_damage(spark, SCALOGRAMS, found, HOUR_COLUMNS)
        if not damaged:
            raise
        learned = _learn(spark, [file for file in found if file.day not in damaged], registry, day, folder)
    with_readings = {file.day for file in scans.files_of(spark, READINGS, *unmade)}
    return History(
        tuple(then for then in before if then in made - damaged.keys()),
        tuple(then for then in unmade if then in with_readings),
        damaged,
        tuple(learned),
    )


def _learn(
    spark: SparkSession, found: Sequence[scans.DataFile], registry: Registry, day: date, folder: str
) -> list[ReferenceFile]:
    """What the rows of some data files tell."""
    if not found:
        return []
    hours = scans.read_together(spark, SCALOGRAMS, found, HOUR_COLUMNS).where(f.col("mean_irradiance") > LEAST_LIGHT)
    n_devices = sum(file.rows for file in found) // (WINDOWS_PER_DAY * len({file.day for file in found}))
    n_tasks = min(spark.sparkContext.defaultParallelism, 1 + n_devices // DEVICES_PER_TASK)
    by_device = hours.repartition(n_tasks, DEVICE_ID).sortWithinPartitions(DEVICE_ID)
    written = run_in_tasks(by_device, to_reference_files(registry, day, folder))
    return [file for of_task in written for file in of_task]


def to_reference_files(registry: Registry, day: date, folder: str) -> Callable:
    """From a task's hours, sorted by device, to files of references in a folder."""

    def to_files(hours: Iterator[pa.RecordBatch]) -> list[ReferenceFile]:
        learned = (reference_rows(table, day, registry) for table in whole_devices(hours, HOURS_AT_ONCE))
        return [_write(rows, folder) for rows in learned if len(rows)]

    return to_files


def _write(rows: pa.Table, folder: str) -> ReferenceFile:
    """Write rows of `REFERENCE_SCHEMA`, sorted by device."""
    location = f"{folder}/{uuid.uuid4()}.arrow"
    with create(location) as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    devices = rows[DEVICE_ID]
    return ReferenceFile(location, devices[0].as_py(), devices[-1].as_py(), len(rows))


class ReferenceReader:
    """References of the devices that a task has at hand.

    Holds the files that the last devices stood in: devices that are asked for in their order read each file once.

    Parameters
    ----------
    files : sequence of ReferenceFile
    """

    def __init__(self, files: Sequence[ReferenceFile]):
        self._files = files
        self._held: dict[str, pa.Table] = {}

    def of(self, devices: Sequence[str]) -> dict[str, np.ndarray]:
        """As `references_by_device` gives it, of those among some devices that have a reference."""
        first, last = min(devices), max(devices)
        near = [file.location for file in self._files if file.first <= last and first <= file.last]
        self._held = {place: self._held[place] if place in self._held else _read(place) for place in near}
        wanted = pa.array(devices, pa.string())
        found = [rows.filter(pc.is_in(rows[DEVICE_ID], wanted)) for rows in self._held.values()]
        return {device: own for rows in found for device, own in references_by_device(rows).items()}


def _read(location: str) -> pa.Table:
    with open_to_read(location) as source:
        return pa.ipc.open_file(source).read_all()
