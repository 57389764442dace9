"""The levels of a day's voltage or current: which steps there are, and which level is the healthy one.

Here: series of ten minutes to levels. Not here: where the series come from, and what follows for a device
(`estimates.py`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pvfault.reference import IRRADIANCE

# Of voltage and current. What is smaller is not told from a cloud that passes or a tracker that errs; one open string
# of 24 takes 4 %, one shorted module of 24 as much.
LEAST_STEP = (0.02, 0.03)
# In standard errors; spans scatter together, so that as many as three lie beyond 4 by chance.
LEAST_SIGNIFICANCE = 7.0
# So much of a step is there at once, between the half hours on either side of it.
ABRUPT = 0.6
HALF_HOUR = 3  # spans
MOST_STEPS = 4
# Of the day's light, the healthy level takes so much, and a lower one so much, or neither is known.
LEAST_TOP, LEAST_BELOW = 0.2, 0.1
# If the light alone makes so much of a step, it is the sensor's: shaded, or wiped.
OF_THE_SENSOR = 0.6
# How a healthy device's day may bend, as standard deviations of the terms in ln(G / 800 W/m²), in the hours from noon
# over 4 h, and in their square, of voltage and current: an array and its sensor never face quite the same way.
_BEND = np.array([[0.01, 0.005, 0.005], [0.02, 0.03, 0.02]])
_LEAST_SCATTER = 0.003


@dataclass(frozen=True)
class Spans:
    """Means of ten minutes in clear light, shape (n,) each."""

    hour: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    temperature: np.ndarray
    irradiance: np.ndarray

    def select(self, which):
        """Pick some of the spans, by index or mask."""
        return Spans(*(values[which] for values in vars(self).values()))

    def __len__(self):
        return len(self.hour)


class Levels(NamedTuple):
    """Levels of a day, as logarithms.

    Attributes
    ----------
    top : float
        Of the best spans.
    spread : float
        Its standard error.
    lower : ndarray, shape (n,)
        How far each span lies below it, beyond a step.
    below : ndarray, shape (n,)
        The same, as far as that goes on to an end of the day.
    raised : float
        How far an end of the day lies above it, beyond a step.
    """

    top: float
    spread: float
    lower: np.ndarray
    below: np.ndarray
    raised: float


def find_levels(level, spans, noon, which, is_strange):
    """Find the steps of a day, and the level of its best spans.

    Parameters
    ----------
    level : ndarray, shape (n,)
        Logarithm of the voltage or the current over what is expected.
    spans : Spans
    noon : float
        The hour about which the day lies, UTC.
    which : int
        0 for the voltage, 1 for the current.
    is_strange : callable
        From spans, the first span behind a step, and its size, to whether the step is not the array's.

    Returns
    -------
    Levels
    """
    smooth = _median_of_three(level)
    late = (spans.hour - noon) / 4
    bends = np.column_stack([np.log(spans.irradiance / IRRADIANCE), late, late * late])
    weight = np.sqrt(np.minimum(spans.irradiance / 400, 1))
    edges, coefficients, scatter = [], *_fit(smooth, bends, weight, [], which)
    while len(edges) < MOST_STEPS:
        edge = _next_edge(smooth, bends, weight, edges, which, scatter)
        if edge is None:
            break
        edges = sorted([*edges, edge])
        coefficients, scatter = _fit(smooth, bends, weight, edges, which)
    straight = smooth - bends @ coefficients
    parts = np.searchsorted(edges, np.arange(len(level)), side="right")
    levels = np.array([np.median(straight[parts == part]) for part in range(len(edges) + 1)])
    strange = [part for part in range(len(levels)) if _is_raised(part, levels, edges, spans, is_strange)]
    sound = np.setdiff1d(np.arange(len(levels)), strange) if len(strange) < len(levels) else np.arange(len(levels))
    share = np.bincount(parts, spans.irradiance) / spans.irradiance.sum()
    top = _top(levels, share, sound, LEAST_STEP[which])
    best = straight[np.isin(parts, sound[np.abs(levels[sound] - top) < LEAST_STEP[which]])]
    error = max(_scatter(best), _LEAST_SCATTER) / np.sqrt(len(best) / HALF_HOUR)
    lower = np.where(top - levels > LEAST_STEP[which], top - levels, 0.0)
    below = np.where(_at_an_end(lower > 0, share, LEAST_BELOW), lower, 0.0)
    higher = np.where(np.isin(np.arange(len(levels)), sound), levels - top, 0.0)
    raised = higher[_at_an_end(higher > 2 * LEAST_STEP[which], share, 0.0)].max(initial=0.0)
    return Levels(np.median(best), error, lower[parts], below[parts], raised)


def _top(levels, share, sound, least_step):
    """The highest level that takes enough of the light; those above it count towards it."""
    falling = sound[np.argsort(-levels[sound])]
    enough = [level for level in levels[falling] if share[sound][levels[sound] > level - least_step].sum() >= LEAST_TOP]
    return enough[0] if enough else levels[sound].max()


def _at_an_end(which, share, least):
    """Those parts that go on to the end of the day, or have been there since it began, and take enough of its light.

    What comes and goes within hours is the inverter's, or clouds'.
    """
    from_begin, to_end = np.logical_and.accumulate(which), np.logical_and.accumulate(which[::-1])[::-1]
    kept = np.zeros(len(which), bool)
    for run in (from_begin, to_end):
        if share[run].sum() > least:
            kept |= run
    return kept


def _median_of_three(values):
    """Values without those that stand out alone."""
    padded = np.pad(values, 1, mode="edge")
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _scatter(values):
    """Standard deviation of most values."""
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def _design(bends, weight, edges, which, scatter):
    """What a level is made of, row by row: bends, steps, and below them what holds the bends."""
    steps = np.arange(len(bends))[:, None] >= np.array([0, *edges])
    rows = np.column_stack([bends, steps]) * weight[:, None]
    held = np.zeros((bends.shape[1], rows.shape[1]))
    held[:, : bends.shape[1]] = np.diag(scatter / _BEND[which])
    return np.concatenate([rows, held])


def _fit(level, bends, weight, edges, which):
    """Coefficients of the bends beside some steps, and what scatters about both."""
    scatter = max(_scatter(np.diff(level)), _LEAST_SCATTER)
    right = np.concatenate([level * weight, np.zeros(bends.shape[1])])
    design = _design(bends, weight, edges, which, scatter)
    coefficients = np.linalg.lstsq(design, right, rcond=None)[0]
    return coefficients[: bends.shape[1]], max(_scatter((right - design @ coefficients)[: len(level)]), _LEAST_SCATTER)


def _next_edge(level, bends, weight, edges, which, scatter):
    """The first span behind the step that explains most, beside those known; None if there is none."""
    n = len(level)
    orthogonal = np.linalg.qr(_design(bends, weight, edges, which, scatter))[0]
    right = np.concatenate([level * weight, np.zeros(bends.shape[1])])
    rest = (right - orthogonal @ (orthogonal.T @ right))[:n]
    # A step is 1 from its edge on: sums from there on are products with it.
    along = _from_there_on(rest * weight)
    free = _from_there_on(weight**2) - (_from_there_on(orthogonal[:n] * weight[:, None]) ** 2).sum(axis=1)
    size = np.divide(along, free, out=np.zeros(n), where=free > 1e-6)
    possible = [
        edge
        for edge in range(HALF_HOUR, n - HALF_HOUR + 1)
        if min(abs(edge - other) for other in [0, n, *edges]) >= HALF_HOUR
        and abs(size[edge]) >= LEAST_STEP[which]
        and _jump(level, edge) / size[edge] >= ABRUPT
    ]
    if not possible:
        return None
    edge = max(possible, key=lambda edge: along[edge] * size[edge])
    _, left = _fit(level, bends, weight, sorted([*edges, edge]), which)
    return edge if abs(size[edge]) * np.sqrt(free[edge]) >= LEAST_SIGNIFICANCE * left else None


def _from_there_on(values):
    return np.cumsum(values[::-1], axis=0)[::-1]


def _jump(values, edge):
    """Median of the half hour behind an edge less that of the one before it."""
    return np.median(values[edge : edge + HALF_HOUR]) - np.median(values[edge - HALF_HOUR : edge])


def _is_raised(part, levels, edges, spans, is_strange):
    """Whether a part lies above the one beside it, and the edge between them is not the array's."""
    beside = [(part - 1, part - 1), (part + 1, part)]  # the part and the edge
    return any(
        levels[part] > levels[other] and is_strange(spans, edges[edge], levels[edge + 1] - levels[edge])
        for other, edge in beside
        if 0 <= other < len(levels)
    )


def never(_spans, _edge, _size):
    """No step is strange."""
    return False


def is_of_the_sensor(spans, edge, size):
    """Whether a step of current over light is one of the light, in an hour in which it is steady otherwise."""
    middle, light = (spans.hour[edge - 1] + spans.hour[edge]) / 2, np.log(spans.irradiance)
    # The step may be within either of the spans beside the edge.
    sides = [slice(max(edge - 1 - HALF_HOUR, 0), edge - 1), slice(edge + 1, edge + 1 + HALF_HOUR)]
    ends, scatter = [], 0.0
    for side in sides:
        away = spans.hour[side] - middle
        if len(away) < 2:
            return False
        slope, end = np.polyfit(away, light[side], 1)
        ends.append(end)
        scatter = max(scatter, np.abs(light[side] - end - slope * away).max())
    of_light = ends[0] - ends[1]  # less light is more current over it
    return scatter < abs(size) / 3 and OF_THE_SENSOR < of_light / size < 2 - OF_THE_SENSOR
