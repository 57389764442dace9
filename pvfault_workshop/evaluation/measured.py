"""What a network says of measured days on which no fault is known.

The share of a day's hours that are called faulty, the worst days, and what somebody who has looked at them wrote.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.faults import FAULTS, NONE
from pvfault.tables import UNSURE, WINDOW_START
from pvfault.verdicts import combine_windows
from pvfault.windows import WINDOWS_PER_DAY

WORST = 3
# A day of which fewer hours could be judged says little about the share of them.
LEAST_HOURS = 5
JUDGEMENTS = "measured_days.md"


@dataclass(frozen=True)
class MeasuredDay:
    """One device on one date (UTC).

    Attributes
    ----------
    device : str
    day : datetime.date
    judged, faulty : int
        Windows that could be judged, and those of them that are called faulty.
    verdict : str
        Of the whole day.
    judgement : str
        What somebody who has looked at the readings says of it; empty if nobody has.
    """

    device: str
    day: date
    judged: int
    faulty: int
    verdict: str
    judgement: str = ""

    @property
    def share(self):
        """Share of the judged windows that are called faulty."""
        return self.faulty / self.judged


def measured_days(predictions: pa.Table, judgements: dict[tuple[str, date], str]) -> list[MeasuredDay]:
    """Count, day by day, the windows that are called faulty.

    Parameters
    ----------
    predictions : pa.Table
        Rows of `PREDICTIONS`, 24 for each device and date, by date and device.
    judgements : dict of (str, date) to str
        As `read_judgements` gives them.

    Returns
    -------
    list of MeasuredDay
        Days without a window that can be judged are left out.
    """
    by_fault = [pc.struct_field(predictions["probabilities"], fault) for fault in FAULTS]
    probabilities = np.stack([pc.fill_null(column, np.nan).to_numpy() for column in by_fault], axis=-1)
    unjudged = ~np.asarray(predictions["fault"].is_valid())
    probabilities[unjudged] = np.nan
    verdicts = combine_windows(probabilities.reshape(-1, WINDOWS_PER_DAY, len(FAULTS))).fault
    fault = np.array(predictions["fault"].to_pylist(), dtype=object)
    days = []
    for position, verdict in enumerate(verdicts):
        rows = slice(position * WINDOWS_PER_DAY, (position + 1) * WINDOWS_PER_DAY)
        judged = int((~unjudged[rows]).sum())
        if judged:
            day = predictions[WINDOW_START][rows.start].as_py().date()
            faulty = int((~np.isin(fault[rows][~unjudged[rows]], (NONE, UNSURE))).sum())
            device = predictions["deviceID"][rows.start].as_py()
            days.append(MeasuredDay(device, day, judged, faulty, FAULTS[verdict], judgements.get((device, day), "")))
    return days


def worst_days(days: list[MeasuredDay]) -> list[MeasuredDay]:
    """Pick the three days with the largest share of windows called faulty, among those with enough windows."""
    enough = [day for day in days if day.judged >= LEAST_HOURS]
    return sorted(enough, key=lambda day: (-day.share, -day.faulty, day.day))[:WORST]


def read_judgements(path: Path) -> dict[tuple[str, date], str]:
    """Read what was written about measured days.

    Parameters
    ----------
    path : Path
        Markdown; a heading `## UFMSINV001 2019-10-04` begins the text about that device and date. No file is no
        judgement.

    Returns
    -------
    dict of (str, date) to str
    """
    if not path.is_file():
        return {}
    parts = re.split(r"^## (\w+) (\d{4}-\d{2}-\d{2})\s*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    headings = zip(parts[1::3], map(date.fromisoformat, parts[2::3]), strict=True)
    return {heading: " ".join(text.split()) for heading, text in zip(headings, parts[3::3], strict=True)}
