"""Unsound readings: beyond the ratings, against the modules that pvlib knows; standing still, against a plain loop."""

import numpy as np
import pvlib
import pytest

from pvfault.soundness import find_unsound, stands_still

DAY = 86_400
RATINGS = np.array([[520.0, 9.0]])
UNKNOWN = np.full((1, 2), np.nan)


def clear_day(cadence=60, digits=(0.1, 0.01, 0.1, 1.0), noise=0.001, seed=0):
    """Readings of a healthy array of 520 V and 9 A under a clear sky, as a logger of these last digits writes them."""
    random = np.random.default_rng(seed)
    second = np.arange(0, DAY, cadence, dtype=float)
    light = 950 * np.sin(np.pi * (second / 3600 - 6) / 12).clip(0)
    temperature = 12 + light / 35
    voltage = np.where(light > 5, 520 * (1 - 0.0035 * (temperature - 25)), 0)
    values = np.column_stack([voltage, 9 * light / 1000, temperature, light])
    values *= random.normal(1, noise, values.shape)
    return second, (np.round(values / digits) * digits).astype(np.float32)


def freeze(second, readings, start, end, columns=slice(0, 2)):
    """Readings that repeat that of a time until another."""
    held = np.flatnonzero((second >= start) & (second < end))
    frozen = readings.copy()
    frozen[held, columns] = readings[held[0], columns]
    return frozen, held


def unsound_of(second, readings, ratings=RATINGS):
    return find_unsound(np.zeros(len(second), int), second, readings, ratings)


def still_of(second, readings):
    return stands_still(np.zeros(len(second), int), second, readings)


# --- beyond the ratings ---


@pytest.mark.parametrize("ratings", [RATINGS, UNKNOWN], ids=["registered", "by its own readings"])
@pytest.mark.parametrize("spoilt", [[655.35, 655.35], [655.35, 65.535], [1310.7, 5.0], [480.0, 655.35]])
def test_registers_full_of_ones_are_beyond_the_ratings(ratings, spoilt):
    """Two hours of 0xFFFF, read through a scale, while the temperature is right; nothing else is."""
    second, readings = clear_day()
    wrong = (second >= 39_600) & (second < 46_800)
    # Not quite the same each time: it is not the standing still that tells.
    readings[wrong, :2] = np.float32(spoilt) + np.random.default_rng(1).uniform(0, 0.1, (wrong.sum(), 2))
    np.testing.assert_array_equal(unsound_of(second, readings, ratings).beyond, wrong)


def test_what_real_modules_give_in_cold_and_at_cloud_edges_is_within_the_ratings():
    """Open circuit at -25 °C, short circuit of hot cells under 1,900 W/m² with a fifth more from behind, by pvlib."""
    modules = pvlib.pvsystem.retrieve_sam("CECMod")
    modules = modules.loc[:, modules.loc["Technology"].isin(["Mono-c-Si", "Multi-c-Si"])].iloc[:, ::40]
    number = {name: modules.loc[name].astype(float).to_numpy() for name in modules.index if name.endswith("ref")}
    adjust, alpha = modules.loc["Adjust"].astype(float).to_numpy(), modules.loc["alpha_sc"].astype(float).to_numpy()

    def solve(irradiance, cell):
        parts = pvlib.pvsystem.calcparams_cec(
            irradiance, cell, alpha, number["a_ref"], number["I_L_ref"], number["I_o_ref"], number["R_sh_ref"],
            modules.loc["R_s"].astype(float).to_numpy(), adjust,
        )  # fmt: skip
        return pvlib.pvsystem.singlediode(*parts)

    rated = solve(1000.0, 25.0)
    cold, hot = solve(1000.0, -25.0), solve(1900.0 * 1.2, 75.0)
    readings = np.column_stack([cold["v_oc"], hot["i_sc"], np.full(len(alpha), 20), np.full(len(alpha), 1900)])
    ratings = np.column_stack([rated["v_mp"], rated["i_mp"]])
    assert len(ratings) > 400
    beyond = find_unsound(np.arange(len(ratings)), np.zeros(len(ratings)), readings, ratings).beyond
    assert beyond.mean() < 0.005


def test_without_light_nothing_tells_the_ratings_and_nothing_is_beyond_them():
    """A device that is not registered, with a dead irradiance sensor."""
    second, readings = clear_day()
    readings[:, 3] = 0
    assert not unsound_of(second, readings, UNKNOWN).beyond.any()


@pytest.mark.parametrize("onset", [8, 10, 14])
def test_a_string_that_opens_leaves_the_hours_before_within_what_is_usual(onset):
    """Of a device that is not registered: its day says half of the current, its morning said all of it."""
    second, readings = clear_day()
    readings[second >= onset * 3600, 1] /= 2
    assert not unsound_of(second, readings, UNKNOWN).beyond.any()


def test_an_array_that_is_open_from_the_morning_on_has_given_what_it_gave_before():
    """Of a device that is not registered; most of its day says that it gives nothing."""
    second, readings = clear_day()
    readings[second >= 7.5 * 3600, :2] = 0
    assert not unsound_of(second, readings, UNKNOWN).beyond.any()


def test_a_device_is_measured_by_its_own_ratings():
    second, readings = clear_day()
    both = np.concatenate([readings, readings * np.float32([1, 20, 1, 1])])
    device = np.repeat([0, 1], len(second))
    ratings = np.concatenate([RATINGS, UNKNOWN])
    unsound = find_unsound(device, np.tile(second, 2), both, ratings)
    assert not unsound.beyond.any()
    beyond = find_unsound(device, np.tile(second, 2), both, np.concatenate([RATINGS, RATINGS])).beyond
    assert not beyond[device == 0].any()
    np.testing.assert_array_equal(beyond[device == 1], both[device == 1, 1] > 27)


def test_what_nobody_can_have_measured_is_not_counted_once_more():
    second, readings = clear_day()
    readings[700] = np.float32([500, np.inf, 40, 900])
    readings[701] = np.float32([500, np.nan, 40, 900])
    readings[702] = np.float32([2500, 5, 40, 900])
    assert not unsound_of(second, readings).beyond.any()


# --- standing still ---


@pytest.mark.parametrize("cadence", [20, 60, 300])
@pytest.mark.parametrize(
    "digits", [(0.1, 0.01, 0.1, 1.0), (0.1, 0.1, 1.0, 5.0), (1.0, 0.1, 0.1, 1.0)], ids=["fine", "coarse", "whole volts"]
)
def test_values_that_stay_while_the_light_goes_are_still_and_no_others(cadence, digits):
    second, readings = clear_day(cadence, digits)
    assert not still_of(second, readings).any()
    frozen, held = freeze(second, readings, 14 * 3600, 17 * 3600)
    np.testing.assert_array_equal(np.flatnonzero(still_of(second, frozen)), held)


def test_values_that_stay_until_midnight_are_still_in_the_night_too():
    """They would be energy without light."""
    second, readings = clear_day(300)
    frozen, held = freeze(second, readings, 10 * 3600, DAY)
    np.testing.assert_array_equal(np.flatnonzero(still_of(second, frozen)), held)


@pytest.mark.parametrize("digits", [(0.1, 0.01), (1.0, 0.1), (1.0, 1.0)], ids=["fine", "coarse", "very coarse"])
@pytest.mark.parametrize("cadence", [20, 60, 300])
def test_a_healthy_day_without_noise_is_never_still_however_coarse_its_logger(cadence, digits):
    """Around noon, volts and amperes keep their last digits for an hour."""
    second, readings = clear_day(cadence, (*digits, 0.1, 1.0), noise=0)
    same = (np.diff(readings[:, :2], axis=0) == 0).all(axis=1) & (readings[1:, 3] > 50)
    assert same.any() or digits == (0.1, 0.01)
    assert not still_of(second, readings).any()


def test_an_array_that_its_inverter_limits_moves_its_voltage():
    """At a limit of its current, it stays at one ampere value while the light grows by half."""
    second, readings = clear_day(60)
    limited = readings[:, 1] > 5
    readings[limited, 1] = 5
    readings[limited, 0] = np.round(560 + 0.04 * 560 * np.log(readings[limited, 3] / 600), 1)
    assert not still_of(second, readings).any()


def test_an_open_array_does_not_answer_to_light():
    """Nothing flows, and a coarse voltmeter shows nothing of the rest."""
    second, readings = clear_day(20)
    readings[:, 1] = 0
    readings[readings[:, 3] > 50, 0] = 640
    assert not still_of(second, readings).any()
    readings[:, 0] = 0
    assert not still_of(second, readings).any()


def test_a_light_sensor_that_stands_still_says_nothing_of_the_array():
    second, readings = clear_day(20)
    frozen, _ = freeze(second, readings, 10 * 3600, 14 * 3600, columns=3)
    assert not still_of(second, frozen).any()


def test_a_logger_that_repeats_its_last_row_is_still_from_the_first_hour_on():
    """All four values: the light seems to stay, but the sun does not."""
    second, readings = clear_day(60)
    frozen, held = freeze(second, readings, 13 * 3600, 16 * 3600 + 600, columns=slice(None))
    # An hour is judged by what came before its end; the last ten minutes belong to the stretch that began at one.
    np.testing.assert_array_equal(np.flatnonzero(still_of(second, frozen)), held)


def test_short_stretches_and_single_repetitions_are_chance():
    second, readings = clear_day(20)
    frozen, _ = freeze(second, readings, 9 * 3600, 9 * 3600 + 580)
    assert not still_of(second, frozen).any()
    second, readings = clear_day(300)
    frozen, _ = freeze(second, readings, 9 * 3600, 9 * 3600 + 900)
    assert not still_of(second, frozen).any()


def test_neighbours_in_the_table_do_not_share_a_stretch():
    """One device ends the day as the next one begins it."""
    readings = np.tile(np.float32([500, 5, 30, 600]), (10, 1))
    readings[5:, 3] = 900
    second = np.concatenate([DAY - 1000 + np.arange(5) * 200.0, np.arange(5) * 200.0])
    assert not stands_still(np.repeat([0, 1], 5), second, readings).any()


def reference_still(second, readings):
    """The rule once more: reading by reading, hour by hour."""
    still = np.zeros(len(second), bool)
    flows = np.where((readings[:, :2] > 0).all(axis=1, keepdims=True), readings[:, :2], 0).astype(float)
    for k in range(len(second)):
        v, i = readings[k, :2].astype(float)
        if not (v > 0 and i > 0):
            continue
        end = k
        while end + 1 < len(second) and second[end + 1] // 3600 == second[k] // 3600 and same(readings, end + 1, k, 2):
            end += 1
        for columns, least in ((2, 600), (4, 3000)):
            if not same(readings, end, k, columns):
                end = max(e for e in range(k, end + 1) if all(same(readings, x, k, columns) for x in range(k, e + 1)))
            first = k
            while first > 0 and same(readings, first - 1, k, columns):
                first -= 1
            if end - first < 3 or second[end] - second[first] < least:
                continue
            light = np.clip(readings[first : end + 1, 3].astype(float), 50, None)
            low, high = light.min(), light.max()
            if columns == 4:
                still[k] |= low > 50
            else:
                digit_v, digit_i = (min(map(digit_of, flows[: k + 1, column])) for column in (0, 1))
                current_moves = i * (1 - low / high) >= 2 * digit_i
                voltage_moves = 0.04 * v * np.log(high / low) >= 2 * digit_v
                still[k] |= high - low >= 20 and current_moves and voltage_moves
    return still


def same(readings, a, b, columns):
    return all(readings[a, c] == readings[b, c] for c in range(columns))


def digit_of(value):
    written = f"{value:.2f}"
    return 1.0 if written.endswith("00") else 0.1 if written.endswith("0") else 0.01


@pytest.mark.parametrize("seed", range(6))
def test_stretches_equal_a_plain_loop_over_the_rule(seed):
    random = np.random.default_rng(seed)
    second, readings = clear_day([300, 120, 60][seed % 3], [(0.1, 0.01, 0.1, 1), (1, 1, 1, 5)][seed % 2], seed=seed)
    for start in random.uniform(5 * 3600, 18 * 3600, 8):
        columns = slice(0, 2) if random.random() < 0.6 else slice(None)
        readings, _ = freeze(second, readings, start, start + random.exponential(4000) + 600, columns)
    kept = random.random(len(second)) > 0.1
    second, readings = second[kept], readings[kept]
    expected = reference_still(second, readings)
    np.testing.assert_array_equal(still_of(second, readings), expected)
    assert expected.any()


def test_an_hour_is_judged_as_it_was_when_it_was_over():
    """A stream knows the day so far, the batch all of it."""
    second, readings = clear_day(60)
    frozen, _ = freeze(second, readings, 11.5 * 3600, 18 * 3600)
    whole = still_of(second, frozen)
    assert whole.any()
    for hour in range(24):
        so_far = second < (hour + 1) * 3600
        np.testing.assert_array_equal(still_of(second[so_far], frozen[so_far]), whole[so_far])


def test_no_readings_are_no_unsound_ones():
    unsound = find_unsound(np.empty(0, int), np.empty(0), np.empty((0, 4), np.float32), np.empty((0, 2)))
    assert len(unsound.beyond) == len(unsound.still) == 0
