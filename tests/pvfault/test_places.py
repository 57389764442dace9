"""Where devices stand and when the sun is up there, beside pvlib's solar position."""

from datetime import date

import numpy as np
import pandas as pd
import pvlib
import pytest

from pvfault.places import Place, read_places, read_sites


@pytest.mark.parametrize("place", [Place(44.5, 11.3), Place(-33.9, 151.2), Place(64.1, -21.9), Place(0.0, 179.0)])
@pytest.mark.parametrize("day", [date(2024, 3, 20), date(2024, 6, 21), date(2023, 11, 3), date(2025, 12, 31)])
def test_the_sun_stands_where_pvlib_sees_it(place, day):
    hours = np.arange(0, 24, 0.25)
    times = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(hours, unit="h")
    expected = pvlib.solarposition.get_solarposition(times, place.latitude, place.longitude)["elevation"]
    assert np.abs(place.sun_elevation(day, hours) - expected.to_numpy()).max() < 0.5


def test_places_are_those_that_the_registry_has(tmp_path):
    registry = tmp_path / "devices.csv"
    registry.write_text(
        "deviceID,rated_voltage,rated_current,latitude,longitude\nINV0000001,500,9,44.5,11.3\nINV0000002,500,9,,\n"
    )
    assert read_places(registry) == {"INV0000001": Place(44.5, 11.3)}
    registry.write_text("deviceID,rated_voltage,rated_current\nINV0000001,500,9\n")
    assert read_places(registry) == {}


def test_sites_are_those_that_the_registry_has(tmp_path):
    registry = tmp_path / "devices.csv"
    registry.write_text("deviceID,rated_voltage,rated_current,site\nINV0000001,500,9,Süd\nINV0000002,500,9,\n", "utf-8")
    assert read_sites(registry) == {"INV0000001": "Süd"}
    registry.write_text("deviceID,rated_voltage,rated_current\nINV0000001,500,9\n")
    assert read_sites(registry) == {}
