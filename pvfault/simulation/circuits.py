"""The circuits that faults make of an array.

Here: one function a kind of fault, from its size to a circuit. Not here: which size, when and how often
(`faults.py`), adding up curves (`curves.py`).
"""

import numpy as np

from pvfault.simulation.curves import Curve, bridge, in_parallel, in_series


def short_modules(shape, count, resistance):
    """Circuit with some modules of one string bridged.

    Parameters
    ----------
    shape : ArrayShape
    count : int
        Modules, at most all of the string.
    resistance : float or None
        Of the fault path; None is a dead short. [Ω]

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.
    """
    substrings = shape.module.substrings

    def circuit(nodes):
        rest = [nodes.section((shape.in_series - count) * substrings)] if count < shape.in_series else []
        shorted = [] if resistance is None else [bridge(nodes.section(count * substrings), resistance)]
        return nodes.array((shape.in_parallel - 1, nodes.healthy()), (1, in_series(rest + shorted)))

    return circuit


def join_strings(shape, low, high):
    """Circuit with two strings joined at different heights: two pairs of sections, each pair in parallel.

    Parameters
    ----------
    shape : ArrayShape
        Of at least two strings.
    low, high : int
        Modules below the joint in the one and in the other string.

    Returns
    -------
    callable
        Takes `Nodes`, returns the `Curve` of the array.

    References
    ----------
    .. [1] Y. Zhao et al., "Line-line fault analysis and protection challenges in solar photovoltaic arrays", IEEE
       Transactions on Industrial Electronics 60, 2013, 3784-3795, section II.
    """
    per_module, total = shape.module.substrings, shape.in_series

    def circuit(nodes):
        parts = [[low, high], [total - low, total - high]]
        pairs = [in_parallel([nodes.section(n * per_module) for n in part if n > 0]) for part in parts if all(part)]
        return nodes.array((shape.in_parallel - 2, nodes.healthy()), (1, in_series(pairs)))

    return circuit


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
