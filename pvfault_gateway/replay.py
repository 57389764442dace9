"""Replay files of readings into Kafka.

Several files become one series in time order, which is sent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault.settings import Settings
from pvfault_files.choices import Choices
from pvfault_files.forms import ReadFiles
from pvfault_files.reader import read_files
from pvfault_gateway.acceptance import Gate, nothing_possible, prepare_topic
from pvfault_gateway.producer import BATCH, Delivery, ReadingProducer


@dataclass(frozen=True)
class Series:
    """Readings of one or several files, in time order.

    Attributes
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by (timestamp, deviceID); their times are possible ones.
    files : ReadFiles
        What was found of the files.
    kept_out : dict of str to dict of str to int
        Number of readings whose times are impossible, by the reason and deviceID.
    """

    readings: pa.Table
    files: ReadFiles
    kept_out: dict[str, dict[str, int]]

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


def read_series(paths: Sequence[Path], choices: Choices) -> Series:
    """Read files as one series in time order.

    They are read whole: 43 million readings, a day of 10,000 devices, are 1.5 GB.

    Raises
    ------
    PvfaultError
        If a file cannot be read, or no reading has a possible time.
    """
    files = read_files(paths, choices)
    gate = Gate()
    possible = gate.let_through(files.table)
    if not len(possible):
        # Not as Python's datetime: milliseconds taken for seconds are of the year 50,000, which it does not know.
        times = files.table[TIMESTAMP]
        first, last = (np.datetime64(times[row].value, "us").astype("datetime64[s]") for row in (0, -1))
        raise nothing_possible(first, last)
    return Series(possible, files, gate.kept_out)


def replay(
    settings: Settings,
    readings: pa.Table,
    *,
    again: bool = False,
    on_progress: Callable[[int], None] = lambda _sent: None,
) -> Delivery:
    """Send readings to the topic in their order; create it if it is not there.

    Parameters
    ----------
    settings : Settings
        `broker` and `topic`.
    readings : pa.Table
        Of `READING_SCHEMA`, in time order, with possible times.
    again : bool
        Whether these are the readings of a run that broke off: what must have arrived is left out.
    on_progress : function of int
        Called with the number of readings just dealt with.

    Returns
    -------
    Delivery

    Raises
    ------
    PvfaultError
        If no broker answers, the topic would lose these readings or ingest not take them, or they could not be
        delivered.
    """
    gate = prepare_topic(settings, _first_times(readings), again=again)
    with ReadingProducer(settings, gate) as producer:
        for start in range(0, len(readings), BATCH):
            part = readings.slice(start, BATCH)
            producer.send(part)
            on_progress(len(part))
        producer.finish()
        return producer.delivery


def _first_times(readings):
    """The earliest reading of each device, by deviceID."""
    first = readings.group_by(DEVICE_ID).aggregate([(TIMESTAMP, "min")])
    return dict(zip(first[DEVICE_ID].to_pylist(), first[f"{TIMESTAMP}_min"].to_pylist(), strict=True))
