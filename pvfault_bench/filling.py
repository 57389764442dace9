"""A topic with one day of a fleet of any size.

A few simulated devices become many, in the order in which a fleet sends.
"""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa

from pvfault.readings import DEVICE_ID, DEVICE_ID_LENGTH, TIMESTAMP
from pvfault.registry import write_registry
from pvfault.settings import Settings
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import ensure_topic
from pvfault_workshop.simulation import Fleet, simulate_fleet

DAY = date(2024, 6, 1)
# Devices that are really simulated; the others are copies of these under other names.
SIMULATED = 50
SEED = 1
# A fleet sends side by side, so all copies of a stretch of the day go before the next stretch.
STRETCHES = 96


def fill_topic(settings: Settings, devices: int, on_progress: Callable[[int], None] = lambda _sent: None) -> int:
    """Write the registry of a fleet, and send its readings of `DAY` in time order.

    Memory is that of the simulated devices, whatever the size of the fleet.

    Parameters
    ----------
    settings : Settings
        `broker`, `topic` (made if it is not there) and `registry`.
    devices : int
    on_progress : function of int
        Called with the number of readings just queued.

    Returns
    -------
    int
        Readings delivered.
    """
    fleet = simulate_fleet(min(devices, SIMULATED), [DAY], SEED)
    names = device_names(devices)
    original = {name: number for number, name in enumerate(fleet.registry[DEVICE_ID].to_pylist())}
    write_registry(copied_registry(fleet, devices), settings.registry)
    ensure_topic(settings)
    readings = fleet.readings(DAY)
    code = np.array([original[name] for name in readings[DEVICE_ID].to_pylist()])
    time_us = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    edges = np.searchsorted(time_us, np.linspace(time_us[0], time_us[-1] + 1, STRETCHES + 1))
    with ReadingProducer(settings) as producer:
        for first, last in pairwise(edges):
            part, part_code = readings.slice(first, last - first), code[first:last]
            for offset in range(0, devices, len(original)):
                there = pa.array(part_code + offset < devices)
                name = pa.array(names[np.minimum(part_code + offset, devices - 1)], pa.string())
                copy = part.set_column(0, part.schema.field(0), name).filter(there)
                producer.send(copy)
                on_progress(len(copy))
        return producer.finish()


def copied_registry(fleet: Fleet, devices: int) -> pa.Table:
    """The registry of a fleet of copies: of a few simulated devices, one after the other and from the first again."""
    copies = fleet.registry.take(np.arange(devices) % len(fleet.devices))
    return copies.set_column(0, DEVICE_ID, pa.array(device_names(devices), pa.string()))


def device_names(devices: int) -> np.ndarray:
    """Names of the fleet's devices.

    Examples
    --------
    >>> device_names(2)
    array(['BENCH00000', 'BENCH00001'], dtype=object)
    """
    digits = DEVICE_ID_LENGTH - len("BENCH")
    return np.array([f"BENCH{number:0{digits}d}" for number in range(devices)], dtype=object)
