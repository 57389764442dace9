"""Scalograms: against pywt.cwt itself, and the laws that a linear transform keeps."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import pywt

from pvfault.marks import MARKS
from pvfault.scalogram import CEILING, FLOOR, normalise, quantise, transform, transform_matrix

MORLET_CENTRE = 5 / (2 * np.pi)  # cycles a sample at scale 1, from psi(t) = exp(-t**2 / 2) cos(5 t)


def random_windows(n, seed=0):
    """Windows of many kinds: clouds as random walks, steps, noise, with the spread of real channels."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 0.05, (n, 180, 4)), axis=1)
    step = np.where(np.arange(180)[:, None] < random.integers(0, 180, (n, 1, 4)), 0.0, random.normal(0, 0.5, (n, 1, 4)))
    return (0.7 + walk + step + random.normal(0, 0.01, (n, 180, 4))).astype(np.float32)


def coefficients(window):
    """What pywt.cwt gives for the four channels of one window between 6 and 6 zeros, shape (64, 192, 4)."""
    padded = np.concatenate([np.zeros((6, 4)), window.astype(np.float64), np.zeros((6, 4))])
    return np.stack([pywt.cwt(signal, np.arange(1, 65), "morl", precision=12)[0] for signal in padded.T], axis=-1)


def pool(by_slot):
    """Magnitude, and mean over three slots, shape (64, 64, 4)."""
    magnitude = np.abs(by_slot)
    return (magnitude[:, 0::3] + magnitude[:, 1::3] + magnitude[:, 2::3]) / 3


def as_byte(magnitude):
    """Logarithmic quantisation, one value at a time: 0 for 0, 255 from 8 on, linear below the floor of 1/256."""
    return min(255, math.floor(255 * math.log(1 + magnitude * 256) / math.log(1 + 8 * 256) + 0.5))


def test_scalograms_equal_those_of_pywt():
    windows = random_windows(12)
    images = transform(windows)
    expected = np.stack([np.vectorize(as_byte)(pool(coefficients(window))) for window in windows])
    difference = np.abs(images.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_the_matrix_is_the_transform_of_pywt():
    window = random_windows(1)[0]
    by_matrix = (window[:, 0].astype(np.float64) @ transform_matrix()).reshape(3, 64, 64)
    np.testing.assert_allclose(by_matrix.transpose(1, 2, 0).reshape(64, 192), coefficients(window)[..., 0], atol=1e-4)


@pytest.mark.parametrize("default", [8, 10, 14])
def test_the_matrix_does_not_depend_on_the_default_precision_of_pywt(default, monkeypatch):
    """A new version of pywt with another default would show the trained network images that it has never seen."""
    monkeypatch.setitem(pywt.cwt.__kwdefaults__, "precision", default)
    made_anew = transform_matrix.__wrapped__()
    monkeypatch.undo()
    np.testing.assert_array_equal(made_anew, transform_matrix())


def test_a_window_has_the_same_image_alone_and_at_any_place_in_a_batch():
    windows = random_windows(100)
    images = transform(windows)
    alone = np.concatenate([transform(windows[i : i + 1]) for i in range(len(windows))])
    np.testing.assert_array_equal(images, alone)
    for shift in (1, 5, 47, 48, 49):
        np.testing.assert_array_equal(transform(np.roll(windows, shift, axis=0)), np.roll(images, shift, axis=0))


def test_images_do_not_depend_on_the_number_of_threads():
    """A Spark worker computes with one thread, the command line with all: with rounding, their images differed."""
    code = (
        "import sys, hashlib, numpy as np; from pvfault.scalogram import transform;"
        "windows = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(-1, 180, 4);"
        "sys.stdout.write(hashlib.sha256(transform(windows).tobytes()).hexdigest())"
    )
    windows = random_windows(480).tobytes()
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=windows,
            capture_output=True,
            check=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


def test_the_transform_is_linear():
    """The image of a sum is made of the sum of what pywt gives for its parts."""
    one, other = random_windows(2)
    parts = [coefficients(0.25 * one), coefficients(2 * other)]
    expected = np.vectorize(as_byte)(pool(parts[0] + parts[1]))
    image = transform((0.25 * one + 2 * other)[None])[0]
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_the_sign_of_a_window_does_not_show():
    windows = random_windows(5)
    np.testing.assert_array_equal(transform(-windows), transform(windows))


def test_each_channel_is_seen_by_itself():
    windows = random_windows(3)
    for channel in range(4):
        only = np.zeros_like(windows)
        only[..., channel] = windows[..., channel]
        expected = np.zeros_like(transform(windows))
        expected[..., channel] = transform(windows)[..., channel]
        np.testing.assert_array_equal(transform(only), expected)


@pytest.mark.parametrize("period", [8, 16, 24, 36])
@pytest.mark.parametrize("channel", range(4))
def test_a_pure_tone_is_brightest_at_the_scale_of_its_period(period, channel):
    window = np.zeros((1, 180, 4), np.float32)
    window[0, :, channel] = np.sin(2 * np.pi * np.arange(180) / period)
    image = transform(window)[0, :, 20:44, channel].astype(float)
    assert abs((image**2).sum(axis=1).argmax() + 1 - MORLET_CENTRE * period) <= 1


def test_a_jump_shows_at_its_time():
    window = np.zeros((1, 180, 4), np.float32)
    window[0, 100:, 1] = 0.5
    image = transform(window)[0, :8, :, 1].astype(int).sum(axis=0)
    # Slot 100 stands, behind 6 zeros, in column 106 // 3; the other edge is the end of the hour.
    assert abs(image[:55].argmax() - 106 // 3) <= 1


def test_a_constant_window_keeps_its_level_in_its_edges():
    """The wavelet sums to zero: without zeros on both sides, half the current would look like the whole."""
    levels = np.ones((3, 180, 4), np.float32) * np.array([0.25, 0.5, 1.0])[:, None, None].astype(np.float32)
    brightness = transform(levels).astype(int).sum(axis=(1, 2, 3))
    assert (np.diff(brightness) > 0).all()


def test_night_gives_zeros():
    assert not transform(np.zeros((3, 180, 4), np.float32)).any()


def test_no_windows_give_no_images():
    images = transform(np.empty((0, 180, 4), np.float32))
    assert images.shape == (0, 64, 64, 4)
    assert images.dtype == np.uint8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_window_that_is_not_finite_is_refused(value):
    windows = random_windows(3)
    windows[1, 90, 2] = value
    with pytest.raises(ValueError, match="no scalogram"):
        transform(windows)


def test_the_largest_values_that_can_come_saturate_and_do_not_wrap_around():
    windows = np.full((1, 180, 4), 2000 / 0.1, np.float32)  # the highest plausible voltage over the lowest rating
    assert transform(windows)[0, 63, 0].min() == 255


def test_images_are_in_c_order_as_their_bytes_are_stored():
    images = transform(random_windows(2))
    assert images.flags.c_contiguous
    assert images[0].nbytes == 16_384


def test_the_matrix_cannot_be_changed_by_one_of_its_callers():
    with pytest.raises(ValueError, match="read-only"):
        transform_matrix()[0, 0] = 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_follow_the_logarithm(dtype):
    magnitude = np.concatenate([[0.0], np.geomspace(1e-6, 1e4, 2000)]).astype(dtype)
    level = quantise(magnitude).astype(int)
    assert level[0] == 0
    assert (np.diff(level) >= 0).all()
    assert np.abs(level - [as_byte(float(m)) for m in magnitude]).max() <= 1
    assert (level[magnitude >= 8] == 255).all()
    assert level.max() == 255


def signals(deviations=0.0, irradiance=0.0, marks=np.nan):
    """The four signals of one window."""
    deviations = np.broadcast_to(np.asarray(deviations, float), (1, 180, 2))
    irradiance = np.broadcast_to(np.asarray(irradiance, float), (1, 180))
    return normalise(deviations, irradiance, np.broadcast_to(np.asarray(marks, float), (1, len(MARKS))))[0]


def image_of(**what):
    return transform(signals(**what)[None])[0].astype(int)


def one_mark(position, value=0.0, others=np.nan):
    marks = np.full(len(MARKS), others)
    marks[position] = value
    return marks


def test_the_byte_is_that_of_the_formula_also_at_the_very_edge_between_two():
    """Computed another way for speed, a pixel in ten thousand would differ, and so would two releases."""
    steps = np.float32(255 / np.log1p(CEILING / FLOOR))
    edges = FLOOR * np.expm1((np.arange(1, 256) - 0.5) / steps)
    # The 500 floats on either side of each edge, and magnitudes of any size.
    around = edges.astype(np.float32).view(np.int32)[:, None] + np.arange(-500, 500, dtype=np.int32)
    any_size = np.exp(np.random.default_rng(0).uniform(-15, 5, 100_000)).astype(np.float32)
    magnitude = np.concatenate([around.view(np.float32).ravel(), any_size, np.zeros(1, np.float32)])
    formula = np.log1p(magnitude * np.float32(1 / FLOOR)) * steps + np.float32(0.5)
    np.testing.assert_array_equal(quantise(magnitude), np.minimum(formula, np.float32(255)).astype(np.uint8))


def test_a_device_that_gives_what_it_should_is_flat_at_one():
    np.testing.assert_allclose(signals()[:, :2], 1)


@pytest.mark.parametrize("deviation", [-1.0, -0.5, -0.1, -0.01, 0.01, 0.5])
def test_a_deviation_is_compressed_around_one(deviation):
    """asinh(20 x) / 4 of the deviation x."""
    found = signals(deviations=[deviation, 2 * deviation])
    np.testing.assert_allclose(found[:, 0], 1 + math.asinh(20 * deviation) / 4)
    np.testing.assert_allclose(found[:, 1], 1 + math.asinh(40 * deviation) / 4)
    assert found[:, :1].min() > 0


def test_one_per_cent_changes_the_image_by_more_than_a_step():
    """The image of the level itself, whose steps are 3 %, could not show it."""
    assert (image_of() - image_of(deviations=[0.0, -0.01]))[..., 1].max() >= 2


def test_light_stays_what_it_is_but_for_what_passes_within_minutes():
    light = 600 + 200 * np.sin(np.arange(180) / 40)
    ripple = 100 * np.sin(2 * np.pi * np.arange(180) / 7)  # three waves in the 21 slots of the mean
    plain, rippled = (signals(irradiance=values)[30:-30, 3] for values in (light, light + ripple))
    np.testing.assert_allclose(plain, light[30:-30] / 1000, atol=0.01)
    np.testing.assert_allclose(rippled, plain, atol=1e-9)


@pytest.mark.parametrize(("position", "channel", "first", "slots", "period"), [
    (0, 2, 0, 6, 3), (29, 2, 174, 6, 3), (30, 2, 0, 12, 9), (44, 2, 168, 12, 9),
    (45, 3, 0, 6, 3), (77, 3, 24, 12, 9), (89, 3, 168, 12, 9),
])  # fmt: skip
def test_a_mark_is_the_amplitude_of_a_wave_at_its_place(position, channel, first, slots, period):
    """Of unit power for 0, e^0.4 times as high for each unit more; what is not known is absent."""
    silent = signals()
    for value in (0.0, 1.0, -2.0):
        found = signals(marks=one_mark(position, value))
        wave = found[first : first + slots, channel]
        tone = np.cos(2 * np.pi / period * (np.arange(first, first + slots) + 0.5))
        np.testing.assert_allclose(wave, np.sqrt(2) * np.exp(0.4 * value) * tone, atol=1e-12)
        found[first : first + slots, channel] = 0
        np.testing.assert_array_equal(found, silent)


@pytest.mark.parametrize("position", [3, 17, 33, 41, 50, 80])
def test_a_mark_shows_in_the_image_where_it_stands_and_hardly_beside_it(position):
    """All marks are there at once, and one is a unit higher: e^0.4, of which a step is 3 %."""
    change = image_of(marks=one_mark(position, 1.0, others=0.0)) - image_of(marks=np.zeros(len(MARKS)))
    steps = 255 / math.log1p(8 * 256)
    fine = position % 45 < 30
    scale, width, place = (2, 2, position % 45) if fine else (7, 4, position % 45 - 30)
    middle = 2 + width * place + width // 2
    own = change[scale - 1, :, 2 + position // 45]
    assert own[middle - 1 : middle + 1].mean() > 0.5 * 0.4 * steps
    beside = np.delete(own, np.arange(middle - 2 * width, middle + 2 * width))
    assert np.abs(beside).max() <= 0.1 * 0.4 * steps


def test_no_windows_are_normalised_to_none():
    nothing = np.empty((0, 180, 2)), np.empty((0, 180)), np.empty((0, len(MARKS)))
    assert normalise(*nothing).shape == (0, 180, 4)
