"""Where simulated plants stand, and what the sky is like there.

Here: sites with their climate in a few numbers, and how they are split so that a network is tested at places, with
their temperatures, turbidity and seasons, that it was not trained at. The five types of sky are too few to be split:
they occur in every part. Not here: the weather of a day (`weather.py`).
"""

from dataclasses import dataclass

import numpy as np

from pvfault.readings import READINGS_PER_DAY, SAMPLE_PERIOD_S


@dataclass(frozen=True)
class Site:
    """A place with a climate.

    Attributes
    ----------
    name : str
    latitude, longitude : float
        Positive north and east. [°]
    altitude : float
        Above sea level. [m]
    timezone : str
        Name in the IANA database.
    mean_air : float
        Mean air temperature of the year. [°C]
    seasonal_air : float
        Half the difference between the means of the warmest and the coldest month. [K]
    turbidity : float
        Linke turbidity, 2 (clean) to 6 (hazy).
    sky : tuple of float
        Shares of clear, broken and overcast days; they add up to 1.
    """

    name: str
    latitude: float
    longitude: float
    altitude: float
    timezone: str
    mean_air: float
    seasonal_air: float
    turbidity: float
    sky: tuple[float, float, float]

    @property
    def day_offset(self):
        """Hours by which the solar day of this site begins before the UTC day.

        A day is simulated from one local midnight to the next, because clouds, temperatures and the tracker carry
        state through the daylight. Within 60° of Greenwich the UTC day begins and ends in the dark anyway.
        """
        return 0 if abs(self.longitude) < 60 else round(self.longitude / 15)

    def solar_hours(self):
        """Mean solar time of each slot of a solar day.

        Returns
        -------
        ndarray, shape (4320,)
            Hours; 12 is noon. Beyond 0 to 24 where the day of the sun and that of the slots differ.
        """
        return np.arange(READINGS_PER_DAY) * SAMPLE_PERIOD_S / 3600 - self.day_offset + self.longitude / 15

    def season(self, day):
        """Where in the year a day is: 1 at the height of summer (19 July in the north), -1 in the depth of winter."""
        return np.cos(2 * np.pi * (day.timetuple().tm_yday - 200) / 365) * np.sign(self.latitude)

    def generator(self, *seed):
        """Random numbers that all plants of a site share, and no other site has."""
        return np.random.default_rng([*seed, *(ord(letter) for letter in self.name)])


_ARID, _MEDITERRANEAN = (0.65, 0.25, 0.10), (0.45, 0.38, 0.17)
_TEMPERATE, _OCEANIC, _TROPICAL = (0.28, 0.42, 0.30), (0.18, 0.44, 0.38), (0.22, 0.60, 0.18)

# Temperatures: rounded normals of the nearest weather station. Turbidity and shares of skies: round values for the
# type of climate, after the monthly maps that pvlib ships and the Köppen class of the site.
TRAINING_SITES = (
    Site("Sevilla", 37.4, -6.0, 10, "Europe/Madrid", 19, 9, 3.3, _MEDITERRANEAN),
    Site("Freiburg", 48.0, 7.8, 280, "Europe/Berlin", 11, 9, 3.2, _TEMPERATE),
    Site("Leeds", 53.8, -1.5, 60, "Europe/London", 9, 6, 3.0, _OCEANIC),
    Site("Krakow", 50.1, 19.9, 220, "Europe/Warsaw", 9, 11, 3.5, _TEMPERATE),
    Site("Oulu", 65.0, 25.5, 15, "Europe/Helsinki", 3, 13, 2.6, _OCEANIC),
    Site("Ouarzazate", 30.9, -6.9, 1140, "Africa/Casablanca", 19, 10, 3.2, _ARID),
    Site("Cairo", 30.0, 31.2, 30, "Africa/Cairo", 22, 7, 4.5, _ARID),
    Site("Accra", 5.6, -0.2, 60, "Africa/Accra", 27, 2, 5.0, _TROPICAL),
    Site("Upington", -28.4, 21.3, 840, "Africa/Johannesburg", 21, 8, 2.7, _ARID),
    Site("Riyadh", 24.7, 46.7, 610, "Asia/Riyadh", 27, 11, 5.0, _ARID),
    Site("Jaipur", 26.9, 75.8, 430, "Asia/Kolkata", 26, 9, 5.2, _ARID),
    Site("Chennai", 13.1, 80.3, 10, "Asia/Kolkata", 29, 4, 5.0, _TROPICAL),
    Site("Singapore", 1.4, 103.8, 15, "Asia/Singapore", 27, 1, 4.5, _TROPICAL),
    Site("Shanghai", 31.2, 121.5, 5, "Asia/Shanghai", 17, 12, 4.8, _TEMPERATE),
    Site("Sapporo", 43.1, 141.4, 20, "Asia/Tokyo", 9, 13, 3.0, _TEMPERATE),
    Site("Brisbane", -27.5, 153.0, 10, "Australia/Brisbane", 20, 5, 3.0, _MEDITERRANEAN),
    Site("Alice Springs", -23.7, 133.9, 550, "Australia/Darwin", 21, 9, 2.6, _ARID),
    Site("Phoenix", 33.4, -112.1, 340, "America/Phoenix", 24, 11, 3.0, _ARID),
    Site("Chicago", 41.9, -87.6, 180, "America/Chicago", 10, 14, 3.2, _TEMPERATE),
    Site("Vancouver", 49.3, -123.1, 10, "America/Vancouver", 11, 7, 2.6, _OCEANIC),
    Site("Bogota", 4.7, -74.1, 2550, "America/Bogota", 14, 1, 3.0, _TROPICAL),
    Site("Antofagasta", -23.6, -70.4, 40, "America/Santiago", 17, 4, 2.6, _ARID),
)
VALIDATION_SITES = (
    Site("Lisboa", 38.7, -9.1, 80, "Europe/Lisbon", 17, 6, 3.2, _MEDITERRANEAN),
    Site("Gdansk", 54.4, 18.6, 10, "Europe/Warsaw", 9, 9, 3.1, _OCEANIC),
    Site("Nairobi", -1.3, 36.8, 1680, "Africa/Nairobi", 19, 2, 3.4, _TROPICAL),
    Site("Perth", -31.9, 115.9, 20, "Australia/Perth", 19, 6, 2.9, _MEDITERRANEAN),
    Site("Denver", 39.7, -105.0, 1610, "America/Denver", 10, 12, 2.6, _TEMPERATE),
    Site("Muscat", 23.6, 58.4, 20, "Asia/Muscat", 28, 6, 4.8, _ARID),
)
TEST_SITES = (
    Site("Almeria", 36.8, -2.5, 20, "Europe/Madrid", 19, 7, 3.3, _ARID),
    Site("Bologna", 44.5, 11.3, 50, "Europe/Rome", 15, 11, 3.8, _TEMPERATE),
    Site("Nantes", 47.2, -1.6, 20, "Europe/Paris", 13, 7, 3.1, _OCEANIC),
    Site("Aarhus", 56.2, 10.2, 30, "Europe/Copenhagen", 9, 8, 2.9, _OCEANIC),
    Site("Athens", 38.0, 23.7, 100, "Europe/Athens", 19, 9, 3.6, _MEDITERRANEAN),
    Site("Dakar", 14.7, -17.4, 20, "Africa/Dakar", 25, 3, 5.0, _TROPICAL),
    Site("Windhoek", -22.6, 17.1, 1650, "Africa/Windhoek", 20, 6, 2.6, _ARID),
    Site("Recife", -8.1, -34.9, 10, "America/Recife", 26, 2, 3.8, _TROPICAL),
)
