"""Files of readings: what operators have, CSV or Parquet of any sampling rate and with any names of columns.

A file becomes a table of `READING_SCHEMA` in time order, or it is said what is wrong with it. A missing or absurd
measurement is a reading like any other, and stays: `windows.py` judges it.
"""

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pvfault.errors import PvfaultError
from pvfault.readings import (
    DEVICE_ID,
    DEVICE_ID_LENGTH,
    DEVICE_ID_PATTERN,
    MEASUREMENTS,
    READING_SCHEMA,
    TIMESTAMP,
    TIMESTAMP_TYPE,
)
from pvfault_files.forms import ReadFiles

_PARQUET_MAGIC = b"PAR1"
_HEADER_BYTES = 65_536

# What these columns are called elsewhere, in small letters without punctuation, to suggest a --map. Nothing is mapped
# unasked: an `irr` beside an `IRR` may be another sensor.
_OTHER_NAMES = {
    DEVICE_ID: ("device", "deviceid", "inverter", "inverterid", "id", "serial", "serialnumber", "sourcekey"),
    TIMESTAMP: ("timestamp", "ts", "time", "datetime", "date", "timestamputc", "timeutc", "measuredon"),
    "voltage": ("voltage", "vdc", "dcvoltage", "udc", "voltagedc", "vpv", "vmp", "v", "u"),
    "current": ("current", "idc", "dccurrent", "currentdc", "ipv", "imp", "i"),
    "temperature": ("temperature", "temp", "moduletemperature", "tmod", "tmodule", "tempmodule", "tcell", "t"),
    "irradiance": ("irradiance", "irr", "poa", "gpoa", "poaglobal", "poairradiance", "irradiation", "gti", "g"),
}


@dataclass(frozen=True)
class ReadingFile:
    """What a file held.

    Attributes
    ----------
    table : pa.Table
        Of `READING_SCHEMA`, sorted by (timestamp, deviceID); at least one row.
    rows_without_time : int
        Rows that cannot be readings, because their timestamp is empty; they are not in the table.
    """

    table: pa.Table
    rows_without_time: int


def read_readings(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    device: str | None = None,
    timezone: str = "UTC",
) -> ReadingFile:
    """Read a CSV or Parquet file of readings.

    A missing measurement becomes NaN, one beyond float32 infinite; both stay. Timestamps are cut to milliseconds, which
    is what Kafka carries, so that a file has the same windows with and without it.

    Parameters
    ----------
    path : path
        CSV with a header (comma, semicolon or tab; also compressed, by its suffix) or Parquet.
    columns : mapping of str to str, optional
        Columns of the file by the reading's column, as in ``{"voltage": "V_DC"}``; the others have the reading's names.
    device : str, optional
        DeviceID of all rows, for a file without such a column.
    timezone : str
        Zone of timestamps that have none: a name as `Europe/Berlin` or an offset as `+01:00`. Where its clock is set
        back, an hour occurs twice: a device's rows are of the first one until their times step back, then of the
        second.

    Returns
    -------
    ReadingFile

    Raises
    ------
    PvfaultError
        If there is no such file, it is not of its kind, lacks a column or has one of another type, has no rows, local
        times that do not exist in the zone (the file's clock is not the zone's, and readings would be moved), or a
        deviceID of the wrong form.
    """
    path = Path(path)
    wanted = _check_options(columns or {}, device)
    _check_is_file(path)
    raw = _read_columns(path, wanted)
    if raw.num_rows == 0:
        raise PvfaultError(f"{path} has a header but no rows. Expected at least one reading; is it the right file?")
    if device is not None:
        raw = raw.append_column(DEVICE_ID, pa.repeat(device, raw.num_rows))
    times = _parse_times(path, wanted[TIMESTAMP], raw[TIMESTAMP])
    has_time = pc.is_valid(times)
    rows_without_time = pc.sum(pc.invert(has_time)).as_py()
    if rows_without_time == raw.num_rows:
        raise PvfaultError(
            f"{path}: all {raw.num_rows:,} rows lack a time in column {wanted[TIMESTAMP]!r}. "
            "Expected ISO 8601 such as 2024-06-01 12:00:00; name another column with --map timestamp=COLUMN."
        )
    raw, times = raw.filter(has_time), times.filter(has_time)
    devices = pc.cast(raw[DEVICE_ID], pa.string())
    _check_device_ids(path, devices)
    table = pa.table(
        [
            devices,
            _cut_to_milliseconds(_to_utc(path, times, devices, timezone)),
            *(_to_float32(path, wanted[name], raw[name]) for name in MEASUREMENTS),
        ],
        schema=READING_SCHEMA,
    )
    return ReadingFile(sort_readings(table), rows_without_time)


def merge_readings(tables: Iterable[pa.Table]) -> pa.Table:
    """Put several tables of readings in one time order."""
    return sort_readings(pa.concat_tables(tables))


def sort_readings(readings: pa.Table) -> pa.Table:
    """Sort readings by (timestamp, deviceID)."""
    return readings.sort_by([(TIMESTAMP, "ascending"), (DEVICE_ID, "ascending")])


def _check_options(columns, device):
    """Which column of the file is meant for each of the reading's."""
    for name in columns:
        if name not in READING_SCHEMA.names:
            raise PvfaultError(
                f"A reading has no {name!r}. Expected --map NAME=COLUMN "
                f"with NAME one of {', '.join(READING_SCHEMA.names)}."
            )
    wanted = {name: columns.get(name, name) for name in READING_SCHEMA.names}
    if device is None:
        return wanted
    if DEVICE_ID in columns:
        raise PvfaultError(
            f"Both --device {device} and --map {DEVICE_ID}={columns[DEVICE_ID]} name the device. Leave one away."
        )
    if not re.fullmatch(DEVICE_ID_PATTERN, device):
        raise PvfaultError(f"--device is {device!r}; expected {DEVICE_ID_LENGTH} letters and digits, as in INV0000001.")
    del wanted[DEVICE_ID]
    return wanted


def _check_is_file(path):
    """Refuse what cannot be opened or is empty."""
    if path.is_dir():
        raise PvfaultError(
            f"{path} is a folder. Expected a CSV or Parquet file; name the files in it, e.g. {path}/*.csv"
        )
    if not path.exists():
        raise PvfaultError(f"There is no file {path}. Check the name and the folder you are in.")
    if path.stat().st_size == 0:
        raise PvfaultError(f"{path} is empty. Expected a CSV with a header, or a Parquet file.")


def _read_columns(path, wanted):
    """Only the columns that are wanted, under the reading's names and in the file's types."""
    with path.open("rb") as file:
        magic = file.read(len(_PARQUET_MAGIC))
    read = _read_parquet if magic == _PARQUET_MAGIC or path.suffix in (".parquet", ".pq") else _read_csv
    try:
        return read(path, wanted)
    except (pa.ArrowException, OSError) as error:
        kind = "Parquet file" if read is _read_parquet else "CSV"
        raise PvfaultError(f"{path} is not a readable {kind}: {_first_line(error)}. Export it once more.") from error


def _read_parquet(path, wanted):
    with pq.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names, wanted)
        table = file.read(columns=list(dict.fromkeys(wanted.values())))
    return pa.table({name: table[column] for name, column in wanted.items()})


def _read_csv(path, wanted):
    delimiter, names = _read_header(path)
    _check_columns(path, names, wanted)
    numbers = {wanted[name]: pa.float64() for name in MEASUREMENTS}
    texts = {wanted[DEVICE_ID]: pa.string()} if DEVICE_ID in wanted else {}
    options = {
        "parse_options": pa_csv.ParseOptions(delimiter=delimiter),
        # IDs of digits only would lose their zeros if their type were guessed.
        "convert_options": pa_csv.ConvertOptions(
            include_columns=list(dict.fromkeys(wanted.values())),
            column_types=numbers | texts,
            strings_can_be_null=True,
        ),
    }
    try:
        table = pa_csv.read_csv(path, **options)
    except pa.ArrowInvalid as error:
        raise _explain_csv_error(path, names, options, error) from error
    return pa.table({name: table[column] for name, column in wanted.items()})


def _read_header(path):
    """Delimiter and names of the columns."""
    with pa.input_stream(str(path), compression="detect") as file:
        start = file.read(_HEADER_BYTES)
    try:
        line = start.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError:
        line = "\0"
    if "\0" in line:
        raise PvfaultError(f"{path} is not text and not Parquet. Expected a CSV in UTF-8 with a header, or Parquet.")
    delimiter = max(",;\t", key=line.count)
    return delimiter, next(csv.reader([line], delimiter=delimiter), [])


def _explain_csv_error(path, names, options, error):
    """Turn Arrow's error into one that names the column and the row."""
    try:
        # Only one thread knows the number of a row.
        pa_csv.read_csv(path, read_options=pa_csv.ReadOptions(use_threads=False), **options)
    except pa.ArrowInvalid as slow_error:
        error = slow_error
    found = re.search(r"column #(\d+): (?:Row #(\d+): )?.* invalid value '(.*)'", str(error))
    if not found:
        return PvfaultError(
            f"{path} is not a readable CSV: {_first_line(error)}. Mend that line or export it once more."
        )
    column, row, value = found.groups()
    where = f"{path}: column {names[int(column)]!r}" + (f", line {row}" if row else "")
    return PvfaultError(
        f"{where} has {value!r}; expected numbers with a decimal point, or nothing where there is no measurement. "
        "Correct the file, or name another column with --map."
    )


def _check_columns(path, names, wanted):
    """Refuse a file that lacks a column or has it twice."""
    if DEVICE_ID not in wanted and DEVICE_ID in names:
        raise PvfaultError(f"{path} has a column {DEVICE_ID} of its own. Leave --device away, or remove the column.")
    missing = [name for name, column in wanted.items() if column not in names]
    if missing:
        lacking = ", ".join(wanted[name] for name in missing)
        raise PvfaultError(
            f"{path} has no column {lacking}. It has {', '.join(names)}. "
            f"{_suggest(missing, names, set(wanted.values()))}"
        )
    twice = [column for column, count in Counter(names).items() if count > 1 and column in wanted.values()]
    if twice:
        raise PvfaultError(f"{path} has the column {twice[0]!r} twice. Rename one, so that it is clear which is meant.")


def _suggest(missing, names, taken):
    """Say which --map is probably meant."""
    guesses = {}
    for name in missing:
        for column in names:
            plain = re.sub(r"[^a-z0-9]", "", column.lower())
            if plain in _OTHER_NAMES[name] and column not in taken | set(guesses.values()):
                guesses[name] = column
                break
    advice = "Say which column is meant: " + " ".join(
        f"--map {shlex.quote(name + '=' + guesses.get(name, 'COLUMN'))}"
        for name in missing
        if name != DEVICE_ID or name in guesses
    )
    if DEVICE_ID in missing and DEVICE_ID not in guesses:
        return f"If all rows are of one device, name it with --device ID. {advice if len(missing) > 1 else ''}".strip()
    return advice


def _check_device_ids(path, devices):
    """Refuse deviceIDs of the wrong form."""
    wrong = devices.filter(pc.invert(pc.fill_null(pc.match_substring_regex(devices, DEVICE_ID_PATTERN), False)))
    if len(wrong):
        raise PvfaultError(
            f"{path}: {len(wrong):,} of {len(devices):,} rows have a {DEVICE_ID} of the wrong form, for example "
            f"{wrong[0].as_py()!r}; expected {DEVICE_ID_LENGTH} letters and digits, as in INV0000001. "
            "Rename the devices, "
            "or name the right column with --map deviceID=COLUMN."
        )


def _parse_times(path, column, values):
    """Timestamps in microseconds, in UTC if the file's have an offset, else without a zone."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = pc.cast(values, kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind):
        return pc.cast(values, TIMESTAMP_TYPE if kind.tz else pa.timestamp("us"), safe=False)
    if pa.types.is_date(kind) or pa.types.is_null(kind):
        return pc.cast(values, pa.timestamp("us"))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        for target in (TIMESTAMP_TYPE, pa.timestamp("us")):
            try:
                return pc.cast(values, target)
            except pa.ArrowInvalid as error:
                reason = _first_line(error)
        raise PvfaultError(
            f"{path}: column {column!r} has times that cannot be read ({reason}). Expected ISO 8601, all with an "
            "offset or all without, such as 2024-06-01 12:00:00 or 2024-06-01T12:00:00+02:00. Correct the file."
        )
    example = pc.drop_null(values)[0].as_py()
    raise PvfaultError(
        f"{path}: column {column!r} has {example!r} ({kind}); expected times in ISO 8601, such as 2024-06-01 12:00:00. "
        "Write them so, or name another column with --map timestamp=COLUMN."
    )


def _to_utc(path, times, devices, timezone):
    """Timestamps in UTC; those without a zone are in `timezone`."""
    if times.type.tz:
        return times
    try:
        # 02:30 in the night when the clock is set forward goes to an instant at which that clock shows another time.
        first = pc.assume_timezone(times, timezone, ambiguous="earliest", nonexistent="earliest")
    except pa.ArrowInvalid as error:
        raise PvfaultError(
            f"There is no time zone {timezone!r}. Expected a name such as Europe/Berlin or an offset such as +01:00."
        ) from error
    impossible = times.filter(pc.not_equal(pc.local_timestamp(first), times))
    if len(impossible):
        raise PvfaultError(
            f"{path}: {len(impossible):,} rows have a local time that does not exist in {timezone}, for example "
            f"{impossible[0].as_py():%Y-%m-%d %H:%M:%S}, when the clock is set forward. So the file's clock has no "
            "summer time; give its offset from UTC, as in --timezone=+01:00."
        )
    second = pc.assume_timezone(times, timezone, ambiguous="latest", nonexistent="earliest")
    return pc.if_else(_is_second_pass(times, devices, pc.not_equal(first, second)), pc.cast(second, first.type), first)


def _is_second_pass(times, devices, ambiguous):
    """Which rows lie in the second of two hours with the same local times: those after their device's step back."""
    second = np.zeros(len(times), dtype=bool)
    rows = np.flatnonzero(ambiguous)
    local = pd.Series(times.take(rows).to_numpy())
    night = [pd.Series(devices.take(rows).to_numpy()), local.dt.date]
    second[rows] = (local.groupby(night).diff() < pd.Timedelta(0)).groupby(night).cumsum() > 0
    return pa.array(second)


def _cut_to_milliseconds(times):
    """Drop what Kafka's milliseconds do not carry."""
    return pc.cast(pc.cast(times, pa.timestamp("ms", tz="UTC"), safe=False), TIMESTAMP_TYPE)


def _to_float32(path, column, values):
    """Numbers as float32; NaN where there is none, infinite beyond its range."""
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    try:
        numbers = pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PvfaultError(
            f"{path}: column {column!r} is not numeric ({_first_line(error)}). "
            "Expected numbers; correct the file or name another column with --map."
        ) from error
    return pc.cast(pc.fill_null(numbers, float("nan")), pa.float32(), safe=False)


def _first_line(error):
    """Shorten what a library says."""
    return str(error).strip().splitlines()[0].rstrip(".")


def read_files(paths, choices):
    """A first state of the interface: what `read_readings` can, of several files."""
    columns = {name: files[0] for name, files in choices.columns.items()}
    files = [
        read_readings(path, columns=columns, device=choices.device, timezone=choices.timezone or "UTC")
        for path in paths
    ]
    table = merge_readings(file.table for file in files) if len(files) > 1 else files[0].table
    names = {device: device for device in pc.unique(table[DEVICE_ID]).to_pylist()}
    return ReadFiles(table, names, sum(file.rows_without_time for file in files))
