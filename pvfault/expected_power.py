"""What a healthy array gives under given light and temperature.

Here: its power, and the standard test conditions that ratings are of. Not here: the ratings (`registry.py`), what the
device's own days before let expect (`reference.py`).
"""

POWER_TEMPERATURE_COEFFICIENT = -0.004  # 1/°C, crystalline silicon; datasheets give -0.3 to -0.45 %/°C
STC_IRRADIANCE = 1000.0  # W/m²
STC_TEMPERATURE = 25.0  # °C


def expected_power(irradiance, module_temperature, rated_power):
    """DC power that a healthy array gives.

    P = P_rated * G / 1000 W/m² * (1 + γ (T - 25 °C)), without soiling, clipping or wiring losses.

    Parameters
    ----------
    irradiance : ndarray
        Plane-of-array irradiance. [W/m²]
    module_temperature : ndarray
        [°C]
    rated_power : ndarray
        Power at standard test conditions. [W]

    Returns
    -------
    ndarray
        [W]

    References
    ----------
    .. [1] A. P. Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641, 2014, DOI 10.2172/1158421, equation 8.
    """
    temperature_factor = 1 + POWER_TEMPERATURE_COEFFICIENT * (module_temperature - STC_TEMPERATURE)
    return rated_power * irradiance / STC_IRRADIANCE * temperature_factor
