"""The array of five modules by three strings on which fault classifiers are usually compared.

Here: its wiring, its fault configurations, and fleets of it. Not here: arrays of every size (`fleet.py`), circuits
(`circuits.py`).

Published studies of small arrays take a handful of fixed configurations: a short over one or more modules of a string,
two strings joined at heights that differ by one or more modules, open strings, some modules under a fixed shadow, an
arc [1]_ [2]_ [3]_. Their modules, weather and sampling differ; here they are those of every other simulated device.
What makes these arrays easier than a fleet is that the smallest fault takes an eighth of the power, and that all are
there at once and stay.

References
----------
.. [1] Z. Yi and A. Etemadi, "Line-to-line fault detection for photovoltaic arrays based on multiresolution signal
   decomposition and two-stage support vector machine", IEEE Transactions on Industrial Electronics 64, 2017, 8546-8556.
.. [2] F. Aziz et al., "A novel convolutional neural network-based approach for fault classification in photovoltaic
   arrays", IEEE Access 8, 2020, 41889-41904 (73.5 %; six states).
.. [3] "Fault detection and diagnosis in photovoltaic systems using artificial intelligence and time-frequency
   analysis", Scientific Reports 16, 2026, 10056 (97.1 % and, with noise, 90.3 %; 17 states of short circuits and
   shadows, in one string and between strings).
"""

from dataclasses import replace
from datetime import date
from functools import cache

from pvfault.faults import ARC_FAULT, LINE_GROUND, LINE_LINE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault_workshop.simulation.array import ArrayShape
from pvfault_workshop.simulation.circuits import join_strings, open_strings, shade_substrings, short_modules
from pvfault_workshop.simulation.faults import (
    DEAD,
    RESISTANCE_DEPTHS,
    SHADOW_DEPTHS,
    Fault,
    draw_arc_fault,
    measure_severity,
    stay,
)
from pvfault_workshop.simulation.fleet import FAULTY_SHARE, Fleet, simulate_fleet
from pvfault_workshop.simulation.modules import load_modules
from pvfault_workshop.simulation.sensors import CADENCES
from pvfault_workshop.simulation.sites import TEST_SITES, Site

MODULES, STRINGS = 5, 3
# Modules under the shadow, strings with such modules, and the share of the light that is left.
SHADOWS = (
    (1, 1, 0.2),
    (1, 1, 0.5),
    (2, 1, 0.3),
    (2, 1, 0.6),
    (3, 1, 0.4),
    (1, 2, 0.3),
    (2, 2, 0.5),
    (1, 3, 0.2),
    (2, 3, 0.4),
)


def reference_shape() -> ArrayShape:
    """Five modules of 250 W in series, three strings, no blocking diodes and no fuses."""
    return ArrayShape(load_modules()[0], MODULES, STRINGS)


def is_reference_size(modules, strings):
    """Whether arrays are as large as the reference array.

    Parameters
    ----------
    modules, strings : ndarray of int, shape (n,)
        In series, and in parallel.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return (modules == MODULES) & (strings == STRINGS)


@cache
def reference_faults() -> tuple[Fault, ...]:
    """All configurations but the arcs, which are drawn: shorts, open strings and shadows, all there at once.

    Returns
    -------
    tuple of Fault
    """
    shape = reference_shape()
    faults = [*_shorts(shape), *_openings(shape), *_shadows(shape)]
    return tuple(replace(fault, severity=measure_severity(shape, fault)) for fault in faults)


def _shorts(shape):
    """Dead shorts of one to three modules: within a string, between strings, and to the ground."""
    for count in (1, 2, 3):
        dead = {"worst": (0, DEAD), "schedule": stay(DEAD), "course": "sudden", "depths": RESISTANCE_DEPTHS}
        within = (short_modules(shape, count),)
        yield Fault(LINE_LINE, f"{count} of {MODULES} modules of a string shorted", within, **dead)
        yield Fault(LINE_GROUND, f"ground fault above the lower {count} of {MODULES} modules", within, **dead)
        for low in range(1, MODULES - count + 1):
            text = f"two strings joined above module {low} and module {low + count}"
            yield Fault(LINE_LINE, text, (join_strings(shape, low, low + count),), **dead)


def _openings(shape):
    for count in (1, 2, 3):
        yield Fault(
            OPEN_CIRCUIT,
            f"{count} of {STRINGS} strings open",
            (open_strings(shape, count),),
            (0, 1.0),
            stay(1.0),
            "sudden",
        )


def _shadows(shape):
    for modules, strings, light in SHADOWS:
        circuit = shade_substrings(shape, strings, modules * shape.module.substrings)
        text = f"{modules} of {MODULES} modules of {strings} strings under {light:.0%} of the light"
        yield Fault(PARTIAL_SHADING, text, (circuit,), (0, light), stay(light), "sudden", SHADOW_DEPTHS)


def draw_reference_fault(name, shape, rng):
    """Draw a configuration of a kind; of an arc, its voltage and its bursts.

    Parameters
    ----------
    name : str
        One of `pvfault.faults.FAULTS`, not "none".
    shape : ArrayShape
        `reference_shape()`.
    rng : numpy.random.Generator

    Returns
    -------
    Fault
    """
    if name == ARC_FAULT:
        fault = draw_arc_fault(shape, "intermittent", rng)
        return replace(fault, severity=measure_severity(shape, fault))
    kind = [fault for fault in reference_faults() if fault.name == name]
    return kind[rng.integers(len(kind))]


def simulate_reference_fleet(
    devices: int, dates: list[date], seed: int, *, sites: tuple[Site, ...] = TEST_SITES, faulty: float = FAULTY_SHARE,
    cadences: tuple[int, ...] = CADENCES[:1], clean: bool = False,
) -> Fleet:  # fmt: skip
    """Simulate a fleet of which every array is the reference array.

    Parameters
    ----------
    devices, dates, seed, sites, faulty, cadences, clean
        As for `simulate_fleet`.

    Returns
    -------
    Fleet

    Examples
    --------
    >>> fleet = simulate_reference_fleet(20, [date(2025, 6, 1)], seed=1, clean=True)
    >>> {(device.shape.in_series, device.shape.in_parallel) for device in fleet.devices}
    {(5, 3)}
    """
    return simulate_fleet(
        devices, dates, seed, sites=sites, faulty=faulty, cadences=cadences,
        shape=reference_shape(), draw=draw_reference_fault, clean=clean,
    )  # fmt: skip
