"""Faults that are the same circuit, against pvlib."""

import numpy as np
import pvlib

from pvfault_workshop.evaluation.same_circuits import BRIGHT, WARM, compare_shorts
from pvfault_workshop.simulation.literature_array import MODULES, STRINGS, reference_shape
from pvfault_workshop.simulation.modules import diode_parameters


def test_a_short_by_any_name_makes_the_reference_array_work_at_one_point():
    """A string without some of its modules beside two whole ones, module by module from pvlib's single-diode model."""
    parameters = [row[0] for row in diode_parameters(reference_shape().module, np.array([BRIGHT]), np.array([WARM]))]

    def maximum(missing):
        voltage = np.linspace(1, 200, 20_000)
        of_module = [pvlib.pvsystem.i_from_v(voltage / count, *parameters) for count in (MODULES, MODULES - missing)]
        current = (STRINGS - 1) * of_module[0] + of_module[1]
        best = np.argmax(voltage * current)
        return np.array([voltage[best], current[best]])

    found = compare_shorts()
    assert [[len(changes) for changes in shorts.changes.values()] for shorts in found] == [[5, 1], [4, 1], [3, 1]]
    for missing, shorts in enumerate(found, start=1):
        expected = maximum(missing) / maximum(0) - 1
        np.testing.assert_allclose(shorts.changes["line_ground"][0], expected, atol=0.01)  # a maximum is flat
        np.testing.assert_allclose(shorts.changes["line_line"], np.tile(expected, (6 - missing, 1)), atol=0.02)
