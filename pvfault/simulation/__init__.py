"""Simulated plants: what their sensors would say, and the truth beside it.

Here: sites and weather, modules and arrays at sub-string level, faults, inverters, sensors, devices, fleets. Not here:
sending readings anywhere (`pvfault_gateway`), windows with labels for training (`pvfault/training.py`).
"""

from pvfault.simulation.fleet import Fleet, simulate_fleet

__all__ = ["Fleet", "simulate_fleet"]
