"""What is suspected of a device-day."""

from dataclasses import dataclass

SAME_COLUMNS, SWAPPED_COLUMNS = "same columns", "swapped columns"
POWER_FOR_CURRENT, AC_FOR_DC = "power for current", "AC for DC"
IRRADIANCE_UNIT, IRRADIANCE_SUM, IRRADIANCE_MEANS = "irradiance unit", "irradiance sum", "irradiance means"
IRRADIANCE_PLANE, IRRADIANCE_TIME, CLOCK = "irradiance plane", "irradiance time", "clock"
TEMPERATURE_UNIT, TEMPERATURE_CONSTANT = "temperature unit", "temperature constant"
CURRENT_RATING, VOLTAGE_RATING = "rated_current", "rated_voltage"


@dataclass(frozen=True)
class Suspicion:
    """Something that is wrong with how a device-day is read.

    Attributes
    ----------
    kind : str
    certain : bool
        Whether nothing else explains the figures.
    sentence : str
        What was found and what was expected, with figures.
    remedy : str
        The option or the line of the registry that mends it.
    """

    kind: str
    certain: bool
    sentence: str
    remedy: str
