"""What one device gave hour by hour, beside what a healthy array of its ratings would have given."""

import math
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from pvfault.expected_power import expected_power
from pvfault.registry import Registry
from pvfault.settings import Settings
from pvfault.tables import SCALOGRAMS, WINDOW_START


@dataclass(frozen=True)
class Hour:
    """An hour of a device.

    Attributes
    ----------
    start : datetime
        When it begins (UTC).
    power : float or None
        Mean DC power of the usable readings; None without any. [W]
    expected : float or None
        What a healthy array gives under the light and at the temperature of the hour; None without usable readings, or
        for a device that is not registered. [W]
    """

    start: datetime
    power: float | None
    expected: float | None


def read_hours(settings: Settings, registry: Registry, device: str, day: date) -> list[Hour]:
    """The hours of a device on a date, in their order; none if the date has no row of it.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    # With it comes PyIceberg, which whoever loads this for what it is called has no need of.
    from pvfault_api.published import read_batches

    columns = (WINDOW_START, "mean_power", "mean_irradiance", "mean_temperature")
    batches = list(read_batches(settings, SCALOGRAMS, [day], columns, device=device))
    if not batches:
        return []
    rated_voltage, rated_current = registry.ratings([device])[0].tolist()
    is_rated = not math.isnan(rated_voltage)  # it is registered
    rows = pa.Table.from_batches(batches).select(columns).sort_by(WINDOW_START)
    return [
        Hour(
            start,
            power,
            expected_power(irradiance, temperature, rated_voltage * rated_current)
            if is_rated and irradiance is not None and temperature is not None
            else None,
        )
        for start, power, irradiance, temperature in zip(*(rows[name].to_pylist() for name in columns), strict=True)
    ]
