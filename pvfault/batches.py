"""Rows of one table from rows of the one before it, as Arrow batches.

Here: readings → scalograms → predictions → device_days, for any number of whole devices of one date. Spark jobs and
`pvfault classify` call the same functions, so that the same readings get the same verdict either way. Not here: the
science itself (`windows.py`, `scalogram.py`, `lenet.py`, `verdicts.py`), and where rows come from or go to.
"""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault import scalogram
from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.registry import Registry, estimate_ratings
from pvfault.tables import DEVICE_DAYS, MISSING, OK, PREDICTIONS, PROBABILITIES_TYPE, SCALOGRAMS, WINDOW_START
from pvfault.verdicts import combine_windows, expected_power
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY, cut_windows

# Hourly means of a device's usable readings, which `device_day_rows` needs beside the predictions.
HOURLY_COLUMNS = ("readings", "mean_power", "mean_irradiance", "mean_temperature")


def scalogram_rows(readings: pa.Table, day: date, registry: Registry) -> pa.Table:
    """Windows and scalograms of whole devices of one date.

    Parameters
    ----------
    readings : pa.Table
        Readings of `day` (UTC), sorted by deviceID and timestamp, each pair once; all of a device's readings, since
        the ratings of an unregistered device are estimated from them.
    day : date
    registry : Registry

    Returns
    -------
    pa.Table
        Rows of `SCALOGRAMS`, 24 for each device, sorted.
    """
    devices, device = _device_codes(readings[DEVICE_ID])
    second = (readings[TIMESTAMP].cast(pa.int64()).to_numpy() - _midnight_us(day)) / 1e6
    measurements = np.column_stack([readings[name].to_numpy() for name in MEASUREMENTS])
    windows = cut_windows(device, second, measurements, len(devices))
    ratings = _fill_ratings(registry.ratings(devices), device, measurements)
    images = scalogram.transform(scalogram.normalise(windows.values, ratings[windows.judged // WINDOWS_PER_DAY]))
    return _scalogram_table(devices, day, windows.quality, windows.readings, windows.mean_irradiance,
                            _binary(images, windows.judged, len(windows.quality)))  # fmt: skip


def missing_rows(devices, day: date) -> pa.Table:
    """Rows of `SCALOGRAMS` for devices that sent nothing on a date: 24 `missing` windows each."""
    n = len(devices) * WINDOWS_PER_DAY
    quality = np.full(n, MISSING, dtype=object)
    return _scalogram_table(
        devices, day, quality, np.zeros(n, np.int32), np.full(n, np.nan, np.float32), pa.nulls(n, pa.binary())
    )


def prediction_rows(scalograms: pa.Table, classifier) -> pa.Table:
    """What the network takes each window for.

    Parameters
    ----------
    scalograms : pa.Table
        Rows of `SCALOGRAMS`.
    classifier : pvfault.lenet.Classifier

    Returns
    -------
    pa.Table
        Rows of `PREDICTIONS`, in the same order; fault, confidence and probabilities are null unless `ok`.
    """
    judged = np.flatnonzero(np.asarray(scalograms["scalogram"].is_valid()))
    images = _images(scalograms["scalogram"].take(pa.array(judged)))
    probabilities = classifier.predict(images)
    # One row of each for every window; the index of a window that was not judged is null.
    row = _positions(judged, len(scalograms))
    best = probabilities.argmax(axis=1)
    columns = {
        "fault": pa.array(np.array(FAULTS, dtype=object)[best], pa.string()),
        "confidence": pa.array(probabilities.max(axis=1, initial=0.0), pa.float32()),
        "probabilities": pa.StructArray.from_arrays(list(pa.array(p) for p in probabilities.T), fields=list(PROBABILITIES_TYPE)),
    }  # fmt: skip
    return pa.table(
        [
            scalograms[DEVICE_ID],
            scalograms[WINDOW_START],
            scalograms["quality"],
            *(column.take(row) for column in columns.values()),
            pa.array([classifier.version], pa.string()).take(pa.array(np.zeros(len(scalograms), np.int64))),
        ],
        schema=PREDICTIONS.schema,
    )


def device_day_rows(hours: pa.Table, day: date, registry: Registry) -> pa.Table:
    """The verdict of each device for one date, and what it cost.

    Parameters
    ----------
    hours : pa.Table
        Rows of `PREDICTIONS` of whole devices, with `HOURLY_COLUMNS` beside them: the number of readings, mean power
        [W], irradiance [W/m²] and module temperature [°C] of the hour's plausible readings; null where there is none.
    day : date
    registry : Registry

    Returns
    -------
    pa.Table
        Rows of `DEVICE_DAYS`, sorted. Energy is the sum of the hourly mean powers over 1 h; lost energy is what a
        healthy array would have given above that in the faulty hours, null for an unregistered device.
    """
    hours = hours.sort_by([(DEVICE_ID, "ascending"), (WINDOW_START, "ascending")])
    devices, device = _device_codes(hours[DEVICE_ID])
    hour = ((hours[WINDOW_START].cast(pa.int64()).to_numpy() - _midnight_us(day)) // (WINDOW_S * 1_000_000)).astype(int)

    def by_hour(column, fill=np.nan):
        """One column as (device, hour)."""
        values = np.full((len(devices), WINDOWS_PER_DAY), fill)
        values[device, hour] = pc.fill_null(column.cast(pa.float64()), fill).to_numpy()
        return values

    probabilities = np.stack([by_hour(pc.struct_field(hours["probabilities"], fault)) for fault in FAULTS], axis=-1)
    power, irradiance, temperature = (by_hour(hours[name]) for name in HOURLY_COLUMNS[1:])
    readings = by_hour(hours["readings"], fill=0.0)
    verdicts = combine_windows(probabilities)
    unknown = verdicts.fault < 0

    expected = expected_power(irradiance, temperature, registry.ratings(devices).prod(axis=1)[:, None])
    shortfall = np.maximum(np.nan_to_num(expected - power), 0.0)
    unregistered = np.isnan(registry.ratings(devices)[:, 0])
    onset = np.datetime64(day, "us") + verdicts.onset * np.timedelta64(WINDOW_S, "s")
    return pa.table(
        [
            pa.array(devices, pa.string()),
            pa.array([day] * len(devices), pa.date32()),
            pa.array(np.array(FAULTS, dtype=object)[verdicts.fault], pa.string(), mask=unknown),
            pa.array(onset, pa.timestamp("us"), mask=verdicts.onset < 0).cast(TIMESTAMP_TYPE),
            pa.array(verdicts.faulty.sum(axis=1), pa.int32()),
            pa.array(np.isfinite(probabilities).all(axis=-1).sum(axis=1), pa.int32()),
            pa.array(verdicts.confidence, pa.float32(), mask=unknown),
            pa.array(np.nansum(power, axis=1) / 1000),
            pa.array((shortfall * verdicts.faulty).sum(axis=1) / 1000, mask=unregistered),
            pa.array(completeness(readings)),
        ],
        schema=DEVICE_DAYS.schema,
    )


def completeness(readings):
    """Share of a day's readings that came, at the cadence that the device was seen to keep.

    Parameters
    ----------
    readings : ndarray, shape (n, 24)
        Readings of each hour. The fullest hour tells the cadence: 180 at 20 s, 60 at 1 min.

    Returns
    -------
    ndarray of float, shape (n,)
        0 to 1; 0 for a device that sent nothing.

    Examples
    --------
    >>> completeness(np.array([[180] * 24, [60] * 12 + [0] * 12, [0] * 24]))
    array([1. , 0.5, 0. ])
    """
    fullest = readings.max(axis=1)
    return readings.sum(axis=1) / np.maximum(fullest * WINDOWS_PER_DAY, 1)


def _device_codes(column):
    """Distinct devices of a sorted column, and for each row the position of its device."""
    encoded = pa.chunked_array(column.chunks, column.type).combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _midnight_us(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _fill_ratings(ratings, device, measurements):
    """Estimate the ratings of the devices that are not registered."""
    for unregistered in np.flatnonzero(np.isnan(ratings[:, 0])):
        first, last = np.searchsorted(device, [unregistered, unregistered + 1])
        ratings[unregistered] = estimate_ratings(measurements[first:last])
    return ratings


def _scalogram_table(devices, day, quality, readings, mean_irradiance, images):
    """Rows of `SCALOGRAMS`, 24 for each device."""
    start = _midnight_us(day) + np.arange(WINDOWS_PER_DAY) * WINDOW_S * 1_000_000
    return pa.table(
        [
            pa.array(np.repeat(np.array(devices, dtype=object), WINDOWS_PER_DAY), pa.string()),
            pa.array(np.tile(start, len(devices)), pa.int64()).cast(TIMESTAMP_TYPE),
            pa.array(quality, pa.string()),
            pa.array(readings, pa.int32()),
            pa.array(mean_irradiance, pa.float32(), from_pandas=True),
            images,
        ],
        schema=SCALOGRAMS.schema,
    )


def _positions(present, n):
    """For each of n rows its position among those present, null where it is not."""
    position = np.zeros(n, np.int64)
    position[present] = np.arange(len(present))
    mask = np.ones(n, bool)
    mask[present] = False
    return pa.array(position, mask=mask)


def _binary(images, rows, n):
    """Images as a binary column of n rows, null where there is no image, without copying them one by one."""
    size = np.zeros(n + 1, np.int32)
    size[rows + 1] = scalogram.BYTES
    valid = np.zeros(n, bool)
    valid[rows] = True
    return pa.Array.from_buffers(
        pa.binary(),
        n,
        [
            pa.py_buffer(np.packbits(valid, bitorder="little")),
            pa.py_buffer(np.cumsum(size, dtype=np.int32)),
            pa.py_buffer(np.ascontiguousarray(images)),
        ],
    )


def _images(column):
    """A binary column without nulls as images, shape (n, 64, 64, 4)."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    images = [np.empty((0, *scalogram.SHAPE), np.uint8)]
    for chunk in chunks:
        if len(chunk):
            offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
            data = np.frombuffer(chunk.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
            images.append(data.reshape(-1, *scalogram.SHAPE))
    return images[-1] if len(images) == 2 else np.concatenate(images)  # noqa: PLR2004
