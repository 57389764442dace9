"""Which alarm that is known already goes on with which dates, after dates came or were made again.

Pure: nothing is read or written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Known:
    """An alarm that is known, as far as it matters here.

    Attributes
    ----------
    number : int
    touched : bool
        Whether somebody has done something with it.
    first, last : date
        It was seen from and to, when it was last looked at.
    closed_through : date or None
        The last date that it takes in, if it is closed.
    dates : frozenset of date
        On which it was seen, as far as these still say so.
    """

    number: int
    touched: bool
    first: date
    last: date
    closed_through: date | None
    dates: frozenset[date]


def match(spells: Sequence[Sequence[date]], known: Sequence[Known]) -> dict[int, int]:
    """Find for spells the alarms that go on with them, each at most once.

    An alarm that shares dates comes before one that only stood where the spell stands, then one that somebody has
    touched, then one that shares more dates, then the later spell, then the older alarm.

    Parameters
    ----------
    spells : sequence of sequence of date
        Of one device and subject.
    known : sequence of Known
        Of the same.

    Returns
    -------
    dict of int to int
        Numbers of alarms by positions of spells. Spells that are not named are new; alarms that are not have nothing
        left.
    """
    pairs = []
    for position, spell in enumerate(spells):
        for alarm in known:
            shared = len(alarm.dates.intersection(spell))
            overlaps = spell[0] <= alarm.last and alarm.first <= spell[-1]
            is_closed_before = alarm.closed_through is not None and spell[-1] > alarm.closed_through
            if (shared or overlaps) and not is_closed_before:
                rank = (not shared, not alarm.touched, -shared, -spell[-1].toordinal(), alarm.number)
                pairs.append((rank, position, alarm.number))
    found: dict[int, int] = {}
    for _, position, number in sorted(pairs):
        if position not in found and number not in found.values():
            found[position] = number
    return found
