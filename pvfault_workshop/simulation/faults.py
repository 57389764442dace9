"""The five faults, as changes to the wiring or the light of an array.

Here: how a fault is drawn, how it develops from its onset on, and when in a day it is in which of its states. Not here:
the circuits of these states (`circuits.py`), how they are solved (`array.py`), sensors (`sensors.py`).

All faults are drawn by the same rules. How much of the array's power at standard test conditions a fault is to take is
drawn first, from one distribution, and of some faults of its kind the one that comes nearest is kept. Some are, at the
terminals, the same circuit, and nothing here pretends otherwise: a short over modules of one string and a ground fault
over as many, or a string that is shorted so far that its blocking diode keeps it off and one that is open. A short so
strong that it blows the string's fuse is an open string, and is drawn as one. Not modelled: ground faults of an array
without a grounded pole (which change nothing at the terminals), fuses that a short between two strings blows.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from scipy.signal import lfilter

from pvfault.faults import ARC_FAULT, LINE_GROUND, LINE_LINE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S
from pvfault_workshop.simulation.array import Nodes
from pvfault_workshop.simulation.circuits import (
    insert_arc,
    join_strings,
    open_strings,
    shade_substrings,
    short_modules,
    shorted_string,
    weaken_strings,
)
from pvfault_workshop.simulation.curves import Curve, curve_at

LEAST_SEVERITY = 0.04  # below, a fault is smaller than the errors of the sensors that should show it
MOST_SEVERITY = 0.9
DRAWS = 10
COURSES = ("sudden", "growing", "intermittent")
COURSE_SHARES = (0.55, 0.2, 0.25)

SHADOW_DEPTHS = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.82, 1.0)
ARC_DEPTHS = (0.0, 12.0, 24.0, 36.0, 50.0, 70.0)
RESISTANCE_DEPTHS = (-1.3, -0.3, 0.2, 0.6, 0.9, 1.2, 1.5, 1.8, 2.2, 2.7)  # 0.05 to 500 Ω
DEAD = -1.3
NOTHING = -1  # the state of an array without effect of its fault
# A string fuse is rated for 1.5 to 2.4 times a module's short-circuit current (IEC 62548-1:2023), and a gPV fuse opens
# within an hour at 1.45 times its rating (IEC 60269-6).
FUSE_BLOWS = 1.45 * 1.8


@dataclass(frozen=True)
class Moments:
    """The slots for which a fault says what it does.

    Attributes
    ----------
    beam_share : ndarray, shape (4320,)
        Share of beam in the plane's irradiance.
    hour : ndarray, shape (4320,)
        Solar time.
    age : ndarray, shape (4320,)
        Time since the onset, negative before it. [h]
    rng : numpy.random.Generator
        Of the device's day.
    """

    beam_share: np.ndarray
    hour: np.ndarray
    age: np.ndarray
    rng: np.random.Generator


@dataclass(frozen=True)
class Fault:
    """One fault of one array.

    Attributes
    ----------
    name : str
        One of `pvfault.faults.FAULTS`.
    description : str
        For people.
    states : tuple of callable
        The circuits it makes; each takes `Nodes` and returns a `Curve`.
    worst : tuple of int and float
        State and depth in which it takes most.
    schedule : callable
        Takes `Moments`; returns the state (`NOTHING` where it has no effect) and the depth of each slot.
    course : str
        How it develops: one of `COURSES`, or "recurring" for a shadow that comes back every day.
    depths : tuple of float
        Nodes of the depth.
    dead_input : bool
        Whether the inverter sees no voltage either, once there is no current.
    severity : float
        Share of the array's power at standard test conditions that it takes at its worst.
    """

    name: str
    description: str
    states: tuple[Callable[[Nodes], Curve], ...] = field(repr=False)
    worst: tuple[int, float]
    schedule: Callable[[Moments], tuple[np.ndarray, np.ndarray]] = field(repr=False)
    course: str
    depths: tuple[float, ...] = (1.0,)
    dead_input: bool = False
    severity: float = 0.0


def draw_fault(name, shape, rng):
    """Draw a fault of a kind.

    Parameters
    ----------
    name : str
        One of `pvfault.faults.FAULTS`, not "none".
    shape : ArrayShape
    rng : numpy.random.Generator

    Returns
    -------
    Fault
        Of ten drawn, the one whose severity is nearest to one drawn before, evenly in its logarithm between
        `LEAST_SEVERITY` and `MOST_SEVERITY`. Only an array that allows none so large gets one below.
    """
    wanted = rng.uniform(np.log(LEAST_SEVERITY), np.log(MOST_SEVERITY))
    course = str(rng.choice(COURSES, p=COURSE_SHARES))
    draws = []
    for _ in range(DRAWS):
        fault = _DRAW[name](shape, course, rng)
        draws.append(replace(fault, severity=measure_severity(shape, fault)))
    counting = [fault for fault in draws if fault.severity >= LEAST_SEVERITY]
    if not counting:
        return max(draws, key=lambda fault: fault.severity)
    return min(counting, key=lambda fault: abs(np.log(fault.severity) - wanted))


def measure_severity(shape, fault):
    """Share of the power at standard test conditions that a fault takes at its worst.

    Parameters
    ----------
    shape : ArrayShape
    fault : Fault

    Returns
    -------
    float
    """
    state, depth = fault.worst
    voltage, healthy = _without_fault(shape)
    curve = fault.states[state](_standard_conditions(shape).with_depth(np.array([depth])))
    return float(np.clip(1 - _most_power(curve, voltage) / healthy, 0, 1))


@lru_cache(maxsize=16)
def _standard_conditions(shape):
    return Nodes(shape, np.array([1000.0]), np.array([25.0]), np.array([1.0]))


@lru_cache(maxsize=16)
def _without_fault(shape):
    """Voltages up to that of the open array at standard test conditions, and the most power it gives at these."""
    curve = _standard_conditions(shape).whole_array()
    voltage = np.linspace(0, 1, 400)[None, :] * curve.voltage.max()
    return voltage, _most_power(curve, voltage)


def _most_power(curve, voltage):
    """The most power of a curve at some voltages."""
    return (curve_at(curve, voltage) * voltage).max()


def stay(depth, state=0):
    """Schedule of a fault that is there at once and stays, day and night.

    Parameters
    ----------
    depth : float
    state : int

    Returns
    -------
    callable
        As `Fault.schedule`.
    """
    return lambda _moments: (np.full(READINGS_PER_DAY, state), np.full(READINGS_PER_DAY, depth))


def _growing(first, last, hours, beyond=0):
    """Schedule of a fault whose depth moves from its first to its last value, and then has another state."""

    def grow(moments):
        grown = moments.age / hours
        return np.where(grown < 1, 0, beyond), first + (last - first) * np.clip(grown, 0, 1)

    return grow


def _intermittent(depth, present, absent, state=0):
    """Schedule of a bad contact: there for a while, and gone for a while."""

    def flicker(moments):
        phase = _bursts(present, absent, moments.rng)
        return np.where(phase == 0, state, NOTHING), np.full(READINGS_PER_DAY, depth)

    return flicker


def _nodes_around(depths, least, most):
    """Those of the depths between which a fault's own lie; an array is solved at no others."""
    first, last = (max(0, min(bisect_right(depths, depth) - 1, len(depths) - 2)) for depth in (least, most))
    return depths[first : last + 2]


def _durations(rng):
    """Medians of the time for which a contact is there and gone, in s: 1 min to 2 h."""
    return np.exp(rng.uniform(np.log(60), np.log(7200), 2))


def _growth_hours(rng):
    """Time in which a fault grows: 3 h to 5 days."""
    return float(np.exp(rng.uniform(np.log(3), np.log(120))))


def _resistance(rng):
    """Resistance of a fault path: a dead short, or up to some tens of ohms over burnt insulation or damp ground.

    Returns
    -------
    float
        Decimal logarithm of the resistance in Ω.
    """
    return DEAD if rng.random() < 0.5 else float(rng.uniform(-0.3, 1.6))


def _short(name, text, circuit, course, rng):
    """Fault over a path of some resistance, which may fall slowly or come and go."""
    depth = _resistance(rng)
    schedule = {
        "sudden": stay(depth),
        "growing": _growing(RESISTANCE_DEPTHS[-1], depth, _growth_hours(rng)),
        "intermittent": _intermittent(depth, *_durations(rng)),
    }[course]
    path = "dead" if depth == DEAD else f"{10**depth:.1f} Ω"
    depths = _nodes_around(RESISTANCE_DEPTHS, depth, RESISTANCE_DEPTHS[-1] if course == "growing" else depth)
    return Fault(name, f"{text}, {path}, {course}", (circuit,), (0, depth), schedule, course, depths)


def _some_modules(shape, rng):
    """How many modules of a string a short takes: the same for line-line and line-ground.

    In an array with fuses, no more than lets the fuse hold.
    """
    most = shape.in_series
    while shape.fused and most > 1 and _blows_fuse(shape, most):
        most -= 1
    return int(rng.integers(1, most + 1))


def _blows_fuse(shape, count):
    """Whether the other strings push enough current back into a string with so many modules shorted.

    Reference: Y. Zhao et al., "Line-line fault analysis and protection challenges in solar photovoltaic arrays", IEEE
    Transactions on Industrial Electronics 60, 2013, section III: before the tracker follows, the voltage is that of
    the healthy array's maximum.
    """
    nodes = _standard_conditions(shape).with_depth(np.array([DEAD]))
    voltage = np.array([[shape.in_series * shape.module.voltage]])
    return -curve_at(shorted_string(nodes, count), voltage)[0, 0] > FUSE_BLOWS * nodes.photo[0]


def _draw_line_ground(shape, course, rng):
    """Draw a ground fault at some height of a string whose negative pole is grounded: it shorts what lies below."""
    count = _some_modules(shape, rng)
    text = f"ground fault above the lower {count} of {shape.in_series} modules of string {_string(shape, rng)}"
    return _short(LINE_GROUND, text, short_modules(shape, count), course, rng)


def _draw_line_line(shape, course, rng):
    """Draw a short within a string, or (every second, where there are two) between two strings at different heights."""
    count = _some_modules(shape, rng)
    if shape.in_parallel > 1 and shape.in_series > 1 and rng.random() < 0.5:
        # As many modules apart as a short in a string would take: the two take about as much.
        apart = min(count, shape.in_series - 1)
        low = int(rng.integers(1, shape.in_series - apart + 1))
        text = f"two strings of {shape.in_parallel} joined above module {low} and module {low + apart}"
        text = f"{text} of {shape.in_series}"
        return _short(LINE_LINE, text, join_strings(shape, low, low + apart), course, rng)
    text = f"{count} of {shape.in_series} modules of string {_string(shape, rng)} shorted"
    return _short(LINE_LINE, text, short_modules(shape, count), course, rng)


def _string(shape, rng):
    """Draw a string's number, for the description."""
    return int(rng.integers(1, shape.in_parallel + 1))


def _draw_open_circuit(shape, course, rng):
    """Draw some open strings, or all: at once, by a contact that gets worse until it opens, or now and then.

    In an array with fuses, one in two single strings was opened by its fuse, after a short that it cleared at once.
    """
    count = int(rng.integers(1, shape.in_parallel + 1))
    whole = count == shape.in_parallel
    dead = bool(whole and rng.random() < 0.5)
    blown = count == 1 and shape.fused and course == "sudden" and rng.random() < 0.5
    text = "the array is open" if whole else f"{count} of {shape.in_parallel} strings open"
    text = f"{text}, a fuse has cleared a short" if blown else f"{text}, {course}"
    schedule = {
        "sudden": stay(1.0, state=1),
        "growing": _growing(RESISTANCE_DEPTHS[1], RESISTANCE_DEPTHS[-1], _growth_hours(rng), beyond=1),
        "intermittent": _intermittent(1.0, *_durations(rng), state=1),
    }[course]
    states = (weaken_strings(shape, count), open_strings(shape, count))
    depths = RESISTANCE_DEPTHS if course == "growing" else (1.0,)
    return Fault(OPEN_CIRCUIT, text, states, (1, 1.0), schedule, course, depths, dead)


def _draw_partial_shading(shape, course, rng):
    """Draw a cover that stays or spreads, such as leaves, or a shadow that passes each day, such as that of a mast.

    Half of those that would be sudden pass, and all that would be intermittent.
    """
    total = shape.in_series * shape.module.substrings
    strings = int(rng.integers(1, shape.in_parallel + 1))
    most = max(1, round(total * rng.uniform(0.05, 0.9)))
    opacity = rng.uniform(0.4, 0.98)
    what = f"{most} of {total} sub-strings of {strings} of {shape.in_parallel} strings"
    if course == "growing" or (course == "sudden" and rng.random() < 0.5):
        depth = 1 - opacity
        schedule = stay(depth) if course == "sudden" else _growing(1.0, depth, _growth_hours(rng))
        text = f"{what} covered, {opacity:.0%} of the light, {course}"
        circuit = shade_substrings(shape, strings, most)
        depths = _nodes_around(SHADOW_DEPTHS, depth, depth if course == "sudden" else 1.0)
        return Fault(PARTIAL_SHADING, text, (circuit,), (0, depth), schedule, course, depths)
    stages = np.unique(np.ceil(most * np.linspace(0.25, 1, 4)).astype(int))
    states = tuple(shade_substrings(shape, strings, int(count)) for count in stages)
    middle, length = rng.uniform(-4, 4), rng.uniform(1.5, 6)  # solar hours from noon, as shadows follow the sun

    def pass_by(moments):
        inside = 1 - np.abs(moments.hour - 12 - middle) / (length / 2)
        stage = np.minimum((np.clip(inside, 0, 1) * 2 * len(stages)).astype(int), len(stages) - 1)
        return np.where(inside > 0, stage, NOTHING), 1 - opacity * moments.beam_share

    clock = 12 + middle
    text = f"{what} in shadow around {int(clock):02d}:{int(clock % 1 * 60):02d} solar time, {length:.1f} h"
    # Four fifths of a clear day's light are beam.
    worst = (len(states) - 1, 1 - 0.8 * opacity)
    depths = _nodes_around(SHADOW_DEPTHS, 1 - opacity, 1.0)
    return Fault(PARTIAL_SHADING, text, states, worst, pass_by, "recurring", depths)


def draw_arc_fault(shape, course, rng):
    """Draw a loose contact that burns in bursts, and now and then opens.

    Parameters
    ----------
    shape : ArrayShape
    course : str
        Whatever it is, an arc burns in bursts; one that is "growing" burns longer and longer.
    rng : numpy.random.Generator

    Returns
    -------
    Fault

    Notes
    -----
    20-40 V over an arc of some millimetres and 1/f noise of its current: J. Johnson et al., "Photovoltaic DC arc fault
    detector testing at Sandia National Laboratories", 37th IEEE PVSC, 2011. Sampled every 20 s, all but the slowest
    part of that noise looks white.
    """
    whole = shape.in_parallel == 1 or rng.random() < 0.5
    states = (insert_arc(shape, whole), open_strings(shape, shape.in_parallel if whole else 1))
    level, roughness = rng.uniform(20, 40), rng.uniform(0.08, 0.3)
    burning, resting = np.exp(rng.uniform(np.log(60), np.log(1800), 2))  # s, medians
    opening = rng.uniform(0.0, 0.06)
    hours = _growth_hours(rng) if course == "growing" else 0

    def burst(moments):
        # A contact that grows worse rests ten times as long in the beginning.
        patience = resting * (1 + 9 * np.clip(1 - moments.age.mean() / hours, 0, 1)) if hours else resting
        state = _bursts(burning, patience, moments.rng)
        flicker = sum(_red_noise(slots, moments.rng) for slots in (1, 5, 25, 125)) / 2  # octaves of equal power: 1/f
        voltage = np.clip(level * (1 + roughness * flicker), 10, 70)
        return np.where((state == 0) & (moments.rng.random(READINGS_PER_DAY) < opening), 1, state), voltage

    course = "growing" if hours else "intermittent"
    place = "the cable of the array" if whole else "one string"
    text = f"series arc of about {level:.0f} V in {place}, in bursts, {course}"
    return Fault(ARC_FAULT, text, states, (0, level), burst, course, ARC_DEPTHS)


def _bursts(present, absent, rng):
    """State of each slot: 0 while a contact burns or touches, `NOTHING` between; medians in s, log-normal."""
    lengths = np.exp(rng.normal(0, 0.8, (1500, 2))) * [absent, present] / SAMPLE_PERIOD_S
    ends = np.cumsum(np.maximum(lengths, 0.2).ravel())
    # The day begins somewhere in the pattern, not with an absence.
    begin = rng.uniform(0, (absent + present) / SAMPLE_PERIOD_S)
    phase = np.searchsorted(ends, begin + np.arange(READINGS_PER_DAY), side="right")
    return np.where(phase % 2 == 1, 0, NOTHING)


def _red_noise(slots, rng):
    """Noise of unit variance with a memory of so many slots."""
    keep = np.exp(-1 / slots)
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal(READINGS_PER_DAY))


_DRAW = {
    LINE_LINE: _draw_line_line,
    LINE_GROUND: _draw_line_ground,
    OPEN_CIRCUIT: _draw_open_circuit,
    PARTIAL_SHADING: _draw_partial_shading,
    ARC_FAULT: draw_arc_fault,
}
