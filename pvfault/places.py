"""Where devices stand, as far as the registry says: sites, places and time zones, and when the sun is up there."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from pvfault.locations import Location, local_file
from pvfault.readings import DEVICE_ID
from pvfault.registry import parse_columns, with_device_ids


@dataclass(frozen=True)
class Place:
    """A place on earth.

    Attributes
    ----------
    latitude, longitude : float
        [°], north and east.
    """

    latitude: float
    longitude: float

    def sun_elevation(self, day: date, hour) -> np.ndarray:
        """The sun's elevation above the horizon, without refraction, in degrees and right to about half of one.

        Declination and equation of time by Spencer (1971), as in Duffie and Beckman, Solar Engineering of Thermal
        Processes, section 1.

        Parameters
        ----------
        day : date
        hour : array_like of float
            Of the day, UTC. [h]
        """
        turn = 2 * np.pi * (day.timetuple().tm_yday - 1) / 365
        sin, cos = np.sin(np.arange(4) * turn), np.cos(np.arange(4) * turn)
        declination = cos @ (0.006918, -0.399912, -0.006758, -0.002697) + sin @ (0, 0.070257, 0.000907, 0.00148)
        equation_min = 229.2 * (cos @ (0.000075, 0.001868, -0.014615, 0) + sin @ (0, -0.032077, -0.04089, 0))
        solar_hour = np.asarray(hour) + self.longitude / 15 + equation_min / 60
        angle, latitude = np.radians(15 * (solar_hour - 12)), np.radians(self.latitude)
        up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
        return np.degrees(np.arcsin(np.clip(up, -1, 1)))


def read_places(path: Location) -> dict[str, Place]:
    """The place of each device of a registry that `read_registry` takes, where it is known."""
    rows = _read_columns(path, "latitude", "longitude")
    return {device: Place(north, east) for device, north, east in rows if north is not None and east is not None}


def read_sites(path: Location) -> dict[str, str]:
    """The site of each device of a registry that `read_registry` takes, where it is known."""
    return {device: site for device, site in _read_columns(path, "site") if site}


def read_timezones(path: Location) -> dict[str, str]:
    """The time zone of each device of a registry that `read_registry` takes, where it is known."""
    return {device: zone for device, zone in _read_columns(path, "timezone") if zone}


def _read_columns(path: Location, *names: str) -> Iterator[tuple]:
    """Devices with what these columns say of them; none if one of the columns is not there."""
    with local_file(path) as file:
        table, _ = with_device_ids(parse_columns(file.read_bytes()))
    if not set(names) <= set(table.column_names):
        return iter(())
    return zip(*(table[name].to_pylist() for name in (DEVICE_ID, *names)), strict=True)
