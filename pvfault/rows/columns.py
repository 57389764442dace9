"""Columns of devices and times as the arrays that the science counts with.

Devices are numbered and stand one after the other, times are within a date. Columns of scalograms are in `images.py`.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.dates import midnight_ms
from pvfault.readings import DEVICE_ID, TIMESTAMP_TYPE
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY


def device_codes(column):
    """Distinct devices of a sorted column, and for each row the position of its device."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def whole_devices(batches: Iterator[pa.RecordBatch], at_least: int) -> Iterator[pa.Table]:
    """Join and cut batches of rows that are sorted by device, so that each table holds whole devices.

    Parameters
    ----------
    batches : iterator of pa.RecordBatch
        Of any size; a device may go on from one to the next.
    at_least : int
        Rows of each table but the last; there are more than that by a batch and a device at most.
    """
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += batch.num_rows
        if n_held < at_least:
            continue
        table = pa.Table.from_batches(held)
        # Sorted: the last device, which may go on in the next batch, is the tail.
        first_of_last = pc.index(table[DEVICE_ID], table[DEVICE_ID][-1]).as_py()
        if first_of_last:
            yield table.slice(0, first_of_last)
        held = table.slice(first_of_last).to_batches()
        n_held = table.num_rows - first_of_last
    if n_held:
        yield pa.Table.from_batches(held)


def midnight_us(day):
    """When a date begins (UTC), in microseconds since 1970."""
    return midnight_ms(day) * 1000


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
