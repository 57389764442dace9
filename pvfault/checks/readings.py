"""Checks of a date's `readings`: whether every record has its end, and how whole, plausible and punctual they are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from pvfault.checks.check import REPORT_IT, SAMPLE, Check, CheckResult, named
from pvfault.readings import MEASUREMENTS

COMPLETE = 0.9  # share of a device's readings, at its own cadence, below which it is named
IMPLAUSIBLE_SHARE = 0.01

EVERY_END = Check(
    "every_record_has_one_end",
    "Each record of the date's part of the topic is a reading of this date or of another one, or is in `quarantine`.",
    REPORT_IT,
    blocking=True,
)
HEARD = Check(
    "fleet_is_heard",
    "Something came. The silence of a whole fleet is no night and no fault: nothing reaches the topic.",
    "look at the gateway and at PVFAULT_TOPIC",
    blocking=True,
)
NOT_FEWER = Check(
    "not_fewer_readings_than_before",
    "A run never replaces a device's readings by fewer: a topic past its retention must not erase history.",
    "the date is as it was, and the topic may be past its retention",
    blocking=True,
)
ONCE = Check(
    "every_reading_is_there_once",
    "The table has as many readings as were made, each deviceID and timestamp once.",
    "somebody else has written into the table: materialise the date again",
    blocking=True,
)
DECODES = Check(
    "every_record_is_a_reading",
    "Records that are no readings are in `quarantine`, with offset and reason.",
    "read `quarantine`, then mend who sent them",
)
COMPLETE_DEVICES = Check(
    "devices_are_complete",
    f"Every device sent at least {COMPLETE:.0%} of its readings, at the cadence it keeps.",
    "look at the communication of these devices",
)
NO_DUPLICATES = Check(
    "no_reading_came_twice",
    "Duplicates by deviceID and timestamp are removed.",
    "nothing is lost; many of them tell of a gateway that sends everything again",
)
PLAUSIBLE_VALUES = Check(
    "values_are_plausible",
    f"At most {IMPLAUSIBLE_SHARE:.0%} of readings have a value that cannot have been measured.",
    "look at these sensors; hours made mostly of such readings are `invalid`",
)
ALL_DEVICES = Check(
    "no_device_is_missing",
    "Every registered device sent something. Silence is no outage: it is no data.",
    "look at their communication, or take them off the registry",
)
ALL_REGISTERED = Check(
    "every_device_is_registered",
    "Devices outside the registry are scored with ratings estimated from their own readings.",
    "register them: an estimate hides a fault that is there all day",
)
NONE_LATE = Check(
    "no_reading_came_too_late",
    "Readings of earlier dates that came after those dates were made.",
    "materialise these dates again, they will be read",
)
NONE_WAITS = Check(
    "no_late_reading_waits",
    "The date has all its readings that have come: none stands in the topic where nobody has read for it.",
    "materialise the date again, they will be read",
)


def judge_ends(*, records: int, own: int, other: int, bad: int, quarantined: int, rows: int, kept: int) -> CheckResult:
    """Whether the records of the date's part of the topic add up.

    Parameters
    ----------
    records : int
        Of the date's part.
    own, other, bad : int
        Those of them that are readings of the date, of another one, and none.
    quarantined : int
        Rows of `quarantine` of the date.
    rows, kept : int
        Readings of the date in the table, and from all that was read with their duplicates.
    """
    return EVERY_END.judge(
        records == own + other + bad and quarantined == bad and rows <= kept,
        f"{records} records of the date's part of the topic: {own} are readings of the date, {other} of other dates, "
        f"{bad} are none and {quarantined} of these in `quarantine`; {rows} readings and "
        f"{kept - rows} duplicates from all that was read",
        records=records,
        readings=own,
        of_other_dates=other,
        quarantined=bad,
    )


def judge_silence(rows: int, registered: int, day: date, *, allowed: bool = False) -> CheckResult:
    """Whether anything came of a fleet; `allowed` where the date is to be without readings."""
    found = f"{rows} readings of {registered} registered devices"
    if allowed and not rows:
        found += ", taken all the same, as told"
    return _or_all_the_same(HEARD, day).judge(rows > 0 or allowed, found, readings=rows)


def _or_all_the_same(check: Check, day: date) -> Check:
    """The check with the way to have a date that fails it, if that is how it is to be."""
    return replace(
        check,
        remedy=f"{check.remedy}. To have the date as the topic has it all the same, type `pvfault materialise --date "
        f"{day} --allow-fewer`, or set allow_fewer in the configuration of `readings` in Dagster's page",
    )


def judge_once(rows: int, *, made: int | None, twice: Mapping[str, int]) -> CheckResult:
    """Whether the table has what was made.

    Parameters
    ----------
    rows : int
        Of the date in the table.
    made : int or None
        As the ledger has it; None if it does not know the date.
    twice : mapping of str to int
        For each device that has some, readings with the same timestamp as another.
    """
    found = f"{rows} readings, " + (f"{made} were made" if made is not None else "and the ledger knows of no making")
    worst = sorted(twice, key=twice.get, reverse=True)
    found += f"; {sum(twice.values())} stand twice" + named(worst)
    return ONCE.judge(
        made in (rows, None) and not twice, found, readings=rows, made=made, twice=sum(twice.values()),
        sample={device: twice[device] for device in worst[:SAMPLE]},
    )  # fmt: skip


def judge_quarantine(bad: int, records: int, sample: list[dict]) -> CheckResult:
    """Whether all records were readings; `sample` shows some that were not."""
    share = f" ({bad / records:.3%} of {records})" if records else ""
    return DECODES.judge(bad == 0, f"{bad} records are no readings{share}", quarantined=bad, sample=sample)


def judge_completeness(hours: Mapping[str, np.ndarray]) -> CheckResult:
    """Whether devices sent what the fullest hour of each promises; `hours` has counts of shape (24,) by device."""
    share = {device: counts.sum() / (counts.max() * len(counts)) for device, counts in hours.items()}
    incomplete = sorted((device for device in share if share[device] < COMPLETE), key=share.get)
    worst = [f"{device} {share[device]:.0%}" for device in incomplete]
    return COMPLETE_DEVICES.judge(
        bool(share) and not incomplete,
        f"{len(incomplete)} of {len(share)} devices are incomplete (below {COMPLETE:.0%})" + named(worst)
        if share
        else "the topic has no reading of this date",
        devices=len(share),
        incomplete=len(incomplete),
        sample={device: round(float(share[device]), 3) for device in incomplete[:SAMPLE]},
    )


def judge_duplicates(duplicates: int) -> CheckResult:
    """Whether readings came more than once."""
    return NO_DUPLICATES.judge(duplicates == 0, f"{duplicates} duplicates were removed", duplicates=duplicates)


def judge_plausible(implausible: Sequence[int], rows: int) -> CheckResult:
    """Whether values can have been measured; `implausible` counts those that cannot, in the order of `MEASUREMENTS`."""
    counts = dict(zip(MEASUREMENTS, map(int, implausible), strict=True))
    return PLAUSIBLE_VALUES.judge(
        max(counts.values()) <= IMPLAUSIBLE_SHARE * rows,
        f"implausible values: {', '.join(f'{name} {n}' for name, n in counts.items())} of {rows} readings",
        **counts,
    )


def judge_missing(seen: Collection[str], registered: Collection[str]) -> CheckResult:
    """Whether each registered device sent something."""
    missing = sorted(set(registered) - set(seen))
    return ALL_DEVICES.judge(
        not missing,
        f"{len(missing)} of {len(registered)} registered devices sent nothing" + named(missing),
        missing=len(missing),
        sample=missing[:SAMPLE],
    )


def judge_registered(seen: Collection[str], registered: Collection[str]) -> CheckResult:
    """Whether each device that sent something is registered."""
    unregistered = sorted(set(seen) - set(registered))
    return ALL_REGISTERED.judge(
        not unregistered,
        f"{len(unregistered)} devices are not in the registry" + named(unregistered),
        unregistered=len(unregistered),
        sample=unregistered[:SAMPLE],
    )


def judge_late(late: Mapping[str, int]) -> CheckResult:
    """Whether readings of earlier dates came behind the date's own and nobody has read them; counted by their date."""
    if not late:
        return NONE_LATE.judge(True, "0 late readings", late={})
    line = f"`pvfault backfill --date {min(late)}..{max(late)} --only late`"
    check = replace(NONE_LATE, remedy=f"{NONE_LATE.remedy}: type {line}")
    return check.judge(False, f"{sum(late.values())} late readings of {', '.join(late)}", late=dict(late))


def judge_waiting(waiting: int) -> CheckResult:
    """Whether late readings of the date wait to be read."""
    return NONE_WAITS.judge(waiting == 0, f"{waiting} readings came after the date was made", waiting=waiting)


def judge_fewer(
    day: date, *, in_topic: int, in_table: int, fewer: Mapping[str, int], allowed: bool, without: str = ""
) -> CheckResult:
    """Whether a device would lose readings.

    Parameters
    ----------
    day : date
    in_topic, in_table : int
        Readings of the date, of all devices.
    fewer : mapping of str to int
        How many each device would lose, the most first.
    allowed : bool
        Whether that is asked for.
    without : str
        Why whose readings are in the table cannot be told; then their number alone counts.
    """
    check = _or_all_the_same(NOT_FEWER, day)
    found = f"{in_topic} readings in the topic, {in_table} in the table"
    if without:
        found += f", which cannot be compared device by device ({without})"
        return check.judge(in_topic >= in_table, found, in_topic=in_topic, in_table=in_table)
    if fewer:
        found += f"; {len(fewer)} devices have fewer than before" + named(list(fewer))
    if allowed and in_topic < in_table:
        found += ", replaced all the same, as told"
    return check.judge(
        not fewer, found, in_topic=in_topic, in_table=in_table, devices=len(fewer),
        sample=dict(list(fewer.items())[:SAMPLE]),
    )  # fmt: skip


def count_reasons(reasons: Sequence[str]) -> list[dict]:
    """Why records are no readings, the commonest reasons first, as a sample."""
    return [{"reason": reason, "records": n} for reason, n in Counter(reasons).most_common(SAMPLE)]


# What a job audits, beside NOT_FEWER: that is about what a run would replace, so nobody can ask it afterwards.
AUDITED = (
    EVERY_END,
    HEARD,
    DECODES,
    COMPLETE_DEVICES,
    NO_DUPLICATES,
    PLAUSIBLE_VALUES,
    ALL_DEVICES,
    ALL_REGISTERED,
    NONE_LATE,
)
