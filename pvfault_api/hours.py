"""What one device gave hour by hour, beside what a healthy array of its ratings would have given.

Power is expected of the ratings, as a verdict's `lost_kwh` counts it. Voltage and current are expected of what the
device's own days before have shown (`pvfault/reference.py`), as the network is shown them; without days before, of what
is typical of its ratings. Not here: what is concluded from them (`explaining.py`).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault import reference
from pvfault.expected_power import expected_power
from pvfault.registry import Registry
from pvfault.rows.references import HOUR_COLUMNS as COLUMNS_BEFORE
from pvfault.rows.references import history_dates, reference_rows
from pvfault.settings import Settings
from pvfault.tables import SCALOGRAMS, WINDOW_START

POWER_COLUMNS = (WINDOW_START, "mean_power", "mean_irradiance", "mean_temperature")
HOUR_COLUMNS = (*POWER_COLUMNS, "mean_voltage", "mean_current", "quality", "readings")


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


@dataclass(frozen=True)
class Expectation:
    """What a device should give.

    Attributes
    ----------
    reference : ndarray, shape (11,), or None
        As `pvfault.reference` has it; None if nothing is known of the device.
    dates : int
        Dates before that it was learned from; 0 if it is what is typical of the ratings.
    """

    reference: np.ndarray | None
    dates: int

    def of(self, hours: pa.Table) -> list[tuple[float | None, float | None]]:
        """Voltage [V] and current [A] of each hour with `HOUR_COLUMNS`; None in the dark, and where nobody knows."""
        if self.reference is None:
            return [(None, None)] * len(hours)
        light, temperature = (_numbers(hours[name]) for name in ("mean_irradiance", "mean_temperature"))
        clock = np.array([start.hour + 0.5 for start in hours[WINDOW_START].to_pylist()])
        known = (light > reference.LEAST_LIGHT) & np.isfinite(temperature)
        filled = (np.where(known, values, 1.0)[None] for values in (temperature, light))
        expected = np.stack(reference.expect(self.reference[None], *filled, clock[None]))[:, 0].T
        return [
            tuple(pair) if is_known else (None, None) for pair, is_known in zip(expected.tolist(), known, strict=True)
        ]


def read_hours(settings: Settings, registry: Registry, device: str, day: date) -> list[Hour]:
    """The hours of a device on a date, in their order; none if the date has no row of it.

    Raises
    ------
    PvfaultError
        If there are no tables yet, or their files are not whole.
    """
    # With it comes PyIceberg, which whoever loads this for what it is called has no need of.
    from pvfault_api.published import read_batches

    batches = list(read_batches(settings, SCALOGRAMS, [day], POWER_COLUMNS, device=device))
    if not batches:
        return []
    rows = pa.Table.from_batches(batches).select(POWER_COLUMNS).sort_by(WINDOW_START)
    powers = zip(
        rows[WINDOW_START].to_pylist(),
        rows["mean_power"].to_pylist(),
        expect_power(rows, registry, device),
        strict=True,
    )
    return [Hour(*each) for each in powers]


def expect_power(hours: pa.Table, registry: Registry, device: str) -> list[float | None]:
    """What a healthy array of a device's ratings gives [W] in hours with `POWER_COLUMNS`; None where nobody knows."""
    rated_power = float(registry.ratings([device])[0].prod())
    conditions = zip(hours["mean_irradiance"].to_pylist(), hours["mean_temperature"].to_pylist(), strict=True)
    return [
        None
        if math.isnan(rated_power) or irradiance is None or temperature is None
        else expected_power(max(irradiance, 0.0), temperature, rated_power)
        for irradiance, temperature in conditions
    ]


def learn_expectation(
    read: Callable[[Sequence[date], Iterable[str]], pa.Table], registry: Registry, device: str, day: date
) -> Expectation:
    """What a device should give on a date, from the dates before it.

    Parameters
    ----------
    read : callable
        Gives columns of the device's rows of `SCALOGRAMS` on some dates.
    registry : Registry
    device : str
    day : date
    """
    before = read(history_dates(day), COLUMNS_BEFORE)
    learned = reference_rows(before, day, registry)
    if len(learned):
        lit = before.filter(pc.greater(before["mean_irradiance"], reference.LEAST_LIGHT))
        dates = len({start.date() for start in lit[WINDOW_START].to_pylist()})
        return Expectation(np.array(learned["reference"][0].as_py()), dates)
    ratings = registry.ratings([device])
    return Expectation(None if np.isnan(ratings).any() else reference.typical_references(ratings)[0], 0)


def _numbers(column) -> np.ndarray:
    return pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
