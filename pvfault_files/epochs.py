"""Times as numbers: seconds and parts of seconds since 1970, and serials of spreadsheets, told apart by their size."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError

# 2001 to 2100 in each: none of the ranges meet. Serials count days from 1899-12-30, as spreadsheets do.
_EPOCHS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_FIRST_S, _LAST_S = 978_307_200, 4_102_444_800
_FIRST_SERIAL, _LAST_SERIAL = 36_892, 73_051
_LOCAL = pa.timestamp("us")
_SERIAL_ZERO = np.datetime64("1899-12-30", "us")


def times_of_numbers(where: str, values: pa.ChunkedArray, line_of, texts=None) -> tuple[pa.ChunkedArray, str]:
    """Epochs and serials, by their size.

    Parameters
    ----------
    where : str
        What messages call the column.
    values : array of numbers
    line_of : function of int to str
        Where a row stands, in words.
    texts : array of str, optional
        The same as they were written, of which whole numbers are exact.

    Returns
    -------
    times : array of timestamp
        With the zone UTC for epochs, without one for serials. [us]
    form : str

    Raises
    ------
    PvfaultError
        If a number is no time, or they are of several kinds.
    """
    numbers = values
    if not pa.types.is_integer(values.type):  # of a year of a plant, another array is a quarter of a gigabyte
        numbers = pc.cast(values, pa.float64(), safe=False)
        numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
    low, high = (pc.min_max(numbers)[bound].as_py() for bound in ("min", "max"))
    if low is None:
        return pc.cast(pa.nulls(len(values)), _LOCAL), ""
    for unit, factor in _EPOCHS.items():
        if _FIRST_S * factor <= low and high < _LAST_S * factor:
            return _from_epoch(values, texts, factor), f"{unit} since 1970"
    if low >= _FIRST_SERIAL and high < _LAST_SERIAL:
        days = np.asarray(pc.fill_null(numbers, 0))
        # Serials have the precision of a double, about a microsecond; spreadsheets count milliseconds.
        micros = np.round(days * 86_400_000).astype(np.int64) * 1000
        times = pa.array(_SERIAL_ZERO + micros.astype("timedelta64[us]"), _LOCAL, mask=np.asarray(pc.is_null(numbers)))
        return times, "serials of a spreadsheet"
    odd = pc.index(numbers, pa.scalar(low if low < _FIRST_SERIAL else high, numbers.type)).as_py()
    raise PvfaultError(
        f"{where}, {line_of(odd)}: {values[odd].as_py():.15g} is no time after 2001 in seconds, milliseconds, "
        f"microseconds "
        "or nanoseconds since 1970 as those beside it, and no serial of a spreadsheet. Expected such, or "
        "2024-06-01 12:00:00. Correct it, or name another column with --map timestamp=COLUMN."
    )


def _from_epoch(values, texts, factor):
    """Seconds since 1970, in parts of 1/factor, exactly where they are whole."""
    if texts is not None and pc.all(pc.match_substring_regex(pc.drop_null(texts), r"^\+?\d+$")).as_py():
        values = pc.cast(pc.utf8_ltrim(texts, "+"), pa.int64())
    if pa.types.is_integer(values.type):
        whole = pc.cast(values, pa.int64())
        micros = pc.multiply(whole, 1_000_000 // factor) if factor <= 1_000_000 else pc.divide(whole, 1000)
    else:
        # A double tells seconds of today to a quarter of a microsecond.
        floats = pc.cast(values, pa.float64())
        micros = pc.cast(pc.round(pc.multiply(floats, 1_000_000 / factor)), pa.int64(), safe=False)
    return pc.cast(micros, pa.timestamp("us", tz="UTC"))
