"""Which offsets of a topic belong to a date, and which are read for it.

Here: the arithmetic of ranges, from what the topic finds and what the ledger remembers. Not here: asking the topic
(`topic.py`), the ledger's table (`ledger.py`).

Kafka keeps records in the order in which they came, not in that of their time. Still each offset is of exactly one
date, its *claim*: from the first record of the date's own time to the first of the next date's. What came late or early
stands in another date's claim; there the ledger notes it, and it is read from there when its own date is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pvfault.dates import midnight
from spark_jobs.decode import AHEAD_OF_RECORD
from spark_jobs.ledger import Ledger
from spark_jobs.topic import OffsetRange, Topic

# No plant sent anything before; a gateway that stamps in seconds instead of milliseconds sends from January 1970.
_NO_CLOCK_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DateOffsets:
    """What of a topic is a date's.

    Attributes
    ----------
    claims : dict of int to OffsetRange
        The date's own part, by partition. Each record in it is accounted for by this date.
    scanned : dict of int to tuple of OffsetRange
        What is read for the date, by partition, in order and apart from each other: its part, the minutes before it
        and the hours behind it, and where the ledger knows of readings of the date.
    """

    claims: Mapping[int, OffsetRange]
    scanned: Mapping[int, tuple[OffsetRange, ...]]

    @property
    def ranges(self) -> list[OffsetRange]:
        """All that is read."""
        return [one for ranges in self.scanned.values() for one in ranges if one.end > one.first]


def resolve(topic: Topic, ledger: Ledger, day: date, lateness: timedelta) -> DateOffsets:
    """Find a date's part of the topic, and what else is to be read for it.

    Parameters
    ----------
    topic : Topic
    ledger : Ledger
        Of this very topic.
    day : date
    lateness : timedelta
        How long past midnight the date's readings are waited for.

    Returns
    -------
    DateOffsets
    """
    begin, end = midnight(day), midnight(day + timedelta(days=1))
    claims = _claims(topic, ledger, day)
    early, late = topic.first_offsets(begin - AHEAD_OF_RECORD), topic.first_offsets(end + lateness)
    scanned = {}
    for partition, claim in claims.items():
        around = OffsetRange(partition, min(claim.first, early[partition]), max(claim.end, late[partition]))
        ranges = [around, *ledger.noted(day, partition)]
        scanned[partition] = merge(_inside(topic, one) for one in ranges)
    return DateOffsets(claims, scanned)


def merge(ranges) -> tuple[OffsetRange, ...]:
    """Ranges of one partition in order, those that touch as one; empty ones are left out.

    Examples
    --------
    >>> [(one.first, one.end) for one in merge([OffsetRange(0, 7, 9), OffsetRange(0, 1, 4), OffsetRange(0, 3, 5)])]
    [(1, 5), (7, 9)]
    """
    merged: list[OffsetRange] = []
    for one in sorted((one for one in ranges if one.end > one.first), key=lambda one: one.first):
        if merged and one.first <= merged[-1].end:
            merged[-1] = OffsetRange(one.partition, merged[-1].first, max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return tuple(merged)


def _claims(topic: Topic, ledger: Ledger, day: date) -> dict[int, OffsetRange]:
    firsts = topic.first_offsets(midnight(day))
    ends = topic.first_offsets(midnight(day + timedelta(days=1)))
    claims = {}
    for partition in topic.ends:
        claimed = ledger.claims(partition)
        own = claimed.get(day)
        before = [claimed[each] for each in claimed if each < day]
        behind = [claimed[each] for each in claimed if each > day]
        first = _first(day, claimed, before, own, firsts[partition])
        if not before and first > topic.begins[partition]:
            clockless = topic.first_offsets(_NO_CLOCK_BEFORE)[partition]
            # Whatever stands before such a first has no date's time, so no other date will claim it.
            first = topic.begins[partition] if first <= clockless else first
        end = max(ends[partition], own.end if own else 0, first)
        if behind:
            # Each offset is of one date: what a later date has claimed stays with it, and what nobody has is ours.
            neighbour = claimed.get(day + timedelta(days=1))
            end = neighbour.first if neighbour else min(end, min(one.first for one in behind))
        claims[partition] = _inside(topic, OffsetRange(partition, first, max(first, end)))
    return claims


def _first(day: date, claimed: Mapping[date, OffsetRange], before: Sequence, own, found: int) -> int:
    if own:
        return own.first
    yesterday = claimed.get(day - timedelta(days=1))
    if yesterday:
        return yesterday.end
    return max([found, *(one.end for one in before)])


def _inside(topic: Topic, one: OffsetRange) -> OffsetRange:
    """What of a range the topic still has: retention may have taken its beginning."""
    first = max(one.first, topic.begins[one.partition])
    return OffsetRange(one.partition, first, max(first, min(one.end, topic.ends[one.partition])))
