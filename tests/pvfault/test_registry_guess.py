"""Ratings that clear hours show, beside those that a simulated plant has."""

from datetime import date

import numpy as np
import pytest

from pvfault.readings import MEASUREMENTS, TIMESTAMP
from pvfault.registry import read_registry, write_registry
from pvfault.registry_guess import Range, count_units, guess_ratings
from pvfault_report.curves import ReadingsByDay
from pvfault_workshop.simulation import simulate_fleet

DAYS = [date(2024, 6, day) for day in range(1, 7)]


@pytest.fixture(scope="module")
def fleet():
    return simulate_fleet(12, DAYS, 5, faulty=0.0)


@pytest.fixture(scope="module")
def guesses(fleet, tmp_path_factory):
    """Of healthy devices with clear hours: what is guessed, and the ratings of their registry."""
    path = tmp_path_factory.mktemp("fleet") / "devices.csv"
    write_registry(fleet.registry, path)
    registry = read_registry(path)
    days = [(day, ReadingsByDay(fleet.readings(day).sort_by(TIMESTAMP))) for day in DAYS]
    found = {device: guess_ratings(readings.of(device, day) for day, readings in days) for device in registry.devices}
    return [(guess, registry.ratings([device])[0]) for device, guess in found.items() if guess.clear_hours >= 4]


def test_clear_hours_of_healthy_devices_show_ratings_near_those_of_the_registry(guesses):
    assert len(guesses) >= 3
    for guess, (voltage, current) in guesses:
        assert guess.voltage.middle == pytest.approx(voltage, rel=0.06)
        # Dirt, tolerance and the irradiance sensor take or give some percent.
        assert guess.current.middle == pytest.approx(current, rel=0.15)


def day_of(strings, cloudy=False):
    """A clear day of an array whose strings have 10 A and 600 V."""
    second = np.arange(6 * 3600, 18 * 3600, 300.0)
    light = 1000 * np.sin(np.pi * (second / 3600 - 6) / 12)
    light = light * np.random.default_rng(1).uniform(0.3, 1, len(light)) if cloudy else light
    columns = {"voltage": np.full(len(second), 600.0), "current": strings * light / 100,
               "temperature": np.full(len(second), 25.0), "irradiance": light}  # fmt: skip
    return second, np.column_stack([columns[name] for name in MEASUREMENTS])


def test_a_fault_within_a_day_is_told_and_left_out():
    second = day_of(6)[0]
    guess = guess_ratings([day_of(np.where(second < 43_200, 6, 5))])
    assert guess.current.middle == pytest.approx(60, rel=0.02)
    assert "a fault may be in the file" in guess.warnings[0]


def test_clouds_show_nothing():
    guess = guess_ratings([day_of(6, cloudy=True)])
    assert guess.voltage is None
    assert "no clear hour" in guess.warnings[0]


@pytest.mark.parametrize(("exact", "whole"), [(17.9, True), (17.4, False)])
def test_a_number_that_is_not_whole_is_not_taken_for_one(exact, whole):
    rating = Range(exact * 32.6 * 0.999, exact * 32.6, exact * 32.6 * 1.001)
    assert count_units(rating, 32.6).is_whole == whole
