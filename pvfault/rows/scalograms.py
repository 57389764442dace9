"""Rows of `SCALOGRAM_SCHEMA` from readings of one date.

Windows, what they are held against, and images, put together device by device.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from pvfault import reference, scalogram
from pvfault.estimates import Trust, trust_estimates
from pvfault.first_day import rate_hours
from pvfault.open_strings import shows_open_strings
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.rows.columns import midnight_us
from pvfault.rows.images import as_column
from pvfault.rows.sifting import sift_readings
from pvfault.soundness import Doubt, doubts_of
from pvfault.tables import BELOW_COLUMNS, SCALOGRAM_SCHEMA, WINDOW_START
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY, cut_windows


def scalogram_rows(
    readings: pa.Table, day: date, registry: Registry, references: Mapping[str, np.ndarray] | None = None
) -> pa.Table:
    """Windows and scalograms of whole devices of one date: the rows that `scalograms_and_doubts` gives."""
    return scalograms_and_doubts(readings, day, registry, references)[0]


def scalograms_and_doubts(
    readings: pa.Table, day: date, registry: Registry, references: Mapping[str, np.ndarray] | None = None
) -> tuple[pa.Table, list[Doubt]]:
    """Windows and scalograms of whole devices of one date, and which devices' readings cannot be believed.

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
    rows : pa.Table
        Of `SCALOGRAM_SCHEMA`, 24 for each device, sorted.
    doubts : list of Doubt
        Of the devices that have any, sorted.

    Raises
    ------
    ValueError
        If the readings are not of `day`, not sorted, or there twice.
    """
    sifted = sift_readings(readings, day, registry, references)
    devices, windows = sifted.devices, sifted.windows
    unregistered = np.isnan(registry.ratings(devices)[:, 0])
    trust = trust_estimates(
        unregistered, sifted.device, sifted.second, sifted.of_the_array, sifted.references, sifted.ratings
    )
    ratings = trust.ratings
    own = sifted.references
    first = ~unregistered & np.isnan(own).any(axis=1)
    own = reference.or_typical(own, ratings)
    owner, hour = np.divmod(windows.judged, WINDOWS_PER_DAY)
    layouts = registry.layouts(devices)
    background = _background_of(owner, hour, sifted.hourly_means, sifted.levels, own, ratings, layouts, first)
    known = scalogram.known_of(windows.values, owner, hour, background)
    images = scalogram.transform(scalogram.normalise(*known))
    shown = shows_open_strings(known[-1])
    rows = _scalogram_table(devices, day, windows, images, shown, trust)
    return rows, doubts_of(devices, sifted.device, sifted.unsound)


def _background_of(owner, hour, means, before, own, ratings, layouts, first):
    """`reference.background_of`, where devices on their first day have a reference of their own in each hour."""
    of_first = first[owner]
    devices, hours = owner[of_first], hour[of_first]
    rated = rate_hours(means[first], ratings[first])[(np.cumsum(first) - 1)[devices], hours]
    row = owner.copy()
    row[of_first] = len(own) + np.arange(len(devices))
    own = np.concatenate([own, reference.typical_references(rated)])
    means, before, ratings, layouts = (
        np.concatenate([values, values[devices]]) for values in (means, before, ratings, layouts)
    )
    return reference.background_of(row, hour, means, before, own, ratings, layouts)


def missing_rows(devices: Sequence[str], day: date) -> pa.Table:
    """Rows of `SCALOGRAM_SCHEMA` for devices that sent nothing on a date: 24 `missing` windows each, in their order."""
    nothing = np.empty(0, np.int64)
    windows = cut_windows(nothing, nothing, np.empty((0, len(MEASUREMENTS)), np.float32), len(devices))
    return _scalogram_table(devices, day, windows, np.empty((0, *scalogram.SHAPE), np.uint8), np.empty(0, bool))


def _scalogram_table(devices, day, windows, images, shown, trust: Trust | None = None):
    """Rows of `SCALOGRAM_SCHEMA`, 24 for each device; `shown` as `shows_open_strings` gives it for the images."""
    open_strings = np.full(len(windows.quality), None, object)
    open_strings[windows.judged] = shown
    start = midnight_us(day) + np.arange(WINDOWS_PER_DAY) * WINDOW_S * 1_000_000
    means = {
        name: pa.array(getattr(windows, name), pa.float32(), from_pandas=True)
        for name in ("mean_irradiance", "mean_power", "mean_temperature", "mean_voltage", "mean_current")
    }
    columns = {
        DEVICE_ID: pa.array(np.repeat(np.array(devices, dtype=object), WINDOWS_PER_DAY), pa.string()),
        WINDOW_START: pa.array(np.tile(start, len(devices)), pa.int64()).cast(TIMESTAMP_TYPE),
        "quality": pa.array(windows.quality, pa.string()),
        "readings": pa.array(windows.readings, pa.int32()),
        "scalogram": as_column(images, windows.judged, len(windows.quality)),
        **means,
        **_trust_columns(windows, trust),
        "open_strings": pa.array(open_strings, pa.bool_()),
    }
    return pa.table(columns).select(SCALOGRAM_SCHEMA.names).cast(SCALOGRAM_SCHEMA)


def _trust_columns(windows, trust):
    """How far what the judged windows are held against can be trusted."""
    n, judged = len(windows.quality), windows.judged
    hidden, because, below = np.full(n, np.nan), np.full(n, None, object), np.full((n, 2), np.nan)
    if trust is not None:
        below[judged] = trust.below.reshape(-1, 2)[judged]
        hidden[judged] = trust.hidden_fault.reshape(-1)[judged]
        because[judged] = trust.unsure_because.reshape(-1)[judged]
    return {
        "hidden_fault": pa.array(hidden, pa.float32(), from_pandas=True),
        "unsure_because": pa.array(because, pa.string()),
        **{
            name: pa.array(column, pa.float32(), from_pandas=True)
            for name, column in zip(BELOW_COLUMNS, below.T, strict=True)
        },
    }
