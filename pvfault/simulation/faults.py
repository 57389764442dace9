"""The five faults, as changes to the wiring or the light of an array.

Here: how a fault is drawn, and when in a day it is in which of its states. Not here: the circuits of these states
(`circuits.py`), how they are solved (`array.py`), sensors (`sensors.py`).

All faults are drawn by the same rule: the smallest one that counts takes `LEAST_SEVERITY` of the array's power at
standard test conditions. Some are, at the terminals, the same circuit, and nothing here pretends otherwise: a short
over modules of one string and a ground fault over as many, or a string that is shorted so far that its blocking diode
keeps it off and one that is open. Not modelled: string fuses (which turn a strong short into an open string), ground
faults of an array without a grounded pole (which change nothing at the terminals), faults that grow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter

from pvfault.faults import ARC_FAULT, LINE_GROUND, LINE_LINE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S
from pvfault.simulation.array import Nodes
from pvfault.simulation.circuits import insert_arc, join_strings, open_strings, shade_substrings, short_modules
from pvfault.simulation.curves import Curve, curve_at

LEAST_SEVERITY = 0.04  # below, a fault is smaller than the errors of the sensors that should show it
DRAWS = 40

SHADOW_DEPTHS = (0.02, 0.1, 0.2, 0.35, 0.5, 0.65, 0.82, 1.0)
ARC_DEPTHS = (0.0, 12.0, 24.0, 36.0, 50.0, 70.0)
NOTHING = -1  # the state of an array without effect of its fault


@dataclass(frozen=True)
class Fault:
    """One fault of one array.

    Attributes
    ----------
    name : str
        One of `pvfault.faults.FAULTS`.
    description : str
        For people.
    severity : float
        Share of the array's power at standard test conditions that it takes, at its worst.
    states : tuple of callable
        The circuits it makes; each takes `Nodes` and returns a `Curve`.
    schedule : callable
        Takes the share of beam in the plane's irradiance, shape (4320,), the solar hour, shape (4320,), and a
        generator; returns the state (`NOTHING` where it has no effect) and the depth of each slot.
    depths : tuple of float
        Nodes of the depth.
    dead_input : bool
        Whether the inverter sees no voltage either, once there is no current.
    """

    name: str
    description: str
    severity: float
    states: tuple[Callable[[Nodes], Curve], ...] = field(repr=False)
    schedule: Callable = field(repr=False)
    depths: tuple[float, ...] = (1.0,)
    dead_input: bool = False


def draw_fault(name, shape, rng):
    """Draw a fault of a kind that counts.

    Parameters
    ----------
    name : str
        One of `pvfault.faults.FAULTS`, not "none".
    shape : ArrayShape
    rng : numpy.random.Generator

    Returns
    -------
    Fault
        The first draw that takes at least `LEAST_SEVERITY`, or the most severe of 40.
    """
    draws = []
    for _ in range(DRAWS):
        fault = _DRAW[name](shape, rng)
        fault = Fault(**(vars(fault) | {"severity": measure_severity(shape, fault)}))
        if fault.severity >= LEAST_SEVERITY:
            return fault
        draws.append(fault)
    return max(draws, key=lambda fault: fault.severity)


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
    depth = {PARTIAL_SHADING: 0.2, ARC_FAULT: 30.0}.get(fault.name, 1.0)
    nodes = Nodes(shape, np.array([1000.0]), np.array([25.0]), np.array([depth]))
    healthy = nodes.array((shape.in_parallel, nodes.healthy()))
    worst = fault.states[0 if fault.name == ARC_FAULT else -1](nodes)
    voltage = np.linspace(0, 1, 400)[None, :] * healthy.voltage.max()
    power = [(curve_at(curve, voltage) * voltage).max() for curve in (healthy, worst)]
    return float(np.clip(1 - power[1] / power[0], 0, 1))


def _always(_beam_share, _hour, _rng):
    """Schedule of a fault that is there day and night."""
    return np.zeros(READINGS_PER_DAY, int), np.ones(READINGS_PER_DAY)


def _resistance(rng):
    """Resistance of a fault path: a dead short, or up to some ohms over burnt insulation or damp ground, in Ω."""
    return None if rng.random() < 0.6 else float(np.exp(rng.uniform(np.log(0.3), np.log(8))))


def _some_modules(shape, rng):
    """How many modules of a string a short takes; the same for line-line and line-ground."""
    return int(rng.integers(1, max(2, round(0.7 * shape.in_series) + 1)))


def _draw_line_ground(shape, rng):
    """Draw a ground fault at some height of a string whose negative pole is grounded: it shorts what lies below."""
    count, resistance = _some_modules(shape, rng), _resistance(rng)
    path = "dead" if resistance is None else f"{resistance:.1f} Ω"
    text = f"ground fault above the lower {count} of {shape.in_series} modules of string {_string(shape, rng)}, {path}"
    return Fault(LINE_GROUND, text, 0, (short_modules(shape, count, resistance),), _always)


def _draw_line_line(shape, rng):
    """Draw a short within a string, or (two thirds, where there are two) between two strings at different heights."""
    count = _some_modules(shape, rng)
    if shape.in_parallel > 1 and rng.random() < 0.67:
        low = int(rng.integers(1, shape.in_series - count)) if count < shape.in_series - 1 else 1
        high = min(low + count, shape.in_series - 1)
        text = f"two strings of {shape.in_parallel} joined above module {low} and module {high} of {shape.in_series}"
        return Fault(LINE_LINE, text, 0, (join_strings(shape, low, high),), _always)
    resistance = _resistance(rng)
    path = "dead" if resistance is None else f"{resistance:.1f} Ω"
    text = f"{count} of {shape.in_series} modules of string {_string(shape, rng)} shorted, {path}"
    return Fault(LINE_LINE, text, 0, (short_modules(shape, count, resistance),), _always)


def _string(shape, rng):
    """Draw a string's number, for the description."""
    return int(rng.integers(1, shape.in_parallel + 1))


def _draw_open_circuit(shape, rng):
    """Draw one open string, or several, or (one in eight) the array."""
    whole = shape.in_parallel == 1 or rng.random() < 0.12
    most = max(1, shape.in_parallel // 2)
    count = shape.in_parallel if whole else min(int(rng.geometric(0.6)), most)
    text = "the array is open" if whole else f"{count} of {shape.in_parallel} strings open"
    dead = bool(whole and rng.random() < 0.5)
    return Fault(OPEN_CIRCUIT, text, 0, (open_strings(shape, count),), _always, dead_input=dead)


def _draw_partial_shading(shape, rng):
    """Draw a cover that stays, such as leaves, or a shadow that passes at its time of day, such as that of a mast."""
    total = shape.in_series * shape.module.substrings
    strings = int(rng.integers(1, shape.in_parallel + 1))
    most = max(1, round(total * rng.uniform(0.05, 0.6)))
    opacity = rng.uniform(0.4, 0.98)
    what = f"{most} of {total} sub-strings of {strings} of {shape.in_parallel} strings"
    if rng.random() < 0.35:
        depth = 1 - opacity

        def lie(_beam_share, _hour, _rng):
            return np.zeros(READINGS_PER_DAY, int), np.full(READINGS_PER_DAY, depth)

        text = f"{what} covered, {opacity:.0%} of the light"
        return Fault(PARTIAL_SHADING, text, 0, (shade_substrings(shape, strings, most),), lie, SHADOW_DEPTHS)
    stages = np.unique(np.ceil(most * np.linspace(0.25, 1, 4)).astype(int))
    states = tuple(shade_substrings(shape, strings, int(count)) for count in stages)
    middle, length = rng.uniform(-4, 4), rng.uniform(1.5, 6)  # solar hours from noon, as shadows follow the sun

    def pass_by(beam_share, hour, _rng):
        inside = 1 - np.abs(hour - 12 - middle) / (length / 2)
        stage = np.minimum((np.clip(inside, 0, 1) * 2 * len(stages)).astype(int), len(stages) - 1)
        return np.where(inside > 0, stage, NOTHING), 1 - opacity * beam_share

    clock = 12 + middle
    text = f"{what} in shadow around {int(clock):02d}:{int(clock % 1 * 60):02d} solar time, {length:.1f} h"
    return Fault(PARTIAL_SHADING, text, 0, states, pass_by, SHADOW_DEPTHS)


def _draw_arc_fault(shape, rng):
    """Draw a loose contact that burns in bursts, and now and then opens.

    20-40 V over an arc of some millimetres and 1/f noise of its current: J. Johnson et al., "Photovoltaic DC arc fault
    detector testing at Sandia National Laboratories", 37th IEEE PVSC, 2011. Sampled every 20 s, all but the slowest
    part of that noise looks white.
    """
    whole = shape.in_parallel == 1 or rng.random() < 0.5
    states = (insert_arc(shape, whole), open_strings(shape, shape.in_parallel if whole else 1))
    level, roughness = rng.uniform(20, 40), rng.uniform(0.08, 0.3)
    burning, resting = np.exp(rng.uniform(np.log(60), np.log(1800), 2))  # s, medians
    opening = rng.uniform(0.0, 0.06)

    def burst(_beam_share, _hour, day_rng):
        state = _bursts(burning, resting, day_rng)
        flicker = sum(_red_noise(slots, day_rng) for slots in (1, 5, 25, 125)) / 2  # octaves of equal power: 1/f
        voltage = np.clip(level * (1 + roughness * flicker), 10, 70)
        return np.where((state == 0) & (day_rng.random(READINGS_PER_DAY) < opening), 1, state), voltage

    text = f"series arc of about {level:.0f} V in {'the cable of the array' if whole else 'one string'}, in bursts"
    return Fault(ARC_FAULT, text, 0, states, burst, ARC_DEPTHS)


def _bursts(burning, resting, rng):
    """State of each slot: 0 while an arc burns, `NOTHING` between bursts; lengths are log-normal."""
    lengths = np.exp(rng.normal(0, 0.8, (1500, 2))) * [resting, burning] / SAMPLE_PERIOD_S
    ends = np.cumsum(np.maximum(lengths, 0.2).ravel())
    phase = np.searchsorted(ends, np.arange(READINGS_PER_DAY), side="right")
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
    ARC_FAULT: _draw_arc_fault,
}
