"""Device-days of a file as they are told: what they are called, why, and who comes first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.classify import Judged
from pvfault.faults import NONE
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault.tables import WINDOW_START
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_report.reasons import why_not_judged

FAULTY, UNSURE_STATE, UNJUDGED, HEALTHY = "faulty", "unsure", "not judged", "healthy"
STATES = (FAULTY, UNSURE_STATE, UNJUDGED, HEALTHY)
"""What a device-day can be, in the order in which somebody should look."""


@dataclass(frozen=True)
class DeviceDay:
    """One device on one date.

    Attributes
    ----------
    device, name : str
        DeviceID, and what the user calls it.
    date : date
        UTC.
    state : str
        Of `STATES`.
    verdict : mapping
        The row of `device_days`.
    reason : str or None
        Why there is no verdict, or no sure one; one sentence.
    findings : tuple of pvfault.credibility.Finding
        What is doubtful about its readings.
    hours : sequence of mapping
        Its 24 hours: rows of `Judged.hours`, with `in_fault`.
    """

    device: str
    name: str
    date: date
    state: str
    verdict: Mapping
    reason: str | None
    findings: tuple
    hours: Sequence[Mapping] = field(repr=False)
