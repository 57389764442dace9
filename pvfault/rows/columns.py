"""Columns of devices and times as the arrays that the science counts with.

Here: devices by number, times within a date. Not here: columns of scalograms (`images.py`).
"""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from pvfault.readings import TIMESTAMP_TYPE
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY


def device_codes(column):
    """Distinct devices of a sorted column, and for each row the position of its device."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def midnight_us(day):
    """When a date begins (UTC), in microseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def microseconds_of_day(column, day):
    """Timestamps of a date as microseconds since its midnight; refuses those of another date."""
    microseconds = column.cast(TIMESTAMP_TYPE).cast(pa.int64()).to_numpy() - midnight_us(day)
    outside = (microseconds < 0) | (microseconds >= WINDOWS_PER_DAY * WINDOW_S * 1_000_000)
    if outside.any():
        first = column[int(outside.argmax())].as_py()
        raise ValueError(
            f"{outside.sum()} of {len(outside)} rows are not of {day}, such as {first}; select one date's rows first"
        )
    return microseconds
