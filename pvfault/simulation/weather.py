"""The weather of one solar day at one site, every 20 s.

Here: sun, clear sky, clouds, air temperature and wind, on the horizontal and on a tilted plane. Not here: what a
module makes of it (`modules.py`), places and climates (`sites.py`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pvlib
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from pvfault.errors import PvfaultError
from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S

SUN_STEP = 15  # slots: the sun is computed every 5 min and interpolated between; it moves 1.25° in that time
ALBEDO = 0.2  # grass and soil; the customary default, also pvlib's


@dataclass(frozen=True)
class Weather:
    """One solar day in slots of 20 s.

    Attributes
    ----------
    sun : ndarray, shape (4320, 3)
        Unit vector to the sun: east, north, up.
    beam, diffuse : ndarray, shape (4320,)
        Direct normal and diffuse horizontal irradiance. [W/m²]
    air : ndarray, shape (4320,)
        Air temperature. [°C]
    wind : ndarray, shape (4320,)
        Wind speed at module height. [m/s]
    """

    sun: np.ndarray
    beam: np.ndarray
    diffuse: np.ndarray
    air: np.ndarray
    wind: np.ndarray

    def __post_init__(self):
        for name in ("beam", "diffuse", "air", "wind"):
            values = getattr(self, name)
            if values is None or len(values) != len(self.sun):
                found = "nothing" if values is None else f"{len(values)} values"
                raise PvfaultError(
                    f"weather: {name} has {found}, expected {len(self.sun)}, one for each slot of the day"
                )


def simulate_weather(site, day, rng):
    """Sun, sky and air of a solar day.

    Parameters
    ----------
    site : Site
    day : datetime.date
        The solar day, which begins `site.day_offset` hours before the UTC day of that date.
    rng : numpy.random.Generator

    Returns
    -------
    Weather

    References
    ----------
    .. [1] P. Ineichen and R. Perez, "A new airmass independent formulation for the Linke turbidity coefficient",
       Solar Energy 73, 2002, 151-157 (clear sky, through pvlib).
    """
    sun, clear_beam, clear_diffuse = _clear_sky(site, day)
    transmittance, scattered, enhanced = simulate_clouds(site.sky, rng)
    horizontal = clear_beam * np.clip(sun[:, 2], 0, None)
    # What a cloud takes from the beam comes back in part as diffuse light, from the whole sky rather than from the sun.
    cover = gaussian_filter1d(1 - transmittance, 20, mode="nearest")
    diffuse = clear_diffuse * (1 - 0.3 * cover) + horizontal * (scattered * cover + enhanced)
    air, wind = _air(site, day, 1 - cover.mean(), rng)
    return Weather(sun, clear_beam * transmittance, diffuse, air, wind)


def irradiance_on_plane(weather, tilt, azimuth):
    """Beam and diffuse irradiance on a tilted plane, and the angle at which the beam meets it.

    Parameters
    ----------
    weather : Weather
    tilt : float
        0 is horizontal. [°]
    azimuth : float
        Direction that the plane faces, clockwise from north. [°]

    Returns
    -------
    beam, diffuse : ndarray, shape (4320,)
        [W/m²]
    cos_incidence : ndarray, shape (4320,)

    References
    ----------
    .. [1] B. Liu and R. Jordan, "The long-term average performance of flat-plate solar-energy collectors", Solar
       Energy 7, 1963, 53-74 (isotropic sky and ground reflection).
    """
    tilt, azimuth = np.radians(tilt), np.radians(azimuth)
    normal = np.array([np.sin(tilt) * np.sin(azimuth), np.sin(tilt) * np.cos(azimuth), np.cos(tilt)])
    cos_incidence = np.clip(weather.sun @ normal, 0, None)
    beam = weather.beam * cos_incidence
    horizontal = weather.diffuse + weather.beam * np.clip(weather.sun[:, 2], 0, None)
    diffuse = weather.diffuse * (1 + np.cos(tilt)) / 2 + horizontal * ALBEDO * (1 - np.cos(tilt)) / 2
    return beam, diffuse, cos_incidence


def simulate_clouds(sky, rng):
    """How clouds change beam and diffuse light through one day.

    A day is clear, broken or overcast, or changes from one to another at some time. Under broken clouds, shadows and
    gaps alternate; their lengths follow a power law and drift past with the wind, edges take 20 s to 1 min.

    Parameters
    ----------
    sky : tuple of float
        Probabilities of a clear, a broken and an overcast day.
    rng : numpy.random.Generator

    Returns
    -------
    transmittance : ndarray, shape (4320,)
        Share of the clear-sky beam that arrives.
    scattered : float
        Share of the lost beam that comes back as diffuse light.
    enhanced : ndarray, shape (4320,)
        Additional diffuse light from bright cloud edges beside the sun, as a share of the horizontal clear-sky beam.

    References
    ----------
    .. [1] R. Wood and P. Field, "The distribution of cloud horizontal sizes", Journal of Climate 24, 2011, 4800-4816
       (chord lengths: power law with exponent 1.66).
    .. [2] C. Gueymard, "Cloud and albedo enhancement impacts on solar irradiance using high-frequency measurements",
       Solar Energy 153, 2017, 755-765 (enhancement of usually 10-30 %, at the edges).
    """
    kinds = rng.choice(3, size=2, p=sky)
    skies = [_sky(kind, rng) for kind in kinds]
    change = rng.integers(0, READINGS_PER_DAY) if rng.random() < 0.4 else 0
    weight = 1 / (1 + np.exp(-(np.arange(READINGS_PER_DAY) - change) / 45))  # the change takes about an hour
    transmittance = skies[0] * (1 - weight) + skies[1] * weight
    near = gaussian_filter1d(1 - transmittance, 4, mode="nearest")
    enhanced = rng.uniform(0.1, 0.8) * near * transmittance
    return transmittance, rng.uniform(0.06, 0.45), enhanced


def _sky(kind, rng):
    """Transmittance of the beam for a clear, a broken or an overcast sky."""
    if kind == 0:
        haze = rng.uniform(0.93, 1.0)
        return np.clip(haze + 0.01 * _wander(90, rng), 0, 1)
    if kind == 2:
        thin = max(0.0, rng.normal(-0.02, 0.06))
        return np.clip(thin * np.exp(0.5 * _wander(60, rng)), 0, 1)
    return _broken(rng)


def _broken(rng):
    """Shadows and gaps that drift past, as a telegraph signal with soft edges."""
    speed = rng.uniform(4, 16)  # m/s, of the clouds
    cover = rng.uniform(0.12, 0.75)
    count = 3000
    # Pareto with exponent 1.66 - 1 in the cumulative, from 200 m (one slot at 10 m/s) to 12 km
    low, high, power = 200.0, 12_000.0, 0.66
    chord = (low**-power - rng.random(count) * (low**-power - high**-power)) ** (-1 / power)
    gap = chord[rng.permutation(count)] * (1 - cover) / cover
    ends = np.cumsum(np.column_stack([gap, chord]).ravel() / speed / SAMPLE_PERIOD_S)
    depth = np.column_stack([np.zeros(count), rng.beta(3, 1.3, count)]).ravel()
    fine = np.arange(READINGS_PER_DAY) + rng.random()
    shade = depth[np.clip(np.searchsorted(ends, fine), 0, len(depth) - 1)]
    shade = gaussian_filter1d(shade, rng.uniform(0.3, 1.2), mode="nearest")
    return np.clip(1 - shade * (1 + 0.08 * _wander(6, rng)), 0, 1)


def _wander(slots, rng):
    """First-order autoregressive noise of unit variance with a memory of so many slots."""
    keep = np.exp(-1 / slots)
    noise = rng.standard_normal(READINGS_PER_DAY) * np.sqrt(1 - keep**2)
    return lfilter([1], [1, -keep], noise, zi=[keep * rng.standard_normal()])[0]


def _clear_sky(site, day):
    """Direction of the sun, and clear-sky beam (normal) and diffuse (horizontal) irradiance, in slots of 20 s."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=site.day_offset)
    coarse = np.arange(0, READINGS_PER_DAY + SUN_STEP, SUN_STEP)
    times = pd.DatetimeIndex(pd.Timestamp(begin) + pd.to_timedelta(coarse * SAMPLE_PERIOD_S, unit="s"))
    position = pvlib.solarposition.get_solarposition(times, site.latitude, site.longitude, site.altitude)
    zenith, azimuth = np.radians(position["apparent_zenith"]), np.radians(position["azimuth"])
    air_mass = pvlib.atmosphere.get_relative_airmass(position["apparent_zenith"])
    pressure = pvlib.atmosphere.alt2pres(site.altitude)
    sky = pvlib.clearsky.ineichen(
        position["apparent_zenith"],
        pvlib.atmosphere.get_absolute_airmass(air_mass, pressure),
        site.turbidity,
        site.altitude,
        pvlib.irradiance.get_extra_radiation(day.timetuple().tm_yday),
    ).fillna(0)
    columns = [
        np.sin(zenith) * np.sin(azimuth),
        np.sin(zenith) * np.cos(azimuth),
        np.cos(zenith),
        sky["dni"],
        sky["dhi"],
    ]
    slots = np.arange(READINGS_PER_DAY)
    fine = np.column_stack([np.interp(slots, coarse, column) for column in columns])
    return fine[:, :3], fine[:, 3], fine[:, 4]


def _air(site, day, clearness, rng):
    """Air temperature and wind; clear days have the larger swing, and the warmest time is about 15 h solar time."""
    season = np.cos(2 * np.pi * (day.timetuple().tm_yday - 200) / 365) * np.sign(site.latitude)
    hours = np.arange(READINGS_PER_DAY) * SAMPLE_PERIOD_S / 3600 - site.day_offset + site.longitude / 15
    swing = 2 + 4.5 * clearness
    mean = site.mean_air + site.seasonal_air * season + rng.normal(0, 2.5)
    air = mean + swing * np.cos(2 * np.pi * (hours - 15) / 24) + 0.3 * _wander(90, rng)
    wind = rng.gamma(3, 0.8) * np.exp(0.5 * _wander(15, rng) - 0.125)
    return air, wind
