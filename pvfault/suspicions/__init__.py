"""What a device-day may show of how its file was made, read or registered: a module for each thing that can be wrong.

A check takes a `DeviceDay` and gives a `Suspicion` or None. What it may suspect is bounded by physics: of the modules
of the CEC library that pvlib ships, V_oc is 1.18 to 1.28 times V_mp and I_sc 1.03 to 1.1 times I_mp (the middle nine
tenths); strings are whole; a voltage moves by a twenty-fifth for each e-fold of light and by -0.35 % for each °C, a
current in proportion to light. A fault takes current or voltage and adds none.
"""

from pvfault.suspicions.clock import current_without_light, light_at_night
from pvfault.suspicions.columns import ac_for_dc, power_for_current, same_columns, swapped_columns
from pvfault.suspicions.irradiance import hourly_means, other_plane, other_unit, running_sum
from pvfault.suspicions.ratings import rated_current, rated_voltage
from pvfault.suspicions.temperature import constant, not_celsius

CHECKS = (
    same_columns,
    swapped_columns,
    power_for_current,
    ac_for_dc,
    other_unit,
    running_sum,
    hourly_means,
    other_plane,
    not_celsius,
    constant,
    rated_current,
    rated_voltage,
    current_without_light,
    light_at_night,
)

__all__ = ["CHECKS"]
