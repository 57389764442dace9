"""Clocks: of the irradiance beside those of the power, and of all beside the sun."""

import numpy as np

from pvfault.suspicions.day import DeviceDay, number
from pvfault.suspicions.suspicion import CLOCK, IRRADIANCE_TIME, Suspicion

STEP_H = 1 / 12
MOST_LAG_H = 14.0
# Less than this is an orientation's doing: light and power of different planes are half an hour apart and more.
LEAST_LAG_H, LEAST_CERTAIN_H = 0.75, 0.9
# How well power follows light once it is moved, and by how much better than before.
# Of the same light at another time, better still.
FOLLOWS, BETTER, FITS = 0.96, 0.08, 0.99
# W/m², and the share of the day's highest current: no array gives this where a sensor of any plane sees no more.
NO_LIGHT, MUCH_CURRENT = 10.0, 0.05
LEAST_DARK_H = 0.4
# The sun's elevation below which no sensor sees more than dusk, with room for refraction and its hill. [°]
DOWN, DUSK = -3.0, 50.0
LEAST_NIGHT_H = 0.5


def current_without_light(day: DeviceDay) -> Suspicion | None:
    """Power that follows the light by a fixed time, or goes before it."""
    grid = np.arange(0, 24, STEP_H)
    light = np.interp(grid, day.hour, day.irradiance.clip(0), left=0, right=0)
    power = np.interp(grid, day.hour, (day.voltage * day.current).clip(0), left=0, right=0)
    lags = np.arange(-int(MOST_LAG_H / STEP_H), int(MOST_LAG_H / STEP_H) + 1)
    scale = np.sqrt((light**2).sum() * (power**2).sum())
    if scale == 0:
        return None
    alike = np.correlate(power, light, mode="full")[len(grid) - 1 + lags] / scale
    best = int(alike.argmax())
    lag, before = float(lags[best] * STEP_H), float(alike[len(lags) // 2])
    dark = (day.irradiance < NO_LIGHT) & (day.current > MUCH_CURRENT * day.top_current)
    dark_h = float(dark.sum() * day.interval_s / 3600)
    is_clock = dark_h >= LEAST_DARK_H and alike[best] > FITS
    if abs(lag) < LEAST_LAG_H or alike[best] < FOLLOWS or not (is_clock or alike[best] - before > BETTER):
        return None
    words = "after" if lag > 0 else "before"
    told = (
        f"power comes {abs(lag):.1f} h {words} the light; moved by that it follows it (correlation "
        f"{alike[best]:.2f} instead of {before:.2f})"
    )
    flows = f", and current flows in {dark_h:.1f} h without light" if dark_h else ""
    return Suspicion(
        IRRADIANCE_TIME,
        is_clock and abs(lag) >= LEAST_CERTAIN_H,
        told + flows,
        "irradiance and power have other time zones or clocks: bring them to one before they are put together, with "
        "--timezone for both",
    )


def light_at_night(day: DeviceDay) -> Suspicion | None:
    """Light while the sun is down where the registry says that the device is."""
    if day.place is None or not day.light_is_w_per_m2:
        return None
    up = day.place.sun_elevation(day.date, day.hour)
    night = (day.irradiance > DUSK) & (up < DOWN)
    night_h = float(night.sum() * day.interval_s / 3600)
    if night_h < LEAST_NIGHT_H:
        return None
    offset = _hours_ahead(day)
    zone = f"Etc/GMT{-offset:+d}" if offset else "ZONE"
    return Suspicion(
        CLOCK,
        True,
        f"light of up to {number(day.irradiance[night].max())} W/m² in {night_h:.1f} h in which the sun is down at "
        f"{day.place.latitude:.1f}° N, {day.place.longitude:.1f}° E; its noon is {abs(offset)} h "
        f"{'late' if offset > 0 else 'early'}",
        f"--timezone of the times in the file, such as {zone}, or latitude and longitude in the registry",
    )


def _hours_ahead(day: DeviceDay) -> int:
    """By how many hours the light's middle is behind the sun's noon, whole, on the circle of a day."""
    angle = 2 * np.pi * day.hour / 24
    middle = np.arctan2((day.irradiance * np.sin(angle)).sum(), (day.irradiance * np.cos(angle)).sum()) * 24 / 2 / np.pi
    noon = 12 - day.place.longitude / 15
    return round((middle - noon + 12) % 24 - 12)
