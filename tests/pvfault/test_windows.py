"""Windows: cutting, filling and judging, against a slow reference in plain Python and against numpy.interp."""

import numpy as np
import pytest

from pvfault.windows import cut_windows

GOOD = (500.0, 7.0, 40.0, 800.0)
HOUR = 3600
DAY = 24 * HOUR
EVERY_20_S = np.arange(0, HOUR, 20.0)
EVERY_MINUTE = np.arange(0, HOUR, 60.0)


def cut_one(second, measurements=GOOD, **options):
    """Windows of one device, which reads the same all day if no more is said."""
    second = np.asarray(second, float)
    measurements = np.broadcast_to(np.asarray(measurements, np.float32), (len(second), 4))
    return cut_windows(np.zeros(len(second), np.int64), second, measurements, 1, **options)


def quality_of_the_hour(second, measurements=GOOD, **options):
    """Quality of the hour from noon."""
    return cut_one(np.asarray(second) + 12 * HOUR, measurements, **options).quality[12]


# --- the rule, once more: one window at a time, one slot at a time ---


def is_usable(reading):
    v, i, t, g = (float(value) for value in reading)
    return -10 <= v <= 2000 and -10 <= i <= 10_000 and -90 <= t <= 120 and -20 <= g <= 2000


def covered_slots(times):
    """How many of the 180 slots are within reach of the readings at these seconds of the hour."""
    covered = 0
    for slot in range(0, HOUR, 20):
        earlier = [slot - time for time in times if time <= slot]
        later = [time - slot for time in times if time >= slot]
        nearest = min(earlier + later, default=float("inf"))
        gap = min(earlier) + min(later) if earlier and later else nearest
        covered += nearest <= 10 or gap <= 320
    return covered


def reference_window(times, readings):
    """Quality and values of one window from its readings, at seconds of the hour."""
    if not times:
        return "missing", None
    usable = [(time, reading) for time, reading in zip(times, readings, strict=True) if is_usable(reading)]
    if usable and sum(float(reading[3]) for _, reading in usable) / len(usable) < 50:
        return "dark", None
    if covered_slots([time for time, _ in usable]) < 162:
        return ("invalid" if covered_slots(times) >= 162 else "sparse"), None
    at = [time for time, _ in usable]
    grid = np.arange(0, HOUR, 20)
    return "ok", np.column_stack([np.interp(grid, at, [reading[c] for _, reading in usable]) for c in range(4)])


def random_fleet(seed):
    """Devices of every habit: any cadence, jitter, lost and broken readings, dark hours, silent devices in between."""
    random = np.random.default_rng(seed)
    devices, seconds, measurements = [], [], []
    n_devices = 12
    for device in range(n_devices):
        if device == 5 or (device in (0, n_devices - 1) and seed % 2):
            continue
        cadence = random.choice([7, 20, 60, 300, 330, 600])
        time = np.arange(0, DAY, cadence) + random.uniform(0, cadence * 0.03, -(-DAY // cadence)) * (cadence > 7)
        time = np.round(time[time < DAY], random.integers(0, 7))
        time = np.unique(time[(time >= 0) & (time < DAY)])
        lost = np.zeros(len(time), bool)
        for start in random.uniform(0, DAY, 30):
            lost |= (time >= start) & (time < start + random.exponential(500))
        time = time[~lost & (random.random(len(time)) > random.choice([0, 0.3]))]
        light = np.clip(900 * np.sin(np.pi * (time - 4 * HOUR) / (16 * HOUR)), 0, None)
        reading = np.column_stack([500 + 50 * np.sin(time / 300), light / 100, 20 + light / 40, light])
        reading = (reading * random.normal(1, 0.02, reading.shape)).astype(np.float32)
        for start in random.uniform(0, DAY, 10):
            broken = (time >= start) & (time < start + random.exponential(900))
            reading[broken, random.integers(4)] = random.choice([np.nan, np.inf, -np.inf, 3.4e38, -127])
        devices.append(np.full(len(time), device))
        seconds.append(time)
        measurements.append(reading)
    return np.concatenate(devices), np.concatenate(seconds), np.concatenate(measurements), n_devices


@pytest.mark.parametrize("seed", range(4))
def test_windows_of_irregular_readings_equal_a_plain_loop_over_the_rule(seed):
    device, second, measurements, n_devices = random_fleet(seed)
    windows = cut_windows(device, second, measurements, n_devices)
    values = dict(zip(windows.judged.tolist(), windows.values, strict=True))
    seen = set()
    for window in range(n_devices * 24):
        own = (device == window // 24) & (second // HOUR == window % 24)
        quality, expected = reference_window((second[own] % HOUR).tolist(), measurements[own])
        assert (window, windows.quality[window]) == (window, quality)
        assert windows.readings[window] == own.sum()
        assert (window in values) == (quality == "ok")
        if quality == "ok":
            np.testing.assert_allclose(values[window], expected, rtol=2e-6, atol=1e-4)
        seen.add(quality)
    assert seen == {"ok", "dark", "sparse", "invalid", "missing"}


def test_a_window_of_a_day_equals_the_window_cut_alone_from_its_own_readings():
    """The stream cuts single windows, the batch whole fleets: their values are the same, bit for bit."""
    device, second, measurements, n_devices = random_fleet(7)
    far = 100_000  # a place in the largest fleet, where float seconds on one axis have lost their microseconds
    whole = cut_windows(device + far, second, measurements, far + n_devices)
    for window, values in zip(whole.judged.tolist(), whole.values, strict=True):
        own = (device + far == window // 24) & (second // HOUR == window % 24)
        alone = cut_windows(np.zeros(own.sum(), np.int64), second[own], measurements[own], 1)
        assert alone.judged.tolist() == [window % 24]
        np.testing.assert_array_equal(alone.values[0], values)
        assert alone.mean_irradiance[window % 24] == whole.mean_irradiance[window]


def test_readings_on_the_grid_are_kept_as_they_are():
    second = np.arange(0, DAY, 20)
    readings = np.random.default_rng(0).uniform(100, 110, (len(second), 4)).astype(np.float32)
    windows = cut_one(second, readings)
    assert (windows.quality == "ok").all()
    np.testing.assert_array_equal(windows.values, readings.reshape(24, 180, 4))


@pytest.mark.parametrize("cadence", [1, 5, 20, 30, 60, 300])
def test_every_cadence_up_to_five_minutes_can_be_judged(cadence):
    windows = cut_one(np.arange(0, DAY, cadence))
    assert (windows.quality == "ok").all()
    assert (windows.readings == HOUR // cadence).all()
    assert windows.values.shape == (24, 180, 4)


@pytest.mark.parametrize("cadence", [20, 60, 300])
def test_a_logger_that_is_never_quite_on_time_can_be_judged(cadence):
    """At 5 min, half of its gaps are some seconds longer than 5 min, and every window was sparse."""
    jitter = np.random.default_rng(0).uniform(-8, 8, DAY // cadence)
    second = np.unique(np.clip(np.arange(0, DAY, cadence) + jitter, 0, None))
    assert (cut_one(second).quality == "ok").all()


def test_readings_every_ten_minutes_are_none_that_the_network_was_trained_beside():
    assert (cut_one(np.arange(0, DAY, 600)).quality == "sparse").all()


def test_a_reading_on_the_hour_belongs_to_the_hour_that_begins():
    windows = cut_one([HOUR, 2 * HOUR - 1e-6, 2 * HOUR, DAY - 1e-6])
    assert np.flatnonzero(windows.readings).tolist() == [1, 2, 23]
    assert windows.readings[1] == 2


@pytest.mark.parametrize("second", [-1e-6, -20.0, 86_400.0, 90_000.0])
def test_a_reading_of_another_date_is_refused(second):
    """It would be counted for the device beside: midnight of one is, on one axis of time, the start of the next."""
    times = np.sort([second, 43_200.0])
    with pytest.raises(ValueError, match="1 of 2 readings are not of this date"):
        cut_windows(np.ones(2, np.int64), times, np.full((2, 4), 100, np.float32), 3)


def test_a_reading_of_no_device_is_refused():
    with pytest.raises(ValueError, match="not of devices 0 to 1"):
        cut_windows(np.array([0, 2]), np.zeros(2), np.full((2, 4), 100, np.float32), 2)


@pytest.mark.parametrize(
    ("device", "second"),
    [([0, 0], [20, 0]), ([0, 0], [20, 20]), ([1, 0], [0, 20])],
    ids=["time goes back", "the same twice", "device goes back"],
)
def test_readings_out_of_order_are_refused(device, second):
    with pytest.raises(ValueError, match="sort them and keep one of each"):
        cut_windows(np.array(device), np.array(second, float), np.full((2, 4), 100, np.float32), 2)


def test_no_readings_and_no_devices_are_no_windows():
    windows = cut_windows(np.empty(0, np.int64), np.empty(0), np.empty((0, 4), np.float32), 0)
    assert len(windows.quality) == len(windows.readings) == len(windows.mean_irradiance) == len(windows.judged) == 0
    assert windows.values.shape == (0, 180, 4)


def test_a_silent_device_between_others_is_missing_and_leaves_them_alone():
    second = np.tile(np.arange(0, DAY, 60.0), 2)
    device = np.repeat([1, 3], DAY // 60)
    windows = cut_windows(device, second, np.full((len(second), 4), 100, np.float32), 5)
    by_device = windows.quality.reshape(5, 24)
    assert (by_device[[0, 2, 4]] == "missing").all()
    assert (by_device[[1, 3]] == "ok").all()
    assert np.isnan(windows.mean_irradiance.reshape(5, 24)[[0, 2, 4]]).all()


# --- the interval that an hour keeps ---

EVERY_5_MINUTES = np.arange(0, HOUR, 300.0)


@pytest.mark.parametrize("lost", range(12))
def test_eleven_of_twelve_readings_are_enough(lost):
    kept = np.delete(EVERY_5_MINUTES, lost)
    assert quality_of_the_hour(kept, by_interval=True) == "ok"
    readings = np.tile(np.float32(GOOD), (12, 1))
    readings[lost, 1] = np.nan
    assert quality_of_the_hour(EVERY_5_MINUTES, readings, by_interval=True) == "ok"


@pytest.mark.parametrize("interval", [600, 900])
def test_an_archive_that_is_late_by_a_twentieth_keeps_its_hours(interval):
    random = np.random.default_rng(0)
    for _ in range(20):
        late = random.uniform(-interval / 20, interval / 20, DAY // interval)
        second = (np.arange(interval / 2, DAY, interval) + late).clip(0, DAY - 1)
        assert (cut_one(second, by_interval=True).quality == "ok").all()


@pytest.mark.parametrize("interval", [120, 180, 240, 300])
def test_a_logger_that_is_late_by_a_twelfth_and_loses_a_reading_keeps_its_hours(interval):
    """At 5 min and 25 s, 12 of 13 hours in the light were sparse."""
    random = np.random.default_rng(0)
    for _ in range(20):
        second = np.arange(0, DAY, interval) + random.uniform(-interval / 12, interval / 12, DAY // interval)
        second = np.unique(second.clip(0, DAY - 1))
        assert (cut_one(second, by_interval=True).quality == "ok").all()
        windows = cut_one(second[np.arange(len(second)) % 13 != 5], by_interval=True)
        # Now and then the hour's first reading comes before it, so that two are not there.
        assert (windows.quality[windows.readings >= HOUR / interval - 1] == "ok").all()
        assert (windows.quality == "ok").mean() > 0.9


@pytest.mark.parametrize(
    ("second", "quality"),
    [
        (np.delete(EVERY_5_MINUTES, [4, 5]), "sparse"),  # two in a row
        (np.cumsum([0, *(10.0, 590.0) * 6])[:-1], "sparse"),  # no step is near their median
        (EVERY_5_MINUTES[::2], "ok"),  # that is ten minutes
        (np.delete(np.arange(0, HOUR, 600.0), 3), "ok"),
        (np.delete(np.arange(0, HOUR, 600.0), [1, 3]), "sparse"),
        (np.arange(0, HOUR, 900.0), "ok"),
        (np.arange(450, HOUR, 900.0), "ok"),
        (np.delete(np.arange(0, HOUR, 900.0), 2), "sparse"),
        (np.array([1335.0, 2265.0]), "sparse"),  # two that reach as far as the ends of the hour
        (np.arange(0, HOUR, 1200.0), "sparse"),
        (np.arange(0, HOUR, 1800.0), "sparse"),
        (np.delete(EVERY_5_MINUTES, [2, 5, 8]), "sparse"),  # an hour that keeps no interval
        (np.sort(np.random.default_rng(0).uniform(0, HOUR, 11)), "sparse"),
        (EVERY_5_MINUTES[:9], "sparse"),  # the end of the hour
    ],
)
def test_an_hour_that_keeps_no_interval_or_loses_more_is_sparse(second, quality):
    assert quality_of_the_hour(second, by_interval=True) == quality


@pytest.mark.parametrize("cadence", [7, 20, 60, 120])
def test_of_loggers_that_are_quick_no_hour_changes(cadence):
    """Their gaps of one reading are filled in any case; 20 s is what the network was trained beside."""
    random = np.random.default_rng(cadence)
    second = np.arange(0, DAY, cadence, dtype=float)
    lost = np.zeros(len(second), bool)
    for start in random.uniform(0, DAY, 60):
        lost |= (second >= start) & (second < start + random.exponential(500))
    second = second[~lost & (random.random(len(second)) > 0.2)]
    readings = random.uniform(100, 900, (len(second), 4)).astype(np.float32)
    readings[:, 2] = 25
    plain, own = cut_one(second, readings), cut_one(second, readings, by_interval=True)
    np.testing.assert_array_equal(plain.quality, own.quality)
    np.testing.assert_array_equal(plain.values, own.values)


def test_a_window_has_the_interval_of_its_own_readings():
    """Whether a stream cuts it, or a batch that knows the rest of the day."""
    second = np.concatenate([np.arange(0, 12 * HOUR, 20.0), np.delete(EVERY_5_MINUTES, 4) + 12 * HOUR])
    assert cut_one(second, by_interval=True).quality[12] == "ok"


# --- set aside ---


def test_an_hour_is_called_by_what_most_of_its_unusable_readings_are_set_aside_as():
    second = 12 * HOUR + EVERY_MINUTE
    for share, expected in ((0.05, "ok"), (0.5, "curtailed"), (1.0, "curtailed")):
        aside = np.arange(60) < share * 60
        windows = cut_one(second, set_aside={"curtailed": aside, "not reporting": aside & False})
        assert windows.quality[12] == expected
        # What the array gave is told all the same.
        assert windows.mean_power[12] == GOOD[0] * GOOD[1]
    broken = np.tile(np.float32(GOOD), (60, 1))
    broken[:40] = np.nan
    aside = (np.arange(60) >= 40) & (np.arange(60) < 55)
    assert cut_one(second, broken, set_aside={"curtailed": aside}).quality[12] == "invalid"
    zeros = np.arange(60) < 40
    assert (
        cut_one(second, broken, set_aside={"curtailed": aside, "not reporting": zeros}).quality[12] == "not reporting"
    )


def test_readings_set_aside_are_bridged_as_gaps_are():
    readings = np.tile(np.float32(GOOD), (60, 1))
    readings[30, :2] = (600, 0)
    windows = cut_one(12 * HOUR + EVERY_MINUTE, readings, set_aside={"curtailed": np.arange(60) == 30})
    np.testing.assert_allclose(windows.values[0], np.tile(GOOD, (180, 1)), rtol=1e-6)


def test_hours_that_did_not_come_or_are_dark_are_called_so_whatever_is_set_aside():
    second = 12 * HOUR + EVERY_MINUTE[:20]
    everything = {"curtailed": np.ones(20, bool)}
    assert cut_one(second, set_aside=everything).quality[12] == "sparse"
    assert cut_one(second, (600, 0, 10, 20), set_aside=everything).quality[12] == "dark"
    assert cut_one(second, set_aside=everything).quality[11] == "missing"


# --- quality: each from an hour made for it ---


def test_a_full_hour_in_the_light_is_ok():
    assert quality_of_the_hour(EVERY_20_S) == "ok"


@pytest.mark.parametrize(("irradiance", "quality"), [(0, "dark"), (49.9, "dark"), (50, "ok"), (-3, "dark")])
def test_an_hour_is_dark_below_50_w_per_m2(irradiance, quality):
    assert quality_of_the_hour(EVERY_20_S, (300, 0.1, 10, irradiance)) == quality


@pytest.mark.parametrize("spike", [np.inf, -np.inf, np.nan, 3.4e38])
@pytest.mark.parametrize("measurement", range(4))
def test_one_spike_in_a_good_minute_cadence_hour_is_bridged(measurement, spike):
    """Real inverters report 5e58 A, infinite in a float32, once in a while."""
    readings = np.tile(np.float32(GOOD), (60, 1))
    readings[30, measurement] = spike
    windows = cut_one(EVERY_MINUTE + 12 * HOUR, readings)
    assert windows.quality[12] == "ok"
    np.testing.assert_allclose(windows.values[0], np.tile(GOOD, (180, 1)), rtol=1e-6)


def test_a_sensor_dead_for_the_hour_makes_it_invalid():
    assert quality_of_the_hour(EVERY_MINUTE, (500, 7, -127, 800)) == "invalid"
    assert quality_of_the_hour(EVERY_MINUTE, (np.nan,) * 4) == "invalid"


def test_a_sensor_dead_for_half_the_hour_makes_it_invalid():
    readings = np.tile(np.float32(GOOD), (60, 1))
    readings[30:, 1] = np.nan
    assert quality_of_the_hour(EVERY_MINUTE, readings) == "invalid"


@pytest.mark.parametrize(("gap_minutes", "quality"), [(5, "ok"), (7, "sparse"), (20, "sparse")])
def test_a_gap_in_communication_over_more_than_a_tenth_of_the_hour_makes_it_sparse(gap_minutes, quality):
    came = (EVERY_20_S <= 1200) | (1200 + 60 * gap_minutes <= EVERY_20_S)
    assert quality_of_the_hour(EVERY_20_S[came]) == quality


def test_two_gaps_together_make_it_sparse_though_either_alone_does_not():
    first = (EVERY_20_S > 600) & (EVERY_20_S < 600 + 340)
    second = (EVERY_20_S > 2400) & (EVERY_20_S < 2400 + 340)
    assert quality_of_the_hour(EVERY_20_S[~first]) == "ok"
    assert quality_of_the_hour(EVERY_20_S[~second]) == "ok"
    assert quality_of_the_hour(EVERY_20_S[~first & ~second]) == "sparse"


def test_one_reading_in_the_light_is_sparse_and_in_the_dark_dark():
    assert quality_of_the_hour([1800.0]) == "sparse"
    assert quality_of_the_hour([1800.0], (0, 0, 10, 0)) == "dark"


def test_broken_readings_that_hardly_came_are_sparse():
    assert quality_of_the_hour([100.0, 2000.0], (np.nan,) * 4) == "sparse"


def test_a_device_that_stops_in_the_hour_holds_its_last_reading_for_five_minutes_at_most():
    assert quality_of_the_hour(EVERY_20_S[EVERY_20_S <= HOUR - 20 - 300]) == "ok"
    assert quality_of_the_hour(EVERY_20_S[EVERY_20_S <= HOUR / 2]) == "sparse"
    assert quality_of_the_hour(EVERY_20_S[EVERY_20_S >= HOUR / 2]) == "sparse"


def test_means_are_those_of_the_hours_own_usable_readings():
    """Power is the mean of the products: the product of the means is another number."""
    measurements = np.float32([[400, 2, 20, 300], [600, 6, 40, 900], [np.nan, 9, 99, 99]])
    windows = cut_windows(np.zeros(3, int), np.array([3600.0, 4800.0, 6000.0]), measurements, 1)
    means = [windows.mean_voltage, windows.mean_current, windows.mean_temperature, windows.mean_irradiance]
    assert [float(mean[1]) for mean in means] == [500, 4, 30, 600]
    assert windows.mean_power[1] == 2200
    assert all(np.isnan(mean[0]) for mean in means)


def test_mean_irradiance_counts_usable_readings_only():
    readings = np.tile(np.float32(GOOD), (60, 1))
    readings[:, 3] = np.arange(60) * 10
    readings[10:20, 0] = np.nan
    windows = cut_one(EVERY_MINUTE, readings)
    usable = [i * 10 for i in range(60) if not 10 <= i < 20]
    assert windows.mean_irradiance[0] == pytest.approx(sum(usable) / len(usable))
    assert windows.readings[0] == 60


def test_what_is_given_is_not_changed():
    device, second, measurements, n_devices = random_fleet(2)
    copies = device.copy(), second.copy(), measurements.copy()
    cut_windows(device, second, measurements, n_devices)
    for given, copy in zip((device, second, measurements), copies, strict=True):
        np.testing.assert_array_equal(given, copy)
