"""Words about hand-made days, and about simulated ones whose truth is known."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest

from pvfault import reference
from pvfault.faults import FAULTS
from pvfault.windows import cut_windows
from pvfault_api.explaining import Compared, Device, Verdict, explain, tell_apart
from pvfault_workshop.simulation.array import ArrayShape
from pvfault_workshop.simulation.circuits import open_strings, short_modules
from pvfault_workshop.simulation.devices import HISTORY_STEP, draw_device, simulate_coarsely, simulate_day
from pvfault_workshop.simulation.faults import DEAD, Fault, stay
from pvfault_workshop.simulation.fleet import site_weather
from pvfault_workshop.simulation.modules import load_modules
from pvfault_workshop.simulation.sites import TEST_SITES

DEVICE = Device(modules=20, strings=3, learned_from=19)


def day(current, voltage=None, first=8):
    """Hours with shares of the expected 9 A and 500 V; those below 1 are of the fault."""
    voltage = voltage or [1.0] * len(current)
    return [
        Compared(
            datetime(2024, 6, 1, first + n, tzinfo=UTC), "ok", 700.0, (500 * v, 500.0), (9 * c, 9.0),
            (4500 * c * v, 4600.0), min(c, v) < 0.999,
        )
        for n, (c, v) in enumerate(zip(current, voltage, strict=True))
    ]  # fmt: skip


def text_of(fault, hours, device=DEVICE):
    return explain(Verdict(fault, 0.98, "none", 0.01), hours, device).text


@pytest.mark.parametrize(
    ("fault", "hours", "expected"),
    [
        (
            "open_circuit", day([1, 1, 0.9, 0.67, 0.66, 0.67]),  # it began in the middle of an hour
            "Since the hour of 10:00 UTC the current is two thirds of what the light promises, and the voltage is as "
            "expected: like 1 of 3 strings open. Before that, both were as expected.",
        ),
        (
            "open_circuit", day([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            "Since the hour of 08:00 UTC there is no current, and there is no voltage: like an array that is open. It "
            "was there in the first hour that could be judged.",
        ),
        (
            "open_circuit", day([1, 0.9, 0.5, 0.95, 0.6, 1]),
            "From 09:00 to 13:00 UTC the current is 68 % of what the light promises, 50 % to 95 % by the hour, and the "
            "voltage is as expected: like strings that are open now and then. Before that, both were as expected.",
        ),
        (
            "line_line", day([0.98] * 3, [0.9] * 3),
            "Since the hour of 08:00 UTC the voltage is 90 % of what is expected, and the current is as expected: like "
            "2 of 20 modules bridged. It was there in the first hour that could be judged.",
        ),
        (
            "line_ground", day([1, 0.9, 0.9, 0.9], [1, 0.878, 0.878, 0.878]),
            "Since the hour of 09:00 UTC the current is 90 % of what the light promises, and the voltage is 88 % of "
            "what is expected: like about 2.4 of 20 modules bridged. Before that, both were as expected.",
        ),
        (
            "partial_shading", day([1, 0.8, 0.4, 0.76, 1, 1]),
            "From 09:00 to 12:00 UTC the current is 58 % of what the light promises, 40 % to 76 % by the hour, and the "
            "voltage is as expected: as a shadow does that passes. Before that, both were as expected.",
        ),
        (
            "arc_fault", day([1, 0.9, 0.85, 0.9], [1, 0.95, 0.94, 0.94]),
            "Since the hour of 09:00 UTC the current is 88 % of what the light promises, and the voltage is 94 % of "
            "what is expected: as over a contact that burns. Before that, both were as expected.",
        ),
        (
            "arc_fault", day([1, 0.99, 0.98, 0.98]),
            "Since the hour of 09:00 UTC a fault shows within the hours, as their scalograms have it; the means of "
            "current and voltage are as expected. Before that, both were as expected.",
        ),
        ("none", day([1, 0.99, 0.98]), "No hour shows a fault: over 3 hours current and voltage are as expected."),
        (
            "none", day([0.8, 0.8, 0.8]),
            "No hour shows a fault, though over 3 hours the current is 80 % and the voltage 100 % of what is expected: "
            "dirt, a limit of the inverter or a sensor in other light do that.",
        ),
    ],
)  # fmt: skip
def test_a_day_is_told_in_words(fault, hours, expected):
    assert text_of(fault, hours) == expected


def test_a_day_that_nobody_could_judge_says_why():
    hours = [
        replace(hour, quality=kind) for hour, kind in zip(day([1, 1, 1]), ("dark", "missing", "dark"), strict=True)
    ]
    found = explain(Verdict(None, None, None, None), hours, DEVICE)
    assert (found.text, found.runner_up) == ("No hour could be judged: 2 dark, 1 missing.", None)


@pytest.mark.parametrize("fault", ["none", "open_circuit"])
def test_hours_that_are_the_inverter_s_or_the_logger_s_are_told_beside_any_verdict(fault):
    hours = day([1, 1, 1, 0.6, 0.6, 0.6] if fault != "none" else [1] * 6)
    hours[:3] = [replace(hours[k], quality=("curtailed", "curtailed", "not reporting")[k]) for k in range(3)]
    found = explain(Verdict(fault, 0.98, "line_line", 0.01), hours, DEVICE).observations
    assert "In 2 hours the inverter took less than the array had to give: not judged." in found
    assert "In 1 hour zeros or placeholders came instead of readings: not judged." in found


def test_strings_are_named_only_where_the_registry_knows_them():
    hours = day([1, 0.67, 0.67, 0.67])
    assert "strings" not in text_of("open_circuit", hours, replace(DEVICE, strings=None))
    assert "like 2 of 6 strings open" in text_of("open_circuit", hours, replace(DEVICE, strings=6))
    # Half a string is none.
    assert "strings open" not in text_of("open_circuit", day([1, 0.5, 0.5, 0.5]), replace(DEVICE, strings=3))


def test_a_fault_that_is_as_old_as_the_days_before_is_not_called_healthy():
    hours = [replace(hour, power=(3000.0, 4600.0), in_fault=True) for hour in day([1, 1, 1])]
    text = text_of("line_line", hours, replace(DEVICE, learned_from=1))
    assert "as on the days before, and the power is 65 % of that of the ratings" in text


def test_a_cover_stays_and_a_shadow_passes():
    stays, passes = day([1, 0.6, 0.6, 0.6]), day([1, 0.6, 0.6, 0.6, 1])
    assert "as a cover does that stays" in text_of("partial_shading", stays)
    assert "as a shadow does that passes" in text_of("partial_shading", passes)


def test_without_days_before_small_differences_say_nothing():
    hours = day([1, 0.92, 0.92, 0.92])
    assert "92 %" in text_of("open_circuit", hours)
    assert "scalograms" in text_of("open_circuit", hours, replace(DEVICE, learned_from=0))


def test_what_is_not_known_is_not_made_up():
    hours = [replace(hour, voltage=(500.0, None), current=(6.0, None)) for hour in day([0.67] * 3)]
    assert "register it" in text_of("open_circuit", hours)
    assert "register it" in text_of("none", hours)


def test_each_pair_of_verdicts_can_be_told_apart_in_either_order():
    told = [tell_apart(one, other) for one, other in combinations(FAULTS, 2)]
    assert len({*told}) == len(told) == 15
    assert told == [tell_apart(other, one) for one, other in combinations(FAULTS, 2)]
    assert tell_apart("none", "none") is None


def simulated(shape, fault):
    """The hours of a simulated day with a fault, beside what the device's healthy days before let expect."""
    today = date(2023, 6, 20)
    site = next(site for site in TEST_SITES if site.day_offset == 0)
    healthy = draw_device("SIM0000001", site, (1, 1), np.random.default_rng(5), shape=shape).with_clean_sensors()
    before = [today - timedelta(days=back) for back in reference.HISTORY]
    weathers = [site_weather(1, site, then).average(HISTORY_STEP) for then in before]
    ratings = np.array([[healthy.rated_voltage, healthy.rated_current]])
    references = reference.learn_references(simulate_coarsely(healthy, before, weathers)[None], ratings)
    sick = replace(healthy, fault=fault, onset=datetime(2023, 6, 20, 11, 20, tzinfo=UTC))
    readings = simulate_day(sick, today, site_weather(1, site, today)).readings
    windows = cut_windows(np.zeros(len(readings), int), np.arange(len(readings)) * 20.0, readings, 1)
    voltage, current, temperature, light = windows.hourly_means[0].T.astype(float)
    expected = reference.expect(references, temperature[None], light[None], np.arange(24)[None] + 0.5)
    return [
        Compared(
            datetime(2023, 6, 20, hour, tzinfo=UTC), windows.quality[hour], light[hour],
            (voltage[hour], expected[0][0, hour]), (current[hour], expected[1][0, hour]),
            (None, None), hour >= 11 and windows.quality[hour] == "ok",
        )
        for hour in range(24)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("strings", "circuit", "depths", "name", "expected"),
    [
        (3, lambda shape: open_strings(shape, 1), (1.0,), "open_circuit", "like 1 of 3 strings open"),
        (5, lambda shape: open_strings(shape, 2), (1.0,), "open_circuit", "like 2 of 5 strings open"),
        (2, lambda shape: open_strings(shape, 2), (1.0,), "open_circuit", "like an array that is open"),
        (1, lambda shape: short_modules(shape, 2), (DEAD, 2.0), "line_line", "like 2 of 12 modules bridged"),
        (1, lambda shape: short_modules(shape, 5), (DEAD, 2.0), "line_ground", "like 5 of 12 modules bridged"),
    ],
)
def test_of_a_simulated_day_the_words_tell_the_truth(strings, circuit, depths, name, expected):
    shape = ArrayShape(load_modules()[0], 12, strings)
    fault = Fault(name, "", (circuit(shape),), (0, depths[0]), stay(depths[0]), "sudden", depths)
    text = text_of(name, simulated(shape, fault), Device(12, strings, 19))
    assert text.startswith("Since the hour of 11:00 UTC ")
    assert expected in text
    assert text.endswith("Before that, both were as expected.")
