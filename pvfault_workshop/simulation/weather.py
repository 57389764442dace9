"""The weather of one solar day at one site, every 20 s.

Here: sun, clear sky, clouds, fog, snow on the morning's modules, air temperature and wind, on the horizontal and on a
tilted plane. Not here: what a module makes of it (`modules.py`), what lies on it (`losses.py`), places and climates
(`sites.py`).
"""

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import pvlib
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from pvfault.errors import PvfaultError
from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S

# The sun is computed every 30 min, in which it moves 7.5°, and the clear sky every 5 min; both are interpolated.
SUN_SLOTS, SKY_SLOTS = np.arange(0, READINGS_PER_DAY + 1, 90), np.arange(0, READINGS_PER_DAY + 1, 15)
DAY_S = READINGS_PER_DAY * SAMPLE_PERIOD_S
ALBEDO = 0.2  # grass and soil; the customary default, also pvlib's
CLEAR, BROKEN, OVERCAST = range(3)
DELTA_T = 69.0  # s, terrestrial less universal time in the 2020s: of no effect on the sun's place that could be seen


@dataclass(frozen=True)
class Weather:
    """One solar day in slots of 20 s, or averaged over some of them.

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
    snow : tuple of float and int
        Share of each module that snow covers, and the slot from which on, before any of it slides off.
    events : tuple of str
        What is not usual about the day: "broken_clouds", "fog", "snow".
    """

    sun: np.ndarray
    beam: np.ndarray
    diffuse: np.ndarray
    air: np.ndarray
    wind: np.ndarray
    snow: tuple[float, int] = (0.0, 0)
    events: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("beam", "diffuse", "air", "wind"):
            values = getattr(self, name)
            if values is None or len(values) != len(self.sun):
                found = "nothing" if values is None else f"{len(values)} values"
                raise PvfaultError(
                    f"weather: {name} has {found}, expected {len(self.sun)}, one for each slot of the day"
                )
            if not np.isfinite(values).all():
                found = np.count_nonzero(~np.isfinite(values))
                raise PvfaultError(
                    f"weather: {name} has {found} values that are no numbers, expected none; fill them in beforehand"
                )

    def delay(self, seconds):
        """The same sky, but clouds arrive later by some seconds.

        Parameters
        ----------
        seconds : float
            Negative where they arrive earlier.

        Returns
        -------
        Weather
        """
        slot = np.arange(len(self.beam))
        beam, diffuse = (np.interp(slot - seconds / SAMPLE_PERIOD_S, slot, sky) for sky in (self.beam, self.diffuse))
        return replace(self, beam=beam, diffuse=diffuse)

    def average(self, slots):
        """Means over so many slots each.

        Parameters
        ----------
        slots : int
            A divisor of the day's.

        Returns
        -------
        Weather
            With as many rows fewer.
        """
        arrays = {name: getattr(self, name) for name in ("sun", "beam", "diffuse", "air", "wind")}
        return replace(
            self,
            snow=(self.snow[0], self.snow[1] // slots),
            **{name: part.reshape(-1, slots, *part.shape[1:]).mean(axis=1) for name, part in arrays.items()},
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
    transmittance, scattered, enhanced, broken = simulate_clouds(site.sky, rng)
    veil = _fog(site, day, rng)
    horizontal = clear_beam * np.clip(sun[:, 2], 0, None)
    # What a cloud takes from the beam comes back in part as diffuse light, from the whole sky rather than from the sun.
    cover = gaussian_filter1d(1 - transmittance * veil, 20, mode="nearest")
    # A cloud that scatters little of the beam lets through little of the sky behind it either.
    shaded = np.clip(0.9 - 2 * scattered, 0.3, 0.9)
    diffuse = clear_diffuse * (1 - shaded * cover) + horizontal * (scattered * cover + enhanced * veil)
    air, wind = _air(site, day, 1 - cover.mean(), rng)
    snow = _snow(site, air, rng)
    happens = {"broken_clouds": broken, "fog": veil.min() < 1, "snow": snow[0] > 0}
    events = tuple(name for name, happened in happens.items() if happened)
    return Weather(sun, clear_beam * transmittance * veil, diffuse, air, wind, snow, events)


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
    gaps alternate; their lengths follow a power law and drift past with the wind, edges take 20 s to 3 min. Clouds of a
    day are thick or thin. How much all this varies was set beside measured irradiance, see docs/simulation.md.

    Parameters
    ----------
    sky : tuple of float
        Probabilities of a clear, a broken and an overcast day.
    rng : numpy.random.Generator

    Returns
    -------
    transmittance : ndarray, shape (4320,)
        Share of the clear-sky beam that arrives.
    scattered : ndarray, shape (4320,)
        Share of the lost beam that comes back as diffuse light.
    enhanced : ndarray, shape (4320,)
        Additional diffuse light from bright cloud edges beside the sun, as a share of the horizontal clear-sky beam.
    broken : bool
        Whether broken clouds pass at any time of the day.

    References
    ----------
    .. [1] R. Wood and P. Field, "The distribution of cloud horizontal sizes", Journal of Climate 24, 2011, 4800-4816
       (chord lengths: power law with exponent 1.66).
    .. [2] C. Gueymard, "Cloud and albedo enhancement impacts on solar irradiance using high-frequency measurements",
       Solar Energy 153, 2017, 755-765 (enhancement of usually 10-30 %, at the edges).
    """
    kinds = rng.choice(3, size=2, p=sky)
    skies = [_sky(kind, rng) for kind in kinds]
    change = rng.integers(0, READINGS_PER_DAY) if rng.random() < 0.6 else 0
    weight = 1 / (1 + np.exp(-(np.arange(READINGS_PER_DAY) - change) / 45))  # the change takes about an hour
    transmittance = skies[0] * (1 - weight) + skies[1] * weight
    near = gaussian_filter1d(1 - transmittance, 4, mode="nearest")
    enhanced = rng.uniform(0.1, 0.8) * near * transmittance
    # The brightness of a closed cover changes over some minutes and over an hour.
    uneven = rng.uniform(0.1, 0.5)
    brightness = np.exp(uneven * (_wander(120, rng) + 0.4 * _wander(9, rng)) - uneven**2 / 2)
    scattered = np.clip(rng.uniform(0.02, 0.45) * brightness, 0.01, 0.6)
    return transmittance, scattered, enhanced, BROKEN in (kinds if change else kinds[1:])


def _sky(kind, rng):
    """Transmittance of the beam for a clear, a broken or an overcast sky."""
    if kind == CLEAR:
        haze, cirrus = rng.uniform(0.93, 1.0), np.exp(rng.uniform(np.log(0.004), np.log(0.06)))
        return np.clip(haze + cirrus * _wander(90, rng), 0, 1)
    if kind == OVERCAST:
        thin = max(0.0, rng.normal(-0.02, 0.06))
        return np.clip(thin * np.exp(0.5 * _wander(60, rng)), 0, 1)
    return _broken(rng)


def _broken(rng):
    """Shadows and gaps that drift past, as a telegraph signal with soft edges."""
    speed = rng.uniform(4, 16)  # m/s, of the clouds
    cover, thickness = rng.uniform(0.03, 0.8), rng.uniform(0.3, 0.9)
    edge = np.exp(rng.uniform(np.log(0.3), np.log(4)))  # slots
    count = 3000
    # Pareto with exponent 1.66 - 1 in the cumulative, from 200 m (one slot at 10 m/s) to 12 km
    low, high, power = 200.0, 12_000.0, 0.66
    chord = (low**-power - rng.random(count) * (low**-power - high**-power)) ** (-1 / power)
    gap = chord[rng.permutation(count)] * (1 - cover) / cover
    ends = np.cumsum(np.column_stack([gap, chord]).ravel() / speed / SAMPLE_PERIOD_S)
    depth = np.column_stack([np.zeros(count), rng.beta(4 * thickness, 4 * (1 - thickness), count)]).ravel()
    fine = np.arange(READINGS_PER_DAY) + rng.random()
    shade = depth[np.clip(np.searchsorted(ends, fine), 0, len(depth) - 1)]
    shade = gaussian_filter1d(shade, edge, mode="nearest")
    return np.clip(1 - shade * (1 + 0.08 * _wander(6, rng)), 0, 1)


def _wander(slots, rng):
    """First-order autoregressive noise of unit variance with a memory of so many slots."""
    keep = np.exp(-1 / slots)
    noise = rng.standard_normal(READINGS_PER_DAY) * np.sqrt(1 - keep**2)
    return lfilter([1], [1, -keep], noise, zi=[keep * rng.standard_normal()])[0]


def _clear_sky(site, day):
    """Direction of the sun, and clear-sky beam (normal) and diffuse (horizontal) irradiance, in slots of 20 s."""
    slots = np.arange(READINGS_PER_DAY)
    sun = _direction_at(slots, _sun_of_month(site, day.year, day.month)[day.day - 1])
    beam, diffuse = _clear_sky_of_month(site, day.year, day.month)[day.day - 1]
    return sun.T, np.interp(slots, SKY_SLOTS, beam), np.interp(slots, SKY_SLOTS, diffuse)


def _direction_at(slots, course):
    """Direction of the sun in some slots of a day, between what it is at `SUN_SLOTS`, shape (3, n)."""
    sun = np.stack([np.interp(slots, SUN_SLOTS, part) for part in course])
    return sun / np.sqrt((sun**2).sum(axis=0))


# Most of the work for the place of the sun, and for a clear sky, is the same for one moment as for many. Kept are more
# months than all sites for training have in a year.
@lru_cache(maxsize=512)
def _sun_of_month(site, year, month):
    """Direction of the sun through each solar day of a month, at `SUN_SLOTS`, shape (days, 3, n)."""
    days = monthrange(year, month)[1]
    begin = datetime(year, month, 1, tzinfo=UTC) - timedelta(hours=site.day_offset)
    moments = begin.timestamp() + np.arange(days)[:, None] * DAY_S + SUN_SLOTS * SAMPLE_PERIOD_S
    zenith, _, _, _, azimuth, _ = pvlib.spa.solar_position(
        moments.ravel(), site.latitude, site.longitude, site.altitude, _pressure(site) / 100, site.mean_air, DELTA_T,
        0.5667,
    )  # fmt: skip
    zenith, azimuth = np.radians(zenith), np.radians(azimuth)
    course = [np.sin(zenith) * np.sin(azimuth), np.sin(zenith) * np.cos(azimuth), np.cos(zenith)]
    return np.stack([part.reshape(days, -1) for part in course], axis=1)


@lru_cache(maxsize=512)
def _clear_sky_of_month(site, year, month):
    """Clear-sky beam (normal) and diffuse (horizontal) irradiance of a month, at `SKY_SLOTS`, shape (days, 2, n)."""
    courses = _sun_of_month(site, year, month)
    height = np.degrees(np.arccos([_direction_at(SKY_SLOTS, course)[2] for course in courses]))
    first = datetime(year, month, 1).timetuple().tm_yday
    extra = pvlib.irradiance.get_extra_radiation(first + np.arange(len(courses)))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # below the horizon
        airmass = pvlib.atmosphere.get_absolute_airmass(pvlib.atmosphere.get_relative_airmass(height), _pressure(site))
        sky = pvlib.clearsky.ineichen(height, airmass, site.turbidity, site.altitude, extra)
    return np.nan_to_num(np.stack([sky["dni"], sky["dhi"]], axis=1))


def _pressure(site):
    """Air pressure in Pa."""
    return pvlib.atmosphere.alt2pres(site.altitude)


def _fog(site, day, rng):
    """Share of the beam that fog leaves until it lifts, between 9 and 14 h solar time; ones on days without.

    Central European stations count some 50 days of fog a year, nearly all in the cold half: DWD, "Nebel",
    Wetterlexikon. For other climates the share goes with that of overcast days.
    """
    chance = 0.5 * site.sky[OVERCAST] * (0.5 - 0.4 * site.season(day))
    lifts, haste, thickness = rng.uniform(9, 14), rng.uniform(0.1, 0.5), rng.uniform(0.0, 0.06)
    if rng.random() >= chance:
        return np.ones(READINGS_PER_DAY)
    return thickness + (1 - thickness) / (1 + np.exp(-(site.solar_hours() - lifts) / haste))


def _snow(site, air, rng):
    """Cover of snow: how much of a module, and from which slot on; nothing in warm air.

    Three in five times it has fallen before dawn, one in five it falls by day, else it is left over from the days
    before.
    """
    chance = np.clip(0.25 - 0.08 * air.mean(), 0, 0.5) * (1 - site.sky[CLEAR])
    kind, left, slot = rng.random(), rng.uniform(0.1, 1), rng.integers(READINGS_PER_DAY)
    if rng.random() >= chance:
        return 0.0, 0
    return (1.0, 0) if kind < 0.6 else (1.0, int(slot)) if kind < 0.8 else (float(left), 0)


def _air(site, day, clearness, rng):
    """Air temperature and wind; clear days have the larger swing, and the warmest time is about 15 h solar time."""
    swing = 2 + 4.5 * clearness
    mean = site.mean_air + site.seasonal_air * site.season(day) + rng.normal(0, 2.5)
    air = mean + swing * np.cos(2 * np.pi * (site.solar_hours() - 15) / 24) + 0.3 * _wander(90, rng)
    wind = rng.gamma(3, 0.8) * np.exp(0.5 * _wander(15, rng) - 0.125)
    return air, wind
