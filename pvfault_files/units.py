"""Units of measurements as loggers write them, and their conversion into those of a reading (V, A, °C, W/m²).

Here: which texts are units, and factor and offset of each. Not here: where in a file a unit stands (`columns.py`),
and whether values are credible in it (`pvfault/credibility.py`).
"""

import re
from dataclasses import dataclass

from pvfault.errors import PvfaultError
from pvfault.readings import UNITS


@dataclass(frozen=True)
class Unit:
    """A unit of a measurement: value in the reading's unit = value x factor + offset.

    Of an energy, `factor` is in joules: what it makes of a value is to be divided by the seconds it was gathered in.
    """

    measurement: str
    text: str
    factor: float = 1.0
    offset: float = 0.0
    is_energy: bool = False

    @property
    def is_the_readings_own(self) -> bool:
        """Whether nothing is to be converted."""
        return self.factor == 1 and self.offset == 0 and not self.is_energy


_UNITS = [
    Unit("voltage", "V"),
    Unit("voltage", "mV", 1e-3),
    Unit("voltage", "kV", 1e3),
    Unit("current", "A"),
    Unit("current", "mA", 1e-3),
    Unit("current", "kA", 1e3),
    Unit("temperature", "°C"),
    Unit("temperature", "°F", 5 / 9, -160 / 9),
    Unit("temperature", "K", 1.0, -273.15),
    Unit("irradiance", "W/m²"),
    Unit("irradiance", "kW/m²", 1e3),
    Unit("irradiance", "mW/cm²", 10.0),
    Unit("irradiance", "W/cm²", 1e4),
    Unit("irradiance", "Wh/m²", 3.6e3, is_energy=True),
    Unit("irradiance", "kWh/m²", 3.6e6, is_energy=True),
    Unit("irradiance", "J/m²", 1.0, is_energy=True),
    Unit("irradiance", "kJ/m²", 1e3, is_energy=True),
    Unit("irradiance", "MJ/m²", 1e6, is_energy=True),
    Unit("irradiance", "J/cm²", 1e4, is_energy=True),
]
# Spellings, in the form that `_plain` gives them; case tells milli from mega, so it stays where it could.
_SPELLINGS = {
    "V": ("v", "volt", "volts", "vdc", "v dc", "v(dc)"),
    "mV": ("mv", "millivolt", "millivolts"),
    "kV": ("kv", "kilovolt", "kilovolts"),
    "A": ("a", "amp", "amps", "ampere", "amperes", "adc", "a dc", "a(dc)"),
    "mA": ("ma", "milliamp", "milliamps", "milliampere", "milliamperes"),
    "kA": ("ka", "kiloampere", "kiloamps"),
    "°C": ("°c", "c", "degc", "deg c", "deg. c", "grad c", "gradc", "celsius", "degree celsius", "degrees celsius",
    "ºc"),
    "°F": ("°f", "f", "degf", "deg f", "deg. f", "fahrenheit", "degrees fahrenheit", "ºf"),
    "K": ("k", "kelvin", "°k", "degk"),
    "W/m²": ("w/m2", "wm-2", "w m-2", "w/qm", "watt/m2", "watts/m2", "w/sqm", "w/m^2", "w*m-2", "w.m-2", "w_m2", "wm2",
             "watt/meter2"),
    "kW/m²": ("kw/m2", "kwm-2", "kw m-2", "kw/qm", "kw/sqm", "kw/m^2", "kw_m2", "kwm2"),
    "mW/cm²": ("mw/cm2", "mw/cm^2", "mwcm-2", "mw_cm2"),
    "W/cm²": ("w/cm2", "w/cm^2", "w_cm2"),
    "Wh/m²": ("wh/m2", "wh/m^2", "wh/qm", "wh/sqm", "whm-2", "wh m-2", "wh_m2", "whm2"),
    "kWh/m²": ("kwh/m2", "kwh/m^2", "kwh/qm", "kwh/sqm", "kwhm-2", "kwh m-2", "kwh_m2", "kwhm2"),
    "J/m²": ("j/m2", "j/m^2", "jm-2", "j m-2", "j_m2"),
    "kJ/m²": ("kj/m2", "kj/m^2", "kjm-2", "kj m-2", "kj_m2"),
    "MJ/m²": ("mj/m2", "mj/m^2", "mjm-2", "mj m-2", "mj_m2"),
    "J/cm²": ("j/cm2", "j/cm^2", "j_cm2"),
}  # fmt: skip
_BY_SPELLING = {spelling: text for text, spellings in _SPELLINGS.items() for spelling in spellings}
_BY_TEXT = {unit.text: unit for unit in _UNITS}
# Units of what no reading has: a column in one of them is none of the four measurements, whatever its name.
_OTHERS = {
    "w", "kw", "mw", "watt", "watts", "kilowatt", "va", "kva", "var", "kvar", "wh", "kwh", "mwh", "j",
    "mj", "hz", "%", "ohm", "kohm", "mohm", "ω", "kω", "mω",
    "m/s", "km/h", "mph", "mm", "hpa", "mbar", "bar", "pa", "s", "min", "h", "ms", "eur", "€", "kg", "°", "deg", "°/o",
    "ah", "lux", "-", "cos phi",
}  # fmt: skip


def find_unit(text: str) -> Unit | None:
    """Find the unit that a text is, or None.

    Examples
    --------
    >>> find_unit("[kW/m^2]").text, find_unit("Amp").text, find_unit("Udc")
    ('kW/m²', 'A', None)
    """
    # Mega is nothing that is measured here, so "MV" and "MA" are no millivolts and milliamperes.
    if re.match(r"M[VAW]", _strip(text)):
        return None
    spelling = _BY_SPELLING.get(_plain(text))
    return _BY_TEXT[spelling] if spelling else None


def is_unit(text: str) -> bool:
    """Whether a text is a unit, of whatever.

    Examples
    --------
    >>> is_unit("kWh"), is_unit("degC"), is_unit("Serial")
    (True, True, False)
    """
    return find_unit(text) is not None or _plain(text) in _OTHERS


def unit_of(measurement: str, text: str) -> Unit:
    """Get the unit that a user has named for a measurement.

    Raises
    ------
    PvfaultError
        If it is none of this measurement.
    """
    unit = find_unit(text)
    if unit is None or unit.measurement != measurement:
        known = ", ".join(each.text for each in _UNITS if each.measurement == measurement)
        raise PvfaultError(
            f"--unit {measurement}={text} is no unit of {measurement}; expected one of {known}. "
            f"For another one give the factor to {UNITS[measurement]}, as in --scale {measurement}=0.001."
        )
    return unit


def _strip(text):
    return text.strip().strip("[](){}<>").strip()


def _plain(text):
    """A text in the form of `_SPELLINGS`."""
    return _strip(text).lower().replace("²", "2").replace("³", "3").replace("⁻", "-").replace("**", "^")
