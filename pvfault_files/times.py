"""Times as files write them: dates of any order, epochs, serials of spreadsheets, with and without a zone.

Each way of writing is brought into the form 2024-06-01 12:00:00, which Arrow reads and checks. Not here: what a time
without a zone means (`zones.py`).
"""

import re
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault_files.cells import clean_texts
from pvfault_files.choices import Choices
from pvfault_files.date_order import ORDERS, find_order
from pvfault_files.epochs import times_of_numbers
from pvfault_files.zones import offset_of

LOCAL = pa.timestamp("us")
_DAY_US = 86_400_000_000

_CLOCK = (
    r"(?:T|\s*,?\s+|_|-)(?P<h>\d{1,2})(?:[:.h](?P<m>\d{2}))?(?:[:.m](?P<s>\d{2}))?s?(?:[.,](?P<f>\d+))?"
    r"\s*(?P<p>[AaPp]\.?\s?[Mm]\.?)?"
)
_DATED = r"^(?P<a>\d{1,4})(?P<x>[-/.])(?P<b>\d{1,2})[-/.](?P<c>\d{1,4})\.?(?:" + _CLOCK + r")?$"
_COMPACT = (
    r"^(?P<a>\d{4})(?P<b>\d{2})(?P<c>\d{2})(?:[T _-]?(?P<h>\d{2}):?(?P<m>\d{2}):?(?P<s>\d{2})?)?(?:[.,](?P<f>\d+))?"
    r"\s*(?P<p>[AaPp]\.?\s?[Mm]\.?)?$"
)
_ZONE = (
    r"(?P<body>.*?\d(?:\s*[AaPp]\.?\s?[Mm]\.?)?)\s*"
    r"(?P<zone>\(?(?:[Zz]|(?:UTC|GMT|utc|gmt)?\s*[+\-−]\s*\d{1,2}(?::?\d{2})?(?::?00)?|[A-Z]{2,5})\)?)"
)
_HAS_CLOCK = r"\d[T ,_]+\d{1,2}[:.h]?\d{2}"


@dataclass(frozen=True)
class Times:
    """Times of a column.

    Attributes
    ----------
    values : array of timestamp
        In UTC where the file tells the zone, else as its clock showed them; null where there is none. [us]
    form : str
        How they are written, in words.
    """

    values: pa.ChunkedArray
    form: str

    @property
    def have_zone(self) -> bool:
        """Whether they are in UTC already."""
        return self.values.type.tz is not None


def parse_times(where: str, values: pa.ChunkedArray, choices: Choices, *, line_of, hint: str = "") -> Times:
    """Read a column of times, of whatever type.

    Parameters
    ----------
    where : str
        What messages call the column.
    values : array
    choices : Choices
    line_of : function of int to str
        Where a row stands, in words.
    hint : str
        The column's name, which may be a pattern as dd/MM/yyyy.

    Raises
    ------
    PvfaultError
        If a text is no time, or could be read in two ways.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        if pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type):
            return _of_distinct_texts(where, values, choices, line_of, hint)
        values, kind = pc.cast(values, kind.value_type), kind.value_type
    if pa.types.is_timestamp(kind):
        return Times(pc.cast(values, pa.timestamp("us", tz="UTC" if kind.tz else None), safe=False), "timestamps")
    if pa.types.is_date(kind) or pa.types.is_null(kind):
        return Times(pc.cast(values, LOCAL), "dates")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Times(*times_of_numbers(where, values, line_of))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _of_distinct_texts(where, pc.dictionary_encode(pc.cast(values, pa.string())), choices, line_of, hint)
    example = pc.drop_null(values)[0].as_py()
    raise PvfaultError(
        f"{where} has {example!r} ({kind}); expected times, such as 2024-06-01 12:00:00. "
        "Name another column with --map timestamp=COLUMN."
    )


def _of_distinct_texts(where, values, choices, line_of, hint):
    """Each text once: devices of a plant share their times."""
    encoded = values.unify_dictionaries() if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    if not encoded.num_chunks:
        return Times(pa.chunked_array([], LOCAL), "")
    distinct = encoded.chunk(0).dictionary

    def line_of_text(number):
        rows = (np.flatnonzero(np.asarray(pc.fill_null(chunk.indices, -1)) == number) for chunk in encoded.chunks)
        start = 0
        for chunk, found in zip(encoded.chunks, rows, strict=True):
            if len(found):
                return line_of(start + int(found[0]))
            start += len(chunk)
        return "a row"

    times = _of_texts(where, distinct, choices, line_of_text, hint)
    taken = [times.values.take(chunk.indices) for chunk in encoded.chunks]
    return Times(pa.chunked_array(taken, times.values.type), times.form)


def _of_texts(where, texts, choices, line_of, hint):
    """Distinct texts to times."""
    texts = clean_texts(pc.utf8_ltrim(texts, "'"))
    present = pc.drop_null(texts)
    if not len(present):
        return Times(pc.cast(pa.nulls(len(texts)), LOCAL), "")
    numeric = pc.match_substring_regex(present, r"^[+-]?\d+([.,]\d*)?$")
    compact = pc.match_substring_regex(present, r"^(19|20)\d{6}(\d{4}|\d{6})?([.,]\d+)?$")
    if choices.time_format is None and pc.all(numeric).as_py() and not pc.all(compact).as_py():
        numbers = pc.cast(pc.replace_substring(texts, ",", "."), pa.float64())
        return Times(*times_of_numbers(where, numbers, line_of, texts))
    bodies, offsets = _split_zones(where, texts, line_of)
    if choices.time_format is not None:
        local = pc.strptime(bodies, choices.time_format, "us", error_is_null=True)
        form = choices.time_format
    else:
        local, form = _of_dated(where, bodies, choices, hint, line_of)
    _refuse_unread(where, texts, local, line_of)
    if offsets is None:
        return Times(local, form)
    moved = pc.subtract(local, offsets)
    return Times(pc.cast(moved, pa.timestamp("us", tz="UTC")), form)


def _refuse_unread(where, texts, times, line_of):
    unread = pc.and_(pc.is_valid(texts), pc.is_null(times))
    row = pc.index(unread, True).as_py()
    if row >= 0:
        raise PvfaultError(
            f"{where}, {line_of(row)}: {texts[row].as_py()!r} is no time that could be read as those beside it; "
            f"expected "
            "such as 2024-06-01 12:00:00 or 2024-06-01T12:00:00+02:00. Correct it, give the form with --time-format, "
            "or "
            "name another column with --map timestamp=COLUMN."
        )


def _split_zones(where, texts, line_of):
    """Texts without their zones, and the offsets that these are; None if no text has one."""
    with_clock = pc.match_substring_regex(texts, _HAS_CLOCK)
    found = pc.extract_regex(pc.if_else(with_clock, texts, None), f"^{_ZONE}$")
    zones = pc.struct_field(found, "zone")
    # 12:00 PM ends in letters that are no zone.
    zones = pc.if_else(pc.match_substring_regex(zones, "^(?i:[ap]m)$"), None, zones)
    has_zone = pc.is_valid(zones)
    distinct = pc.unique(pc.drop_null(zones)).to_pylist()
    if not distinct:
        return texts, None
    known = {zone: offset_of(zone) for zone in distinct}
    unknown = [zone for zone in distinct if known[zone] is None]
    if unknown:
        raise PvfaultError(
            f"{where} has the zone {unknown[0]!r}, which is not known, or means several. Expected an offset, as in "
            "2024-06-01T12:00:00+02:00. Write it so."
        )
    if pc.any(pc.and_(pc.is_valid(texts), pc.invert(has_zone))).as_py():
        row = pc.index(pc.and_(pc.is_valid(texts), pc.invert(has_zone)), True).as_py()
        raise PvfaultError(
            f"{where}, {line_of(row)}: {texts[row].as_py()!r} has no offset, others have one; expected all with an "
            f"offset "
            "or all without. Correct the file."
        )
    minutes = pa.array([known[zone] for zone in distinct], pa.int64())
    micros = pc.multiply(minutes.take(pc.index_in(zones, pa.array(distinct))), 60_000_000)
    return pc.if_else(has_zone, pc.struct_field(found, "body"), texts), pc.cast(micros, pa.duration("us"))


def _of_dated(where, bodies, choices, hint, line_of):
    """Dates with or without a time of day, in digits or with names of months."""
    parts = pc.extract_regex(bodies, _DATED)
    parts = pc.if_else(pc.is_valid(parts), parts, _same_fields(pc.extract_regex(bodies, _COMPACT), parts.type))
    unread = pc.and_(pc.is_valid(bodies), pc.is_null(parts))
    if pc.any(unread).as_py():
        return _of_words(where, bodies, unread, choices, line_of)
    order = find_order(where, parts, choices, hint)
    return _assemble(parts, order), ORDERS[order]


def _same_fields(parts, kind):
    """Parts of compact times, with the fields that others have."""
    names = [field.name for field in parts.type]
    columns = [
        pc.struct_field(parts, field.name) if field.name in names else pa.nulls(len(parts), pa.string())
        for field in kind
    ]
    return pa.StructArray.from_arrays(columns, names=[field.name for field in kind], mask=pc.is_null(parts))


def _assemble(parts, order):
    """Parts of dates and clocks to times; null where they are none."""
    fields = {name: pc.struct_field(parts, name) for name in (field.name for field in parts.type)}
    fields = {name: pc.if_else(pc.equal(values, ""), None, values) for name, values in fields.items()}
    year, month, day = (fields["abc"[order.index(part)]] for part in "ymd")
    # As `strptime` has it: 69 to 99 are of the last century.
    century = pc.if_else(pc.less(pc.cast(year, pa.int32()), 69), "20", "19")
    year = pc.if_else(pc.equal(pc.utf8_length(year), 2), pc.binary_join_element_wise(century, year, ""), year)
    hour = pc.fill_null(pc.cast(fields["h"], pa.int32()), 0)
    half = pc.utf8_lower(pc.utf8_slice_codeunits(fields["p"], 0, 1))
    noon = pc.and_(pc.equal(hour, 12), pc.is_valid(half))
    hour = pc.if_else(noon, 0, hour)
    hour = pc.add(hour, pc.if_else(pc.fill_null(pc.equal(half, "p"), False), 12, 0))
    # 24:00 is the midnight that ends the day.
    ends_day = pc.equal(hour, 24)
    hour = pc.if_else(ends_day, 0, hour)
    hour = pc.if_else(pc.less(hour, 24), hour, None)
    two = [pc.utf8_lpad(part, 2, "0") for part in (month, day, pc.cast(hour, pa.string()))]
    minute, second = (pc.fill_null(fields[name], "00") for name in "ms")
    text = pc.binary_join_element_wise(
        pc.binary_join_element_wise(year, two[0], two[1], "-"),
        pc.binary_join_element_wise(two[2], minute, second, ":"),
        " ",
    )
    seconds = pc.strptime(text, "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
    # 30 February reads as the first of March.
    real = pc.equal(pc.strftime(seconds, format="%d"), two[1])
    fraction = pc.utf8_rpad(pc.utf8_slice_codeunits(pc.fill_null(fields["f"], "0"), 0, 6), 6, "0")
    added = pc.add(pc.cast(fraction, pa.int64()), pc.if_else(ends_day, _DAY_US, 0))
    whole = pc.or_(
        pc.invert(ends_day), pc.equal(pc.binary_join_element_wise(minute, second, fraction, ""), "0000000000")
    )
    times = pc.add(seconds, pc.cast(added, pa.duration("us")))
    return pc.if_else(pc.and_(real, whole), times, None)


def _of_words(where, bodies, unread, choices, line_of):
    """Times with names of months or days, one by one."""
    from dateutil import parser

    row = pc.index(unread, True).as_py()
    if not re.search("[A-Za-z]{3}", bodies[row].as_py()):
        _refuse_unread(where, bodies, pc.if_else(unread, None, pa.scalar(0, LOCAL)), line_of)
    # What a text does not tell is taken from the default: of two defaults the results differ.
    defaults = (datetime(2001, 1, 1), datetime(2004, 12, 28))
    times = []
    for body in bodies.to_pylist():
        try:
            found = {parser.parse(body, default=default, dayfirst=bool(choices.day_first)) for default in defaults}
        except (ValueError, OverflowError, TypeError):
            found = set()
        time = found.pop() if len(found) == 1 else None
        times.append(time if time is not None and time.tzinfo is None else None)
    return pa.array(times, LOCAL), "dates in words"


def join_clock(dates: pa.ChunkedArray, clocks: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put a column of dates and one of times of day together, into what `parse_times` takes."""
    dates, clocks = (_plain_values(values) for values in (dates, clocks))
    if pa.types.is_string(dates.type) or pa.types.is_string(clocks.type):
        if pa.types.is_timestamp(dates.type) or pa.types.is_date(dates.type):
            dates = pc.strftime(pc.cast(dates, pa.timestamp("s"), safe=False), format="%Y-%m-%d")
        clocks = pc.cast(clocks, pa.string())
        # A spreadsheet's date has a midnight that says nothing.
        dates = pc.replace_substring_regex(
            pc.utf8_trim_whitespace(pc.cast(dates, pa.string())), r"[T ]0?0:00(:00)?$", ""
        )
        return pc.binary_join_element_wise(dates, pc.utf8_trim_whitespace(clocks), " ")
    if pa.types.is_time(clocks.type):
        since = pc.cast(pc.cast(clocks, pa.time64("us")), pa.int64())
        return pc.add(pc.cast(dates, LOCAL), pc.cast(since, pa.duration("us")))
    return pc.add(pc.cast(dates, pa.float64()), pc.cast(clocks, pa.float64()))


def _plain_values(values):
    if pa.types.is_dictionary(values.type):
        return pc.cast(values, values.type.value_type)
    return values
