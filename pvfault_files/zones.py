"""Times without a zone become times in UTC.

Here: zones by name, by offset and as headers and times write them, and the hour that a clock shows twice. Not here:
how a time is written (`times.py`).
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.errors import PvfaultError
from pvfault.readings import TIMESTAMP_TYPE

# Abbreviations that mean one offset, in minutes; CST and IST mean several and are asked about.
_ABBREVIATIONS = {
    "z": 0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0, "west": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120,
    "eet": 120, "eest": 180, "msk": 180, "jst": 540, "kst": 540, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
    "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "hst": -600,
    "akst": -540, "akdt": -480, "brt": -180, "sast": 120, "hkt": 480, "sgt": 480,
}  # fmt: skip
_AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific"
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-−])\s*(\d{1,2})(?::?(\d{2}))?(?::?00)?", re.IGNORECASE)


def offset_of(text: str) -> int | None:
    """Offset from UTC, in minutes, that a text such as Z, +02:00, UTC+2 or CEST names.

    Examples
    --------
    >>> offset_of("UTC+5:30"), offset_of("-0400"), offset_of("CEST"), offset_of("noon")
    (330, -240, 120, None)
    """
    plain = text.strip().strip("()[]").strip().lower()
    if plain in _ABBREVIATIONS:
        return _ABBREVIATIONS[plain]
    found = _OFFSET.fullmatch(plain)
    if not found:
        return None
    sign, hours, minutes = found.groups()
    offset = int(hours) * 60 + int(minutes or 0)
    return offset * (1 if sign == "+" else -1) if offset <= 14 * 60 else None


def zone_in_name(name: str) -> str | None:
    """Zone that a column's name gives, as in `time_utc`, `Zeit [UTC+1]` or `timestamp (Europe/Rome)`."""
    place = re.search(rf"\b((?:{_AREAS})/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?)\b", name)
    if place:
        return place[1]
    for part in [*re.findall(r"[\[(]([^\])]+)[\])]", name), *re.split(r"[\s_]+", name)[1:]]:
        offset = offset_of(part)
        if offset is not None:
            return "UTC" if offset == 0 else _as_text(offset)
    return None


def _as_text(offset):
    return f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"


def normal_zone(zone: str) -> str:
    """A zone as Arrow knows it: UTC+1 and CET of a user are offsets."""
    offset = None if "/" in zone else offset_of(zone)
    return zone if offset is None else "UTC" if offset == 0 else _as_text(offset)


def to_utc(name: str, times: pa.ChunkedArray, devices: pa.ChunkedArray | None, zone: str) -> pa.ChunkedArray:
    """Times of a zone's clock in UTC.

    Where the clock is set back, an hour occurs twice: a device's rows are of the first one until their times step back,
    then of the second.

    Parameters
    ----------
    name : str
        What messages call the file.
    times : array of timestamp without zone
    devices : array of str, or None
        Of each time; None if all are of one device.
    zone : str

    Raises
    ------
    PvfaultError
        If there is no such zone, or local times that do not exist in it: the file's clock is not the zone's, and
        readings would be moved.
    """
    zone = normal_zone(zone)
    if zone == "UTC":
        return pc.cast(times, TIMESTAMP_TYPE)
    try:
        # 02:30 in the night when the clock is set forward goes to an instant at which that clock shows another time.
        first = pc.assume_timezone(times, zone, ambiguous="earliest", nonexistent="earliest")
    except pa.ArrowInvalid as error:
        raise PvfaultError(
            f"There is no time zone {zone!r}. Expected a name such as Europe/Berlin or an offset such as +01:00."
        ) from error
    impossible = times.filter(pc.not_equal(pc.local_timestamp(first), times))
    if len(impossible):
        raise PvfaultError(
            f"{name}: {len(impossible):,} rows have a local time that does not exist in {zone}, for example "
            f"{impossible[0].as_py():%Y-%m-%d %H:%M:%S}, when the clock is set forward. So the file's clock has no "
            "summer time; give its offset from UTC, as in --timezone=+01:00."
        )
    second = pc.assume_timezone(times, zone, ambiguous="latest", nonexistent="earliest")
    ambiguous = pc.not_equal(first, second)
    if pc.any(ambiguous).as_py():
        later = _is_second_pass(times, devices, ambiguous)
        first = pc.if_else(later, pc.cast(second, first.type), first)
    return pc.cast(first, TIMESTAMP_TYPE)


def _is_second_pass(times, devices, ambiguous):
    """Which rows lie in the second of two hours with the same local times: those after their device's step back."""
    import pandas as pd

    second = np.zeros(len(times), dtype=bool)
    rows = np.flatnonzero(ambiguous)
    local = pd.Series(times.take(rows).to_numpy())
    night = [local.dt.date]
    if devices is not None:
        night.append(pd.Series(pc.cast(devices.take(rows), pa.string()).to_numpy(zero_copy_only=False)))
    second[rows] = (local.groupby(night).diff() < pd.Timedelta(0)).groupby(night).cumsum() > 0
    return pa.array(second)
