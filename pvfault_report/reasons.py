"""Why a device-day has no verdict, in one sentence with figures: what was found, and where the limit is."""

from collections import Counter

import numpy as np

from pvfault.readings import MEASUREMENTS, PLAUSIBLE, UNITS, is_plausible
from pvfault.tables import DARK, INVALID, MISSING, SPARSE
from pvfault.windows import DARK_BELOW, INTERVAL_JITTER, LONGEST_INTERVAL_S, MAX_GAP_S, MAX_UNCOVERED, WINDOW_S


def why_not_judged(qualities, second, measurements) -> str:
    """Say why none of a device's hours on a date could be judged.

    Parameters
    ----------
    qualities : sequence of str, length 24
        Of `QUALITIES`, none of them `ok`.
    second : ndarray, shape (n,)
        When its readings came, since midnight, ascending. [s]
    measurements : ndarray, shape (n, 4)
        In the order of `MEASUREMENTS`.

    Returns
    -------
    str
        Without a full stop, so that it can stand behind a name and a date.

    Examples
    --------
    >>> every_half_hour = np.arange(6 * 3600, 18 * 3600, 1800.0)
    >>> readings = np.tile([500.0, 8.0, 40.0, 700.0], (24, 1))
    >>> why_not_judged(["missing"] * 6 + ["sparse"] * 12 + ["missing"] * 6, every_half_hour, readings)
    'a reading every 30 min; an hour takes one every 16 min or more often'
    """
    if not len(second):
        return "no reading came"
    of_light = Counter(quality for quality in qualities if quality not in (DARK, MISSING))
    if not of_light:
        return _why_dark(measurements)
    (quality, hours), *_ = of_light.most_common(1)
    in_light = np.array([each not in (DARK, MISSING) for each in qualities])[(second // WINDOW_S).astype(int)]
    if quality == SPARSE:
        return _why_sparse(second[in_light], measurements[in_light])
    if quality == INVALID:
        return _why_invalid(measurements[in_light])
    return f"{quality} in {hours} of {in_words(sum(of_light.values()), 'hour')} of light"


def _why_dark(measurements):
    """The brightest reading is too dark, or there is none that tells."""
    irradiance = measurements[:, MEASUREMENTS.index("irradiance")]
    known = irradiance[is_plausible(measurements)]
    if not len(known):
        return _why_invalid(measurements)
    return (
        f"irradiance was at most {known.max():.3g} W/m², and no hour's mean reached the {DARK_BELOW:g} W/m² from which "
        "on an array's faults show"
    )


def _why_sparse(second, measurements):
    """Readings that stand too far apart, or that have gaps."""
    usable = second[is_plausible(measurements)]
    takes = f"an hour takes one every {duration(LONGEST_INTERVAL_S)} or more often"
    if len(usable) < 2:
        return f"only {in_words(len(usable), 'usable reading')} in the light; {takes}"
    steps = np.diff(usable)
    usual = float(np.median(steps))
    if usual > LONGEST_INTERVAL_S:
        return f"a reading every {duration(usual)}; {takes}"
    filled = max(MAX_GAP_S, (2 + INTERVAL_JITTER) * usual)
    return (
        f"gaps of up to {duration(steps.max())} between readings every {duration(usual)} take "
        f"{steps[steps > filled].sum() / steps.sum():.0%} of the light; at most {duration(filled)} between readings "
        f"are filled, and {MAX_UNCOVERED:.0%} of an hour may be missing"
    )


def _why_invalid(measurements):
    """Readings that do not tell of the array: the measurement that is wrong most often, and how."""
    absent = ~np.isfinite(measurements)
    low, high = np.array([PLAUSIBLE[name] for name in MEASUREMENTS]).T
    impossible = ~absent & ~((measurements >= low) & (measurements <= high))
    shares = np.stack([absent.mean(axis=0), impossible.mean(axis=0)])
    kind, worst = np.unravel_index(shares.argmax(), shares.shape)
    name, share = MEASUREMENTS[worst], f"{shares[kind, worst]:.0%} of the readings"
    if not shares[kind, worst]:
        return "its readings stand still while the light moves, or lie beyond what the ratings allow"
    if kind == 0:
        return f"{share} have no {name}"
    example = measurements[impossible[:, worst], worst][0]
    unit = UNITS[name]
    return (
        f"{share} have a {name} that cannot have been measured, such as {example:.4g} {unit}; "
        f"{low[worst]:g} to {high[worst]:g} {unit} can"
    )


def duration(seconds) -> str:
    """Give a time as people say it.

    Examples
    --------
    >>> duration(20), duration(320), duration(5400), duration(86400)
    ('20 s', '5 min 20 s', '1 h 30 min', '24 h')
    """
    minutes, rest = divmod(round(float(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if number]
    return " ".join(parts[:2]) or "0 s"


def in_words(number, noun) -> str:
    """Give a number with its noun.

    Examples
    --------
    >>> in_words(1, "hour"), in_words(13, "hour")
    ('1 hour', '13 hours')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
