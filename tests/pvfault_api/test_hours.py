"""The hours of one device among others."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from pvfault.registry import Registry
from pvfault_api.hours import Hour, read_hours
from tests.pvfault_api.helpers import day_of, hour_of, make_scalograms, make_table

RATED = Registry(("INV0000002",), np.array([500.0]), np.array([10.0]))


@pytest.fixture
def settings(make_settings, tmp_path):
    settings = make_settings(tmp_path)
    make_table(settings, [day_of("INV0000002", 2)])
    make_scalograms(
        settings,
        [hour_of("INV0000001", 2, 10, 1.0, 2.0, 3.0), hour_of("INV0000002", 2, 11, 1500.0, 800.0, 45.0)],
        [hour_of("INV0000002", 2, 10, None, None, None), hour_of("INV0000003", 2, 10, 7.0, 7.0, 7.0)],
        [hour_of("INV0000002", 3, 10, 9.0, 9.0, 9.0)],
    )
    return settings


def test_the_hours_of_a_device_and_date_are_found_among_those_of_others(settings):
    hours = read_hours(settings, RATED, "INV0000002", date(2024, 6, 2))
    ten, eleven = (datetime(2024, 6, 2, hour, tzinfo=UTC) for hour in (10, 11))
    # 500 V times 10 A at 800 of 1000 W/m², and 20 °C above 25 °C at -0.4 % each.
    assert hours == [Hour(ten, None, None), Hour(eleven, 1500.0, pytest.approx(5000 * 0.8 * 0.92))]


def test_nobody_knows_what_a_device_without_ratings_should_give(settings):
    (hour,) = read_hours(settings, RATED, "INV0000003", date(2024, 6, 2))
    assert (hour.power, hour.expected) == (7.0, None)


def test_a_device_without_rows_has_no_hours(settings):
    assert read_hours(settings, RATED, "INV0000009", date(2024, 6, 2)) == []
