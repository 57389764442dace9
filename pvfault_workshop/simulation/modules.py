"""What one module makes of light and heat.

Here: modules of the CEC library, their single-diode parameters, and their current-voltage curve by sub-string with a
bypass diode. Not here: modules wired to strings and arrays (`array.py`), the sky (`weather.py`).
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pvlib
from scipy.signal import lfilter

from pvfault.readings import SAMPLE_PERIOD_S

# Forward voltage of a conducting Schottky bypass diode; pvlib's examples of `bishop88` use the same. [V]
BYPASS_VOLTAGE = 0.5
NEWTON_STEPS = 6  # leaves less than 1 µV from these starting points, see the test beside pvlib

# From small to large, polycrystalline, monocrystalline, back-contact and cadmium telluride.
MODULE_NAMES = (
    "Canadian_Solar_Inc__CS6P_250M",
    "Canadian_Solar_Inc__CS6X_310PN",
    "Canadian_Solar_Inc__CS6U_355P",
    "Trina_Solar_TSM_265PEG5_47",
    "Trina_Solar_TSM_300DD05A_081_II_",
    "Trina_Solar_TSM_375DEG14_II_",
    "Jinko_Solar__Co___Ltd_JKM370M_72L",
    "Jinko_Solar_Co___Ltd_JKMS275PP_60",
    "LG_Electronics_Inc__LG330N1C_A5",
    "Hanwha_SolarOne__Qidong__SF260_36_P285L",
    "Yingli_Energy__China__YL225P_29b",
    "Kyocera_Solar_KD210GX_LP",
    "SunPower_SPR_X20_327_D_AC",
    "SunPower_SPR_X21_255",
    "First_Solar__Inc__FS_6410",
)


@dataclass(frozen=True)
class Module:
    """A module of the CEC library.

    Attributes
    ----------
    name : str
    voltage, current : float
        At the maximum-power point under standard test conditions. [V], [A]
    open_voltage : float
        Open-circuit voltage under standard test conditions. [V]
    substrings : int
        Groups of cells with a bypass diode each.
    parameters : dict of float
        What `pvlib.pvsystem.calcparams_cec` needs.
    """

    name: str
    voltage: float
    current: float
    open_voltage: float
    substrings: int
    parameters: dict = field(hash=False)


@cache
def load_modules():
    """Load the modules of `MODULE_NAMES` from the CEC library inside pvlib.

    Returns
    -------
    tuple of Module
    """
    library = pvlib.pvsystem.retrieve_sam("CECMod")
    return tuple(_read_module(name, library[name]) for name in MODULE_NAMES)


def _read_module(name, row):
    """One column of the library as a module."""
    names = {"alpha_sc": "alpha_sc", "a_ref": "a_ref", "I_L_ref": "I_L_ref", "I_o_ref": "I_o_ref"}
    names |= {"R_sh_ref": "R_sh_ref", "R_s": "R_s", "Adjust": "Adjust"}
    return Module(
        name=name,
        voltage=float(row["V_mp_ref"]),
        current=float(row["I_mp_ref"]),
        open_voltage=float(row["V_oc_ref"]),
        # Three diodes for 54 to 96 crystalline cells; thin-film modules have one, or none.
        substrings=1 if row["Technology"] in ("CdTe", "CIGS", "Thin Film") else 3,
        parameters={key: float(row[source]) for key, source in names.items()},
    )


def diode_parameters(module, irradiance, temperature):
    """Compute the five parameters of the single-diode model.

    Parameters
    ----------
    module : Module
    irradiance : ndarray, shape (n,)
        Effective irradiance, above 0. [W/m²]
    temperature : ndarray, shape (n,)
        Of the cells. [°C]

    Returns
    -------
    ndarray, shape (5, n)
        Photocurrent [A], saturation current [A], series resistance [Ω], shunt resistance [Ω], n·N_s·V_th [V].

    References
    ----------
    .. [1] A. Dobos, "An improved coefficient calculator for the California Energy Commission 6 parameter photovoltaic
       module model", Journal of Solar Energy Engineering 134, 2012, 021011 (through pvlib).
    """
    return np.stack(
        np.broadcast_arrays(*pvlib.pvsystem.calcparams_cec(irradiance, temperature, **module.parameters))
    ).astype(float)


def solve_diode_voltage(current, parameters):
    """Voltage over the diode of a module that carries a current, by Newton's method.

    Solves I_L - I_0 (exp(V_d / a) - 1) - V_d / R_sh - I = 0, from a side on which every step stays on that side.

    Parameters
    ----------
    current : ndarray, shape (n, k)
        [A]
    parameters : ndarray, shape (5, n)
        From `diode_parameters`.

    Returns
    -------
    ndarray, shape (n, k)
        [V]

    References
    ----------
    .. [1] J. Bishop, "Computer simulation of the effects of electrical mismatches in photovoltaic cell interconnection
       circuits", Solar Cells 25, 1988, 73-89 (diode voltage as the unknown).
    """
    photo, saturation, _, shunt, thermal = parameters[:, :, None]
    excess = photo - current
    voltage = thermal * np.log1p(np.clip(excess, 0, None) / saturation)
    for _ in range(NEWTON_STEPS):
        grown = saturation * np.exp(voltage / thermal)
        rest = excess - grown + saturation - voltage / shunt
        voltage = voltage + rest / (grown / thermal + 1 / shunt)
    return voltage


def solve_substring_voltage(module, current, parameters):
    """Voltage of one sub-string with its bypass diode.

    Parameters
    ----------
    module : Module
    current : ndarray, shape (n, k)
        [A]
    parameters : ndarray, shape (5, n)
        Of the whole module, from `diode_parameters`.

    Returns
    -------
    ndarray, shape (n, k)
        Never below `-BYPASS_VOLTAGE`. [V]
    """
    voltage = solve_diode_voltage(current, parameters) - current * parameters[2][:, None]
    return np.maximum(voltage / module.substrings, -BYPASS_VOLTAGE)


def module_temperature(air, wind, irradiance, *, u0, u1, time_constant_s, period_s=SAMPLE_PERIOD_S):
    """Temperature of the back of a module, which follows the irradiance with a lag.

    Parameters
    ----------
    air : ndarray, shape (n,)
        [°C]
    wind : ndarray, shape (n,)
        [m/s]
    irradiance : ndarray, shape (n,)
        On the plane. [W/m²]
    u0 : float
        Constant heat loss, about 25. [W/(m²·K)]
    u1 : float
        Heat loss by wind, about 6.8. [W·s/(m³·K)]
    time_constant_s : float
        About 5 to 10 min. [s]
    period_s : float
        Time from one value to the next. [s]

    Returns
    -------
    ndarray, shape (n,)
        [°C]

    References
    ----------
    .. [1] D. Faiman, "Assessing the outdoor operating temperature of photovoltaic modules", Progress in Photovoltaics
       16, 2008, 307-315 (steady state).
    .. [2] A. Jones and C. Underwood, "A thermal model for photovoltaic systems", Solar Energy 70, 2001, 349-359 (a
       time constant of about 7 min).
    """
    steady = irradiance / (u0 + u1 * wind)
    keep = np.exp(-period_s / time_constant_s)
    lagged = lfilter([1 - keep], [1, -keep], steady, zi=[keep * steady[0]])[0]
    return air + lagged
