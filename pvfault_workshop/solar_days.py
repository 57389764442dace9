"""Simulated devices of a split on solar days, each as a date of readings, and the truth of its hours.

What files and archives have in common that are judged in the product's own way. Not here: windows as training takes
them (`simulation/parts.py`), fleets on dates in UTC (`simulation/fleet.py`).
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from pvfault.faults import NONE
from pvfault.readings import READING_SCHEMA, SAMPLE_PERIOD_S, TIMESTAMP_TYPE
from pvfault.rows.columns import midnight_us
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.labelling import LEAST_EFFECT, SITES_OF_A_FLEET, measure_effect
from pvfault_workshop.simulation.splits import Split


def day_of_fleet(split: Split, number: int) -> date:
    """The day on which a fleet begins; another fleet, another season."""
    return split.first + timedelta(days=number * 157 % 365)


def sites_of_fleet(split: Split, seed: int) -> tuple:
    """The sites of a fleet, drawn from those of a split."""
    rng = np.random.default_rng([seed, 5])
    return tuple(split.sites[k] for k in rng.permutation(len(split.sites))[:SITES_OF_A_FLEET])


def times_of(day: date, seconds: Sequence[float]) -> pa.Array:
    """Times of a date, of which the seconds since midnight are given."""
    return pa.array(midnight_us(day) + np.asarray(seconds) * 1_000_000).cast(TIMESTAMP_TYPE)


def readings_of(name: str, day: date, simulated) -> pa.Table:
    """What came of a solar day of a device, as a date of readings, of `READING_SCHEMA`."""
    slots = np.flatnonzero(simulated.received)
    values = [pa.array(column) for column in simulated.readings[slots].astype(np.float32).T]
    times = times_of(day, slots * SAMPLE_PERIOD_S)
    return pa.table([pa.array([name] * len(slots), pa.string()), times, *values], schema=READING_SCHEMA)


def truth_of(device, day: date, simulated, weather) -> np.ndarray:
    """Fault of each hour of a device's solar day, of `FAULTS`, shape (24,): that of the device where it shows."""
    truth = np.full(WINDOWS_PER_DAY, NONE, object)
    if device.fault is not None:
        healthy = simulate_day(device.healthy_twin(), day, weather)
        truth[measure_effect(simulated.truth, healthy.truth) >= LEAST_EFFECT] = device.fault.name
    return truth
