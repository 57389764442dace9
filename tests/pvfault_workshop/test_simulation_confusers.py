"""Sensors, losses and habits: what may look like a fault without being one."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pvlib
import pytest

from pvfault_workshop.simulation import simulate_fleet
from pvfault_workshop.simulation.array import SHARES, SNOW_LIGHT, ArrayShape, Nodes, read_curves, tabulate
from pvfault_workshop.simulation.curves import curve_at
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.fleet import simulate_history, site_weather
from pvfault_workshop.simulation.inverter import Inverter, operate
from pvfault_workshop.simulation.losses import Habits, power_limit, snow_cover, soiling
from pvfault_workshop.simulation.modules import load_modules
from pvfault_workshop.simulation.sensors import Station, measure, perfect_sensors
from pvfault_workshop.simulation.sites import TEST_SITES, TRAINING_SITES
from pvfault_workshop.simulation.weather import CLEAR, irradiance_on_plane, simulate_weather

DAY = date(2025, 6, 1)
ALMERIA = TEST_SITES[0]
ALWAYS_CLEAR = replace(ALMERIA, sky=(1.0, 0.0, 0.0))
STEP = np.where(np.arange(4320) < 2000, 100.0, 500.0)[:, None] * np.ones(4)


def measured(values=STEP, seed=0, years=0.0, **errors):
    """Readings of sensors that have these errors and no others."""
    return measure(replace(perfect_sensors(), **errors), values, years, np.random.default_rng(seed))


def test_sensors_without_errors_measure_what_is_there():
    readings, received, stuck = measured()
    np.testing.assert_allclose(readings, STEP, atol=1e-4)
    assert received.all()
    assert not stuck


def test_a_lagging_sensor_reaches_63_per_cent_of_a_step_after_its_time_constant():
    readings, _, _ = measured(lag=np.array([0, 0, 0, 100.0]))
    assert readings[2004, 3] == pytest.approx(100 + 400 * (1 - np.exp(-1)), rel=1e-3)  # the fifth reading of the step
    assert readings[2004, 0] == pytest.approx(500)


def test_a_drifting_sensor_is_off_by_its_rate_and_time():
    readings, _, _ = measured(years=1.5, drift=np.array([0, 0, 0, 0.01]))
    np.testing.assert_allclose(readings[:, 3], STEP[:, 3] * 1.015, rtol=1e-5)
    np.testing.assert_allclose(readings[:, 0], STEP[:, 0], rtol=1e-5)


@pytest.mark.parametrize(("cadence", "expected"), [(20, 4320), (60, 1440), (300, 288)])
def test_a_slow_logger_gives_a_reading_at_its_cadence(cadence, expected):
    _, received, _ = measured(cadence_s=cadence, phase=7.0)
    slots = np.flatnonzero(received)
    assert len(slots) == expected
    assert (np.diff(slots) == cadence // 20).all()


def test_a_jittering_clock_makes_the_time_between_readings_uneven():
    _, received, _ = measured(cadence_s=60, phase=10.0, jitter=8.0)
    assert set(np.diff(np.flatnonzero(received))) > {3}
    assert received.sum() == 1440


def test_a_reading_never_knows_what_happens_after_its_time():
    for cadence in (20, 60, 300):
        readings, received, _ = measured(cadence_s=cadence, phase=9.0, jitter=6.0, averages=True)
        assert (readings[:2000][received[:2000]] == 100).all()
        assert readings[2030:][received[2030:]].min() == pytest.approx(500)


def test_a_logger_that_averages_reports_the_mean_of_its_interval():
    ramp = np.arange(4320.0)[:, None] * np.ones(4)
    readings, received, _ = measured(ramp, cadence_s=300, averages=True)
    slots = np.flatnonzero(received)[1:]
    np.testing.assert_allclose(readings[slots, 0], slots - 7, rtol=1e-5)  # mean of the last 15 values


def test_a_stuck_value_stays_as_it_was():
    noisy = np.random.default_rng(1).normal(size=(4320, 4))
    stuck_days = [measured(noisy, seed, sticks=1.0) for seed in range(40)]
    frozen = [(np.diff(readings, axis=0) == 0) for readings, _, _ in stuck_days]
    assert [bool(held.any()) for held in frozen] == [stuck for _, _, stuck in stuck_days]
    assert any(held.all(axis=1).any() for held in frozen)  # the whole logger
    assert any((held.any(axis=1) & ~held.all(axis=1)).any() for held in frozen)  # one sensor


def test_a_bad_connection_loses_readings_in_bursts():
    """As many lost one by one would leave no gap of half an hour in 40 days."""
    gaps = []
    for seed in range(40):
        _, received, _ = measured(seed=seed, bursts=0.5, outages=0.5)
        gaps.append(np.diff(np.flatnonzero(np.r_[True, received, True])).max() * 20)
    assert max(gaps) > 1800
    assert min(gaps) == 20  # and days without any


@pytest.fixture(scope="module")
def clear():
    return simulate_weather(ALWAYS_CLEAR, DAY, np.random.default_rng(3))


def test_a_shadow_on_the_sensor_alone_comes_at_its_time_and_leaves_the_array_alone(clear):
    hour = ALMERIA.solar_hours()
    free = Station(30, 180).irradiance(clear, hour)
    shaded = Station(30, 180, shades=((10.0, 2.0, 0.8),)).irradiance(clear, hour)
    inside = (hour > 9.3) & (hour < 10.7)
    beam, diffuse, _ = irradiance_on_plane(clear, 30, 180)
    np.testing.assert_allclose(shaded[inside], (0.2 * beam + diffuse)[inside])
    outside = (hour < 8.9) | (hour > 11.1)
    np.testing.assert_array_equal(shaded[outside], free[outside])
    device = replace(simulate_fleet(1, [DAY], seed=1, faulty=0, sites=(ALWAYS_CLEAR,)).devices[0])
    pair = [replace(device, station=replace(device.station, shades=s)) for s in ((), ((10.0, 2.0, 0.8),))]
    days = [simulate_day(d, DAY, clear) for d in pair]
    np.testing.assert_array_equal(days[0].truth, days[1].truth)
    np.testing.assert_array_equal(days[0].readings[:, :3], days[1].readings[:, :3])
    assert days[1].readings[inside, 3].mean() < 0.6 * days[0].readings[inside, 3].mean()
    assert "shaded_sensor" in days[1].confusers


def test_clouds_that_pass_the_sensor_first_make_it_disagree_with_the_array():
    broken = simulate_weather(replace(ALMERIA, sky=(0.0, 1.0, 0.0)), DAY, np.random.default_rng(0))
    device = simulate_fleet(1, [DAY], seed=1, faulty=0, sites=(ALMERIA,)).devices[0].with_clean_sensors()
    scatter = []
    for lead in (0.0, 60.0):
        moved = replace(device, station=replace(device.station, lead=lead))
        day = simulate_day(moved, DAY, broken)
        bright = day.truth[:, 3] > 200
        scatter.append(np.std(np.log(day.readings[bright, 3] / day.truth[bright, 3])))
    assert scatter[0] < 0.01
    assert scatter[1] > 0.1


def test_a_thermometer_in_the_air_reads_the_air():
    device = simulate_fleet(1, [DAY], seed=1, faulty=0, sites=(ALMERIA,)).devices[0].with_clean_sensors()
    device = replace(device, station=replace(device.station, measures_air=True))
    weather = site_weather(1, ALMERIA, DAY)
    day = simulate_day(device, DAY, weather)
    np.testing.assert_allclose(day.readings[:, 2], weather.air, atol=1e-4)
    assert "air_temperature" in day.confusers


def test_dirt_gathers_as_kimber_says_and_rain_washes_it_off():
    site = replace(ALMERIA, sky=(0.0, 0.5, 0.5))  # no dust
    habits = Habits(soiling_rate=0.002, curtailed=False, rows=1)
    days = [DAY + timedelta(days=n) for n in range(120)]
    losses = np.array([soiling(habits, site, day, 5)[0][0] for day in days])
    washed = np.flatnonzero(np.diff(losses) < 0) + 1
    rain = pd.Series(0.0, index=pd.date_range(days[0], periods=120, freq="D"))
    rain.iloc[washed] = 20.0
    expected = pvlib.soiling.kimber(rain, soiling_loss_rate=0.002, grace_period=1, initial_soiling=losses[0])
    assert 2 <= len(washed) <= 9
    np.testing.assert_allclose(losses[: washed[-1]], expected[: washed[-1]], atol=1e-9)


def test_dust_comes_down_within_two_hours_on_all_plants_of_a_site_and_never_looks_like_a_fault_in_the_labels():
    habits = [Habits(soiling_rate=rate, curtailed=False, rows=1) for rate in (0.0002, 0.001)]
    site = replace(ALMERIA, sky=(1.0, 0.0, 0.0))
    for seed in range(60):
        for n in range(60):
            losses = [soiling(h, site, DAY + timedelta(days=n), seed) for h in habits]
            assert losses[0][1] == losses[1][1]
            if losses[0][1]:
                fallen = losses[0][0]
                assert 0.03 <= fallen[-1] - fallen[0] <= 0.15
                assert np.count_nonzero(np.diff(fallen)) <= 361
                return
    pytest.fail("no dust in 60 summers")


def test_an_order_to_reduce_power_holds_for_some_hours_and_for_all_who_obey():
    obeys, ignores = (Habits(soiling_rate=0, curtailed=curtailed, rows=1) for curtailed in (True, False))
    levels = set()
    for n in range(400):
        day = DAY + timedelta(days=n)
        limits = [power_limit(obeys, ALMERIA, day, 1, np.random.default_rng(number))[0] for number in (0, 3)]
        other, _ = power_limit(ignores, ALMERIA, day, 1, np.random.default_rng(0))
        ordered = np.isfinite(limits[0])
        if ordered.any():
            assert 0.45 < ordered.sum() / 180 <= 5.05
            np.testing.assert_array_equal(limits[0], limits[1])
            levels |= set(limits[0][ordered])
        assert not np.isfinite(other).any()
    assert levels == {0.0, 0.3, 0.6}


@pytest.mark.parametrize("allowed", [0.6, 0.3])
def test_a_curtailed_inverter_gives_what_it_may_at_a_higher_voltage(allowed):
    shape = ArrayShape(load_modules()[0], 12, 2)
    table = tabulate(shape, (Nodes.whole_array,))
    current, open_voltage = read_curves(table, np.zeros(8, int), np.ones(8), np.full(8, 900.0), np.full(8, 40.0))
    inverter = Inverter(limit=1e9, start=1.0, scans=True, inertia=0.0, dither=0.0)
    voltage, drawn = operate(inverter, current, open_voltage, np.zeros(8))
    limited = allowed * voltage * drawn
    higher, less = operate(inverter, current, open_voltage, np.zeros(8), limited)
    np.testing.assert_allclose(higher * less, limited, rtol=0.02)
    assert (higher > voltage).all()


def test_an_inverter_that_is_off_leaves_the_array_at_its_open_circuit_voltage():
    shape = ArrayShape(load_modules()[0], 12, 2)
    table = tabulate(shape, (Nodes.whole_array,))
    current, open_voltage = read_curves(table, np.zeros(8, int), np.ones(8), np.full(8, 900.0), np.full(8, 40.0))
    inverter = Inverter(limit=1e9, start=1.0, scans=True, inertia=0.0, dither=0.0)
    voltage, drawn = operate(inverter, current, open_voltage, np.zeros(8), 0.0)
    assert (drawn == 0).all()
    np.testing.assert_allclose(voltage, open_voltage, rtol=0.01)


def test_an_inverter_starts_after_there_was_enough_power_for_its_time():
    shape = ArrayShape(load_modules()[0], 12, 2)
    table = tabulate(shape, (Nodes.whole_array,))
    light = np.where(np.arange(30) < 10, 5.0, 200.0)
    current, open_voltage = read_curves(table, np.zeros(30, int), np.ones(30), light, np.full(30, 20.0))
    inverter = Inverter(limit=1e9, start=200.0, scans=True, inertia=0.0, dither=0.0, wait=6)
    drawn = operate(inverter, current, open_voltage, np.zeros(30))[1]
    assert np.flatnonzero(drawn)[0] == 15  # the sixth reading with enough


def test_snow_slides_off_as_pvlib_says():
    site = next(site for site in TRAINING_SITES if site.name == "Krakow")
    weather = simulate_weather(site, date(2021, 2, 10), np.random.default_rng(5))
    weather = replace(weather, snow=(1.0, 0), air=weather.air - weather.air.mean() + 0.5)
    beam, diffuse, _ = irradiance_on_plane(weather, 35, 180)
    times = pd.date_range("2021-02-10", periods=4320, freq="20s")
    fallen = pd.Series(0.0, index=times)
    fallen.iloc[0] = 100.0
    light, air = pd.Series(beam + diffuse, index=times), pd.Series(weather.air, index=times)
    with pd.option_context("future.infer_freq_returns_offset", False):
        expected = pvlib.snow.coverage_nrel(fallen, light, air, 35.0)
    covered = snow_cover(weather, 35, beam + diffuse)
    np.testing.assert_allclose(covered, expected, atol=0.002)
    assert covered[-1] < covered[0] == 1


def test_snow_on_a_third_of_every_module_takes_a_third_of_the_voltage():
    """Its sub-strings are bypassed where the rest is bright."""
    shape = ArrayShape(load_modules()[0], 10, 2)
    voltage, power = np.linspace(0, 400, 3000)[None], []
    for snow in (0.0, 1 / 3):
        nodes = Nodes(shape, np.array([800.0]), np.array([0.0]), np.array([1.0]), snow)
        power.append(curve_at(nodes.whole_array(), voltage)[0] * voltage[0])
    best = [p.argmax() for p in power]
    assert voltage[0, best[1]] / voltage[0, best[0]] == pytest.approx(2 / 3, abs=0.03)
    assert SNOW_LIGHT < 0.3


def test_no_confuser_depends_on_whether_there_is_a_fault():
    """Else a network would learn the confuser instead of the fault."""
    fleet = simulate_fleet(60, [DAY], seed=11, faulty=0.5)
    for device in fleet.devices[:20]:
        weather = site_weather(fleet.seed, device.site, DAY)
        day, twin = (simulate_day(d, DAY, weather) for d in (device, device.healthy_twin()))
        assert set(day.confusers) - {"clipping"} == set(twin.confusers) - {"clipping"}
        np.testing.assert_array_equal(day.received, twin.received)


def test_history_is_what_the_days_before_were():
    """Of healthy devices with lasting errors of sensors; what is left out are noise, dither and lost readings."""
    fleet = simulate_fleet(12, [DAY], seed=3, faulty=0)
    for device in fleet.devices:
        device = replace(  # nor does it clip: a mean that is below the limit may have peaks above
            device,
            inverter=replace(device.inverter, limit=1e9),
            sensors=replace(
                device.sensors, noise=np.zeros(4), loss=0, outages=0, bursts=0, sticks=0, lag=np.zeros(4), jitter=0
            ),
        )
        yesterday = DAY - timedelta(days=1)
        history = simulate_history(device, [DAY - timedelta(days=100), yesterday])
        assert history.shape == (2, 24, 4)
        day = simulate_day(device, yesterday, site_weather(fleet.seed, device.site, yesterday))
        hourly = day.readings.reshape(24, 180, 4).mean(axis=1)
        bright = hourly[:, 3] > 100
        gain = [values[bright, 1].sum() / values[bright, 3].sum() for values in (hourly, history[1])]
        assert gain[1] == pytest.approx(gain[0], rel=0.05)
        assert history[1][bright, 0].mean() == pytest.approx(hourly[bright, 0].mean(), rel=0.02)


def test_clear_is_the_first_kind_of_sky():
    assert ALWAYS_CLEAR.sky[CLEAR] == 1
    assert SHARES[0] == 0
