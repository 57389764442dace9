"""Rows of `DEVICE_DAY_SCHEMA` from predictions and hourly means of one date.

Energy, what a fault costs, and completeness are counted here; the rule that judges a day is in `pvfault/verdicts.py`.
"""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.candidates import CandidateSets, strongest
from pvfault.expected_power import expected_power
from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.rows.candidates import candidates_column
from pvfault.rows.columns import device_codes, microseconds_of_day
from pvfault.tables import CANDIDATES_TYPE, DEVICE_DAY_SCHEMA, UNSURE, WINDOW_START
from pvfault.verdicts import combine_windows
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY

# Hourly means of a device's usable readings, which `device_day_rows` needs beside the predictions.
HOURLY_COLUMNS = ("readings", "mean_power", "mean_irradiance", "mean_temperature")


def device_day_rows(hours: pa.Table, day: date, registry: Registry, sets: CandidateSets | None = None) -> pa.Table:
    """The verdict of each device for one date, and what it cost.

    Parameters
    ----------
    hours : pa.Table
        Rows of `PREDICTIONS` of whole devices, with `HOURLY_COLUMNS` beside them: the number of readings, mean power
        [W], irradiance [W/m²] and module temperature [°C] of the hour's plausible readings; null where there is none.
    day : date
    registry : Registry
    sets : CandidateSets, optional
        Of the network that judged the hours. Devices that another one judged, or nobody, have no candidates.

    Returns
    -------
    pa.Table
        Rows of `DEVICE_DAY_SCHEMA`, sorted. Energy is the sum of the hourly mean powers over 1 h; lost energy is what a
        healthy array would have given above that in the faulty hours, null for an unregistered device and where the
        verdict is unknown or unsure. A day is unsure if all its judged hours are, or if some are and the others look
        healthy.

    Raises
    ------
    ValueError
        If an hour is not of `day`.
    """
    hours = hours.sort_by([(DEVICE_ID, "ascending"), (WINDOW_START, "ascending")])
    devices, device = device_codes(hours[DEVICE_ID])
    hour = microseconds_of_day(hours[WINDOW_START], day) // (WINDOW_S * 1_000_000)

    def by_hour(column, fill=np.nan):
        """One column as (device, hour)."""
        values = np.full((len(devices), WINDOWS_PER_DAY), fill)
        values[device, hour] = pc.fill_null(column.cast(pa.float64()), fill).to_numpy()
        return values

    probabilities = np.stack([by_hour(pc.struct_field(hours["probabilities"], fault)) for fault in FAULTS], axis=-1)
    power, irradiance, temperature = (by_hour(hours[name]) for name in HOURLY_COLUMNS[1:])
    readings = by_hour(hours["readings"], fill=0.0)
    verdicts = combine_windows(probabilities)
    called = _called(hours, device, hour, len(devices))
    judged = np.isfinite(probabilities).all(axis=-1)
    is_unsure = judged & (called == UNSURE)
    healthy = verdicts.fault == FAULTS.index(NONE)
    unsure = is_unsure.any(axis=1) & (healthy | (is_unsure == judged).all(axis=1))
    unknown = (verdicts.fault < 0) | unsure
    fault = np.where(unsure, UNSURE, np.array(FAULTS, dtype=object)[verdicts.fault])
    faulty = verdicts.faulty & ~unsure[:, None]

    rated_power = registry.ratings(devices).prod(axis=1)
    # What may hide in an estimate hides in all hours of it alike: together they are no surer than the surest of them.
    surest = np.where(called == NONE, by_hour(hours["confidence"], fill=0.0), 0.0).max(axis=1)
    is_estimated = np.isnan(rated_power) & healthy
    confidence = np.where(is_estimated, np.minimum(verdicts.confidence, surest), verdicts.confidence)
    shortfall = np.maximum(np.nan_to_num(expected_power(irradiance, temperature, rated_power[:, None]) - power), 0.0)
    no_loss = unknown | np.isnan(rated_power)
    onset = np.datetime64(day, "us") + verdicts.onset * np.timedelta64(WINDOW_S, "s")
    return pa.table(
        [
            pa.array(devices, pa.string()),
            pa.array([day] * len(devices), pa.date32()),
            pa.array(fault, pa.string(), mask=verdicts.fault < 0),
            pa.array(onset, pa.timestamp("us"), mask=unsure | (verdicts.onset < 0)).cast(TIMESTAMP_TYPE),
            pa.array(faulty.sum(axis=1), pa.int32()),
            pa.array(judged.sum(axis=1), pa.int32()),
            pa.array(confidence, pa.float32(), mask=unknown),
            pa.array(np.nansum(power, axis=1) / 1000),
            pa.array((shortfall * faulty).sum(axis=1) / 1000, mask=no_loss),
            pa.array(completeness(readings)),
            pa.array(np.array(FAULTS, dtype=object)[verdicts.runner_up], pa.string(), mask=unknown),
            pa.array(verdicts.runner_up_probability, pa.float32(), mask=unknown),
            pa.array(_reasons(hours, device, hour, is_unsure), pa.string(), mask=~unsure),
            _candidates(sets, hours["model_version"], device, strongest(probabilities), verdicts.fault, ~unknown),
        ],
        schema=DEVICE_DAY_SCHEMA,
    )


def _candidates(sets, versions, device, probabilities, fault, known):
    """The candidates of each device's day; null where there are none, and where another network judged an hour."""
    if sets is None:
        return pa.nulls(len(known), CANDIDATES_TYPE)
    by_others = np.asarray(pc.not_equal(versions, sets.version))
    known = known & ~np.isin(np.arange(len(known)), device[by_others])
    return candidates_column(sets.of_days(probabilities, fault), probabilities, fault, known)


def _called(hours, device, hour, n_devices):
    """What the hours are called, as (device, hour); None where they are not judged."""
    called = np.full((n_devices, WINDOWS_PER_DAY), None, object)
    called[device, hour] = hours["fault"].to_pylist()
    return called


def _reasons(hours, device, hour, is_unsure):
    """Of each device the reason of its first unsure hour; None without one."""
    reasons = np.full(is_unsure.shape, None, object)
    reasons[device, hour] = hours["unsure_because"].to_pylist()
    return reasons[np.arange(len(reasons)), is_unsure.argmax(axis=1)]


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
