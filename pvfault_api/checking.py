"""The checks of what is published: each table's, for one date, without Spark and without a run.

Which check looks at which figures, and where these come from. What is judged, and how, is in `pvfault.checks`: a job
asks the same of a date before it publishes it. What dates are made with is in `checking_sources.py`, which needs more
to read it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.checks import device_days, predictions, readings, scalograms
from pvfault.checks.assets import CHECKS
from pvfault.checks.check import MADE, Check, CheckResult
from pvfault.dates import midnight_ms
from pvfault.readings import DEVICE_ID
from pvfault.settings import Settings
from pvfault.tables import (
    DEVICE_DAYS,
    OK,
    PREDICTIONS,
    READINGS,
    SCALOGRAMS,
    WINDOW_START,
)
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY
from pvfault_api.published_dates import ORIGIN, PublishedDate, PublishedDates


@dataclass(frozen=True)
class Checked:
    """What a check said.

    Attributes
    ----------
    asset : str
        A table, or what dates are made with.
    day : date or None
        None for what is of no date.
    result : CheckResult
    """

    asset: str
    day: date | None
    result: CheckResult


def check_dates(settings: Settings, days: Sequence[date], assets: Sequence[str]) -> list[Checked]:
    """Check what is published of some dates, one after the other.

    Parameters
    ----------
    settings : Settings
    days : sequence of date
        At least one.
    assets : sequence of str
        Some of `CHECKS`; what is no table has no dates.

    Raises
    ------
    PvfaultError
        If something that has to be read cannot be: no tables yet, a damaged file, a registry that is none.
    """
    dates, tables = PublishedDates(settings, days), [table for table in assets if table in _JUDGES]
    return [
        Checked(table, of.day, result)
        for of in map(dates.of, days)
        for table in tables
        for result in check_table(of, table)
    ]


def check_table(of: PublishedDate, table: str, names: Collection[str] | None = None) -> Iterator[CheckResult]:
    """Check a date of a table.

    Parameters
    ----------
    of : PublishedDate
    table : str
    names : collection of str, optional
        Of the checks that are asked; all of `CHECKS` by default. Where the table has not the date, that is all that
        is said.

    Raises
    ------
    PvfaultError
        As from `check_dates`.
    """
    if not of.is_made(table):
        yield MADE.judge(False, f"`{table}` has no row of {of.day}")
        return
    asked = {check.name for check in CHECKS[table]} if names is None else set(names)
    if MADE.name in asked:
        yield MADE.judge(True, f"`{table}` has the date")
    for checks, judge in _JUDGES[table]:
        if not asked.isdisjoint(check.name for check in checks):
            yield from (result for result in judge(of) if result.name in asked)


def _ends(of: PublishedDate) -> tuple[CheckResult, ...]:
    own, elsewhere, bad, records = (
        sum(row["readings"] for row in of.making),
        sum(one["readings"] for row in of.making for one in row["elsewhere"] or ()),
        sum(row["quarantined"] for row in of.making),
        sum(row["records"] for row in of.making),
    )
    rows = of.readings.rows
    return (readings.judge_ends(
        records=records, own=own, other=elsewhere, bad=bad, quarantined=len(of.quarantine), rows=rows,
        kept=rows + of.duplicates,
    ),)  # fmt: skip


def _once(of: PublishedDate) -> tuple[CheckResult, ...]:
    made = of.making[0]["date_rows"] if of.making else None
    return (readings.judge_once(of.readings.rows, made=made, twice=of.readings.twice),)


def _quarantine(of: PublishedDate) -> tuple[CheckResult, ...]:
    records = sum(row["records"] for row in of.making)
    return (readings.judge_quarantine(len(of.quarantine), records, readings.count_reasons(of.quarantine)),)


def _late(of: PublishedDate) -> tuple[CheckResult, ...]:
    """Readings of earlier dates that stand in the date's own part of the topic and were not read since."""
    mine = {one["date"] for row in of.making for one in row["elsewhere"] or () if one["unread"]}
    return (readings.judge_late({str(day): n for day, n in of.late.items() if day in mine and day < of.day}),)


def _origin(of: PublishedDate) -> tuple[CheckResult, ...]:
    keys = [DEVICE_ID, WINDOW_START]
    ours, theirs = of.predictions.select([*keys, *ORIGIN]), of.windows.select([*keys, *ORIGIN])
    for name in ORIGIN:
        ours, theirs = _numbered(name, ours, theirs)
    both = ours.join(theirs, keys, join_type="left outer", right_suffix="_of_scalogram")
    apart = []
    if of.is_outdated(SCALOGRAMS, ["readings_making"]):
        apart.append((SCALOGRAMS.name, READINGS.name))
    if any(pc.any(_differ(both[name], both[f"{name}_of_scalogram"])).as_py() for name in ORIGIN):
        apart.append((PREDICTIONS.name, SCALOGRAMS.name))
    if of.is_outdated(DEVICE_DAYS):
        apart.append((DEVICE_DAYS.name, PREDICTIONS.name))
    registries = of.windows["registry_version"].drop_null().unique().to_pylist()
    return (device_days.judge_origin(apart=apart, registries=registries, registry=of.registry.version),)


def _numbered(name: str, *tables: pa.Table) -> Iterator[pa.Table]:
    """Tables with the same numbers for the same texts of a column: they are joined in a fraction of memory and time."""
    texts = pa.chunked_array([chunk for table in tables for chunk in table[name].chunks], pa.string()).unique()
    for table in tables:
        numbers = pc.index_in(table[name], texts, skip_nulls=True)
        yield table.set_column(table.schema.get_field_index(name), name, numbers)


def _differ(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.not_equal(one, other), pc.xor(one.is_null(), other.is_null()))


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {pair["values"]: pair["counts"] for pair in column.drop_null().value_counts().to_pylist()}


def _verdicts(of: PublishedDate) -> tuple[CheckResult, ...]:
    own = of.own_verdicts
    beside = own if of.is_outdated(DEVICE_DAYS) else of.predictions
    return device_days.judge_verdicts(
        rows=len(own),
        devices=pc.count_distinct(own[DEVICE_ID]).as_py(),
        predicted=pc.count_distinct(beside[DEVICE_ID]).as_py(),
        verdicts=_counts(own["fault"]),
    )


def _drift(of: PublishedDate) -> tuple[CheckResult, ...]:
    before = of.verdicts.filter(pc.not_equal(of.verdicts["date"], pa.scalar(of.day)))
    dates = pc.count_distinct(before["date"]).as_py()
    return (device_days.judge_drift(_counts(of.own_verdicts["fault"]), _counts(before["fault"]), dates),)


def _changes(of: PublishedDate) -> tuple[CheckResult, ...]:
    since = of.day - timedelta(days=device_days.LOOKED_AT_DAYS - 1)
    recent = of.verdicts.filter(pc.greater_equal(of.verdicts["date"], pa.scalar(since)))
    by_device: dict[str, list[str]] = defaultdict(list)
    known = recent.filter(recent["fault"].is_valid()).sort_by("date")
    for device, fault in zip(known[DEVICE_ID].to_pylist(), known["fault"].to_pylist(), strict=True):
        by_device[device].append(fault)
    return (device_days.judge_changes(by_device),)


def _windows(of: PublishedDate) -> tuple[CheckResult, ...]:
    found = scalograms.count_windows(of.windows)
    expected = of.readings.hours.keys() | set(of.registry.devices)
    devices = found.devices if of.is_outdated(SCALOGRAMS) else len(expected)
    return (scalograms.judge_whole_days(found, rows=len(of.windows), devices=devices),)


def _images(of: PublishedDate) -> tuple[CheckResult, ...]:
    return (
        scalograms.judge_images(
            rows=len(of.windows), judged=_counts(of.windows["quality"]).get(OK, 0), images=of.images
        ),
    )


def _clocks(of: PublishedDate) -> tuple[CheckResult, ...]:
    device = of.windows[DEVICE_ID].combine_chunks().dictionary_encode()
    hour = (of.windows[WINDOW_START].cast(pa.int64()).to_numpy() // 1000 - midnight_ms(of.day)) // (WINDOW_S * 1000)
    irradiance = np.full((len(device.dictionary), WINDOWS_PER_DAY), np.nan)
    irradiance[device.indices.to_numpy(), hour] = of.windows["mean_irradiance"].to_numpy()
    by_device = dict(zip(device.dictionary.to_pylist(), irradiance, strict=True))
    return (scalograms.judge_clocks(by_device, of.places, of.day),)


def _predictions(of: PublishedDate) -> tuple[CheckResult, ...]:
    found = predictions.count_verdicts(of.predictions)
    beside = of.predictions if of.is_outdated(PREDICTIONS) else of.windows
    return predictions.judge_predictions(len(of.predictions), found, windows=len(beside))


def _network(of: PublishedDate) -> tuple[CheckResult, ...]:
    versions = of.own_verdicts["model_version"].drop_null().unique().to_pylist()
    return (device_days.judge_network(versions, of.network),)


# By table: which checks a function says something of. What looks at the same figures is judged together.
_JUDGES: Mapping[str, Sequence[tuple[tuple[Check, ...], Callable[[PublishedDate], tuple[CheckResult, ...]]]]] = {
    READINGS.name: (
        ((readings.HEARD,), lambda of: (readings.judge_silence(of.readings.rows, len(of.registry.devices), of.day),)),
        ((readings.EVERY_END,), _ends),
        ((readings.ONCE,), _once),
        ((readings.DECODES,), _quarantine),
        ((readings.COMPLETE_DEVICES,), lambda of: (readings.judge_completeness(of.readings.hours),)),
        ((readings.NO_DUPLICATES,), lambda of: (readings.judge_duplicates(of.duplicates),)),
        (
            (readings.PLAUSIBLE_VALUES,),
            lambda of: (readings.judge_plausible(of.readings.implausible, of.readings.rows),),
        ),
        ((readings.ALL_DEVICES,), lambda of: (readings.judge_missing(of.readings.hours, of.registry.devices),)),
        ((readings.ALL_REGISTERED,), lambda of: (readings.judge_registered(of.readings.hours, of.registry.devices),)),
        ((readings.NONE_LATE,), _late),
        ((readings.NONE_WAITS,), lambda of: (readings.judge_waiting(of.late.get(of.day, 0)),)),
    ),
    SCALOGRAMS.name: (
        ((scalograms.WHOLE_DAYS,), _windows),
        ((scalograms.FINITE,), _images),
        ((scalograms.JUDGED,), lambda of: (scalograms.judge_qualities(_counts(of.windows["quality"])),)),
        ((scalograms.BELIEVED,), lambda of: (scalograms.judge_doubts(of.readings.doubts),)),
        ((scalograms.CLOCKS,), _clocks),
        ((scalograms.HISTORY_THERE,), lambda of: (scalograms.judge_history(*of.history, {}),)),
    ),
    PREDICTIONS.name: ((predictions.AUDITED, _predictions),),
    DEVICE_DAYS.name: (
        ((device_days.ONE_EACH, device_days.FEW_FAULTY, device_days.KNOWN), _verdicts),
        ((device_days.ONE_ORIGIN,), _origin),
        ((device_days.ONE_NETWORK,), _network),
        ((device_days.NO_DRIFT,), _drift),
        ((device_days.STEADY,), _changes),
    ),
}
