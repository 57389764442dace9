"""What a healthy array gives."""

import numpy as np
import pytest

from pvfault.expected_power import expected_power


@pytest.mark.parametrize(
    ("irradiance", "temperature", "watts"),
    [
        (1000, 25, 6000),  # standard test conditions
        (800, 35, 4608),  # 6000 * 0.8 * (1 - 0.004 * 10)
        (500, 0, 3300),  # 6000 * 0.5 * (1 + 0.004 * 25)
        (0, -10, 0),
    ],
)
def test_the_power_of_a_healthy_array(irradiance, temperature, watts):
    assert expected_power(irradiance, temperature, 6000.0) == pytest.approx(watts)


def test_power_is_worked_out_for_each_device_and_hour():
    power = expected_power(np.full((2, 24), 500.0), np.full((2, 24), 25.0), np.array([6000.0, np.nan])[:, None])
    np.testing.assert_allclose(power[0], 3000)
    assert np.isnan(power[1]).all()
