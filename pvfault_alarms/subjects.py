"""What there can be an alarm of: the kinds, and which faults are one subject.

A device has at most one alarm at a time of each subject. Line-line and line-ground are one: over the same modules they
are one circuit, and a verdict that goes from one name to the other tells of no second fault.
"""

from pvfault.faults import FAULTS, NONE
from pvfault.verdicts import SHORTS

FAULT, OUTAGE, SENSOR = "fault", "communication_outage", "sensor_suspect"
KINDS = (FAULT, OUTAGE, SENSOR)

SHORT = "short"
NO_VERDICT = "no_verdict"
"""Stands among the subjects of a date where no hour of it could be judged; there is no alarm of it."""


def subject_of(fault: str) -> str:
    """The subject of a fault.

    Examples
    --------
    >>> [subject_of(fault) for fault in ("line_line", "line_ground", "arc_fault")]
    ['short', 'short', 'arc_fault']
    """
    return SHORT if fault in SHORTS else fault


def kind_of(subject: str) -> str:
    """The kind of alarm that a subject has."""
    return subject if subject in (OUTAGE, SENSOR) else FAULT


SUBJECTS = (*dict.fromkeys(subject_of(fault) for fault in FAULTS if fault != NONE), OUTAGE, SENSOR)
