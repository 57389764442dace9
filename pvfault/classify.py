"""Readings of any dates to predictions, in one process.

What the Spark jobs do for a date, with the same functions (`rows/`), for readings that fit into memory. Here all dates
are there at once, so that a device that is not registered is held against the dates behind a date too.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.reference import HISTORY
from pvfault.registry import Registry
from pvfault.rows.estimates import Neighbourhood
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.references import HOUR_COLUMNS, reference_rows, references_by_device
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import PREDICTION_SCHEMA, SCALOGRAM_SCHEMA


def classify_readings(readings: pa.Table, registry: Registry, classifier) -> pa.Table:
    """What each hour of each device is taken for.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, any devices, dates and order. Of readings of the same device and time the first one stays.
    registry : Registry
        Ratings of other devices are estimated from their readings, of all dates; where these cannot tell, an hour is
        `unsure` and says why.
    classifier : pvfault.lenet.Classifier

    Returns
    -------
    pa.Table
        Rows of `PREDICTION_SCHEMA`: 24 windows for each device and date (UTC) with a reading, by date and device.
    """
    others = Neighbourhood.of(_unregistered_days(readings, registry))
    rows = [PREDICTION_SCHEMA.empty_table()]
    before = [SCALOGRAM_SCHEMA.empty_table().select(HOUR_COLUMNS)]
    for day, of_day in days_of(readings):
        known = references_by_device(reference_rows(pa.concat_tables(before), day, registry))
        windows = scalogram_rows(of_day, day, registry, {**known, **others.references(day)})
        rows.append(prediction_rows(windows, classifier))
        before = [*before[-HISTORY[-1] :], windows.select(before[0].column_names)]
    return pa.concat_tables(rows)


def days_of(readings: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Readings date by date (UTC), sorted by device and time, each pair once."""
    days = pc.cast(readings[TIMESTAMP], pa.date32(), safe=False)
    for day in sorted(pc.unique(days).to_pylist()):
        yield day, distinct_readings(readings.filter(pc.equal(days, day)))


def _unregistered_days(readings, registry) -> Iterator[tuple[date, pa.Table]]:
    """The readings of devices that are not registered, date by date."""
    registered = pc.is_in(readings[DEVICE_ID], pa.array(registry.devices, pa.string()))
    return days_of(readings.filter(pc.invert(registered)))


def distinct_readings(readings: pa.Table) -> pa.Table:
    """Readings sorted by device and time, the first one of each pair."""
    # Sorting with the row's number as last key keeps the order of duplicates.
    numbered = readings.append_column("row", pa.array(np.arange(len(readings))))
    ordered = numbered.sort_by([(DEVICE_ID, "ascending"), (TIMESTAMP, "ascending"), ("row", "ascending")])
    device = ordered[DEVICE_ID].to_numpy(zero_copy_only=False)
    time = ordered[TIMESTAMP].cast(pa.int64()).to_numpy()
    first = np.ones(len(ordered), bool)
    first[1:] = (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    return ordered.filter(pa.array(first)).drop_columns("row")
