"""Faults that are the same circuit at an array's terminals, or nearly.

Which pairs these are, why, what tells them apart or would, how often they are confused, and where the shorts of the
reference array make it work.
"""

from typing import NamedTuple

import numpy as np

from pvfault.faults import LINE_GROUND, LINE_LINE
from pvfault_workshop.evaluation.comparison import confused_pairs
from pvfault_workshop.evaluation.plan import FLEET_PART, RULE
from pvfault_workshop.evaluation.scores import confusion_matrix
from pvfault_workshop.simulation.array import Nodes
from pvfault_workshop.simulation.curves import curve_at
from pvfault_workshop.simulation.literature_array import reference_faults, reference_shape

# Where shorts of the reference array are compared: a bright hour.
BRIGHT, WARM = 800.0, 45.0  # W/m², °C of the cells

# Faults that are the same circuit at an array's terminals, or nearly, and what can tell them apart.
SAME_CIRCUITS = (
    (
        ("line_line", "line_ground"),
        "A short over some modules of a string and a ground fault over as many (with a grounded pole) are one circuit: "
        "the same modules are bridged. Only a short between two strings differs, since it takes from both. Four "
        "measurements of the whole input do not separate the others; a residual-current or insulation monitor would.",
    ),
    (
        ("line_line", "partial_shading"),
        "A shorted module and one that is covered so far that its bypass diodes conduct both cost the voltage of the "
        "module. A shadow moves with the sun, vanishes under clouds (it takes the beam, not the sky's light) and comes "
        "back at its hour; a short does none of that. Within one hour a cover that stays is the same.",
    ),
    (
        ("open_circuit", "partial_shading"),
        "A string that is shaded along its whole length gives little current, as one that is open gives none. The "
        "share lost follows the beam in a shadow and is k of n strings, whatever the sky, in an open one.",
    ),
    (
        ("line_ground", "open_circuit"),
        "A short over much of one string among many leaves that string below the voltage of the others: it delivers "
        "nothing, like an open one. With blocking diodes nothing tells them apart but the string's own current.",
    ),
    (
        ("none", "open_circuit"),
        "An input that was switched off by hand, or tripped, is an open array. The neighbours tell when the whole "
        "plant is off or limited; for one input, only the inverter's own state does.",
    ),
    (
        ("none", "arc_fault"),
        "An arc that rests is a healthy array, and readings every 20 s see its flicker only by what is left of it at "
        "that pace. They cannot replace an arc-fault circuit interrupter.",
    ),
)


# What would separate what these four measurements do not, and why.
WOULD_HELP = (
    (
        "The current of each string",
        "An open, shorted or shaded string differs from its neighbours under the same light by all that it loses, in "
        "an array of any size, and whatever the irradiance sensor sees.",
    ),
    (
        "A second irradiance sensor, in the array's plane, kept clean",
        "A sensor that is shaded, tilted another way, some metres off or under snow sees another sky than the array. "
        "Two that disagree say so.",
    ),
    (
        "The inverter's state",
        "Curtailment, trips and inputs that are switched off are then no faults.",
    ),
    (
        "An I-V curve now and then, or an insulation monitor",
        "A curve shows bypass diodes that conduct as steps, which a shadow has and a short has not; insulation tells a "
        "ground fault from a short between lines.",
    ),
    (
        "An arc-fault circuit interrupter",
        "An arc is noise from 1 to 100 kHz; readings every 20 s see what is left of it.",
    ),
)


class Shorts(NamedTuple):
    """Shorts of the reference array that are as severe as each other, by what they change in a bright hour.

    Attributes
    ----------
    severity : float
        Share of the power that they take.
    changes : dict of str to ndarray, shape (n, 2)
        By fault, line-line or line-ground: relative change of voltage and current at the maximum of power, of each of
        its configurations.
    """

    severity: float
    changes: dict[str, np.ndarray]


def confused_circuits(evaluation):
    """Pairs of faults that are hard to tell apart, with what does tell them apart, and how often they are confused.

    Returns
    -------
    list of tuple
        (first, second, text, {judge: share}), as `comparison.confused_pairs` has the share.
    """
    fleet = evaluation.parts[FLEET_PART]
    shares = {}
    for answer in fleet.answers:
        if answer.name != RULE:
            confusion = confusion_matrix(fleet.windows.label, answer.found)
            shares[answer.name] = {(a, b): share for a, b, share in confused_pairs(confusion)}
    return [(a, b, text, {judge: share[a, b] for judge, share in shares.items()}) for (a, b), text in SAME_CIRCUITS]


def short_rows():
    """Shorts of the reference array: rows of (share of the power, fault, configurations, voltage, current)."""

    def span(changes):
        low, high = (f"{100 * change:+.1f}" for change in (changes.min(), changes.max()))
        return f"{low} %" if low == high else f"{low} to {high} %"

    return [
        (f"{shorts.severity:.0%}", fault, str(len(changes)), span(changes[:, 0]), span(changes[:, 1]))
        for shorts in compare_shorts()
        for fault, changes in shorts.changes.items()
    ]


def compare_shorts() -> list[Shorts]:
    """Where the reference array works with each of its line-line and line-ground faults.

    Returns
    -------
    list of Shorts
    """
    shape = reference_shape()
    faults = [fault for fault in reference_faults() if fault.name in (LINE_LINE, LINE_GROUND)]
    healthy = _maximum(shape, Nodes.whole_array)
    found = {}
    for fault in faults:
        state, depth = fault.worst
        change = _maximum(shape, fault.states[state], depth) / healthy - 1
        found.setdefault(round(fault.severity, 2), {}).setdefault(fault.name, []).append(change)
    return [Shorts(s, {name: np.array(rows) for name, rows in found[s].items()}) for s in sorted(found)]


def _maximum(shape, circuit, depth=1.0):
    """Voltage [V] and current [A] at the maximum of power in a bright hour."""
    curve = circuit(Nodes(shape, np.array([BRIGHT]), np.array([WARM]), np.array([depth])))
    voltage = np.linspace(0, curve.voltage.max(), 4000)
    current = curve_at(curve, voltage[None])[0]
    best = np.argmax(voltage * current)
    return np.array([voltage[best], current[best]])
