"""A device's readings for a picture of some pixels' width: the least and the greatest value of each pixel.

No reading is skipped, so a spike of one sample is in the picture however wide its range is.
"""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import MEASUREMENTS, TIMESTAMP, TIMESTAMP_TYPE

_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def draw(readings: pa.Table, start: datetime, end: datetime, pixels: int) -> pa.Table:
    """The range of each measurement in each pixel.

    Parameters
    ----------
    readings : pa.Table
        Of one device, with the columns `TIMESTAMP` and `MEASUREMENTS`.
    start, end : datetime
        What the picture shows: from the first to before the second.
    pixels : int
        Equal parts that this time is cut into.

    Returns
    -------
    pa.Table
        A row for each pixel that has a reading, in order: when it begins (`start`), how many `readings` it has, and the
        least and greatest value of each measurement; null where there is none that is a number.
    """
    since = pc.subtract(readings[TIMESTAMP].cast(pa.int64()), _us(start))
    length = (end - start) // _US
    within = pc.and_(pc.greater_equal(since, 0), pc.less(since, length))
    readings, since = readings.filter(within), since.filter(within)
    # Whole numbers all the way: a reading at the edge of two pixels is in the second one.
    pixel = pc.divide(pc.multiply(since, pixels), length)
    values = {name: pc.if_else(pc.is_finite(readings[name]), readings[name], None) for name in MEASUREMENTS}
    looked_at = [(name, way) for name in MEASUREMENTS for way in ("min", "max")]
    found = pa.table({"pixel": pixel, **values}).group_by("pixel").aggregate([([], "count_all"), *looked_at])
    found = found.sort_by("pixel")
    # The first microsecond that falls into the pixel.
    begins = [_us(start) - (-number * length // pixels) for number in found["pixel"].to_pylist()]
    return pa.table(
        {
            "start": pa.array(begins, pa.int64()).cast(TIMESTAMP_TYPE),
            "readings": found["count_all"],
            **{f"{name}_{way}": found[f"{name}_{way}"] for name, way in looked_at},
        }
    )


def _us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _US
