"""The circuits that faults make of an array.

Here: one function a kind of fault, from its size to a circuit. Not here: which size, when and how often
(`faults.py`), adding up curves (`curves.py`).

Where a resistance belongs to a circuit, the depth of the nodes is its decimal logarithm, in Ω.
"""

from functools import lru_cache

import numpy as np

from pvfault_workshop.simulation.curves import Curve, bridge, curve_at, in_series, voltage_at

# Current through a joint between two strings, as a share of the photocurrent of one: the nodes between which
# `join_strings` finds it. Dense near 0, where potentials change fast, and up to what ten other strings push back.
JOINT_CURRENTS = np.array(
    [0, 0.003, 0.008, 0.015, 0.03, 0.06, 0.1, 0.17, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95, 1, 1.05, 1.2, 1.5, 2, 3, 5, 10]
)
JOINT_VOLTAGES = np.concatenate([np.linspace(0, 0.5, 26)[:-1], np.linspace(0.5, 1.1, 51)])  # of the open string


def shorted_string(nodes, count):
    """Curve of a string with some of its modules bridged.

    Parameters
    ----------
    nodes : Nodes
        Their depth is the resistance of the path.
    count : int
        Modules, at most all of the string.

    Returns
    -------
    Curve
    """
    shape = nodes.shape
    rest = [nodes.section((shape.in_series - count) * shape.module.substrings)] if count < shape.in_series else []
    return in_series([*rest, bridge(nodes.section(count * shape.module.substrings), 10 ** nodes.depth[:, None])])


def short_modules(shape, count):
    """Circuit with some modules of one string bridged by the resistance that the depth gives.

    Parameters
    ----------
    shape : ArrayShape
    count : int
        Modules, at most all of the string.

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """

    def circuit(nodes):
        return nodes.array((shape.in_parallel - 1, nodes.healthy()), (1, shorted_string(nodes, count)))

    return circuit


def join_strings(shape, low, high):
    """Circuit with two strings joined at different heights by the resistance that the depth gives.

    The current through the joint lowers that of one lower section and raises that of the other; it is where the
    difference of potential between the two heights is what it drops in the resistance.

    Parameters
    ----------
    shape : ArrayShape
        Of at least two strings.
    low, high : int
        Modules below the joint in the one and in the other string; `low` is not above `high`.

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.

    References
    ----------
    .. [1] Y. Zhao et al., "Line-line fault analysis and protection challenges in solar photovoltaic arrays", IEEE
       Transactions on Industrial Electronics 60, 2013, 3784-3795, section II.
    """

    def circuit(nodes):
        # The curves for each current through the joint do not depend on its resistance: one solution for all depths.
        once, row = nodes.once_for_all_depths()
        voltage, joint, total, excess = _solve_joint(once, low, high)
        rest = excess[:, row] - joint[:, row, None] * 10 ** nodes.depth[None, :, None]
        pair = Curve(voltage[row][:, ::-1], _cross(rest, total[:, row])[:, ::-1])
        return nodes.array((shape.in_parallel - 2, nodes.healthy()), (1, pair))

    return circuit


def _solve_joint(nodes, low, high):
    """Two strings for given currents through their joint.

    Returns
    -------
    voltage : ndarray, shape (n, k)
    joint : ndarray, shape (j, n)
    total, excess : ndarray, shape (j, n, k)
        Current of both strings, and the potential of the higher joint over the lower one.
    """
    shape = nodes.shape
    sections = [nodes.section(count * shape.module.substrings) for count in (low, high)]
    upper = [
        nodes.section((shape.in_series - count) * shape.module.substrings) if count < shape.in_series else None
        for count in (low, high)
    ]
    voltage = _open_voltage(nodes)[:, None] * JOINT_VOLTAGES
    joint = JOINT_CURRENTS[:, None] * nodes.photo
    total, excess = [], []
    for current in joint:
        potential, drawn = [], []
        for section, rest, sign in zip(sections, upper, (1, -1), strict=True):
            shifted = Curve(section.voltage, section.current + sign * current[:, None])
            string = in_series([shifted] + ([rest] if rest else []))
            drawn.append(curve_at(string, voltage))
            potential.append(voltage_at(shifted, drawn[-1]))
        total.append(sum(drawn))
        excess.append(potential[1] - potential[0])
    return voltage, joint, np.stack(total), np.stack(excess)


def _open_voltage(nodes):
    """Open-circuit voltage of a healthy string."""
    return voltage_at(nodes.healthy(), np.zeros((len(nodes.photo), 1)))[:, 0]


def _cross(rest, values):
    """Values where `rest`, which falls along the first axis, crosses zero; at an end where it does not."""
    after = np.clip((rest > 0).sum(axis=0), 1, len(rest) - 1)[None]
    before, behind = (np.take_along_axis(rest, after - step, axis=0)[0] for step in (1, 0))
    part = np.clip(before / np.maximum(before - behind, 1e-9), 0, 1)
    low, high = (np.take_along_axis(values, after - step, axis=0)[0] for step in (1, 0))
    return low + part * (high - low)


# The same for arrays that are alike, so that `tabulate` knows it again.
@lru_cache(maxsize=16)
def open_strings(shape, count):
    """Circuit with some strings open; with all of them, no current at any voltage.

    Parameters
    ----------
    shape : ArrayShape
    count : int

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """

    def circuit(nodes):
        curve = nodes.healthy()
        if count < shape.in_parallel:
            return nodes.array((shape.in_parallel - count, curve))
        return Curve(curve.voltage, np.zeros_like(curve.current))

    return circuit


def weaken_strings(shape, count):
    """Circuit with a bad contact in some strings: in series with each, the resistance that the depth gives.

    Parameters
    ----------
    shape : ArrayShape
    count : int

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """

    def circuit(nodes):
        healthy = nodes.healthy()
        weak = Curve(healthy.voltage - healthy.current * 10 ** nodes.depth[:, None], healthy.current)
        return nodes.array((shape.in_parallel - count, healthy), (count, weak))

    return circuit


def shade_substrings(shape, strings, substrings):
    """Circuit with some sub-strings of some strings under less light.

    Parameters
    ----------
    shape : ArrayShape
    strings, substrings : int
        How many of each such string; the depth of the nodes is the share of the light that is left to them.

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """
    total = shape.in_series * shape.module.substrings

    def circuit(nodes):
        shaded = nodes.string((total - substrings, 1.0), (substrings, nodes.depth))
        return nodes.array((shape.in_parallel - strings, nodes.healthy()), (strings, shaded))

    return circuit


# The same for arrays that are alike, so that `tabulate` knows it again.
@lru_cache(maxsize=16)
def insert_arc(shape, whole):
    """Circuit with an arc in series: its voltage, the depth of the nodes, is missing while current flows.

    Parameters
    ----------
    shape : ArrayShape
    whole : bool
        Whether it burns in the cable of the array, else in one string.

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """

    def circuit(nodes):
        healthy = nodes.healthy()
        shifted = Curve(healthy.voltage - nodes.depth[:, None] * (healthy.current > 0), healthy.current)
        return nodes.array(
            (shape.in_parallel if whole else shape.in_parallel - 1, shifted if whole else healthy),
            (0 if whole else 1, shifted),
        )

    return circuit
