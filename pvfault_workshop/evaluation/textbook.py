"""Clear days on which an expert would be certain, made from pvlib's single-diode model alone.

Here: the cases, what sensors read of them, and the dates before. Not here: what they are taken for and how often that
is right (`textbook_scores.py`). The array is one module's curve, times modules and strings: no bypass diodes, no
mismatch, no tracker that wanders, no cloud. Nothing of `pvfault_workshop/simulation`, on which networks are trained.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pvlib

from pvfault.faults import FAULTS, LINE_LINE, NONE, OPEN_CIRCUIT
from pvfault.reference import HISTORY
from pvfault.windows import WINDOW_S, WINDOWS_PER_DAY

DAY = date(2024, 6, 20)
# Solar noon is about 12:00 UTC there. The array lies flat.
LATITUDE, LONGITUDE = 40.0, 0.0
AIR, WIND = 22.0, 2.0  # °C, m/s
MODULE = "Canadian_Solar_Inc__CS6K_280M"
ONSET = 10  # h
STEP_S = 20

OPEN, SHORT, WHOLE, HEALTHY = "open strings", "shorted modules", "array open", "healthy"
CLEAR = "clear"
AT_V_OC, COLLAPSED = "at the open-circuit voltage", "collapsed"
DIRT, HAZE, CURTAILED, CLIPPED = "even dirt", "haze", "curtailed", "clipped"
CLEAN_SHARE, HAZE_SHARE = 0.95, 0.6
# What the inverter takes at most, as a share of the rated power: by order from the onset on, or at its limit all day.
TAKEN = {CURTAILED: 0.5, CLIPPED: 0.7}
# Of the clear sky's light, some brighter, some duller: light is what a reference has to be learned over.
SHARES_BEFORE = (1.0, 0.7, 0.9, 0.5, 0.8)


@dataclass(frozen=True)
class Case:
    """One array and what happens to it from `ONSET` on.

    Attributes
    ----------
    kind : str
        `OPEN`, `SHORT`, `WHOLE` or `HEALTHY`.
    fault : str
        Of `FAULTS`; `LINE_LINE` for any short.
    modules, strings : int
        In series, in parallel.
    lost : int
        Strings that are open, or modules of each string that are bridged.
    how : str
        Of `WHOLE` and `HEALTHY`, which of them.
    """

    kind: str
    fault: str
    modules: int
    strings: int
    lost: int = 0
    how: str = ""


@dataclass(frozen=True)
class Variant:
    """What is known of an array, and how it is read.

    Attributes
    ----------
    counts, history : bool
        Whether the registry has the numbers of modules and strings, and whether dates before are known.
    cadence : int
        From one reading to the next. [s]
    noise : float
        Standard deviation of each reading, as a share of it.
    """

    counts: bool
    history: bool
    cadence: int
    noise: float


VARIANTS = tuple(
    Variant(counts, history, cadence, noise)
    for counts in (True, False)
    for history in (True, False)
    for cadence in (20, 60, 300, 900)
    for noise in (0.0, 0.01)
)


def cases() -> list[Case]:
    """All cases: 30 of open strings, 30 of shorted modules, 6 of whole arrays, 15 healthy ones."""
    open_strings = [
        Case(OPEN, OPEN_CIRCUIT, 12, strings, lost)
        for strings in range(2, 13)
        for lost in range(1, min(3, strings - 1) + 1)
    ]
    shorts = [
        Case(SHORT, LINE_LINE, modules, 1, lost)
        for modules in (6, 8, 10, 12, 18, 24)
        for lost in range(1, min(6, modules // 2) + 1)
    ]
    arrays = ((8, 1), (12, 3), (20, 8))
    whole = [Case(WHOLE, OPEN_CIRCUIT, *array, how=how) for how in (AT_V_OC, COLLAPSED) for array in arrays]
    healthy = [
        Case(HEALTHY, NONE, *array, how=how) for how in (CLEAR, DIRT, HAZE, CURTAILED, CLIPPED) for array in arrays
    ]
    return [*open_strings, *shorts, *whole, *healthy]


def truth_of(case: Case) -> np.ndarray:
    """What each hour is: positions in `FAULTS`, shape (24,)."""
    return np.where(np.arange(WINDOWS_PER_DAY) >= ONSET, FAULTS.index(case.fault), FAULTS.index(NONE))


def ratings_of(case: Case) -> tuple[float, float]:
    """V_mp [V] and I_mp [A] of the whole array at standard test conditions, as its data sheet has them."""
    sheet = _module()
    return case.modules * float(sheet["V_mp_ref"]), case.strings * float(sheet["I_mp_ref"])


def read_day(case: Case, variant: Variant) -> tuple[np.ndarray, np.ndarray]:
    """What sensors read of a case on `DAY`.

    Parameters
    ----------
    case : Case
    variant : Variant
        The noise is the same whatever is known of the array.

    Returns
    -------
    second : ndarray of int, shape (n,)
        Since midnight (UTC). [s]
    measurements : ndarray of float32, shape (n, 4)
        Voltage [V], current [A], temperature [°C], irradiance [W/m²].
    """
    second = np.arange(0, WINDOWS_PER_DAY * WINDOW_S, STEP_S)
    read = _operate_module(DAY, HAZE_SHARE if case.how == HAZE else 1.0, case.how).copy()
    is_on = second >= ONSET * WINDOW_S
    read[:, 0] *= np.where(is_on & (case.kind == SHORT), case.modules - case.lost, case.modules)
    read[:, 1] *= np.where(is_on & (case.kind == OPEN), case.strings - case.lost, case.strings)
    kept = second % variant.cadence == 0
    seed = zlib.crc32(f"{case} {variant.cadence}".encode())
    noise = np.random.default_rng(seed).normal(1.0, variant.noise, (kept.sum(), 4))
    return second[kept], (read[kept] * noise).astype(np.float32)


def dates_before(case: Case) -> Iterator[tuple[date, np.ndarray]]:
    """Hourly means of the healthy array on the dates before that are looked at, shape (24, 4) each."""
    how = DIRT if case.how == DIRT else CLEAR
    for back, share in zip(HISTORY, np.resize(SHARES_BEFORE, len(HISTORY)), strict=True):
        day = DAY - timedelta(days=back)
        means = _operate_module(day, float(share), how).reshape(WINDOWS_PER_DAY, -1, 4).mean(axis=1)
        yield day, means * [case.modules, case.strings, 1, 1]


@cache
def clear_sky(day: date) -> np.ndarray:
    """Irradiance [W/m²] of a flat array under a clear sky every 20 s, shape (4320,)."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    times = pd.date_range(begin, periods=WINDOWS_PER_DAY * WINDOW_S // STEP_S, freq=f"{STEP_S}s")
    sun = pvlib.solarposition.get_solarposition(times, LATITUDE, LONGITUDE)
    return pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"].to_numpy()


@cache
def _module():
    """The module's column of the library of the California Energy Commission."""
    return pvlib.pvsystem.retrieve_sam("CECMod")[MODULE]


def _diode(light, temperature):
    """The five parameters of the single-diode model."""
    sheet = _module()
    names = ("alpha_sc", "a_ref", "I_L_ref", "I_o_ref", "R_sh_ref", "R_s", "Adjust")
    return pvlib.pvsystem.calcparams_cec(np.maximum(light, 1.0), temperature, **{name: sheet[name] for name in names})


@cache
def _operate_module(day, share, how):
    """Voltage, current and temperature of a module under a share of the clear sky's light, and the light, (n, 4)."""
    light = clear_sky(day) * share
    temperature = pvlib.temperature.faiman(light, AIR, WIND)
    # Dirt is on the array, not on the sensor.
    diode = _diode(light * (CLEAN_SHARE if how == DIRT else 1.0), temperature)
    curve = pvlib.pvsystem.singlediode(*diode)
    voltage, current, open_voltage = (np.array(curve[name], np.float64) for name in ("v_mp", "i_mp", "v_oc"))
    is_on = np.arange(len(light)) * STEP_S >= ONSET * WINDOW_S
    if how in TAKEN:
        limit = np.where(is_on | (how == CLIPPED), TAKEN[how], 1.0) * float(
            _module()["V_mp_ref"] * _module()["I_mp_ref"]
        )
        voltage, current = _limited(diode, voltage, open_voltage, limit)
    if how in (AT_V_OC, COLLAPSED):
        voltage[is_on] = open_voltage[is_on] if how == AT_V_OC else 0.0
        current[is_on] = 0.0
    lit = light > 1.0
    return np.column_stack([voltage * lit, current * lit, temperature, light])


def _limited(diode, low, high, limit):
    """Voltage and current of a module that gives its maximum, or what the inverter takes where that is less."""
    voltages = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, 60)
    currents = pvlib.pvsystem.i_from_v(voltages, *(np.reshape(part, (-1, 1)) for part in diode))
    power = voltages * currents
    # Power falls along the curve from the maximum on: the last point that still gives the limit.
    last = np.maximum((power >= np.minimum(limit, power[:, 0])[:, None]).sum(axis=1) - 1, 0)
    rows = np.arange(len(low))
    return voltages[rows, last], currents[rows, last]
