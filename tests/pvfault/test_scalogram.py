"""Scalograms: against pywt.cwt itself, and the laws that a linear transform keeps."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import pywt
from scipy.stats import linregress

from pvfault.reference import COURSE, Background, typical_references
from pvfault.scalogram import MARKS, normalise, quantise, transform, transform_matrix

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
    return np.stack([pywt.cwt(signal, np.arange(1, 65), "morl")[0] for signal in padded.T], axis=-1)


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
    windows = random_windows(40).tobytes()
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


def one_hour(voltage=570.0, current=9.6, temperature=25.0, irradiance=1000.0):
    """A steady hour of an array rated 570 V and 10 A, which is typical without deviation but for the light."""
    return np.tile(np.float32([voltage, current, temperature, irradiance]), (1, 180, 1))


def a_background(course=1.0, surplus=np.nan):
    return Background(
        typical_references(np.array([[570.0, 10.0]])),
        np.broadcast_to(np.asarray(course, float), (1, COURSE, 2)),
        np.broadcast_to(np.asarray(surplus, float), (1, 2)),
    )


def channels(values, **background):
    return normalise(values, np.array([12]), a_background(**background))[0]


def envelope(wave):
    """Amplitude of a wave of 4 slots, from two neighbours a quarter of it apart."""
    return np.sqrt((wave[:-1] ** 2 + wave[1:] ** 2) / 2)


def test_a_device_that_gives_what_it_should_is_flat_at_one():
    light = np.log(1000 / 800)
    voltage = 570 * (1 + 0.005 * light - 0.009 * light**2)
    found = channels(one_hour(voltage))
    np.testing.assert_allclose(found[:, :2], [[1, 1]] * 180, atol=1e-6)
    np.testing.assert_allclose(envelope(found[:, 2]), 1)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99, 1.01, 1.5])
def test_a_deviation_is_compressed_around_one(share):
    """asinh(20 x) / 4 of the deviation x; the current's is relative to what 50 W/m² more would give."""
    expected = 1 + math.asinh(20 * (share - 1)) / 4
    found = channels(one_hour(voltage=share * 570 * (1 + 0.005 * 0.22314 - 0.009 * 0.22314**2)))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)
    found = channels(one_hour(current=share * 9.6))
    np.testing.assert_allclose(found[:, 1], 1 + math.asinh(20 * (share - 1) * 1000 / 1050) / 4, atol=1e-4)
    assert found[:, :2].min() > 0


def test_one_per_cent_changes_the_image_by_more_than_a_step():
    """The image of the level itself, whose steps are 3 %, could not show it."""
    images = [transform(channels(one_hour(current=current))[None]).astype(int) for current in (9.6, 9.504)]
    assert (images[0] - images[1])[..., 1].max() >= 2


def test_the_course_is_the_amplitude_of_a_wave_voltage_first():
    """29 steps and the hour itself, of 3 slots each; what is not known is silent."""
    course = np.ones((COURSE, 2))
    course[:10] = np.nan
    course[20:, 0], course[20:, 1] = 0.98, 1.05
    wave = channels(one_hour(), course=course)[:, 2]
    for first, expected in ((0, 0), (30, 1), (60, 1 + math.asinh(20 * -0.02) / 4)):
        np.testing.assert_allclose(envelope(wave[first : first + 30]), expected, atol=1e-9)
    for first, expected in ((90, 0), (120, 1), (150, 1 + math.asinh(20 * 0.05) / 4)):
        np.testing.assert_allclose(envelope(wave[first : first + 30]), expected, atol=1e-9)


def test_a_step_of_the_course_is_seen_in_the_image_where_it_is():
    """A level would vanish from a wavelet's image; the wave's scale shows it, before and after the step."""
    course = np.ones((COURSE, 2))
    course[15:, 0] = 0.9
    image = transform(channels(one_hour(), course=course)[None])[0, 2, :, 2].astype(float)
    before, after = image[2 + 4 : 2 + 12].mean(), image[2 + 18 : 2 + 27].mean()
    steps = 255 / math.log1p(8 * 256)
    assert before - after == pytest.approx(-math.log(1 + math.asinh(20 * -0.1) / 4) * steps, abs=2)


def marks(values, **background):
    """The marks of a window, read from the wave on top of its light: 6 slots of margin, then 12 slots each."""
    wave = channels(values, **background)[:, 3] - values[0, :, 3].astype(float) / 1000
    assert not wave[:6].any()
    assert not wave[-6:].any()
    amplitude = np.array([envelope(wave[first : first + 12]).mean() for first in range(6, 174, 12)])
    with np.errstate(divide="ignore"):  # what is absent is minus infinity
        return dict(zip(MARKS, np.log(amplitude) / 0.7, strict=True))


def test_an_open_string_looks_alike_in_arrays_of_any_size():
    """One string less is one string less: e^-0.7 of the wave, on top of the light."""
    found = marks(one_hour(), surplus=[0.0, -1.0])
    assert found["modules_surplus"] == pytest.approx(0, abs=1e-9)
    assert found["strings_surplus"] == pytest.approx(-1)
    absent = marks(one_hour(), surplus=np.nan)
    assert absent["modules_surplus"] == absent["strings_surplus"] == -np.inf


@pytest.mark.parametrize(("surplus", "shown"), [(-40.0, -6.0), (9.0, 2.5)])
def test_a_surplus_beyond_all_bounds_is_shown_at_the_bound(surplus, shown):
    assert marks(one_hour(), surplus=surplus)["modules_surplus"] == pytest.approx(shown)


def test_marks_say_how_the_signals_go_together():
    """Against SciPy's regression, and the window's own extremes and steps."""
    rng = np.random.default_rng(3)
    light = 1000 * (0.6 + 0.3 * np.sin(np.arange(180) / 15))
    temperature = 25 + 8 * np.cos(np.arange(180) / 30)
    values = one_hour()
    values[0, :, 2:] = np.column_stack([temperature, light])
    values[0, :, 0] -= 2 * (temperature - 25) + rng.normal(0, 2, 180)
    values[0, 40:46, 0] = 300
    values[0, :, 1] = 0.7 * 9.6 * light / 1000 + 1.5 + rng.normal(0, 0.05, 180)
    values[0, 100:118, 1] = 0
    found = marks(values)
    voltage, current, temperature, light = values[0].astype(float).T
    from_800 = np.log(light / 800)
    share = voltage / 570 / (1 - 0.0035 * (temperature - 25) + 0.005 * from_800 - 0.009 * from_800**2)
    per_light = current / 9.6
    fit = linregress(light / 1000, per_light)
    beside = np.std(per_light - fit.intercept - fit.slope * light / 1000)
    assert found["temperature"] == pytest.approx((temperature.mean() - 25) / 15, abs=1e-6)
    assert found["irradiance"] == pytest.approx(1.5 * math.log(light.mean() / 1000), abs=1e-6)
    assert found["current_on_irradiance"] == pytest.approx(math.asinh(10 * (fit.slope - 1)), abs=1e-6)
    assert found["current_off_irradiance"] == pytest.approx(0.8 * math.log((beside + 1e-4) / 0.02), abs=1e-6)
    assert found["without_current"] == pytest.approx(6 * 18 / 180 - 4, abs=1e-6)
    assert found["jumps"] == pytest.approx(math.log(2 / 179 + 0.005) + 1.5, abs=1e-6)
    steps = np.abs(np.diff(per_light)).mean()
    assert found["current_step_mean"] == pytest.approx(0.8 * math.log((steps + 1e-4) / 0.01), abs=1e-6)
    assert found["voltage_min"] == pytest.approx(math.asinh(20 * (share.min() - 1)), abs=1e-6)
    assert found["voltage_max"] == pytest.approx(math.asinh(20 * (share.max() - 1)), abs=1e-6)
    jump = np.abs(np.diff(share)).max()
    assert found["voltage_step_max"] == pytest.approx(0.7 * math.log((jump + 1e-4) / 0.03), abs=1e-6)


def test_a_mark_stands_in_the_image_in_its_four_columns():
    images = [transform(channels(one_hour(temperature=t))[None])[0, ..., 3].astype(int) for t in (25.0, 40.0)]
    changed = np.abs(images[1] - images[0])[2]
    third = 2 + 2 + 4 * MARKS.index("temperature")  # columns of zeros, of margin, of marks before it
    steps = 255 / math.log1p(8 * 256)
    assert images[1][2, third + 1] - images[0][2, third + 1] == pytest.approx(0.7 * steps, abs=2)
    assert changed[third + 8 : third + 28].max() < 0.2 * steps


def test_no_windows_are_normalised_to_none():
    nothing = Background(np.empty((0, 11)), np.empty((0, COURSE, 2)), np.empty((0, 2)))
    assert normalise(np.empty((0, 180, 4), np.float32), np.empty(0, int), nothing).shape == (0, 180, 4)
