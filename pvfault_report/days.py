"""Device-days of a file as they are told: what they are called, why, and who comes first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pvfault.classify import Judged
from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID
from pvfault.tables import DARK, MISSING, OK, WINDOW_START
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_report.curves import ReadingsByDay
from pvfault_report.reasons import why_not_judged

FAULTY, UNSURE, UNJUDGED, HEALTHY = "faulty", "unsure", "not judged", "healthy"
STATES = (FAULTY, UNSURE, UNJUDGED, HEALTHY)
"""What a device-day can be, in the order in which somebody should look."""


HALF_A_DAY = 12  # hours


@dataclass(frozen=True)
class DeviceDay:
    """One device on one date.

    Attributes
    ----------
    row : int
        Which row of `Judged.device_days` it is.
    device, name : str
        DeviceID, and what the user calls it.
    date : date
        UTC.
    state : str
        Of `STATES`.
    verdict : mapping
        The row of `device_days`.
    reason : str or None
        Why there is no verdict, or no sure one.
    findings : tuple of pvfault.credibility.Finding
        What is doubtful about its readings.
    left_out : str
        How many hours with readings could not be judged, by why, as in ``2 curtailed, 1 sparse``; night does not
        count.
    """

    row: int
    device: str
    name: str
    date: date
    state: str
    verdict: Mapping = field(repr=False)
    reason: str | None
    findings: tuple
    left_out: str = ""


def tell_days(judged: Judged, readings: ReadingsByDay, names: Mapping[str, str], findings: Sequence) -> list[DeviceDay]:
    """Give each device-day its name, state and reason; who needs somebody comes first.

    Parameters
    ----------
    judged : Judged
    readings : ReadingsByDay
        That were judged.
    names : mapping of str to str
        What the user calls a device, by deviceID.
    findings : sequence of pvfault.credibility.Finding

    Returns
    -------
    list of DeviceDay
        Faulty ones by what they cost and how sure they are, then unsure ones, those without a verdict, healthy ones.
        Dates of which there is only some of the night are left out: a file of local days begins and ends with one.
    """
    days, nights = [], []
    for row, verdict in enumerate(judged.device_days.to_pylist()):
        device, day = verdict[DEVICE_ID], verdict["date"]
        qualities = hours_of(judged, row)["quality"].to_pylist()
        state = _state_of(verdict["fault"])
        reason = verdict["unsure_because"]
        if state == UNJUDGED:
            reason = why_not_judged(qualities, *readings.of(device, day))
        own = tuple(each for each in findings if each.device == device and each.dates[0] <= day <= each.dates[-1])
        told = nights if _is_some_of_the_night(qualities) else days
        told.append(
            DeviceDay(row, device, names.get(device, device), day, state, verdict, reason, own, _left_out(qualities))
        )
    return sorted(days or nights, key=_urgency)


def hours_of(judged: Judged, row: int):
    """The 24 rows of `judged.hours` of a row of `judged.device_days`: both are sorted by date and device."""
    return judged.hours.slice(row * WINDOWS_PER_DAY, WINDOWS_PER_DAY)


def faulty_hours(day: DeviceDay, hours: Sequence[Mapping]) -> list[bool]:
    """In which of its hours the fault shows, as `Verdicts.faulty` has it: from its onset on, more probable than not."""
    onset = day.verdict["onset"]
    return [
        bool(day.state == FAULTY and onset and hour["probabilities"])
        and hour[WINDOW_START] >= onset
        and hour["probabilities"][NONE] < 0.5
        for hour in hours
    ]


def _state_of(fault):
    if fault is None:
        return UNJUDGED
    if fault == NONE:
        return HEALTHY
    return FAULTY if fault in FAULTS else UNSURE


def _is_some_of_the_night(qualities):
    dark, missing = (qualities.count(each) for each in (DARK, MISSING))
    return dark + missing == len(qualities) and missing >= HALF_A_DAY


def _left_out(qualities):
    """Hours that could not be judged, by why; those of the night could not be expected to."""
    counts = Counter(quality for quality in qualities if quality not in (OK, DARK, MISSING))
    return ", ".join(f"{number} {quality}" for quality, number in counts.most_common())


def _urgency(day):
    lost, confidence = day.verdict["lost_kwh"] or 0.0, day.verdict["confidence"] or 0.0
    return STATES.index(day.state), -lost, -confidence, day.date, day.name
