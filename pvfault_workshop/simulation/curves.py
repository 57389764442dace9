"""Current-voltage curves, and how they add up.

Here: curves in series, in parallel, with a resistance across or a diode behind them. Not here: which curves an array is
made of (`array.py`), and those of its modules (`modules.py`).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """Current against voltage at each of n nodes: current never falls, voltage never rises along the second axis.

    Attributes
    ----------
    voltage, current : ndarray, shape (n, k)
        [V], [A]
    """

    voltage: np.ndarray
    current: np.ndarray


def _rows(x, xp, fp):
    """Linear interpolation of each row; all rows at once, each on its own stretch of one axis."""
    low, high = xp[:, :1], xp[:, -1:]
    shift = (1 + (high - low).max()) * np.arange(len(xp))[:, None] - low
    along = (np.clip(x, low, high) + shift).ravel()
    return np.interp(along, (xp + shift).ravel(), fp.ravel()).reshape(x.shape)


def in_series(curves):
    """Curve of parts that carry the same current: voltages add up.

    Parameters
    ----------
    curves : list of Curve

    Returns
    -------
    Curve
    """
    if len(curves) == 1:
        return curves[0]
    current = np.sort(np.concatenate([curve.current for curve in curves], axis=1), axis=1)
    return Curve(sum(_rows(current, curve.current, curve.voltage) for curve in curves), current)


def in_parallel(curves):
    """Curve of parts under the same voltage: currents add up.

    Parameters
    ----------
    curves : list of Curve

    Returns
    -------
    Curve
    """
    if len(curves) == 1:
        return curves[0]
    voltage = np.sort(np.concatenate([curve.voltage for curve in curves], axis=1), axis=1)
    current = sum(_rows(voltage, curve.voltage[:, ::-1], curve.current[:, ::-1]) for curve in curves)
    return Curve(voltage[:, ::-1], current[:, ::-1])


def bridge(curve, resistance):
    """Curve of a part with a resistance across its ends: the part of the current that flows there is lost.

    Parameters
    ----------
    curve : Curve
    resistance : float or ndarray, shape (n, 1)
        Above 0. [Ω]

    Returns
    -------
    Curve
    """
    return Curve(curve.voltage, curve.current - curve.voltage / resistance)


def stop_reverse_current(curve):
    """Curve of a string behind a blocking diode, whose own small forward voltage is neglected.

    Parameters
    ----------
    curve : Curve

    Returns
    -------
    Curve
    """
    return Curve(curve.voltage, np.maximum(curve.current, 0))


def curve_at(curve, voltage):
    """Read the current of a curve at given voltages.

    Parameters
    ----------
    curve : Curve
    voltage : ndarray, shape (n, k)
        [V]

    Returns
    -------
    ndarray, shape (n, k)
        [A]
    """
    return _rows(voltage, curve.voltage[:, ::-1], curve.current[:, ::-1])


def voltage_at(curve, current):
    """Read the voltage of a curve at given currents.

    Parameters
    ----------
    curve : Curve
    current : ndarray, shape (n, k)
        [A]

    Returns
    -------
    ndarray, shape (n, k)
        [V]
    """
    return _rows(current, curve.current, curve.voltage)
