"""Checks of a date's `scalograms`: windows are whole, can be judged, tell of the array, and of the right hour."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pvfault.checks.check import REPORT_IT, SAMPLE, Check, CheckResult, named
from pvfault.places import Place
from pvfault.readings import DEVICE_ID
from pvfault.reference import HISTORY
from pvfault.soundness import Doubt
from pvfault.tables import CURTAILED, INVALID, NOT_REPORTING, OK, SPARSE, WINDOW_START
from pvfault.windows import DARK_BELOW, WINDOW_S, WINDOWS_PER_DAY

JUDGED_SHARE = 0.8
# Of a device's readings of a date: single values are spoilt on the way now and then, and cost a minute each.
DOUBTED_SHARE = 0.01
# The sun's elevation below which the sky gives less than a window counts as dark, with room for refraction. [°]
DOWN_BELOW = -2.0

WHOLE_DAYS = Check(
    "every_device_has_24_windows", "Each device has each hour of the date once.", REPORT_IT, blocking=True
)
FINITE = Check(
    "scalograms_are_whole_and_finite",
    "As many windows have an image as can be judged, and none is blank. A value that is not finite would leave none.",
    REPORT_IT,
    blocking=True,
)
JUDGED = Check(
    "lit_windows_can_be_judged",
    f"At least {JUDGED_SHARE:.0%} of the windows in the light are neither `{SPARSE}`, `{INVALID}` nor "
    f"`{NOT_REPORTING}`. Those that are `{CURTAILED}` tell of the inverter, and nothing is wrong with them.",
    "look at the communication and the sensors of the devices. Of means of more than 15 min, as of hours, no hour can "
    "be judged, because its scalogram takes several readings in it: let the gateway send shorter ones",
)
BELIEVED = Check(
    "readings_tell_of_the_array",
    f"No device has more than {DOUBTED_SHARE:.0%} of its readings beyond what its ratings allow, or standing still "
    "while the light moves. They count as gaps.",
    "look at the meters and loggers of these devices; if the readings beyond are right, correct rated_voltage and "
    "rated_current in the registry, which are of the whole array, and make the date's scalograms again",
)
CLOCKS = Check(
    "clocks_go_right",
    f"No device has more than {DARK_BELOW:g} W/m² in an hour in which the sun is down where it stands.",
    "look at the clocks of these loggers, whose readings are to be in UTC, and at the devices' places in the registry",
)
HISTORY_THERE = Check(
    "history_is_there",
    f"Each of the {len(HISTORY)} dates before that are looked at has scalograms, if it has readings.",
    "make `scalograms` of these dates, then of this date again: its verdicts depend on them",
)
AUDITED = (WHOLE_DAYS, FINITE, JUDGED, BELIEVED, HISTORY_THERE)


class DeviceWindows(NamedTuple):
    """How many devices have windows, and how many of these not each hour of the date once."""

    devices: int
    not_whole: int


def count_windows(scalograms: pa.Table) -> DeviceWindows:
    """Look at the hours of whole devices: `deviceID` and `window_start` of their rows."""
    device = scalograms[DEVICE_ID].combine_chunks().dictionary_encode()
    hour = scalograms[WINDOW_START].cast(pa.int64()).to_numpy() // (WINDOW_S * 1_000_000) % WINDOWS_PER_DAY
    place = device.indices.to_numpy().astype(np.int64) * WINDOWS_PER_DAY + hour
    times = np.bincount(place, minlength=len(device.dictionary) * WINDOWS_PER_DAY).reshape(-1, WINDOWS_PER_DAY)
    return DeviceWindows(len(times), int(np.count_nonzero((times != 1).any(axis=1))))


def judge_whole_days(windows: DeviceWindows, *, rows: int, devices: int) -> CheckResult:
    """Whether each of the devices that are registered or sent something has 24 windows."""
    made, not_whole = windows
    return WHOLE_DAYS.judge(
        not_whole == 0 and made == devices and rows == WINDOWS_PER_DAY * devices,
        f"{not_whole} of {made} devices do not have each hour once, {rows} windows, "
        f"{devices} devices are registered or sent something",
        devices=made,
        not_whole=not_whole,
    )


def judge_images(*, rows: int, judged: int, images: int, blank: int = 0) -> CheckResult:
    """Whether each window that can be judged has an image, and no other one.

    Parameters
    ----------
    rows, judged, images : int
        Windows, those that are `ok`, and those that have an image.
    blank : int
        Images of zeros alone.
    """
    broken = abs(judged - images) + blank
    return FINITE.judge(
        broken == 0,
        f"{broken} of {rows} windows have an image that is lost, blank or of no right",
        windows=rows,
        broken=broken,
    )


def judge_qualities(counts: Mapping[str, int]) -> CheckResult:
    """Whether windows in the light can be judged; `counts` has the windows of each quality."""
    lost = {quality: counts.get(quality, 0) for quality in (SPARSE, INVALID, NOT_REPORTING)}
    n_curtailed, unjudged = counts.get(CURTAILED, 0), sum(lost.values())
    lit = counts.get(OK, 0) + n_curtailed + unjudged
    each = ", ".join(f"{count} {quality}" for quality, count in lost.items())
    return JUDGED.judge(
        unjudged <= (1 - JUDGED_SHARE) * lit,
        f"{unjudged} of {lit} lit windows cannot be judged ({each})"
        + (f"; {n_curtailed} are {CURTAILED}, {n_curtailed / lit:.0%}" if n_curtailed else ""),
        **{quality.replace(" ", "_"): count for quality, count in lost.items()},
        curtailed=n_curtailed,
        lit=lit,
    )


def judge_doubts(doubts: Sequence[Doubt]) -> CheckResult:
    """Name the devices whose readings do not tell of the array, the worst ones first."""
    many = [doubt for doubt in doubts if doubt.beyond + doubt.still > DOUBTED_SHARE * doubt.readings]
    worst = sorted(many, key=lambda doubt: (-doubt.beyond - doubt.still, doubt.device))[:SAMPLE]
    beyond, still = sum(doubt.beyond for doubt in doubts), sum(doubt.still for doubt in doubts)
    each = "".join(f"; {d.device}: {d.beyond} beyond, {d.still} still of {d.readings}" for d in worst)
    return BELIEVED.judge(
        not many,
        f"{beyond} readings are beyond what the ratings allow and {still} stand still while the light moves; "
        f"{len(many)} devices have too many of them{each}",
        beyond=beyond,
        still=still,
        devices=len(many),
        worst=[doubt._asdict() for doubt in worst],
    )


def judge_history(used: int, not_made: Sequence[str], damaged: Mapping[str, str]) -> CheckResult:
    """Whether the dates before are there.

    Parameters
    ----------
    used : int
        Dates before that have scalograms.
    not_made : sequence of str
        Those that have readings and no scalograms.
    damaged : mapping of str to str
        Those whose scalograms cannot be read, and why.
    """
    found = f"judged beside {used} of {len(HISTORY)} dates before"
    if not_made:
        found += f"; {', '.join(not_made)} have readings and no scalograms"
    if damaged:
        found += f"; without {len(damaged)} whose scalograms cannot be read: {'; '.join(damaged.values())}"
    return HISTORY_THERE.judge(
        not not_made and not damaged, found, used=used, not_made=list(not_made), damaged=list(damaged)
    )


def judge_clocks(irradiance: Mapping[str, np.ndarray], places: Mapping[str, Place], day: date) -> CheckResult:
    """Whether devices see light while the sun is up alone, which their orientation does not change.

    Parameters
    ----------
    irradiance : mapping of str to ndarray, shape (24,)
        Hourly means by device, NaN where there is none. [W/m²]
    places : mapping of str to Place
        By device. Nothing is said of devices that are not in it.
    day : date
    """
    known = [device for device in irradiance if device in places]
    lit_nights = {device: _lit_at_night(irradiance[device], places[device], day) for device in known}
    wrong = sorted((device for device in known if lit_nights[device]), key=lambda device: (-lit_nights[device], device))
    return CLOCKS.judge(
        not wrong,
        f"{len(wrong)} of {len(known)} devices have light while the sun is down"
        + named([f"{device} in {lit_nights[device]} h" for device in wrong])
        + (f"; of {len(irradiance) - len(known)} the registry does not say where they are" if not wrong else ""),
        compared=len(known),
        wrong=len(wrong),
        sample={device: lit_nights[device] for device in wrong[:SAMPLE]},
    )


def _lit_at_night(irradiance: np.ndarray, place: Place, day: date) -> int:
    return int(np.count_nonzero(_is_night(place, day) & (irradiance > DARK_BELOW)))


@lru_cache(maxsize=10_000)  # a site has many devices
def _is_night(place: Place, day: date) -> np.ndarray:
    """The hours in which the sun is down from the first minute to the last, shape (24,)."""
    ends = place.sun_elevation(day, np.arange(WINDOWS_PER_DAY + 1))
    # The sun turns once a day at its lowest and its highest: between, the higher end is the highest.
    return np.maximum(ends[:-1], ends[1:]) < DOWN_BELOW
