"""Rows of one table from rows of the one before it, as Arrow batches.

Here: readings → scalograms → predictions → device_days, for any number of whole devices of one date, and hourly means
of the dates before → what each device should give. Spark jobs and `pvfault classify` call the same functions, so that
the same readings get the same verdict either way. Not here: the science itself (`windows.py`, `reference.py`,
`marks.py`, `scalogram.py`, `lenet.py`, `verdicts.py`), and where rows come from or go to.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault import reference, scalogram
from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.registry import Registry, estimate_ratings
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, PROBABILITIES_TYPE, SCALOGRAMS, WINDOW_START
from pvfault.verdicts import combine_windows, expected_power, name_windows
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY, cut_windows

# Hourly means of a device's usable readings, which `device_day_rows` needs beside the predictions.
HOURLY_COLUMNS = ("readings", "mean_power", "mean_irradiance", "mean_temperature")

# Hourly means of a device's dates before, of which `reference_rows` makes what it should give.
HISTORY_COLUMNS = tuple(f"mean_{name}" for name in MEASUREMENTS)
_NUMBERS = pa.list_(pa.float64())
REFERENCE_SCHEMA = pa.schema(
    [
        pa.field(DEVICE_ID, pa.string(), nullable=False),
        pa.field("reference", _NUMBERS, nullable=False),
        # Of voltage and current on each of the dates, one date after the other; NaN for a date without light.
        pa.field("levels", _NUMBERS, nullable=False),
    ]
)
NO_LEVELS = np.full(2 * len(reference.HISTORY), np.nan)

# Arrow counts the bytes of a binary array in an int32: 2 GiB in one chunk of a column.
IMAGES_PER_CHUNK = (2**31 - 1) // scalogram.BYTES


def history_dates(day: date) -> list[date]:
    """The dates before a date of which hourly means are looked at, yesterday first."""
    return [day - timedelta(days=back) for back in reference.HISTORY]


def reference_rows(hours: pa.Table, day: date, registry: Registry) -> pa.Table:
    """What devices should give on a date, from hourly means of the dates before.

    Parameters
    ----------
    hours : pa.Table
        `deviceID`, `window_start` and `HISTORY_COLUMNS` of whole devices, in any order; hours outside `history_dates`
        are not looked at.
    day : date
    registry : Registry

    Returns
    -------
    pa.Table
        Rows of `REFERENCE_SCHEMA`, sorted; without the devices that had no hour in the light.
    """
    hour_us = hours[WINDOW_START].cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() - _midnight_us(day)
    back, hour = np.divmod(hour_us // (WINDOW_S * 1_000_000), WINDOWS_PER_DAY)
    place = np.full(reference.HISTORY[-1] + 1, -1)
    place[list(reference.HISTORY)] = np.arange(len(reference.HISTORY))
    date_number = np.where((back < 0) & (back >= -reference.HISTORY[-1]), place[np.clip(-back, 0, len(place) - 1)], -1)
    known = date_number >= 0
    hours, hour, date_number = hours.filter(pa.array(known)), hour[known], date_number[known]
    devices, device = _device_codes(hours[DEVICE_ID])
    history = np.full((len(devices), len(reference.HISTORY), WINDOWS_PER_DAY, len(HISTORY_COLUMNS)), np.nan)
    for column, name in enumerate(HISTORY_COLUMNS):
        history[device, date_number, hour, column] = pc.fill_null(hours[name].cast(pa.float64()), np.nan).to_numpy()
    learned = reference.learn_references(history, registry.ratings(devices))
    levels = reference.measure_levels(history, learned).reshape(len(devices), 2 * len(reference.HISTORY))
    columns = [pa.array(devices, pa.string()), pa.array(list(learned), _NUMBERS), pa.array(list(levels), _NUMBERS)]
    rows = pa.table(columns, schema=REFERENCE_SCHEMA)
    return rows.filter(pa.array(~np.isnan(learned).any(axis=1))).sort_by(DEVICE_ID)


def references_by_device(rows: pa.Table) -> dict[str, np.ndarray]:
    """Rows of `REFERENCE_SCHEMA`, to be looked up by device: the reference with the levels behind it."""
    both = [np.stack(rows[name].to_numpy()) if len(rows) else np.empty((0, 0)) for name in ("reference", "levels")]
    return dict(zip(rows[DEVICE_ID].to_pylist(), np.concatenate(both, axis=1), strict=True))


def scalogram_rows(
    readings: pa.Table, day: date, registry: Registry, references: Mapping[str, np.ndarray] | None = None
) -> pa.Table:
    """Windows and scalograms of whole devices of one date.

    Parameters
    ----------
    readings : pa.Table
        Readings of `day` (UTC), sorted by deviceID and timestamp, each pair once; all of a device's readings, since
        an hour is compared with those before it, and the ratings of an unregistered device are estimated from all.
    day : date
    registry : Registry
    references : mapping, optional
        What each device should give, as `references_by_device` has it. Of others, the ratings tell.

    Returns
    -------
    pa.Table
        Rows of `SCALOGRAMS`, 24 for each device, sorted.

    Raises
    ------
    ValueError
        If the readings are not of `day`, not sorted, or there twice.
    """
    devices, device = _device_codes(readings[DEVICE_ID])
    second = _microseconds_of_day(readings[TIMESTAMP], day) / 1e6
    measurements = np.column_stack([readings[name].to_numpy() for name in MEASUREMENTS])
    windows = cut_windows(device, second, measurements, len(devices))
    own, before, ratings = _what_they_should_give(registry, references or {}, devices, device, measurements)
    owner, hour = np.divmod(windows.judged, WINDOWS_PER_DAY)
    layouts = registry.layouts(devices)
    background = reference.background_of(owner, hour, windows.hourly_means, before, own, ratings, layouts)
    images = scalogram.transform(scalogram.signals_of(windows.values, owner, hour, background))
    return _scalogram_table(devices, day, windows, images)


def missing_rows(devices: Sequence[str], day: date) -> pa.Table:
    """Rows of `SCALOGRAMS` for devices that sent nothing on a date: 24 `missing` windows each, in the given order."""
    nothing = np.empty(0, np.int64)
    windows = cut_windows(nothing, nothing, np.empty((0, len(MEASUREMENTS)), np.float32), len(devices))
    return _scalogram_table(devices, day, windows, np.empty((0, *scalogram.SHAPE), np.uint8))


def prediction_rows(scalograms: pa.Table, classifier) -> pa.Table:
    """What the network takes each window for.

    Parameters
    ----------
    scalograms : pa.Table
        Rows of `SCALOGRAMS`.
    classifier : pvfault.lenet.Classifier
        Or whatever has a `version` and a `predict` from images, uint8 (n, 64, 64, 4), to probabilities, (n, 6).

    Returns
    -------
    pa.Table
        Rows of `PREDICTIONS`, in the same order; fault, confidence and probabilities are null without a scalogram.

    Raises
    ------
    ValueError
        If a scalogram is not of `scalogram.BYTES` bytes.
    """
    unjudged = ~np.asarray(scalograms["scalogram"].is_valid())
    probabilities = np.zeros((len(scalograms), len(FAULTS)), np.float32)
    probabilities[~unjudged] = classifier.predict(_images(scalograms["scalogram"]))
    fault, confidence = name_windows(probabilities)
    by_fault = [pa.array(probability) for probability in probabilities.T]
    return pa.table(
        [
            scalograms[DEVICE_ID],
            scalograms[WINDOW_START],
            scalograms["quality"],
            pa.array(np.array(FAULTS, dtype=object)[fault], pa.string(), mask=unjudged),
            pa.array(confidence, mask=unjudged),
            # The six stay numbers under a null: they are not nullable, and Parquet looks.
            pa.StructArray.from_arrays(by_fault, fields=list(PROBABILITIES_TYPE), mask=pa.array(unjudged)),
            pa.repeat(pa.scalar(classifier.version, pa.string()), len(scalograms)),
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
        healthy array would have given above that in the faulty hours, null for an unregistered device and where the
        verdict is unknown.

    Raises
    ------
    ValueError
        If an hour is not of `day`.
    """
    hours = hours.sort_by([(DEVICE_ID, "ascending"), (WINDOW_START, "ascending")])
    devices, device = _device_codes(hours[DEVICE_ID])
    hour = _microseconds_of_day(hours[WINDOW_START], day) // (WINDOW_S * 1_000_000)

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

    rated_power = registry.ratings(devices).prod(axis=1)
    shortfall = np.maximum(np.nan_to_num(expected_power(irradiance, temperature, rated_power[:, None]) - power), 0.0)
    no_loss = unknown | np.isnan(rated_power)
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
            pa.array((shortfall * verdicts.faulty).sum(axis=1) / 1000, mask=no_loss),
            pa.array(completeness(readings)),
            pa.array(np.array(FAULTS, dtype=object)[verdicts.runner_up], pa.string(), mask=unknown),
            pa.array(verdicts.runner_up_probability, pa.float32(), mask=unknown),
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
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _midnight_us(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _microseconds_of_day(column, day):
    """Timestamps of a date as microseconds since its midnight; refuses those of another date."""
    microseconds = column.cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() - _midnight_us(day)
    outside = (microseconds < 0) | (microseconds >= WINDOWS_PER_DAY * WINDOW_S * 1_000_000)
    if outside.any():
        first = column[int(outside.argmax())].as_py()
        raise ValueError(
            f"{outside.sum()} of {len(outside)} rows are not of {day}, such as {first}; select one date's rows first"
        )
    return microseconds


def _what_they_should_give(registry, references, devices, device, measurements):
    """References, levels of the dates before, and ratings of devices, shapes (n, 11), (n, len(HISTORY), 2) and (n, 2).

    Where a device is not registered, its history tells its ratings, or else its readings do.
    """
    unknown = np.full(reference.SIZE + len(NO_LEVELS), np.nan)
    known = np.array([references.get(name, unknown) for name in devices]).reshape(-1, len(unknown))
    own, levels = np.split(known, [reference.SIZE], axis=1)
    ratings = np.where(np.isnan(given := registry.ratings(devices)), reference.ratings_of(own), given)
    for unrated in np.flatnonzero(np.isnan(ratings[:, 0])):
        first, end = np.searchsorted(device, [unrated, unrated + 1])
        ratings[unrated] = estimate_ratings(measurements[first:end])
    return reference.or_typical(own, ratings), levels.reshape(len(devices), len(reference.HISTORY), 2), ratings


def _scalogram_table(devices, day, windows, images):
    """Rows of `SCALOGRAMS`, 24 for each device."""
    start = _midnight_us(day) + np.arange(WINDOWS_PER_DAY) * WINDOW_S * 1_000_000
    means = {
        name: pa.array(getattr(windows, name), pa.float32(), from_pandas=True)
        for name in ("mean_irradiance", "mean_power", "mean_temperature", "mean_voltage", "mean_current")
    }
    columns = {
        DEVICE_ID: pa.array(np.repeat(np.array(devices, dtype=object), WINDOWS_PER_DAY), pa.string()),
        WINDOW_START: pa.array(np.tile(start, len(devices)), pa.int64()).cast(TIMESTAMP_TYPE),
        "quality": pa.array(windows.quality, pa.string()),
        "readings": pa.array(windows.readings, pa.int32()),
        "scalogram": _binary(images, windows.judged, len(windows.quality)),
        **means,
    }
    return pa.table(columns).select(SCALOGRAMS.schema.names).cast(SCALOGRAMS.schema)


def _binary(images, rows, n, images_per_chunk=IMAGES_PER_CHUNK):
    """Images as a binary column of n rows, null where there is no image, without copying them one by one."""
    edges = [0, *rows[images_per_chunk::images_per_chunk].tolist(), n]
    chunks = []
    for chunk, (first, end) in enumerate(pairwise(edges)):
        own = slice(chunk * images_per_chunk, (chunk + 1) * images_per_chunk)
        chunks.append(_binary_chunk(images[own], rows[own] - first, end - first))
    return pa.chunked_array(chunks, pa.binary())


def _binary_chunk(images, rows, n):
    """As `_binary`, in one array."""
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
    """The images of a binary column, shape (n, 64, 64, 4), without its nulls; not copied if they are in one chunk."""
    parts = [np.empty((0, *scalogram.SHAPE), np.uint8)]
    for chunk in column.cast(pa.binary()).chunks:
        present = chunk.drop_null()
        if not len(present):
            continue
        _, offset_buffer, data = present.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[present.offset : present.offset + len(present) + 1]
        if (np.diff(offsets) != scalogram.BYTES).any():
            raise ValueError(f"a scalogram is not of {scalogram.BYTES} bytes; make the date's scalograms again")
        parts.append(np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, *scalogram.SHAPE))
    return parts[-1] if len(parts) <= 2 else np.concatenate(parts)
