"""Replay files of readings into Kafka.

Here: several files as one series in time order, and sending a series. Not here: reading one file
(`pvfault.reading_files`), made-up readings (`simulate.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.reading_files import merge_readings, read_readings
from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.settings import Settings
from pvfault_gateway.producer import BATCH, ReadingProducer
from pvfault_gateway.topics import prepare_topic


@dataclass(frozen=True)
class Series:
    """Readings of one or several files, in time order.

    Attributes
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by (timestamp, deviceID).
    rows_without_time : int
        Rows of the files that were no readings.
    """

    readings: pa.Table
    rows_without_time: int

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return pc.count_distinct(self.readings[DEVICE_ID]).as_py()

    @property
    def first(self) -> datetime:
        """Time of the first reading."""
        return self.readings[TIMESTAMP][0].as_py()

    @property
    def last(self) -> datetime:
        """Time of the last reading."""
        return self.readings[TIMESTAMP][-1].as_py()

    @property
    def dates(self) -> list[date]:
        """Days (UTC) that have readings."""
        return pc.unique(pc.cast(self.readings[TIMESTAMP], pa.date32(), safe=False)).to_pylist()


def read_files(
    paths: Iterable[Path],
    *,
    columns: Mapping[str, str] | None = None,
    device: str | None = None,
    timezone: str = "UTC",
) -> Series:
    """Read files and merge them by time; the options are those of `read_readings`, for all of them.

    They are read whole: 43 million readings, a day of 10,000 devices, are 1.5 GB.
    """
    files = [read_readings(path, columns=columns, device=device, timezone=timezone) for path in paths]
    return Series(
        merge_readings(file.table for file in files) if len(files) > 1 else files[0].table,
        sum(file.rows_without_time for file in files),
    )


def replay(
    settings: Settings,
    readings: pa.Table,
    *,
    again: bool = False,
    on_progress: Callable[[int], None] = lambda _sent: None,
) -> int:
    """Send readings to the topic in their order; create it if it is not there.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    readings : pa.Table
        Of `READING_SCHEMA`, in time order.
    again : bool
        Send although the topic holds readings of the same time or later: the same ones, of a run that broke off.
    on_progress : function of int
        Called with the number of readings just sent.

    Returns
    -------
    int
        Number of readings delivered.

    Raises
    ------
    PvfaultError
        If no broker answers, the topic would lose or hide these readings, or they could not be delivered.
    """
    prepare_topic(settings, readings[TIMESTAMP][0].as_py(), again=again)
    with ReadingProducer(settings) as producer:
        for start in range(0, len(readings), BATCH):
            part = readings.slice(start, BATCH)
            producer.send(part)
            on_progress(len(part))
        return producer.finish()
