"""Simulated plants: what their sensors would say, and the truth beside it.

Here: sites and weather, modules and arrays at sub-string level, faults, inverters, sensors, devices, fleets, and their
windows with labels. Not here: sending readings anywhere (`pvfault_gateway`), training from the windows
(`pvfault_workshop/training.py`).
"""

from pvfault_workshop.simulation.fleet import Fleet, simulate_fleet

__all__ = ["Fleet", "simulate_fleet"]
