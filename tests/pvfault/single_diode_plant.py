"""Days of an array by pvlib's single-diode model, healthy and with a fault, for the tests of this folder.

Nothing of `pvfault_workshop.simulation` is in it: another sun, another sky, another way to the currents.
"""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pvlib
import pyarrow as pa
from scipy.interpolate import RegularGridInterpolator

from pvfault.readings import READING_SCHEMA

PLACE = pvlib.location.Location(45.0, 9.0)
# A crystalline module of 60 cells, in the terms of the CEC's model.
MODULE = {
    "alpha_sc": 0.0045, "a_ref": 1.58, "I_L_ref": 9.4, "I_o_ref": 3.3e-10, "R_sh_ref": 350.0, "R_s": 0.32,
    "EgRef": 1.121, "dEgdT": -0.0002677, "Adjust": 0.0,
}  # fmt: skip
FIRST = datetime(2024, 6, 10, tzinfo=UTC)
SLOT_S = 20
LIGHTS, CELLS = np.geomspace(5, 1400, 40), np.arange(-10, 81, 10.0)


def plant(
    device, *, strings=4, modules=18, opened=0, shorted=0, from_hour=None, until=np.inf, step_s=300, days=1,
    cloudy=False, seed=0, month=6,
):  # fmt: skip
    """Readings of an array of which some strings are open, or some modules of one string are shorted.

    Parameters
    ----------
    device : str
    strings, modules : int
        In parallel and in series.
    opened, shorted : int
        Strings and modules of the fault.
    from_hour, until : float
        Hours since the first midnight (UTC) between which the fault is there.
    step_s : int
        From one reading to the next. [s]
    days : int
    cloudy : bool
        Clouds pass the array, and the sensor 20 s later.
    seed : int
        Of clouds and noise.
    month : int
    """
    random = np.random.default_rng(seed)
    begin = FIRST.replace(month=month)
    n = days * 86_400 // SLOT_S
    hours = np.arange(n) * SLOT_S / 3600
    light = _clear_light(begin, days) * (_clouds(n, random) if cloudy else 1.0)
    seen = np.concatenate([light[:1], light[:-1]]) if cloudy else light
    air = 18 + 6 * np.sin(2 * np.pi * (hours / 24 - 0.4))
    cell = air + pd.Series(light * 0.03).ewm(span=30).mean().to_numpy()
    electrical = _at_maximum(light, cell, strings, modules, 0, 0)
    if from_hour is not None:
        faulty = _at_maximum(light, cell, strings, modules, opened, shorted)
        electrical = np.where((hours >= from_hour) & (hours < until), faulty, electrical)
    step = step_s // SLOT_S
    measured = np.column_stack([*electrical, cell, seen]).reshape(-1, step, 4).mean(axis=1)
    measured *= 1 + random.normal(0, [0.002, 0.003, 0, 0.003], measured.shape)
    times = [begin + timedelta(seconds=step_s * k) for k in range(len(measured))]
    columns = [pa.array(column, pa.float32()) for column in measured.T]
    return pa.table([[device] * len(times), times, *columns], schema=READING_SCHEMA)


@cache
def _clear_light(begin, days):
    """Light, in W/m², on a plane of 30° to the south under a clear sky, every 20 s."""
    every_5_min = pd.date_range(begin, periods=days * 288 + 1, freq="300s")
    sun = PLACE.get_solarposition(every_5_min)
    horizontal = pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"]
    parts = pvlib.irradiance.erbs(horizontal, sun["zenith"], every_5_min.day_of_year.to_numpy())
    plane = pvlib.irradiance.get_total_irradiance(
        30, 180, sun["apparent_zenith"], sun["azimuth"], parts["dni"], horizontal, parts["dhi"]
    )["poa_global"].fillna(0.0)  # fmt: skip
    slots = np.arange(days * 86_400 // SLOT_S) * SLOT_S
    return np.interp(slots, np.arange(len(plane)) * 300, plane)


def _clouds(n, random):
    """What clouds leave of the light every 20 s: they come and go within some minutes."""
    left, through = np.empty(n), 0
    while through < n:
        for low, high, length in ((0.95, 1.0, 60), (0.3, 0.7, 20)):
            end = through + 1 + int(random.exponential(length))
            left[through:end] = random.uniform(low, high)
            through = end
    return np.convolve(left, np.ones(5) / 5, mode="same")


def _at_maximum(light, cell, *array):
    """Voltage and current of the array's maximum."""
    where = np.column_stack([np.log(np.clip(light, LIGHTS[0], LIGHTS[-1])), np.clip(cell, CELLS[0], CELLS[-1])])
    voltage, current = (RegularGridInterpolator((np.log(LIGHTS), CELLS), grid)(where) for grid in _maxima(*array))
    return np.where(light > 2, voltage, 0.0), current * np.minimum(light / LIGHTS[0], 1.0)


@cache
def _maxima(strings, modules, opened, shorted):
    """Voltage and current of the array's maximum by light and cell temperature."""
    light, cell = (each.ravel() for each in np.meshgrid(LIGHTS, CELLS, indexing="ij"))
    parts = pvlib.pvsystem.calcparams_cec(light, cell, **MODULE)
    open_voltage = np.asarray(pvlib.pvsystem.singlediode(*parts)["v_oc"])
    voltage = np.linspace(0, 1, 301)[:, None] * modules * open_voltage
    each = [np.broadcast_to(part, voltage.shape) for part in parts]

    def string(in_series):
        return pvlib.pvsystem.i_from_v(voltage / in_series, *each, method="newton")

    current = (strings - opened) * string(modules)
    if shorted:
        current = (strings - 1) * string(modules) + string(modules - shorted)
    at = (voltage * current).argmax(axis=0), np.arange(voltage.shape[1])
    return [found[at].reshape(len(LIGHTS), len(CELLS)) for found in (voltage, current)]
