"""Simulated skies beside measured ones, which pvanalytics ships."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pvanalytics
import pvlib
import pytest

from pvfault_workshop.simulation.fleet import site_weather
from pvfault_workshop.simulation.sites import TRAINING_SITES, VALIDATION_SITES
from pvfault_workshop.simulation.weather import _clear_sky, irradiance_on_plane

MEASURED = Path(pvanalytics.__file__).parent / "data"
DENVER = next(site for site in VALIDATION_SITES if site.name == "Denver")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture(scope="module")
def year():
    """Irradiance on a plane of 25°, every 20 s of every second day of a year in Colorado; shape (183, 4320)."""
    days = []
    for number in range(0, 365, 2):
        beam, diffuse, _ = irradiance_on_plane(site_weather(3, DENVER, date(2022, 1, 1) + timedelta(number)), 25, 180)
        days.append(beam + diffuse)
    return np.array(days)


def clearness(days):
    """Share of what the brightest days of the surrounding month have at the same time; shape of `days`."""
    index = np.full_like(days, np.nan)
    for row in range(len(days)):
        month = days[max(0, row - 15) : row + 16]
        bright = np.full(days.shape[1], np.nan)
        some = np.isfinite(month).sum(axis=0) > 5
        bright[some] = np.nanquantile(month[:, some], 0.9, axis=0)
        index[row] = np.where(bright > 150, days[row] / np.maximum(bright, 150), np.nan)
    return index


def changes(index):
    """Sizes of the steps from one value to the next."""
    steps = np.abs(np.diff(index, axis=1))
    return steps[np.isfinite(steps)]


@pytest.fixture(scope="module")
def measured_clearness():
    """Four years of plane-of-array irradiance, every 15 min; bad days left out."""
    series = pd.read_parquet(MEASURED / "system_15_poa_irradiance.parquet").set_index("measured_on").iloc[:, 0]
    series.index = pd.to_datetime(series.index, utc=True).tz_convert("Etc/GMT+7")
    series = series.resample("15min").mean()
    series = series[series.index[0].normalize() + pd.Timedelta("1D") :]
    days = series.to_numpy()[: len(series) // 96 * 96].reshape(-1, 96)
    filled = np.nan_to_num(days)
    good = (np.isfinite(days).sum(axis=1) > 40) & (filled[:, :16].max(axis=1) < 20) & (filled.max(axis=1) < 1700)
    return clearness(np.where(good[:, None], days, np.nan))


def test_the_sky_is_as_clear_as_often_as_a_measured_one(year, measured_clearness):
    simulated = clearness(year.reshape(-1, 96, 45).mean(axis=2))
    ours, theirs = (np.nanquantile(index, QUANTILES) for index in (simulated, measured_clearness))
    np.testing.assert_allclose(ours, theirs, atol=0.13)


def test_the_sky_changes_within_a_quarter_of_an_hour_as_much_as_a_measured_one(year, measured_clearness):
    simulated = clearness(year.reshape(-1, 96, 45).mean(axis=2))
    ours, theirs = (np.quantile(changes(index), (0.5, 0.75, 0.9, 0.95)) for index in (simulated, measured_clearness))
    np.testing.assert_allclose(np.log(ours), np.log(theirs), atol=np.log(1.6))


def clear_sky_index(day):
    """Global horizontal irradiance relative to that of a clear sky on a simulated day; NaN in low light."""
    weather = site_weather(3, DENVER, day)
    sun, beam, diffuse = _clear_sky(DENVER, day)
    up = np.clip(sun[:, 2], 0, None)
    clear = beam * up + diffuse
    return np.where(clear > 150, (weather.beam * up + weather.diffuse) / np.maximum(clear, 150), np.nan)


def test_the_largest_steps_of_measured_days_are_those_of_simulated_days():
    """One day of a reading a minute, and four of one in five minutes; from nearly clear to broken."""
    by_minute = pd.read_csv(MEASURED / "midc_bms_ghi_20220120.csv", index_col=0, parse_dates=True).iloc[:, 0]
    sun = pvlib.solarposition.get_solarposition(by_minute.index, 39.74, -105.18, 1829)
    clear = pvlib.clearsky.haurwitz(sun["apparent_zenith"])["ghi"]
    steps = {3: [(by_minute / clear)[clear > 150].diff().abs()]}
    five = pd.read_csv(MEASURED / "irradiance_RMIS_NREL.csv", parse_dates=["measured_on"]).set_index("measured_on")
    lit = five[five["pvlib_clearsky_ghi"] > 150]
    clearness_index = lit["irradiance_ghi__7981"] / lit["pvlib_clearsky_ghi"]
    steps[15] = [day.diff().abs() for _, day in clearness_index.groupby(lit.index.date) if day.notna().sum() > 80]
    assert [len(days) for days in steps.values()] == [1, 4]
    index = np.array([clear_sky_index(date(2022, 1, 1) + timedelta(number)) for number in range(90)])
    for slots, days in steps.items():
        largest = np.nanquantile(np.abs(np.diff(index[:, ::slots], axis=1)), 0.98, axis=1)
        for day in days:
            assert np.quantile(largest, 0.02) < day.quantile(0.98) < np.quantile(largest, 0.98)


def test_fog_is_thick_lifts_within_the_day_and_belongs_to_winter():
    krakow = next(site for site in TRAINING_SITES if site.name == "Krakow")
    foggy, lifted = [], []
    for number in range(365):
        weather = site_weather(4, krakow, date(2021, 1, 1) + timedelta(number))
        if "fog" in weather.events:
            foggy.append(number)
            hour = krakow.solar_hours()
            assert weather.beam[hour < 7].max() < 100
            lifted.append(weather.beam[hour > 14].max())
    winter = [n for n in foggy if n < 90 or n > 270]
    assert 15 <= len(foggy) <= 60
    assert len(winter) > 2 / 3 * len(foggy)
    assert np.mean(np.array(lifted) > 200) > 0.8  # the rest is overcast behind it


def test_snow_comes_in_the_cold_and_only_there():
    snowy = {}
    for site in TRAINING_SITES:
        if site.name in ("Oulu", "Cairo", "Brisbane"):
            days = [site_weather(4, site, date(2021, 1, 1) + timedelta(n)) for n in range(0, 365, 5)]
            snowy[site.name] = sum("snow" in day.events for day in days)
            assert all(day.air.mean() < 3.2 for day in days if "snow" in day.events)
    assert snowy["Oulu"] > 5
    assert snowy["Cairo"] == snowy["Brisbane"] == 0
