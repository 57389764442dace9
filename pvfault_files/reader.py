"""Files of readings become one table of readings: the way in.

What is not plain is found by itself where there is one reading of it, and said in `remarks`; where there are two it
is asked about. A missing or absurd measurement is a reading like any other and stays: `pvfault/windows.py` judges it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA, TIMESTAMP_TYPE
from pvfault_files.bodies import open_body
from pvfault_files.bystanders import NoReadingsError, refuse_bystander
from pvfault_files.cells import is_placeholder
from pvfault_files.choices import Choices
from pvfault_files.column_types import types_of
from pvfault_files.energies import seconds_gathered, tell_gathered
from pvfault_files.forms import FileForm, ReadFiles
from pvfault_files.layouts import make_plan
from pvfault_files.long_rows import read_long
from pvfault_files.names import device_ids_of
from pvfault_files.rows import WEATHER, ContradictionError, Rows, join, settle
from pvfault_files.shapes import describe
from pvfault_files.sources import Source, find_sources
from pvfault_files.telling import advise
from pvfault_files.times import join_clock, parse_times
from pvfault_files.values import read_numbers, take_together, to_float32, to_measurement
from pvfault_files.zones import to_utc

_AT_ONCE = 1_000_000


@dataclass
class Part:
    """What one file gave.

    Attributes
    ----------
    rows : Rows
    form : FileForm
    rows_without_time : int
    local_rows : int
        Rows whose time had no zone.
    remarks : list of str
    missing : tuple of str
        Measurements that it has no column of, and what is said of them if no other file has them.
    asked : str
    """

    rows: Rows
    form: FileForm
    rows_without_time: int
    local_rows: int
    remarks: list[str]
    missing: tuple[str, ...]
    asked: str


def read_files(paths: Sequence[Path], choices: Choices) -> ReadFiles:
    """Read files of readings.

    A missing measurement becomes NaN, one beyond float32 infinite; both stay. Timestamps are cut to milliseconds, which
    is what Kafka carries, so that a file has the same windows with and without it.

    Parameters
    ----------
    paths : sequence of path
        Files (CSV of any form, Parquet, workbooks; also compressed or in a zip archive), folders, patterns.
    choices : Choices

    Returns
    -------
    ReadFiles

    Raises
    ------
    PvfaultError
        If there is no such file, it is none of readings, lacks a column, or has rows that are torn or contradict each
        other; if it could be read in two ways, naming both and the option for each; or if local times do not exist in
        the zone.
    """
    sources, parts, left_out = _read_parts(find_sources(paths), choices)
    _refuse_missing(parts)
    rows = join([part.rows for part in parts])
    device_ids = device_ids_of(rows.names, choices.device_ids)
    _order_devices(rows, device_ids)
    device_ids.sort()
    try:
        settled = settle(rows, sum_inputs=choices.inputs != "devices")
    except ContradictionError as error:
        raise advise(error, sources, choices) from error
    remarks = [*left_out, *(remark for part in parts for remark in part.remarks)]
    remarks += [*_tell_zones(parts, choices), *settled.remarks, *_tell_aliases(rows, device_ids)]
    present = np.flatnonzero(np.bincount(rows.devices, minlength=len(device_ids)))
    return ReadFiles(
        table=_as_table(rows, device_ids),
        names={device_ids[place]: rows.names[place] for place in present},
        rows_without_time=sum(part.rows_without_time for part in parts),
        duplicates=settled.duplicates,
        remarks=tuple(dict.fromkeys(remarks)),
        forms=tuple(part.form for part in parts),
    )


def _read_parts(sources, choices):
    """The sources of readings, what each gave, and what is said of those that are left out."""
    kept, parts, left_out = [], [], []
    for source in sources:
        try:
            parts.append(read_part(source, choices))
            kept.append(source)
        except NoReadingsError as error:
            if source.is_named or (source is sources[-1] and not parts):
                raise
            left_out.append(f"{error.what}, and was left out.")
    return kept, parts, left_out


def read_part(source: Source, choices: Choices) -> Part:
    """Read one file.

    Raises
    ------
    NoReadingsError
        If it is empty, or plainly something else than readings.
    PvfaultError
        As `read_files`.
    """
    if source.is_empty:
        raise NoReadingsError(f"{source.name} is empty", "Expected a CSV with a header, or a Parquet file.")
    body = open_body(source, choices)
    refuse_bystander(body, choices)
    plan = make_plan(body.name, body.dialect, choices)
    remarks = []
    if body.dialect.titles:
        lines = (
            "1 line above the header was"
            if body.dialect.titles == 1
            else f"{body.dialect.titles} lines above the header were"
        )
        remarks.append(f"{body.name}: {lines} skipped.")
    columns = [*plan.times, *(n for n in (plan.device, plan.port) if n is not None), *_number_columns(plan)]
    table = body.read(types_of(body, plan, list(dict.fromkeys(columns))))
    remarks += filter(None, [body.skipped()])
    row_count = table.num_rows
    # Columns are taken out of here one after the other, so that they are not held twice.
    table = {name: table[name] for name in table.column_names}
    if row_count == 0:
        raise NoReadingsError(
            f"{body.name} has a header but no rows", "Expected at least one reading; is it the right file?"
        )
    times = _read_times(body, plan, table, choices)
    has_time = pc.is_valid(times.values)
    without_time = row_count - pc.sum(has_time).as_py()
    if without_time == row_count:
        raise PvfaultError(
            f"{body.name}: all {row_count:,} rows lack a time in column {body.dialect.names[plan.times[0]]!r}. "
            "Expected times such as 2024-06-01 12:00:00; name another column with --map timestamp=COLUMN."
        )
    zone, why = _zone_of(plan, times, choices)
    have_zone = times.have_zone
    devices, names = _devices_of(body, plan, table, row_count, choices)
    if without_time:
        devices = devices[np.asarray(has_time)]
        table = {name: column.filter(has_time) for name, column in table.items()}
    instants = _instants_of(body, times, devices if len(names) > 1 else None, zone)
    del times, has_time
    make_rows = read_long if plan.long is not None else _rows_of_groups
    rows, ranges = make_rows(body, plan, table, devices, names, instants, choices)
    pa.default_memory_pool().release_unused()  # the file's text, of which Arrow would keep what it has used
    local_rows = 0 if have_zone else row_count - without_time
    form = describe(body, plan, rows, ranges, zone, why)
    return Part(rows, form, without_time, local_rows, [*remarks, *plan.remarks], plan.missing, plan.asked)


def _number_columns(plan):
    if plan.long is None:
        return plan.columns_of_numbers()
    return [n for n in (plan.long.what, plan.long.value, plan.long.unit) if n is not None]


def _read_times(body, plan, table, choices):
    """Times of all rows, of one column or two."""
    first = table.pop(str(plan.times[0]))
    if len(plan.times) == 2:
        first = join_clock(first, table.pop(str(plan.times[1])))
    names = [body.dialect.names[n] for n in plan.times]
    where = f"{body.name}: column {' and '.join(map(repr, names))}"
    return parse_times(where, first, choices, line_of=body.line_of, hint=names[0])


def _zone_of(plan, times, choices):
    """Zone of a file's times, and where that comes from."""
    if times.have_zone:
        return "UTC", "epochs" if "since 1970" in times.form else "the times have an offset"
    if choices.timezone:
        return choices.timezone, "--timezone"
    if plan.zone:
        return plan.zone, "the column's name"
    return "UTC", "nothing else is said"


def _instants_of(body, times, devices, zone):
    """Times that are there, in microseconds since 1970."""
    values = times.values.drop_null()
    if not times.have_zone:
        # The hour that a clock shows twice is told apart by a device's rows, which stand in their order here.
        values = to_utc(body.name, values, None if devices is None else pa.chunked_array([pa.array(devices)]), zone)
    instants = pc.cast(values, pa.int64()).to_numpy()
    # Kafka carries milliseconds. Looked at in parts: of a year of a plant, an array more is a quarter of a gigabyte.
    parts = (instants[first : first + _AT_ONCE] for first in range(0, len(instants), _AT_ONCE))
    return instants - instants % 1000 if any((part % 1000).any() for part in parts) else instants


def _devices_of(body, plan, table, row_count, choices):
    """Places of devices by row, and their names."""
    if plan.device is None:
        electrical = plan.long is not None or any(
            m in group.columns for group in plan.groups for m in ("voltage", "current")
        )
        named = choices.device if choices.device is not None else WEATHER
        if choices.device is None and electrical and len(plan.groups) == 1:
            raise PvfaultError(
                f"{body.name} has no column {DEVICE_ID}. It has {', '.join(body.dialect.names)}. If all rows are of "
                f"one device, name it with --device ID, else the column with --map {DEVICE_ID}=COLUMN. "
                f"{plan.asked}".strip()
            )
        return np.zeros(row_count, np.int32), [named.strip()]
    column = table.pop(str(plan.device))
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(pc.cast(column, pa.string()))
    column = column.unify_dictionaries()
    texts = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    empty = [place for place, text in enumerate(texts) if text is None or is_placeholder(text)]
    codes = np.concatenate([np.asarray(pc.fill_null(chunk.indices, -1), np.int32) for chunk in column.chunks])
    lacking = (codes < 0) | np.isin(codes, empty)
    if lacking.any():
        row = int(np.flatnonzero(lacking)[0])
        raise PvfaultError(
            f"{body.name}: {int(lacking.sum()):,} of {len(codes):,} rows have no device in column "
            f"{body.dialect.names[plan.device]!r}, the first is {body.line_of(row)}. Name it there, or remove these "
            f"rows."
        )
    names = list(dict.fromkeys(text.strip() for text in texts))
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[text.strip()] for text in texts], np.int32)[codes], names


def _rows_of_groups(body, plan, table, devices, names, instants, choices):
    """Rows of a file that has the measurements of a device in columns."""
    columns = plan.columns_of_numbers()
    inputs = _inputs_of(plan, table)
    numbers = read_numbers(body, table, columns, choices)
    ranges, parts = {}, []
    for group in plan.groups:
        converted = {}
        for measurement, own in group.columns.items():
            scale = choices.scale.get(measurement, 1.0)
            converted[measurement] = [
                to_measurement(
                    numbers[n], plan.units.get(n), scale, _gathered(body, plan, n, names, devices, instants, numbers[n])
                )
                for n in own
            ]
            for n, values in zip(own, converted[measurement], strict=True):
                ranges[n] = _range(values)
        values = []
        for measurement in MEASUREMENTS:
            if measurement in converted:
                together = take_together(measurement, converted[measurement], converted.get("current", []))
                values.append(to_float32(together))
            else:
                values.append(np.full(len(instants), np.nan, np.float32))
        owned = [" ".join(filter(None, (name, group.owner))) for name in names] if group.owner else names
        parts.append(Rows(owned, devices, instants, values, inputs))
    rows = join(parts)
    if inputs is not None and choices.inputs == "devices":
        rows = _inputs_as_devices(rows)
    return rows, ranges


def _gathered(body, plan, column, names, devices, instants, values):
    """How long each value of a column was gathered, None if it is no energy."""
    unit = plan.units.get(column)
    if unit is None or not unit.is_energy:
        return None
    where = f"{body.name}: column {body.dialect.names[column]!r}"
    seconds = seconds_gathered(where, unit.text, names, devices, instants, values)
    plan.remarks.append(tell_gathered(body.name, unit.text, seconds))
    return seconds


def _inputs_of(plan, table):
    """Numbers of the inputs that rows are of, None if rows are of devices."""
    if plan.port is None:
        return None
    column = table[str(plan.port)]
    encoded = pc.dictionary_encode(pc.cast(column, pa.string())) if not pa.types.is_dictionary(column.type) else column
    encoded = encoded.unify_dictionaries()
    return np.concatenate([np.asarray(pc.fill_null(chunk.indices, -1), np.int32) for chunk in encoded.chunks])


def _inputs_as_devices(rows):
    """Each input of each device as a device of its own."""
    pairs, codes = np.unique(np.stack([rows.devices, rows.inputs]), axis=1, return_inverse=True)
    names = [f"{rows.names[device]} {number + 1}".strip() for device, number in pairs.T]
    return Rows(names, codes.astype(np.int32).ravel(), rows.times, rows.values)


def _range(values):
    """Lowest and highest finite value; None if there is none."""
    with np.errstate(invalid="ignore"):
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    return (None, None) if np.isnan(low) else (float(low), float(high))


def _refuse_missing(parts):
    """Refuse files of which none has a measurement."""
    for part in parts:
        if any(all(m in other.missing for other in parts) for m in part.missing):
            raise PvfaultError(part.asked)
        electrical = {"voltage", "current"} - set(part.missing)
        if len(electrical) == 1:
            raise PvfaultError(part.asked)


def _order_devices(rows, device_ids):
    """Let places of devices be in the order of their deviceIDs."""
    order = np.argsort(np.array(device_ids, object), kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    if (place != np.arange(len(order))).any():
        rows.devices = place[rows.devices]
        rows.names = [rows.names[number] for number in order]


def _as_table(rows, device_ids):
    """A table of `READING_SCHEMA`."""
    devices = pa.DictionaryArray.from_arrays(pa.array(rows.devices), pa.array(device_ids, pa.string()))
    return pa.table(
        [
            pc.cast(devices, pa.string()),
            pa.array(rows.times).cast(TIMESTAMP_TYPE),
            *(pa.array(values) for values in rows.values),
        ],
        schema=READING_SCHEMA,
    )


def _tell_zones(parts, choices):
    """What is said of times without a zone."""
    if choices.timezone:
        return
    local = [part for part in parts if part.local_rows]
    for zone in dict.fromkeys(part.form.zone for part in local):
        those = [part for part in local if part.form.zone == zone]
        count = sum(part.local_rows for part in those)
        if those[0].form.zone_why == "the column's name":
            yield f"The times of {count:,} rows are of {zone}, as their column says."
        else:
            yield f"The times of {count:,} rows have no zone and were taken for {zone}; --timezone names another."


def _tell_aliases(rows, device_ids):
    aliases = [
        f"{name} is {device_id}" for name, device_id in zip(rows.names, device_ids, strict=True) if name != device_id
    ]
    if aliases:
        shown = ", ".join(aliases[:3]) + (" …" if len(aliases) > 3 else "")
        yield f"On the wire and in tables, devices have ten letters and digits: {shown}."
