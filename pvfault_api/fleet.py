"""What the verdicts of some days say about a fleet.

Here: one line a device from its `device_days`. Not here: reading the table (`published.py`), the verdicts themselves
(`pvfault.verdicts`).
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from pvfault.faults import NONE
from pvfault.readings import DEVICE_ID


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
    """

    device: str
    fault: str
    onset: datetime
    hours: int
    confidence: float
    lost_kwh: float


def find_faulty_devices(device_days: pa.Table) -> list[FaultyDevice]:
    """The faulty devices among some days' verdicts.

    Parameters
    ----------
    device_days : pa.Table
        Rows of `DEVICE_DAYS`, of one or more dates.

    Returns
    -------
    list of FaultyDevice
        Sorted by device; devices without a fault, or without a verdict, are not in it.
    """
    faulty = defaultdict(lambda: defaultdict(list))
    for row in device_days.to_pylist():
        if row["fault"] not in (None, NONE):
            faulty[row[DEVICE_ID]][row["fault"]].append(row)
    return [_faulty_device(device, by_fault) for device, by_fault in sorted(faulty.items())]


def _faulty_device(device, by_fault):
    fault, days = max(by_fault.items(), key=lambda item: sum(day["faulty_hours"] for day in item[1]))
    return FaultyDevice(
        device=device,
        fault=fault,
        onset=min(day["onset"] for day in days),
        hours=sum(day["faulty_hours"] for day in days),
        confidence=max(days, key=lambda day: day["faulty_hours"])["confidence"],
        lost_kwh=sum(day["lost_kwh"] or 0.0 for day in days),
    )
