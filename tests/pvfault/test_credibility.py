"""Mistakes of files and registries: each is named, and nothing on days that are right.

Days are by pvlib's single-diode model: any sky, any fault, any cadence.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from pvfault.credibility import examine_readings
from pvfault.readings import READING_SCHEMA, TIMESTAMP_TYPE
from pvfault.registry import EMPTY_REGISTRY, Registry
from tests.pvfault.single_diode import NAMES, Array, a_day

DEVICE = "INV0000001"
MIDNIGHT = datetime(2024, 6, 10, tzinfo=UTC)
ARRAYS = (Array(), Array(NAMES[1], 20, 1), Array(NAMES[2], 10, 12))
CADENCES = (20, 60, 300, 900)


def as_table(day, *, device=DEVICE, date=0):
    """Readings of a day as a table."""
    start = np.datetime64(MIDNIGHT.replace(tzinfo=None), "us") + np.timedelta64(date, "D")
    times = pa.array(start + np.round(day.hour * 3.6e9).astype("timedelta64[us]")).cast(TIMESTAMP_TYPE)
    columns = [pa.array(column, pa.float32()) for column in day.measurements.T]
    return pa.table([[device] * len(times), times, *columns], schema=READING_SCHEMA)


def registered(array, *, voltage=None, current=None, place=None):
    """A registry that has the array, with other ratings where they are given."""
    rated = array.rated
    return Registry(
        (DEVICE,), np.array([voltage or rated[0]]), np.array([current or rated[1]]),
        np.array([[array.series, array.parallel]], float), place=None if place is None else np.array([place], float),
    )  # fmt: skip


def found_in(day, registry=None):
    """Kinds of the findings, with whether they are certain, and the remedies."""
    findings = examine_readings(as_table(day), registered(day.array) if registry is None else registry)
    assert all(found.device == DEVICE and found.dates[0] == MIDNIGHT.date() for found in findings)
    assert all(any(sign.isdigit() for sign in found.sentence) and found.remedy for found in findings)
    return {found.kind: (found.certain, found.remedy) for found in findings}


# --- each mistake is named, with what mends it ---


@pytest.mark.parametrize(("array", "cadence"), list(product(ARRAYS, CADENCES)))
@pytest.mark.parametrize("sky", ["clear", "broken"])
@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
def test_irradiance_in_kw_is_certain(array, cadence, sky, known):
    day = a_day(array, cadence=cadence, sky=sky)
    wrong = replace(day, irradiance=day.irradiance / 1000)
    found = found_in(wrong, None if known else EMPTY_REGISTRY)
    # To a tenth of a kW/m², most loggers' digits would do; these have one of W/m².
    assert found["irradiance unit"] == (True, "--unit irradiance=kW/m²")


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize(
    ("factor", "cadence"), [(300 / 3600, 300), (900 / 3600, 900), (60 / 3600, 60), (0.1, 60), (0.3, 300)],
    ids=["Wh of 5 min", "Wh of 15 min", "Wh of 1 min", "mW/cm²", "kJ of 5 min"],
)  # fmt: skip
def test_irradiance_in_another_unit_is_certain_beside_ratings(array, factor, cadence):
    day = a_day(array, cadence=cadence)
    certain, remedy = found_in(replace(day, irradiance=day.irradiance * factor))["irradiance unit"]
    assert certain
    assert float(remedy.split("=")[-1]) == pytest.approx(1 / factor, rel=0.01)


def test_energies_are_likely_without_ratings_by_the_warmth_that_goes_with_them():
    day = a_day()
    found = found_in(replace(day, irradiance=day.irradiance / 12), EMPTY_REGISTRY)
    assert found["irradiance unit"][0] is False
    assert "--scale irradiance=12" in found["irradiance unit"][1]


@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
@pytest.mark.parametrize("sky", ["clear", "broken", "overcast"])
def test_irradiance_that_is_counted_up_is_certain(sky, known):
    day = a_day(sky=sky, cadence=300)
    counted = replace(day, irradiance=np.cumsum(day.irradiance) / 12)
    assert found_in(counted, None if known else EMPTY_REGISTRY)["irradiance sum"][0]


@pytest.mark.parametrize("cadence", [20, 60, 300])
@pytest.mark.parametrize("minutes", [30, 60])
def test_irradiance_as_means_of_half_hours_and_hours_is_likely(cadence, minutes):
    day = a_day(cadence=cadence)
    step = minutes * 60 // cadence
    means = np.repeat(day.irradiance.reshape(-1, step).mean(axis=1), step)
    found = found_in(replace(day, irradiance=means), EMPTY_REGISTRY)
    assert found["irradiance means"][0] is False


@pytest.mark.parametrize("facing", [-3, 3])
def test_light_of_another_plane_is_likely(facing):
    assert found_in(a_day(facing=facing), EMPTY_REGISTRY)["irradiance plane"][0] is False


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("shift", [-3, -1, 1, 5])
@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
def test_irradiance_of_another_clock_is_certain(array, shift, known):
    day = a_day(array)
    moved = np.roll(day.irradiance, shift * 12)
    found = found_in(replace(day, irradiance=moved), None if known else EMPTY_REGISTRY)
    assert found["irradiance time"][0]
    assert "--timezone" in found["irradiance time"][1]


@pytest.mark.parametrize(("longitude", "noon"), [(-54.6, 12.2), (120.0, 12.0), (10.0, 3.0)])
def test_light_at_night_tells_of_a_clock_that_is_not_utc(longitude, noon):
    day = a_day(noon=noon)
    found = found_in(day, registered(day.array, place=(45.0, longitude)))
    assert found["clock"][0]
    assert "--timezone" in found["clock"][1]
    right = a_day(noon=12 - longitude / 15, light_hours=12, end=24)
    if 6 < 12 - longitude / 15 < 18:
        assert found_in(right, registered(right.array, place=(45.0, longitude))) == {}


@pytest.mark.parametrize(("array", "air"), list(product(ARRAYS, (-5.0, 12.0, 22.0, 35.0))))
def test_temperature_in_kelvin_is_certain(array, air):
    day = a_day(array, air=air)
    wrong = replace(day, temperature=day.temperature + 273.15)
    for registry in (None, EMPTY_REGISTRY):
        assert found_in(wrong, registry)["temperature unit"] == (True, "--unit temperature=K")


@pytest.mark.parametrize(("air", "certain"), [(12.0, None), (22.0, True), (35.0, True)])
@pytest.mark.parametrize("array", ARRAYS[:2])
def test_temperature_in_fahrenheit_is_told_by_night_by_heat_or_by_the_voltage(array, air, certain):
    day = a_day(array, air=air)
    found = found_in(replace(day, temperature=day.temperature * 1.8 + 32))
    assert found["temperature unit"][1] == "--unit temperature=F"
    assert certain is None or found["temperature unit"][0] is certain


def test_one_temperature_all_day_is_likely_none():
    day = a_day()
    found = found_in(replace(day, temperature=np.full(len(day.hour), 25.0)))
    assert found == {"temperature constant": (False, "map temperature to what a sensor measures")}


@pytest.mark.parametrize(("array", "cadence"), list(product(ARRAYS, CADENCES)))
def test_swapped_columns_are_certain(array, cadence):
    day = a_day(array, cadence=cadence)
    swapped = replace(day, voltage=day.current, current=day.voltage)
    assert found_in(swapped, EMPTY_REGISTRY)["swapped columns"][0]
    assert found_in(swapped)["swapped columns"][0]


@pytest.mark.parametrize(("first", "second"), [("voltage", "current"), ("current", "irradiance")])
def test_a_column_that_was_read_twice_is_certain(first, second):
    table = as_table(a_day())
    twice = table.set_column(table.schema.get_field_index(first), READING_SCHEMA.field(first), table[second])
    for registry in (registered(Array()), EMPTY_REGISTRY):
        found = {each.kind: (each.certain, each.remedy) for each in examine_readings(twice, registry)}
        certain, remedy = found["same columns"]
        assert certain
        assert f"--map {first}=" in remedy


@pytest.mark.parametrize("grid", [230.0, 400.0, 480.0])
@pytest.mark.parametrize("known", [True, False], ids=["registered", "not registered"])
def test_a_grid_s_voltage_is_certain_by_night_and_likely_by_day(grid, known):
    day = a_day()
    random = np.random.default_rng(0)
    power = day.voltage * day.current
    ac = replace(day, voltage=grid * random.normal(1, 0.004, len(day.hour)), current=power / grid)
    registry = None if known else EMPTY_REGISTRY
    assert found_in(ac, registry)["AC for DC"][0]
    bright = day.irradiance > 40
    by_day = replace(
        ac, **{name: getattr(ac, name)[bright] for name in ("hour", "voltage", "current", "temperature", "irradiance")}
    )
    assert found_in(by_day, registry)["AC for DC"][0] is False


@pytest.mark.parametrize("array", ARRAYS)
def test_a_power_for_a_current_is_named_beside_ratings(array):
    day = a_day(array)
    power = day.voltage * day.current
    assert found_in(replace(day, current=power))["power for current"][0]
    assert found_in(replace(day, current=power / 1000))["power for current"][0] is False


@pytest.mark.parametrize(("array", "cadence"), list(product((ARRAYS[0], ARRAYS[2]), CADENCES)))
@pytest.mark.parametrize("sky", ["clear", "broken"])
@pytest.mark.parametrize("open_from", [None, 0, 11])
def test_the_current_of_one_string_in_the_registry_is_certain(array, cadence, sky, open_from):
    """Also if one of the strings is open, or opens."""
    day = a_day(array, cadence=cadence, sky=sky)
    if open_from is not None:
        less = (array.parallel - 1) / array.parallel
        day = replace(day, current=np.where(day.hour >= open_from, less, 1) * day.current)
    certain, remedy = found_in(day, registered(array, current=array.rated[1] / array.parallel))["rated_current"]
    assert certain
    assert float(remedy.split("=")[1].split()[0].replace(",", "")) == pytest.approx(array.rated[1], rel=0.01)


@pytest.mark.parametrize("array", ARRAYS[:2])
@pytest.mark.parametrize("open_from", [None, 11])
@pytest.mark.parametrize("both", [True, False], ids=["V_oc and I_sc", "V_oc alone"])
def test_open_circuit_voltage_in_the_registry_is_likely_for_one_device_and_certain_for_many(array, open_from, both):
    """A short circuit of a fifth of the modules would look the same: of one device, not of all of them alike."""
    day = a_day(array)
    if open_from:
        day = replace(day, current=np.where(day.hour >= open_from, 5 / 6, 1) * day.current)
    v_oc, i_sc = array.open_and_short
    registry = registered(array, voltage=v_oc, current=i_sc if both else None)
    certain, remedy = found_in(day, registry)["rated_voltage"]
    assert not certain
    assert float(remedy.split("about ")[1].split(",")[0]) == pytest.approx(array.rated[0], rel=0.05)
    names = [f"INV000000{k}" for k in range(4)]
    tables = [as_table(a_day(array, seed=k), device=name) for k, name in enumerate(names)]
    ratings = Registry(tuple(names), np.full(4, v_oc), np.full(4, i_sc))
    findings = examine_readings(pa.concat_tables(tables), ratings)
    assert [(found.device, found.kind, found.certain) for found in findings] == [
        (name, "rated_voltage", True) for name in names
    ]


@pytest.mark.parametrize("array", ARRAYS)
def test_a_module_s_voltage_in_the_registry_is_certain(array):
    certain, remedy = found_in(a_day(array), registered(array, voltage=array.rated[0] / array.series))["rated_voltage"]
    assert certain
    assert "rated_voltage of all modules in series" in remedy


@pytest.mark.parametrize(
    ("column", "factor", "kind", "remedy"),
    [
        ("voltage", 0.001, "rated_voltage", "--unit voltage=kV"),
        ("voltage", 0.1, "rated_voltage", "--scale voltage=10"),
        ("current", 1000, "rated_current", "mA"),
        ("current", 10, "rated_current", "--scale current=0.1"),
    ],
)
def test_values_in_other_powers_of_ten_are_certain(column, factor, kind, remedy):
    day = a_day(Array(NAMES[1], 20, 1))
    rough = day.measurements[:, ["voltage", "current"].index(column)] * factor
    table = as_table(day)
    position = table.schema.get_field_index(column)
    table = table.set_column(position, READING_SCHEMA.field(column), pa.array(rough, pa.float32()))
    found = {each.kind: each for each in examine_readings(table, registered(day.array))}
    assert found[kind].certain
    assert remedy in found[kind].remedy


# --- and nothing else is ---


def without(day, kept):
    return replace(
        day, **{name: getattr(day, name)[kept] for name in ("hour", "voltage", "current", "temperature", "irradiance")}
    )


def held_at(day, start, end, share):
    """The inverter takes a share of the power that there is, or nothing."""
    now = (day.hour >= start) & (day.hour < end) & (day.irradiance > 15)
    voltage, current = day.voltage.copy(), day.current.copy()
    voltage[now], current[now] = day.array.limited(day.irradiance[now], day.temperature[now], share)
    return replace(day, voltage=voltage, current=current)


FAULTS = {
    "healthy": lambda day: day,
    "one string of six is open all day": lambda day: replace(day, current=day.current * 5 / 6),
    "all but one string are open all day": lambda day: replace(day, current=day.current / 6),
    "half of the strings open at eleven": lambda day: replace(
        day, current=day.current * np.where(day.hour > 11, 0.5, 1)
    ),
    "the array opens at eleven": lambda day: held_at(day, 11, 24, 0.0),
    "a tenth of the modules is shorted all day": lambda day: replace(day, voltage=day.voltage * 0.9),
    "a third of the modules is shorted all day": lambda day: replace(day, voltage=day.voltage * 0.67),
    "shadow in the afternoon": lambda day: replace(
        day,
        current=day.current * np.where(day.hour > 14, 0.4, 1),
        voltage=day.voltage * np.where(day.hour > 14, 0.9, 1),
    ),
    "the inverter limits it for four hours": lambda day: held_at(day, 10, 14, 0.4),
    "soiled by a fifth": lambda day: replace(day, current=day.current * 0.8),
    "the logger is silent in the night": lambda day: without(day, day.irradiance > 5),
    "half of the day": lambda day: without(day, day.hour < 11.5),
    "a third of its readings lost": lambda day: without(day, np.random.default_rng(1).random(len(day.hour)) > 0.33),
    "the irradiance sensor is in the shade until ten": lambda day: replace(
        day, irradiance=day.irradiance * np.where(day.hour < 10, 0.3, 1)
    ),
    "the irradiance sensor is dead": lambda day: replace(day, irradiance=0 * day.irradiance),
    "the thermometer hangs in the air": lambda day: replace(day, temperature=day.temperature - 0.03 * day.irradiance),
    "the array is open all day, and its meters have noise": lambda day: replace(
        day,
        voltage=np.random.default_rng(1).normal(0.2, 0.1, len(day.hour)),
        current=np.random.default_rng(2).normal(0.02, 0.02, len(day.hour)),
    ),
    "stands still from ten on": lambda day: replace(
        day,
        **{
            name: np.where(day.hour >= 10, getattr(day, name)[np.searchsorted(day.hour, 10)], getattr(day, name))
            for name in ("voltage", "current")
        },
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("cadence", "sky"), [(20, "clear"), (60, "broken"), (300, "clear"), (300, "overcast"), (900, "broken")]
)
def test_no_day_that_was_read_rightly_is_refused(fault, cadence, sky):
    """Faults, weather and inverters explain all of these; one finding too many, and a true fault is not seen."""
    for array, (air, top, light_hours) in product(ARRAYS, [(22, 950, 14), (-12, 500, 8), (43, 1100, 12)]):
        day = FAULTS[fault](a_day(array, cadence=cadence, sky=sky, air=air, top=top, light_hours=light_hours, seed=3))
        for registry in (None, EMPTY_REGISTRY):
            found = found_in(day, registry)
            assert not any(certain for certain, _ in found.values()), found
            assert found.keys() <= {"AC for DC"} or fault not in ("healthy", "one string of six is open all day"), found


def test_a_day_that_looks_wrong_among_many_that_do_not_is_not_how_the_file_is_read():
    days = [a_day(seed=k) for k in range(5)]
    days[3] = replace(days[3], irradiance=days[3].irradiance / 1000)
    table = pa.concat_tables([as_table(day, date=k) for k, day in enumerate(days)])
    findings = examine_readings(table, EMPTY_REGISTRY)
    assert [(found.kind, found.certain) for found in findings] == [("irradiance unit", False)]
    assert findings[0].dates == (MIDNIGHT.date() + timedelta(days=3),) * 2


def test_no_readings_and_nights_have_no_findings():
    assert examine_readings(READING_SCHEMA.empty_table(), EMPTY_REGISTRY) == []
    day = a_day()
    assert found_in(without(day, day.irradiance < 1), EMPTY_REGISTRY) == {}
