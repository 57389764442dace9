"""The axes of a scalogram's picture, beside waves whose period and time are known."""

import numpy as np
import pytest

from pvfault.scalogram import transform
from pvfault.windows import SLOTS
from pvfault_server.pictures import edges, magnitudes


def strength_of(signal):
    """What is drawn of a signal in the first channel."""
    signals = np.zeros((1, SLOTS, 4))
    signals[0, :, 0] = signal
    return magnitudes(transform(signals)[0].tobytes())[..., 0]


@pytest.mark.parametrize("period_min", [3.0, 5.0, 8.0])
def test_a_wave_is_brightest_at_its_period(period_min):
    minutes, periods = edges()
    strength = strength_of(np.sin(2 * np.pi * np.arange(SLOTS) / 3 / period_min))
    inside = (minutes[:-1] > 20) & (minutes[1:] < 40)
    row = (strength[:, inside] ** 2).sum(axis=1).argmax()
    assert periods[row - 1] < period_min < periods[row + 2]


def test_a_pulse_is_brightest_when_it_was():
    minutes, _ = edges()
    pulse = np.zeros(SLOTS)
    pulse[3 * 42] = 5.0  # 20 s in minute 42
    column = strength_of(pulse)[2].argmax()
    assert minutes[column - 1] <= 42 <= minutes[column + 2]
    assert (minutes[0], minutes[-1]) == (-2, 62)


def test_magnitudes_are_those_that_were_quantised():
    from pvfault.scalogram import SHAPE, quantise

    given = np.geomspace(1 / 128, 7.5, int(np.prod(SHAPE))).reshape(SHAPE)
    np.testing.assert_allclose(magnitudes(quantise(given).tobytes()), given, rtol=0.025)
