"""What a day of a plant costs on EMR Serverless, from core-seconds per device-day.

Assumptions and arithmetic; the prices are in `pvfault.prices`.
"""

import math
from dataclasses import dataclass

from pvfault.prices import DOLLARS_PER_GB_HOUR, DOLLARS_PER_VCPU_HOUR

WORKER_VCPU = 4
WORKER_GB = 16  # EMR Serverless allows 8 to 30 GB with 4 vCPU
# A job run for each table; each has a driver of a worker's size, and each worker is billed while it starts, for the
# second, but for at least a minute.
JOB_RUNS = 4
START_S = 60
MINIMUM_S = 60
# Workers are so many that the computing of all four jobs takes no longer than this.
COMPUTE_WITHIN_S = 600


@dataclass(frozen=True)
class Size:
    """Workers for a fleet, and what they cost.

    Attributes
    ----------
    devices, workers : int
        Workers are executors; one driver of the same size comes on top.
    compute_seconds, wall_seconds : float
        Of all four jobs, one after the other, without and with their starts. [s]
    vcpu_hours, gb_hours, dollars : float
        Of one day of readings, drivers and starts included.
    """

    devices: int
    workers: int
    compute_seconds: float
    wall_seconds: float
    vcpu_hours: float
    gb_hours: float
    dollars: float


def size(devices: int, core_seconds_per_device_day: float) -> Size:
    """Workers and cost of one day of a fleet.

    A vCPU is taken for one measured core, and time for linear in devices.

    Parameters
    ----------
    devices : int
    core_seconds_per_device_day : float
        All jobs together. [s]

    Returns
    -------
    Size

    Examples
    --------
    >>> size(100_000, 0.048).workers
    2
    """
    core_seconds = devices * core_seconds_per_device_day
    workers = max(1, math.ceil(core_seconds / (WORKER_VCPU * COMPUTE_WITHIN_S)))
    compute = core_seconds / (workers * WORKER_VCPU)
    wall = compute + JOB_RUNS * START_S
    billed_hours = max(wall, JOB_RUNS * MINIMUM_S) * (workers + 1) / 3600
    vcpu_hours, gb_hours = billed_hours * WORKER_VCPU, billed_hours * WORKER_GB
    dollars = vcpu_hours * DOLLARS_PER_VCPU_HOUR + gb_hours * DOLLARS_PER_GB_HOUR
    return Size(devices, workers, compute, wall, vcpu_hours, gb_hours, dollars)
