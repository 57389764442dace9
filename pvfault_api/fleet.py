"""What the verdicts of some days say about a fleet.

One line a device from its `device_days`. Only the faulty devices, and the names of all, are in memory, whatever the
number of dates.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pvfault.faults import NONE
from pvfault.readings import DEVICE_ID
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, UNSURE

UNKNOWN = "unknown"
"""What is counted of devices without a verdict."""

_COLUMNS = (DEVICE_ID, "fault", "onset", "faulty_hours", "confidence", "lost_kwh", "candidates")
# A row as Python's objects takes some hundred times its bytes.
_ROWS_AT_ONCE = 10_000
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class FaultyDevice:
    """A device with a fault on at least one of some days.

    Attributes
    ----------
    device : str
    fault : str
        The one that showed for the most hours.
    onset : datetime
        When it was first seen (UTC).
    hours : int
        Hours in which it showed, over all days.
    confidence : float
        That of the day on which it showed for the most hours.
    lost_kwh : float
        Energy lost on the days with that fault, as far as it is known. [kWh]
    candidates : tuple of str
        What it can be, by the same day as `confidence`; empty if the day has none.
    """

    device: str
    fault: str
    onset: datetime
    hours: int
    confidence: float
    lost_kwh: float
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """What the verdicts of some dates say.

    Attributes
    ----------
    devices : int
        That have a row on at least one date.
    unjudged : int
        Devices without a verdict, or with one that is unsure, on at least one date.
    faulty : list of FaultyDevice
        Sorted by device.
    """

    devices: int
    unjudged: int
    faulty: list[FaultyDevice]


def read_fleet(settings: Settings, dates: Sequence[date]) -> Fleet:
    """What the published verdicts of some dates say.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    return summarise_fleet(_read(settings, dates, _COLUMNS))


def count_faults(settings: Settings, dates: Sequence[date]) -> dict[date, Counter[str]]:
    """How many devices have which verdict on each of some dates; dates that are not made are left out.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    counts: dict[date, Counter[str]] = defaultdict(Counter)
    for batch in _read(settings, dates, ("date", "fault")):
        found = pa.Table.from_batches([batch]).group_by(["date", "fault"]).aggregate([([], "count_all")])
        for row in found.to_pylist():
            counts[row["date"]][row["fault"] or UNKNOWN] += row["count_all"]
    return dict(counts)


def _read(settings: Settings, dates: Sequence[date], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    # With it comes PyIceberg, which whoever loads this for what it is called has no need of.
    from pvfault_api.published import read_batches

    return read_batches(settings, DEVICE_DAYS, dates, columns)


def summarise_fleet(device_days: Iterable[pa.RecordBatch]) -> Fleet:
    """What rows of `DEVICE_DAYS` say, of one or more dates and in any order."""
    devices = unjudged = pa.array([], DEVICE_DAYS.schema.field(DEVICE_ID).type)
    faulty: dict[str, dict[str, _Days]] = defaultdict(lambda: defaultdict(_Days))
    for batch in device_days:
        devices = _distinct(devices, batch[DEVICE_ID])
        is_open = pc.fill_null(pc.equal(batch["fault"], UNSURE), True)
        unjudged = _distinct(unjudged, batch.filter(is_open)[DEVICE_ID])
        for device, fault, *of_day in _faulty_rows(batch):
            faulty[device][fault].add(*of_day)
    return Fleet(len(devices), len(unjudged), [_faulty_device(*each) for each in sorted(faulty.items())])


@dataclass(slots=True)
class _Days:
    """The days of a device with one fault, so far."""

    onset: datetime = _NEVER
    hours: int = 0
    lost_kwh: float = 0.0
    longest: tuple = ()  # the hours of the day, how early it was, its confidence, its candidates

    def add(
        self, onset: datetime, hours: int, confidence: float, lost_kwh: float | None, candidates: Sequence[str] | None
    ) -> None:
        """One day more."""
        self.onset = min(self.onset, onset)
        self.hours += hours
        self.lost_kwh += lost_kwh or 0.0
        self.longest = max(self.longest, (hours, -onset.timestamp(), confidence, tuple(candidates or ())))


def _faulty_rows(batch: pa.RecordBatch) -> Iterator[tuple]:
    """The rows with a fault, as Python's objects."""
    faulty = batch.filter(pc.invert(pc.is_in(batch["fault"], pa.array([None, NONE, UNSURE], pa.string()))))
    for start in range(0, len(faulty), _ROWS_AT_ONCE):
        rows = faulty.slice(start, _ROWS_AT_ONCE)
        yield from zip(*(rows[name].to_pylist() for name in _COLUMNS), strict=True)


def _faulty_device(device: str, faults: dict[str, _Days]) -> FaultyDevice:
    fault, days = min(faults.items(), key=lambda item: (-item[1].hours, item[1].onset))
    *_, confidence, candidates = days.longest
    return FaultyDevice(device, fault, days.onset, days.hours, confidence, days.lost_kwh, candidates)


def _distinct(known, more):
    return pc.unique(pa.concat_arrays([known, more.cast(known.type)]))
