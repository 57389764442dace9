"""Readings of any dates to predictions, in one process.

What the Spark jobs do for a date, with the same functions (`rows/`), for readings that fit into memory.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.reference import HISTORY
from pvfault.registry import Registry
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
        Ratings of other devices are estimated from their readings, of the dates before where there are any.
    classifier : pvfault.lenet.Classifier

    Returns
    -------
    pa.Table
        Rows of `PREDICTION_SCHEMA`: 24 windows for each device and date (UTC) with a reading, by date and device.
    """
    days = pc.cast(readings[TIMESTAMP], pa.date32(), safe=False)
    rows = [PREDICTION_SCHEMA.empty_table()]
    before = [SCALOGRAM_SCHEMA.empty_table().select(HOUR_COLUMNS)]
    for day in sorted(pc.unique(days).to_pylist()):
        of_day = distinct_readings(readings.filter(pc.equal(days, day)))
        known = reference_rows(pa.concat_tables(before), day, registry)
        windows = scalogram_rows(of_day, day, registry, references_by_device(known))
        rows.append(prediction_rows(windows, classifier))
        before = [*before[-HISTORY[-1] :], windows.select(before[0].column_names)]
    return pa.concat_tables(rows)


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
