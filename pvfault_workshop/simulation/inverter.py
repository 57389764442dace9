"""Where on the curve of its array an inverter works.

Here: start-up, maximum-power tracking with its lag, its departures and its preference among local maxima, clipping, and
obeying a limit. Not here: the curve (`array.py`), when somebody sets a limit (`losses.py`), how voltage and current are
measured (`sensors.py`).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter1d
from scipy.signal import lfilter

from pvfault.readings import SAMPLE_PERIOD_S
from pvfault_workshop.simulation.array import EVEN_FROM, SHARES


@dataclass(frozen=True)
class Inverter:
    """Habits of one inverter input.

    Attributes
    ----------
    limit : float
        DC power above which it clips. [W]
    start : float
        DC power below which it stays off. [W]
    scans : bool
        Whether it searches the whole curve for the highest maximum; else it stays on the one nearest to the
        open-circuit voltage, from where it started.
    inertia : float
        Share of its last voltage that it keeps from one reading to the next, 0 to 1.
    dither : float
        Size of its steps around the maximum, as a share of the voltage.
    wander : float
        Standard deviation of its slow departures from the maximum, as a share of the voltage: a tracker steps on in the
        wrong direction while the light changes, or because of noise.
    wander_s : float
        How long such departures last. [s]
    wait : int
        Readings for which there must be enough power before it starts.
    """

    limit: float
    start: float
    scans: bool
    inertia: float
    dither: float
    wander: float = 0.0
    wander_s: float = 60.0
    wait: int = 1

    def draw_departures(self, n, rng):
        """Draw by how much it misses the maximum in consecutive readings.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        ndarray, shape (n,)
            As shares of the voltage: steps to either side, and an autoregressive process of first order.
        """
        steps = rng.choice([-1.0, 0.0, 1.0], n)
        keep = np.exp(-SAMPLE_PERIOD_S / self.wander_s)
        noise = np.sqrt(1 - keep**2) * rng.standard_normal(n)
        noise[0] /= np.sqrt(1 - keep**2)  # as wide in the beginning as ever after
        return self.dither * steps + self.wander * lfilter([1], [1, -keep], noise)


def operate(inverter, current, open_voltage, departures, limit=np.inf):
    """Voltage and current at which an inverter holds its array.

    Parameters
    ----------
    inverter : Inverter
    current : ndarray, shape (n, shares)
        Curves of consecutive readings at `SHARES` of `open_voltage`. [A]
    open_voltage : ndarray, shape (n,)
        [V]
    departures : ndarray, shape (n,)
        By how much the tracker misses the maximum, as `Inverter.draw_departures` gives them; where the power is
        limited, it does not.
    limit : float or ndarray, shape (n,)
        Power that somebody allows; 0 is an inverter that is off. [W]

    Returns
    -------
    voltage, current : ndarray, shape (n,)
        [V], [A]

    References
    ----------
    .. [1] T. Esram and P. Chapman, "Comparison of photovoltaic array maximum power point tracking techniques", IEEE
       Transactions on Energy Conversion 22, 2007, 439-449 (perturb and observe; local maxima).
    """
    power = current * SHARES.astype(np.float32) * open_voltage[:, None].astype(np.float32)
    peak = power.argmax(axis=1) if inverter.scans else _nearest_peak(power)
    share, best = _refine(power, peak)
    on = _has_started(best > inverter.start, inverter.wait)
    limit = np.broadcast_to(np.minimum(inverter.limit, limit), best.shape)
    limited = best > limit
    share = np.where(limited, _clip(power, peak, limit), share)
    # What searches the maximum may miss it; a limit is held.
    share = _follow(share * open_voltage, inverter.inertia, np.where(limited, 0.0, departures)) / open_voltage
    idle = _open_share(current)
    # Whatever the tracker asks for, an array gives no more than its open-circuit voltage.
    share = np.where(on & (limit > 0), np.minimum(share, idle), idle)
    drawn = np.where(on & (limit > 0), np.clip(_read(current, share), 0, None), 0)
    return share * open_voltage, drawn


def _has_started(enough, wait):
    """Where there has been enough power for as many readings."""
    return minimum_filter1d(enough.astype(np.int8), wait, origin=wait - 1 - wait // 2, mode="nearest") > 0


def _nearest_peak(power):
    """Index of the maximum that is met first on the way down from the open-circuit voltage."""
    rising = np.diff(power, axis=1) > 0  # at i: the power rises from i to i + 1
    productive = power[:, 1:] > 0
    return power.shape[1] - 1 - (rising & productive)[:, ::-1].argmax(axis=1)


def _refine(power, peak):
    """Vertex of the parabola through a maximum and its neighbours: share of the voltage, and power."""
    inner = np.clip(peak, EVEN_FROM, len(SHARES) - 2)
    rows = np.arange(len(power))
    left, top, right = (power[rows, inner + step] for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * top + right, -1e-9)
    shift = np.clip((left - right) / (2 * bend), -1, 1)
    inside = inner == peak
    share = np.where(inside, SHARES[inner] + shift * (SHARES[inner + 1] - SHARES[inner]), SHARES[peak])
    return share, np.where(inside, top - (left - right) * shift / 4, power[rows, peak])


def _clip(power, peak, limit):
    """Share of the voltage, above that of the maximum, at which the power has fallen to the limit."""
    columns = np.arange(power.shape[1])
    beyond = (columns >= peak[:, None]) & (power > limit[:, None])
    last = np.clip(peak + beyond.sum(axis=1) - 1, 0, power.shape[1] - 2)
    rows = np.arange(len(power))
    high, low = power[rows, last], power[rows, last + 1]
    part = np.clip((high - limit) / np.maximum(high - low, 1e-9), 0, 1)
    return SHARES[last] + part * (SHARES[last + 1] - SHARES[last])


def _follow(voltage, keep, departures):
    """Follow the maximum: behind it by a first-order lag, and beside it."""
    lagged = lfilter([1 - keep], [1, -keep], voltage, zi=[keep * voltage[0]])[0]
    return lagged * (1 + departures)


def _open_share(current):
    """Share of the voltage at which each curve has no current left."""
    producing = current > 0
    last = np.clip(producing.shape[1] - 1 - producing[:, ::-1].argmax(axis=1), 0, producing.shape[1] - 2)
    rows = np.arange(len(current))
    high, low = current[rows, last], current[rows, last + 1]
    part = np.clip(high / np.maximum(high - low, 1e-9), 0, 1)
    return np.where(producing.any(axis=1), SHARES[last] + part * (SHARES[last + 1] - SHARES[last]), 1.0)


def _read(current, share):
    """Read the current of each row's curve at one share of the voltage."""
    below = np.clip(np.searchsorted(SHARES, share, side="right") - 1, 0, len(SHARES) - 2)
    part = (share - SHARES[below]) / (SHARES[below + 1] - SHARES[below])
    rows = np.arange(len(current))
    return current[rows, below] * (1 - part) + current[rows, below + 1] * part
