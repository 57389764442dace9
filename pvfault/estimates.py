"""What a device that is not registered gives when nothing is wrong, as its own readings of a day tell.

Here: ratings, which hours lie below the day's best, when readings cannot tell, and how probable it is that a fault
hides in what they tell. Not here: ratings that are known (`registry.py`), what is learned from the hourly means of
other days (`reference.py`).

A fault of some hours must not become what the others are held against. So voltage and current, each over what light
and temperature let expect of a rating of 1, are searched for steps: where there are two levels, the higher one is that
of the healthy array. A fault that was there all the time leaves one level, and nothing in the readings tells it from a
smaller array.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pvfault import reference
from pvfault.levels import Spans, find_levels, is_of_the_sensor, never
from pvfault.readings import is_plausible
from pvfault.registry import SMALLEST_ESTIMATE
from pvfault.windows import WINDOWS_PER_DAY

SPAN_S = 600  # readings are looked at in means of so much: clouds pass an array and its sensor at different moments
# Below, offsets of the sensors and the horizon tell more than the array. [W/m²]
CLEAR_LIGHT = 150.0
LEAST_SPANS = 6
# With less than this share of its usual current over the light, the inverter does not draw it, and the voltage is not
# that of the array's maximum.
LEAST_DRAWN = 0.3

# By so much the voltage rises where an inverter limits the current; behind a step, by so much of what the current
# falls. Along a healthy curve it is half of it and more, of an open string a fiftieth (less current in the cables).
LIMITED, PUSHED_UP = 0.025, 0.4
# A level that is known no better is none.
MOST_SPREAD = 0.06
# Dates of a device whose ratings are so far apart, as a share, are two groups; a few dates among many are none, because
# a sensor in the shade makes such as well.
APART = 0.04
LEAST_GROUP = 0.2
# Of voltage and current, the best hours of a date below what other dates promise. Of healthy simulated device-days (73,
# each with three before it) one in twenty lies lower in voltage; of current more do, by what shades a sensor or lies on
# the modules, but an open string of 12 takes 8 %.
BELOW_OTHERS = (0.04, 0.075)
# Smaller steps are no reason to doubt an hour that looks healthy. Of voltage all that are found are one: of 107 such
# hours 76 were healthy, of those without a step 82 %. Of current, 51 of 55 with less than 8 % were; an open string of
# 16 takes 6 %.
LEAST_TOLD = (0.0, 0.06)

# How probable it is that what looks healthy hides a fault, if half of the devices have one: `pvfault derive estimates`,
# from 4,152 windows of 384 files of 1 and 4 days of the validation sites. It is not less with more days: two faults in
# five were there before the first of them.
HIDDEN_FAULT = 0.14


class Estimate(NamedTuple):
    """What a day's readings of one device tell of it.

    Attributes
    ----------
    ratings : ndarray, shape (2,)
        Voltage [V] and current [A], at least `SMALLEST_ESTIMATE`.
    spread : ndarray, shape (2,)
        Standard errors of both, as shares; NaN without clear light.
    below : ndarray, shape (24, 2)
        How far voltage and current of an hour lie below those of the day's best hours, as shares, beyond a step; 0
        where they do not, and where nothing is known.
    raised : ndarray, shape (2,)
        How far above the ratings voltage and current lie at the beginning or the end of the day, beyond a step, for too
        short a time to be taken for the healthy ones; 0 where they do not.
    reason : str
        Why the estimate cannot be trusted; empty if it can.
    """

    ratings: np.ndarray
    spread: np.ndarray
    below: np.ndarray
    raised: np.ndarray
    reason: str


def estimate_day(second, measurements, own=None) -> Estimate:
    """Ratings of a device that is not registered, from its readings of a day.

    Parameters
    ----------
    second : ndarray, shape (n,)
        Of the date, ascending.
    measurements : ndarray, shape (n, 4)
        In the order of `MEASUREMENTS`; what is not plausible is left out.
    own : ndarray, shape (11,), optional
        Its reference, where other dates have told one, instead of what is typical.

    Returns
    -------
    Estimate

    Examples
    --------
    A clear day, from noon on with five of six strings:

    >>> second = np.arange(0, 86_400, 300)
    >>> light = np.clip(1000 * np.sin(np.pi * (second / 3600 - 6) / 12), 0, None)
    >>> strings = np.where(second < 43_200, 6, 5)
    >>> day = np.column_stack([600 - 0 * light, strings * light / 100, 25 + 0 * light, light])
    >>> found = estimate_day(second, day)
    >>> [f"{below:.0%}" for below in found.below[10:14, 1]]
    ['0%', '0%', '17%', '17%']
    """
    spans = _mean_spans(second, measurements)
    if len(spans) < LEAST_SPANS:
        return _nothing_told(
            f"{_minutes(len(spans))} min of readings above {CLEAR_LIGHT:g} W/m² do not tell what the device gives when "
            f"nothing is wrong; {_minutes(LEAST_SPANS)} min would"
        )
    noon = np.average(spans.hour, weights=spans.irradiance)
    own = np.append(reference.TYPICAL[:-1], noon) if own is None else own
    (scale,) = reference.ratings_of(own[None])
    expected = reference.expect(own[None], *(each[None] for each in (spans.temperature, spans.irradiance, spans.hour)))
    shares = [measured / one[0] for measured, one in zip((spans.voltage, spans.current), expected, strict=True)]
    drawn = (shares[0] > 0) & (shares[1] > LEAST_DRAWN * np.quantile(shares[1], 0.75))
    if drawn.sum() < LEAST_SPANS or np.median(shares[1][drawn]) * scale[1] < SMALLEST_ESTIMATE:
        return _nothing_told("there is hardly any power in the light: nothing tells what the device gives otherwise")
    spans, (voltage, current) = spans.select(drawn), (np.log(share[drawn]) for share in shares)
    of_current = find_levels(current, spans, noon, 1, is_of_the_sensor)
    limited = _is_limited(voltage, of_current)
    of_voltage = find_levels(voltage[~limited], spans.select(~limited), noon, 0, never)
    below = [
        _by_hour(of_voltage.below, spans.hour[~limited]),
        _by_hour(of_current.below[~limited], spans.hour[~limited]),
    ]
    ratings = np.exp([of_voltage.top, of_current.top]) * scale
    spread = np.array([of_voltage.spread, of_current.spread])
    raised = np.exp([of_voltage.raised, of_current.raised]) - 1
    ratings = np.maximum(ratings, SMALLEST_ESTIMATE)
    return Estimate(ratings, spread, np.column_stack(below), raised, _why_not(ratings, spread))


class Trust(NamedTuple):
    """What devices are held against, and how far it can be trusted.

    Attributes
    ----------
    ratings : ndarray, shape (n_devices, 2)
        Voltage [V] and current [A].
    hidden_fault : ndarray, shape (n_devices, 24)
        How probable it is that what looks healthy hides a fault; NaN for a registered device, and where nothing can be
        said.
    unsure_because : ndarray of object, shape (n_devices, 24)
        Why an hour cannot be called healthy, or where `hidden_fault` is NaN, why nothing can be said; None without a
        reason.
    below : ndarray, shape (n_devices, 24, 2)
        As `Estimate` has it; NaN where `hidden_fault` is.
    """

    ratings: np.ndarray
    hidden_fault: np.ndarray
    unsure_because: np.ndarray
    below: np.ndarray


def trust_estimates(unregistered, device, second, measurements, references, ratings) -> Trust:
    """Ratings of devices that are not registered, and how far these can be trusted.

    Parameters
    ----------
    unregistered : ndarray of bool, shape (n_devices,)
    device, second : ndarray, shape (n,)
        As `cut_windows` takes them.
    measurements : ndarray, shape (n, 4)
    references : ndarray, shape (n_devices, 11)
        What other dates have told; NaN where there is none.
    ratings : ndarray, shape (n_devices, 2)
        Of the registry, or of the references; NaN where neither is known.

    Returns
    -------
    Trust
    """
    ratings = np.array(ratings, np.float64)
    hidden = np.full((len(ratings), WINDOWS_PER_DAY), np.nan)
    because = np.full(hidden.shape, None, object)
    steps = np.full((*hidden.shape, 2), np.nan)
    for number in np.flatnonzero(unregistered):
        own = slice(*np.searchsorted(device, [number, number + 1]))
        is_known = np.isfinite(references[number]).all()
        found = estimate_day(second[own], measurements[own], references[number] if is_known else None)
        if not is_known:
            ratings[number] = found.ratings
            if found.reason:
                because[number] = f"the device is not registered, and {found.reason}"
                continue
        hidden[number], steps[number] = HIDDEN_FAULT, found.below
        told = np.where(found.below > LEAST_TOLD, found.below, 0.0)
        for hour in np.flatnonzero(told.any(axis=1)):
            because[number, hour] = _below_sentence("after a step", told[hour], "the best hours of the day")
        below = np.where(found.reason, 0.0, 1 - found.ratings / ratings[number])
        below = np.where(below > BELOW_OTHERS, below, 0.0)
        others = because[number] == None  # noqa: E711
        if below.any():
            because[number, others] = _below_sentence("all day", below, "what other dates promise")
        elif found.raised.any() and not is_known:
            because[number, others] = _raised_sentence(found.raised)
    return Trust(ratings, hidden, because, steps)


def _below_sentence(when, below, what):
    return f"{when} {_shares(below)} below {what}, and the network knows no fault that is like that"


def _shares(below):
    names = ("voltage", "current over light")
    return " and ".join(f"{name} {share:.0%}" for name, share in zip(names, below, strict=True) if share)


def _raised_sentence(raised):
    lower = _shares(raised / (1 + raised))
    return (
        f"but for a short time at an end of the day, {lower} below it: either a fault took that, or a sensor erred then"
    )


def healthy_hours(days: Sequence[Estimate]) -> tuple[np.ndarray, np.ndarray]:
    """Which hours of some dates of a device are healthy, as far as the others tell, and its ratings.

    Where the dates stand apart as two groups, or hours lie below a step, the higher level is the healthy one.

    Parameters
    ----------
    days : sequence of Estimate

    Returns
    -------
    healthy : ndarray of bool, shape (n, 24)
    ratings : ndarray, shape (2,)
        Voltage [V] and current [A]; NaN where no date can be trusted.
    """
    ratings = np.array([np.full(2, np.nan) if day.reason else day.ratings for day in days])
    known = np.isfinite(ratings).all(axis=1)
    if not known.any():
        return np.zeros((len(days), WINDOWS_PER_DAY), bool), np.full(2, np.nan)
    best, least = np.array([_higher_group(column[known]) for column in ratings.T]).T
    levels = ratings[:, None] * (1 - np.stack([day.below for day in days]))
    with np.errstate(invalid="ignore"):
        return (levels >= least).all(axis=-1), best


def _higher_group(ratings):
    """The middle of the higher one of two groups of dates, and what is below it; of all where they are one group."""
    ordered = np.sort(np.log(ratings))
    gaps = np.diff(ordered)
    if len(gaps) and gaps.max() > max(APART, np.median(np.abs(ordered - np.median(ordered)))):
        higher = ordered[gaps.argmax() + 1 :]
        if len(higher) >= LEAST_GROUP * len(ordered):
            ordered = higher
    return np.exp(np.median(ordered)), np.exp(ordered[0] - APART / 2)


def _minutes(spans):
    return spans * SPAN_S // 60


def _nothing_told(reason):
    return Estimate(
        np.full(2, SMALLEST_ESTIMATE), np.full(2, np.nan), np.zeros((WINDOWS_PER_DAY, 2)), np.zeros(2), reason
    )


def _why_not(ratings, spread):
    """Why an estimate cannot be trusted; empty if it can."""
    for name, rating, error, unit in zip(("voltage", "current"), ratings, spread, "VA", strict=True):
        if error > MOST_SPREAD:
            return (
                f"its {name} does not follow the light: {rating:.3g} {unit} at 1000 W/m² and 25 °C are known to "
                f"{error:.0%} only"
            )
    return ""


def _mean_spans(second, measurements):
    """Means of plausible readings, span by span; those in clear light."""
    usable = is_plausible(measurements)
    span = np.asarray(second)[usable] // SPAN_S
    values = np.asarray(measurements, np.float64)[usable]
    number, position, count = np.unique(span, return_inverse=True, return_counts=True)
    means = [np.bincount(position, weights=column, minlength=len(number)) / count for column in values.T]
    spans = Spans((number + 0.5) * SPAN_S / 3600, *means)
    return spans.select(spans.irradiance > CLEAR_LIGHT)


def _is_limited(voltage, of_current):
    """Spans with less current and more voltage than the best: the inverter keeps them off the array's maximum."""
    rise = voltage - np.median(voltage[of_current.lower == 0])
    limited = (of_current.lower > 0) & (rise > LIMITED)
    for lower in np.unique(of_current.lower[of_current.lower > 0]):
        behind = of_current.lower == lower
        limited |= behind & (np.median(rise[behind]) > PUSHED_UP * lower)
    return limited


def _by_hour(below, hour):
    """Shares by which the hours lie below the best, where most of their spans do; shape (24,).

    What goes on to an end of the clear light goes on in the dusk.
    """
    found = np.zeros(WINDOWS_PER_DAY)
    for each in np.unique(hour.astype(int)):
        found[each] = 1 - np.exp(-np.median(below[hour.astype(int) == each]))
    first, last = int(hour[0]), int(hour[-1])
    found[:first], found[last + 1 :] = found[first], found[last]
    return found
