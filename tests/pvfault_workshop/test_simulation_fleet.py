"""Weather, devices and fleets: laws that must hold on every day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pvlib
import pyarrow as pa
import pytest

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.readings import DEVICE_ID, READING_SCHEMA, TIMESTAMP, is_plausible
from pvfault.registry import read_registry, write_registry
from pvfault_workshop.simulation import simulate_fleet
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.fleet import strike
from pvfault_workshop.simulation.sites import TEST_SITES, TRAINING_SITES, VALIDATION_SITES
from pvfault_workshop.simulation.weather import Weather, _clear_sky, irradiance_on_plane, simulate_weather

DAY = date(2025, 6, 1)
BRISBANE = next(site for site in TRAINING_SITES if site.name == "Brisbane")


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(24, [DAY, DAY + timedelta(days=1)], seed=5)


@pytest.fixture(scope="module")
def readings(fleet):
    return fleet.readings(DAY)


def weather_at(site, day=DAY, seed=0):
    return simulate_weather(site, day, np.random.default_rng(seed))


def test_the_readings_keep_the_contract(fleet, readings):
    assert readings.schema == READING_SCHEMA
    keys = list(zip(readings[TIMESTAMP].cast(pa.int64()).to_pylist(), readings[DEVICE_ID].to_pylist(), strict=True))
    assert keys == sorted(set(keys))
    seconds = np.array([key[0] for key in keys]) / 1e6 - datetime(2025, 6, 1, tzinfo=UTC).timestamp()
    assert (seconds % 20 == 0).all()
    assert seconds.min() == 0
    assert seconds.max() == 86_380
    assert 0.95 < len(readings) / (4320 * len(fleet.devices)) <= 1
    assert is_plausible(np.column_stack([readings[name] for name in readings.column_names[2:]])).all()


def test_the_registry_is_one_that_can_be_read_back(fleet, tmp_path):
    write_registry(fleet.registry, tmp_path / "devices.csv")
    registry = read_registry(tmp_path / "devices.csv")
    assert registry.devices == tuple(device.name for device in fleet.devices)
    np.testing.assert_allclose(registry.rated_voltage, [device.rated_voltage for device in fleet.devices], atol=0.01)


def test_every_fault_is_there_and_most_devices_are_healthy(fleet):
    assert set(fleet.labels["fault"].to_pylist()) == set(FAULTS[1:])
    assert len(fleet.labels) == 6


def test_the_same_seed_gives_the_same_fleet_and_a_date_does_not_depend_on_the_others(fleet, readings):
    again = simulate_fleet(24, [DAY, DAY + timedelta(days=1)], seed=5)
    again.readings(DAY + timedelta(days=1))
    assert again.readings(DAY).equals(readings)
    assert again.labels.equals(fleet.labels)
    assert again.registry.equals(fleet.registry)
    assert not simulate_fleet(24, [DAY, DAY + timedelta(days=1)], seed=6).readings(DAY).equals(readings)


def test_a_date_far_from_greenwich_is_whole_and_fits_the_next():
    """The UTC date ends in the middle of Brisbane's morning: the two halves must belong to the same solar day."""
    fleet = simulate_fleet(2, [DAY], seed=1, sites=(BRISBANE,), faulty=0)
    first, second = (fleet.readings(DAY + timedelta(days=n)).to_pandas() for n in (0, 1))
    name = fleet.devices[0].name
    last = first[first[DEVICE_ID] == name].iloc[-1]
    following = second[second[DEVICE_ID] == name].iloc[0]
    assert last["irradiance"] > 50
    assert following["temperature"] == pytest.approx(last["temperature"], abs=1.5)
    alone = simulate_fleet(2, [DAY], seed=1, sites=(BRISBANE,), faulty=0).readings(DAY + timedelta(days=1))
    assert alone.to_pandas().equals(second)


def test_night_gives_no_current_and_no_voltage():
    for device in simulate_fleet(5, [DAY], seed=2, faulty=0).devices:
        weather = weather_at(device.site)
        truth = simulate_day(device, DAY, weather).truth
        dark = weather.sun[:, 2] < -0.2
        assert (truth[dark, :2] == 0).all()
        assert (truth[~dark, 1] > 0).any()


def test_no_array_gives_more_than_its_rated_power_at_its_light():
    """Within the tolerance of modules, and what cold adds to the voltage."""
    for device in simulate_fleet(30, [DAY], seed=3, faulty=0.5).devices:
        truth = simulate_day(device, DAY, weather_at(device.site)).truth
        cold = np.maximum(25 - truth[:, 2], 0)
        most = device.rated_voltage * device.rated_current * truth[:, 3] / 1000 * (1.06 + 0.005 * cold)
        bright = truth[:, 3] > 100
        assert (truth[bright, 0] * truth[bright, 1] <= most[bright]).all()


def test_a_device_and_its_healthy_twin_are_identical_before_the_onset():
    for fault in FAULTS[1:]:
        device = simulate_fleet(1, [DAY], seed=8, faulty=0).devices[0]
        struck = strike(device, fault, [DAY], np.random.default_rng(0))
        noon = round((12 - device.site.longitude / 15) * 3600)
        struck = replace(struck, onset=datetime(2025, 6, 1, tzinfo=UTC) + timedelta(seconds=noon))
        weather = weather_at(device.site)
        day, twin = simulate_day(struck, DAY, weather), simulate_day(struck.healthy_twin(), DAY, weather)
        slot = -(-noon // 20)
        np.testing.assert_array_equal(day.readings[:slot], twin.readings[:slot])
        np.testing.assert_array_equal(day.received, twin.received)
        if fault != PARTIAL_SHADING:  # its shadow may pass in the morning only
            assert (day.readings[slot:, :2] != twin.readings[slot:, :2]).any()
        np.testing.assert_array_equal(day.readings[:, 2:], twin.readings[:, 2:])


def test_an_open_array_gives_no_current_from_its_onset_on():
    devices = simulate_fleet(40, [DAY], seed=9, faulty=0).devices
    device = next(device for device in devices if device.shape.in_parallel == 1)
    struck = strike(device, OPEN_CIRCUIT, [DAY], np.random.default_rng(0))
    struck = replace(struck, onset=datetime(2025, 6, 1, 12, tzinfo=UTC))
    truth = simulate_day(struck, DAY, weather_at(device.site)).truth
    assert truth[:2160, 1].max() > 0
    assert (truth[2160:, 1] == 0).all()


def test_onsets_are_before_the_first_date_or_in_daylight():
    devices = simulate_fleet(60, [DAY], seed=4, faulty=1).devices
    begin = datetime(2025, 6, 1, tzinfo=UTC)
    before = [device.onset for device in devices if device.onset < begin]
    assert 0.2 < len(before) / len(devices) < 0.6
    assert min(before) >= begin - timedelta(days=60)
    for device in devices:
        if device.onset >= begin:
            assert device.onset < begin + timedelta(days=1)
            # By the sun, which stands in the south four minutes earlier with each degree to the east.
            hour = (device.onset - begin).total_seconds() / 3600 + device.site.longitude / 15
            assert 8.49 <= hour % 24 <= 15.51


@pytest.mark.parametrize("site", [TEST_SITES[0], TEST_SITES[6], BRISBANE], ids=lambda site: site.name)
def test_a_clear_sky_is_that_of_pvlib(site):
    _, beam, diffuse = _clear_sky(site, DAY)
    begin = datetime(2025, 6, 1, tzinfo=UTC) - timedelta(hours=site.day_offset)
    slots = np.arange(0, 4320, 250)
    place = pvlib.location.Location(site.latitude, site.longitude, altitude=site.altitude)
    times = pd.DatetimeIndex([begin + timedelta(seconds=20 * int(slot)) for slot in slots])
    position = place.get_solarposition(times)
    expected = pvlib.clearsky.ineichen(
        position["apparent_zenith"],
        pvlib.atmosphere.get_absolute_airmass(
            pvlib.atmosphere.get_relative_airmass(position["apparent_zenith"]), pvlib.atmosphere.alt2pres(site.altitude)
        ),
        site.turbidity,
        site.altitude,
        pvlib.irradiance.get_extra_radiation(DAY.timetuple().tm_yday),
    ).fillna(0)
    np.testing.assert_allclose(beam[slots], expected["dni"], atol=12)
    np.testing.assert_allclose(diffuse[slots], expected["dhi"], atol=3)


def test_a_tilted_plane_gets_what_pvlib_says():
    weather = weather_at(TEST_SITES[4])
    beam, diffuse, cos_incidence = irradiance_on_plane(weather, 30.0, 200.0)
    zenith = np.degrees(np.arccos(weather.sun[:, 2]))
    azimuth = np.degrees(np.arctan2(weather.sun[:, 0], weather.sun[:, 1])) % 360
    expected = pvlib.irradiance.get_total_irradiance(
        30.0, 200.0, zenith, azimuth, weather.beam,
        weather.diffuse + weather.beam * np.clip(weather.sun[:, 2], 0, None), weather.diffuse,
        albedo=0.2, model="isotropic",
    )  # fmt: skip
    up = weather.sun[:, 2] > 0.02
    # The sun's direction is interpolated, so that its vector is a little short of one.
    np.testing.assert_allclose((beam + diffuse)[up], np.asarray(expected["poa_global"])[up], rtol=2e-3, atol=0.5)
    assert (cos_incidence >= 0).all()


def test_sites_of_training_validation_and_test_are_disjoint():
    groups = [{(s.latitude, s.longitude) for s in sites} for sites in (TRAINING_SITES, VALIDATION_SITES, TEST_SITES)]
    assert len(set.union(*groups)) == sum(map(len, groups))
    for site in (*TRAINING_SITES, *VALIDATION_SITES, *TEST_SITES):
        assert sum(site.sky) == pytest.approx(1)


@pytest.mark.parametrize(("devices", "dates"), [(0, [DAY]), (3, [])])
def test_a_fleet_of_nothing_is_refused(devices, dates):
    with pytest.raises(PvfaultError, match="at least one of each"):
        simulate_fleet(devices, dates, seed=1)


@pytest.mark.parametrize("cadences", [(), (30,), (20, 0)])
def test_a_cadence_that_no_logger_has_is_refused(cadences):
    with pytest.raises(PvfaultError, match="one or more of 20, 60, 300 s"):
        simulate_fleet(3, [DAY], seed=1, cadences=cadences)


def test_weather_without_irradiance_is_refused():
    sky = weather_at(TEST_SITES[0])
    with pytest.raises(PvfaultError, match="beam has nothing, expected 4320"):
        Weather(sky.sun, None, sky.diffuse, sky.air, sky.wind)
    with pytest.raises(PvfaultError, match="diffuse has 4320 values that are no numbers"):
        Weather(sky.sun, sky.beam, sky.diffuse * np.nan, sky.air, sky.wind)
