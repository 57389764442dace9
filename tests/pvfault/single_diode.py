"""Days of arrays by pvlib's single-diode model, without anything of pvfault, to hold it to."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pvlib

MODULES = pvlib.pvsystem.retrieve_sam("CECMod")
# One each of mono- and multicrystalline silicon of the years around 2010 and 2015, and one of thin film.
NAMES = ("Canadian_Solar_Inc__CS6X_300M", "Yingli_Energy__China__YL250P_29b", "First_Solar__Inc__FS_4115_3")


@dataclass(frozen=True)
class Array:
    """An array of equal modules."""

    module: str = NAMES[0]
    series: int = 18
    parallel: int = 6

    @property
    def curve(self):
        """What pvlib takes of the module."""
        return MODULES[self.module]

    @property
    def rated(self):
        """V_mp [V] and I_mp [A] at standard test conditions."""
        return float(self.curve["V_mp_ref"]) * self.series, float(self.curve["I_mp_ref"]) * self.parallel

    @property
    def open_and_short(self):
        """V_oc [V] and I_sc [A] at standard test conditions."""
        return float(self.curve["V_oc_ref"]) * self.series, float(self.curve["I_sc_ref"]) * self.parallel

    def parts(self, irradiance, cell):
        module = self.curve
        return pvlib.pvsystem.calcparams_cec(
            np.maximum(irradiance, 1e-6), cell, *(float(module[name]) for name in (
                "alpha_sc", "a_ref", "I_L_ref", "I_o_ref", "R_sh_ref", "R_s", "Adjust",
            )),
        )  # fmt: skip

    def at_maximum(self, irradiance, cell):
        """Voltage and current at the maximum of power."""
        found = pvlib.pvsystem.singlediode(*self.parts(irradiance, cell))
        return np.asarray(found["v_mp"]) * self.series, np.asarray(found["i_mp"]) * self.parallel

    def voltage_at(self, irradiance, cell, current):
        """Voltage at a current."""
        return np.asarray(pvlib.pvsystem.v_from_i(current / self.parallel, *self.parts(irradiance, cell))) * self.series

    def limited(self, irradiance, cell, share):
        """Voltage and current where the inverter takes a share of the power, on the side of the open circuit."""
        parts = self.parts(irradiance, cell)
        found = pvlib.pvsystem.singlediode(*parts)
        v_mp, v_oc, p_mp = (np.asarray(found[name]) for name in ("v_mp", "v_oc", "p_mp"))
        if np.all(share == 0):
            return v_oc * self.series, 0 * v_oc
        voltage = np.linspace(v_mp, v_oc, 60)
        current = np.stack([pvlib.pvsystem.i_from_v(row, *parts) for row in voltage])
        wanted = share * p_mp
        row = np.abs(voltage * current - wanted).argmin(axis=0)
        column = np.arange(voltage.shape[1])
        return voltage[row, column] * self.series, np.maximum(current[row, column], 0) * self.parallel


@dataclass(frozen=True)
class Day:
    """Readings of a day, and the state of the array behind them."""

    hour: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    temperature: np.ndarray
    irradiance: np.ndarray
    array: Array

    @property
    def measurements(self):
        """In the order of pvfault's measurements, as loggers write them."""
        columns = (self.voltage, self.current, self.temperature, self.irradiance)
        digits = (0.1, 0.01, 0.1, 0.1)
        rounded = [np.round(values / digit) * digit for values, digit in zip(columns, digits, strict=True)]
        return np.column_stack(rounded).astype(np.float32)


@lru_cache(maxsize=128)
def a_day(
    array=Array(), *, cadence=300, sky="clear", noon=12.0, light_hours=14.0, top=950.0, air=22.0, seed=0, start=0.0,
    end=24.0, facing=0.0,
) -> Day:  # fmt: skip
    """Simulate a healthy day.

    `sky` is clear, broken or overcast; `facing` moves the array's light against the sensor's, in hours of its noon.
    """
    random = np.random.default_rng(seed)
    hour = np.arange(start, end, cadence / 3600)
    bell = np.sin(np.pi * (hour - noon + light_hours / 2) / light_hours).clip(0) ** 1.2
    bell[np.abs(hour - noon) > light_hours / 2] = 0
    cloud = np.ones(len(hour))
    if sky == "broken":
        walk = np.interp(hour, np.arange(0, 25, 0.15), random.choice([0.25, 0.5, 1.0, 1.08], 167))
        cloud = walk * random.normal(1, 0.05, len(hour))
    elif sky == "overcast":
        cloud = 0.18 * np.exp(np.interp(hour, np.arange(0, 25, 0.5), random.normal(0, 0.4, 50)))
    light = top * bell * cloud.clip(0)
    on_array = light
    if facing:
        moved = np.sin(np.pi * (hour - noon - facing + light_hours / 2) / light_hours).clip(0) ** 1.2
        on_array = top * np.where(bell > 0, moved, 0) * cloud
    warm = air + 5 * np.sin(2 * np.pi * (hour - 9) / 24)
    temperature = warm + 0.03 * light
    voltage, current = array.at_maximum(on_array, temperature)
    asleep = on_array < 15
    voltage, current = (np.where(asleep, 0, each * random.normal(1, 0.004, len(hour))) for each in (voltage, current))
    return Day(hour, voltage, current, temperature, light, array)
