"""Modules wired to strings, and strings to an array, at the level of sub-strings.

Here: the circuit of an array without a fault, and the table from which the curve of any moment is read. Not here:
single modules (`modules.py`), adding up curves (`curves.py`), which wiring a fault makes (`circuits.py`), where on the
curve the inverter works (`inverter.py`).

The curve of an array depends on irradiance, temperature and, for most faults, on one more quantity (how deep a shadow
is, how long an arc, how large a resistance). It is solved exactly at some hundred nodes of these and interpolated
between, at a fixed share of the open-circuit voltage, where it changes smoothly: a day costs milliseconds instead of
minutes, and a test holds the result within 0.5 % of pvlib.
"""

from copy import copy
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from pvfault.errors import PvfaultError
from pvfault_workshop.simulation.curves import Curve, curve_at, in_parallel, in_series, stop_reverse_current
from pvfault_workshop.simulation.modules import Module, diode_parameters, solve_substring_voltage

IRRADIANCES = np.array(
    [3, 8, 16, 30, 55, 90, 140, 200, 280, 380, 500, 650, 800, 900, 1000, 1120, 1250, 1400, 1600], float
)  # [W/m²]
TEMPERATURES = np.array([-25, -5, 12, 29, 46, 63, 80, 100], float)  # [°C]
# Shares of the open-circuit voltage: a hundredth apart where a curve bends, and wider below, where only strong faults
# bend it.
SHARES = np.concatenate([np.linspace(0, 0.4, 17)[:-1], np.linspace(0.4, 1.06, 67)])
EVEN_FROM = 17  # from here on, both neighbours of a share are as far

SNOW_LIGHT = 0.12  # share of the light through a few centimetres of snow: D. Perovich, Journal of Glaciology 53, 2007

_FLAT = np.linspace(0, 0.6, 8)[:-1]
_KNEE = np.linspace(0.6, 1, 40)
KNOTS = np.concatenate([_FLAT, _KNEE])  # of the open-circuit voltage of a section


@dataclass(frozen=True)
class ArrayShape:
    """How an array is wired when nothing is wrong.

    Attributes
    ----------
    module : Module
    in_series : int
        Modules of a string.
    in_parallel : int
        Strings.
    blocking : bool
        Whether each string has a diode that stops current from flowing back into it.
    fused : bool
        Whether each string has a fuse, which opens when the others push too much current back into it.
    """

    module: Module
    in_series: int
    in_parallel: int
    blocking: bool = False
    fused: bool = False

    def __post_init__(self):
        if self.in_series < 1 or self.in_parallel < 1:
            raise PvfaultError(
                f"an array of {self.in_series} modules × {self.in_parallel} strings cannot be simulated: "
                "it needs at least one module in series and one string"
            )


class Nodes:
    """The conditions under which a circuit is solved.

    Parameters
    ----------
    shape : ArrayShape
    irradiance, temperature : ndarray, shape (n,)
        Effective irradiance [W/m²] and cell temperature [°C].
    depth : ndarray, shape (n,)
        The fault's own quantity: share of the light left in a shadow, the voltage of an arc [V], or the decimal
        logarithm of a resistance in Ω.
    snow : float
        Share of the sub-strings of every module that lie under snow.
    """

    def __init__(self, shape, irradiance, temperature, depth, snow=0.0):
        self.shape, self.irradiance, self.temperature, self.depth = shape, irradiance, temperature, depth
        self.snow = snow
        self.photo = diode_parameters(shape.module, irradiance, temperature)[0]

    def at(self, irradiance, temperature):
        """The same array under other conditions, without a depth."""
        return Nodes(self.shape, irradiance, temperature, np.ones(len(irradiance)), self.snow)

    def with_depth(self, depth):
        """The same array under the same conditions, with another quantity of the fault.

        Parameters
        ----------
        depth : ndarray, shape (n,)
            As the class has it.

        Returns
        -------
        Nodes
        """
        _ = self._substring_in_full_light  # solved before it is copied, not in every copy
        nodes = copy(self)
        nodes.depth = depth
        return nodes

    def once_for_all_depths(self):
        """The same array under each of the conditions once, for what does not depend on the depth.

        Returns
        -------
        nodes : Nodes
            Without a depth.
        row : ndarray of int, shape (n,)
            Which of them has the conditions of each node here.
        """
        places, row = np.unique(np.column_stack([self.irradiance, self.temperature]), axis=0, return_inverse=True)
        return self.at(*places.T), row

    def section(self, substrings, light=1.0):
        """Curve of some sub-strings in series under a share of the light.

        Parameters
        ----------
        substrings : int
            At least 1.
        light : float or ndarray, shape (n,)

        Returns
        -------
        Curve
        """
        if self.snow == 0:
            return self._uniform_section(substrings, light)
        under = self._uniform_section(substrings * self.snow, light * SNOW_LIGHT)
        return in_series([self._uniform_section(substrings * (1 - self.snow), light), under])

    def _uniform_section(self, substrings, light):
        """Curve of sub-strings that all get the same light."""
        one = self._substring_in_full_light if np.isscalar(light) and light == 1 else self._substring(light)
        return Curve(substrings * one.voltage, one.current)

    @cached_property
    def _substring_in_full_light(self):
        """Curve of one sub-string without a shadow, of which most sections are made."""
        nodes, row = self.once_for_all_depths()
        if len(nodes.irradiance) == len(row):
            return self._substring(1.0)
        one = nodes._substring_in_full_light
        return Curve(one.voltage[row], one.current[row])

    def _substring(self, light):
        """Curve of one sub-string under a share of the light."""
        module = self.shape.module
        parameters = diode_parameters(module, self.irradiance * light, self.temperature)
        photo, saturation, _, shunt, thermal = parameters[:, :, None]
        diode = KNOTS * thermal * np.log1p(photo / saturation)
        forward = photo - saturation * np.expm1(diode / thermal) - diode / shunt
        # Backwards as far as the other strings can push, forwards as far as the best-lit string can pull.
        back = -self.photo[:, None] * np.geomspace(0.03, self.shape.in_parallel + 0.5, 8)
        above = self.photo[:, None] * np.array([1.0, 1.02, 1.1, 1.5])
        current = np.sort(np.concatenate([back, forward, np.maximum(above, forward[:, :1] + 0.001)], axis=1), axis=1)
        return Curve(solve_substring_voltage(module, current, parameters), current)

    def string(self, *sections):
        """Curve of a string, given as (sub-strings, light) of each of its sections; empty sections are left out."""
        return in_series([self.section(count, light) for count, light in sections if count > 0])

    def healthy(self):
        """Curve of a string in which nothing is wrong."""
        return self.string((self.shape.in_series * self.shape.module.substrings, 1.0))

    def array(self, *strings):
        """Curve of an array, given as (number of strings, their curve); absent strings are left out."""
        block = stop_reverse_current if self.shape.blocking else lambda curve: curve
        present = [(count, block(curve)) for count, curve in strings if count > 0]
        return in_parallel([Curve(curve.voltage, curve.current * count) for count, curve in present])

    def whole_array(self):
        """Curve of an array in which nothing is wrong."""
        return self.array((self.shape.in_parallel, self.healthy()))


@dataclass(frozen=True)
class CurveTable:
    """Curves of an array in several states, to be read at any moment.

    Attributes
    ----------
    depths : ndarray, shape (d,)
        Nodes of the fault's own quantity, rising.
    current : ndarray of float32, shape (states, d, irradiances, temperatures, shares)
        Per 1,000 W/m². [A]
    open_voltage : ndarray, shape (irradiances, temperatures)
        Of the healthy array; the unit of `SHARES`. [V]
    """

    depths: np.ndarray
    current: np.ndarray
    open_voltage: np.ndarray


# A device, its healthy twin and all arrays of one kind with one fault share a table; some have a megabyte.
@lru_cache(maxsize=64)
def tabulate(shape, states, depths=(1.0,), snow=0.0):
    """Solve the curves of an array at every node.

    Parameters
    ----------
    shape : ArrayShape
    states : tuple of callable
        Each takes `Nodes` and returns the `Curve` of the array in that state.
    depths : tuple of float
    snow : float
        Share of the sub-strings of every module that lie under snow.

    Returns
    -------
    CurveTable
    """
    grid = np.meshgrid(np.asarray(depths, float), IRRADIANCES, TEMPERATURES, indexing="ij")
    nodes = Nodes(shape, grid[1].ravel(), grid[2].ravel(), grid[0].ravel(), snow)
    photo, saturation, _, shunt, thermal = diode_parameters(shape.module, nodes.irradiance, nodes.temperature)
    open_voltage = thermal * np.log1p(photo / saturation)
    for _ in range(4):  # the shunt takes its part; a fixed point reached from above
        open_voltage = thermal * np.log1p(np.clip(photo - open_voltage / shunt, 1e-9, None) / saturation)
    open_voltage *= shape.in_series
    voltage = open_voltage[:, None] * SHARES
    scale = 1000 / nodes.irradiance[:, None]
    current = np.stack([scale * curve_at(state(nodes), voltage) for state in states])
    per_state = current.reshape(len(states), *grid[0].shape, len(SHARES)).astype(np.float32)
    return CurveTable(np.asarray(depths, float), per_state, open_voltage.reshape(grid[0].shape)[0])


def read_curves(table, state, depth, irradiance, temperature):
    """Curves at given moments, interpolated between nodes (in the logarithm of irradiance).

    Parameters
    ----------
    table : CurveTable
    state : ndarray of int, shape (n,)
    depth, irradiance, temperature : ndarray, shape (n,)
        Outside the nodes, the nearest is taken.

    Returns
    -------
    current : ndarray of float32, shape (n, shares)
        [A]
    open_voltage : ndarray, shape (n,)
        Of the healthy array: `SHARES` times it are the voltages of `current`. [V]
    """
    light, light_part = _locate(np.log(IRRADIANCES), np.log(np.clip(irradiance, 1e-3, None)))
    heat, heat_part = _locate(TEMPERATURES, temperature)
    corners = [(a, b, _mix(a, light_part) * _mix(b, heat_part)) for a in (0, 1) for b in (0, 1)]
    open_voltage = sum(weight * table.open_voltage[light + a, heat + b] for a, b, weight in corners)
    if len(table.depths) == 1:
        layers = [(np.zeros(len(light), int), 1.0)]
    else:
        below, part = _locate(table.depths, depth)
        layers = [(below, 1 - part), (below + 1, part)]
    current = np.zeros((len(light), len(SHARES)), np.float32)
    for layer, share in layers:
        for a, b, weight in corners:
            factor = (share * weight * irradiance / 1000).astype(np.float32)
            current += factor[:, None] * table.current[state, layer, light + a, heat + b]
    return current, open_voltage


def _mix(side, part):
    """Weight of the lower or the upper node."""
    return part if side else 1 - part


def _locate(nodes, values):
    """Index of the node below each value, and how far it is to the next."""
    below = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    return below, np.clip((values - nodes[below]) / (nodes[below + 1] - nodes[below]), 0, 1)
