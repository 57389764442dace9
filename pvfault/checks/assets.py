"""All checks, by the asset that they are of: the four tables, and what these are made with."""

from collections.abc import Mapping

from pvfault.checks import device_days, predictions, readings, scalograms, sources
from pvfault.checks.check import MADE, Check
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, READINGS, SCALOGRAMS

REGISTRY, NETWORK = "device_registry", "lenet_model"

# What can be asked of published rows at any time.
CHECKS: Mapping[str, tuple[Check, ...]] = {
    REGISTRY: sources.OF_REGISTRY,
    NETWORK: sources.OF_NETWORK,
    READINGS.name: (MADE, *readings.AUDITED, readings.ONCE, readings.NONE_WAITS),
    SCALOGRAMS.name: (MADE, *scalograms.AUDITED, scalograms.CLOCKS),
    PREDICTIONS.name: (MADE, *predictions.AUDITED),
    DEVICE_DAYS.name: (
        MADE, *device_days.AUDITED, device_days.ONE_NETWORK, device_days.NO_DRIFT, device_days.STEADY,
    ),
}  # fmt: skip

# What only the run can ask that makes a date.
OF_RUNS: Mapping[str, tuple[Check, ...]] = {READINGS.name: (readings.NOT_FEWER,)}
