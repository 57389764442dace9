"""Readings held against ratings, units and the sun, before anything is judged.

Here: each device's days looked at one by one, and what is found of several days put together. Not here: what is looked
for (`suspicions/`), single readings that no array gives (`soundness.py`).

A finding is about how a file was made or read: a column, a unit, a clock, a line of the registry. So it is one only
where no fault of the array, no weather and no inverter explains the figures.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from pvfault.classify import days_of
from pvfault.registry import Registry
from pvfault.rows.sifting import sift_readings
from pvfault.suspicions import CHECKS
from pvfault.suspicions.day import DeviceDay, see_day
from pvfault.suspicions.suspicion import (
    AC_FOR_DC,
    CURRENT_RATING,
    IRRADIANCE_MEANS,
    IRRADIANCE_UNIT,
    POWER_FOR_CURRENT,
    TEMPERATURE_UNIT,
    VOLTAGE_RATING,
    Suspicion,
)

# How a file was made or read is the same on all its days: what shows on fewer is weather, or a fault.
SHARE_OF_DAYS = 0.5
# A voltage that short circuits could explain in one device is no short in so many, alike.
DEVICES_ALIKE, SHARE_ALIKE = 3, 0.8
# If this is so, likely as it is, neither a fault nor its absence means anything. Beside a constant temperature or light
# of another plane a verdict may be right, and is marked.
_NOTHING_IS_RIGHT_BESIDE = (
    VOLTAGE_RATING, CURRENT_RATING, POWER_FOR_CURRENT, AC_FOR_DC, IRRADIANCE_UNIT, IRRADIANCE_MEANS, TEMPERATURE_UNIT,
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with how a device's readings are read, or with what the registry says of it.

    Attributes
    ----------
    device : str
    dates : tuple of date
        The first and the last one (UTC) on which it is seen.
    kind : str
        One of the kinds of `pvfault.suspicions`.
    certain : bool
        Whether nothing else explains the figures: then no verdict on the device can be right. Else it is likely.
    sentence : str
        What was found and what was expected, with figures.
    remedy : str
        The option or the line of the registry that mends it.
    """

    device: str
    dates: tuple[date, date]
    kind: str
    certain: bool
    sentence: str
    remedy: str


def examine_readings(readings: pa.Table, registry: Registry) -> list[Finding]:
    """Look for columns, units, clocks and ratings that cannot be what they are taken for.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, in any order.
    registry : Registry
        Of devices that it does not have, only what needs no ratings is looked for.

    Returns
    -------
    list of Finding
        At most one of a device and kind, the certain ones first.
    """
    return conclude(*look_at_days(days_of(readings), registry))


def look_at_days(dates: Iterable[tuple[date, pa.Table]], registry: Registry) -> tuple[list[Finding], int]:
    """What is found of each device by itself, and how many there are; of dates and readings as `days_of` gives them."""
    seen: dict[tuple[str, str], list[tuple[date, Suspicion]]] = {}
    days: dict[str, int] = {}
    for day in _device_days(dates, registry):
        days[day.device] = days.get(day.device, 0) + 1
        for suspicion in filter(None, (check(day) for check in CHECKS)):
            seen.setdefault((day.device, suspicion.kind), []).append((day.date, suspicion))
    together = (_put_together(device, of_days, days[device]) for (device, _), of_days in seen.items())
    return [found for found in together if found is not None], len(days)


def conclude(findings: list[Finding], n_devices: int) -> list[Finding]:
    """What is found of all devices together, the certain ones first."""
    findings = _of_many_devices(findings, n_devices)
    return sorted(findings, key=lambda found: (not found.certain, found.device, found.kind))


def why_in_doubt(findings: Iterable[Finding]) -> dict[str, str]:
    """Why what devices are held against is likely something else, so that a fault beside it is none; by device."""
    return {found.device: found.sentence for found in findings if found.kind in _NOTHING_IS_RIGHT_BESIDE}


def _device_days(dates, registry: Registry) -> Iterator[DeviceDay]:
    """Each device's dates that have enough readings in the light to say anything, date by date."""
    for then, of_date in dates:
        sifted = sift_readings(of_date, then, registry)
        devices = sifted.devices
        known = zip(registry.ratings(devices), registry.layouts(devices), registry.places(devices), strict=True)
        for number, (name, of_device) in enumerate(zip(devices, known, strict=True)):
            own = sifted.of(number)
            # What stands still or is a placeholder tells nothing of columns and clocks either.
            day = see_day(name, then, sifted.second[own] / 3600, sifted.said[own], *of_device)
            if day is not None:
                yield day


def _put_together(device: str, of_days: Sequence[tuple[date, Suspicion]], n_days: int) -> Finding | None:
    """One finding of what is suspected on some days; None if that is not on most of the device's."""
    certain = [each for each in of_days if each[1].certain]
    is_certain = len(certain) >= SHARE_OF_DAYS * n_days
    if not is_certain and len(of_days) < SHARE_OF_DAYS * n_days and not certain:
        return None
    told = certain or of_days
    dates, first = [day for day, _ in told], told[0][1]
    return Finding(device, (min(dates), max(dates)), first.kind, is_certain, first.sentence, first.remedy)


def _of_many_devices(findings: list[Finding], n_devices: int) -> list[Finding]:
    """The same, certain of the registry's voltages where most of many devices are alike."""
    alike = sum(found.kind == VOLTAGE_RATING for found in findings)
    if alike < max(DEVICES_ALIKE, SHARE_ALIKE * n_devices):
        return findings
    return [
        Finding(found.device, found.dates, found.kind, True, found.sentence, found.remedy)
        if found.kind == VOLTAGE_RATING
        else found
        for found in findings
    ]
