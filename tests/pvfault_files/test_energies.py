"""Irradiance that is written as an energy becomes the mean power of the time in which it was gathered."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS
from tests.pvfault_files.test_ways_of_writing import read
from tests.pvfault_files.writing import Way, number, plant, write_rows

JOULES = {"Wh/m²": 3600.0, "kWh/m2": 3.6e6, "J/m²": 1.0, "kJ/m2": 1e3, "MJ/m²": 1e6, "J/cm²": 1e4}
NAMES = ["deviceID", "timestamp", *MEASUREMENTS[:3]]


def rows(table, joules, step, times=lambda _number, time: time):
    return [
        [row["deviceID"], times(place, row["timestamp"]).isoformat(),
         *(number(row[m], Way()) for m in MEASUREMENTS[:3]), number(row["irradiance"] * step / joules, Way(), 12)]
        for place, row in enumerate(table.to_pylist())
    ]  # fmt: skip


@given(st.sampled_from(list(JOULES)), st.sampled_from([20, 60, 300, 900, 3600]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_an_energy_of_an_interval_is_brought_to_power_by_the_rows_interval(unit, step, is_named):
    """Also with a gap, and of two devices."""
    table = plant(("INV0000001", "INV0000002"), 20, step=step)
    table = table.filter([place not in (14, 15, 16, 17) for place in range(len(table))])
    header = [*NAMES, f"Irradiation [{unit}]" if is_named else "irradiance"]
    content = write_rows(header, rows(table, JOULES[unit], step), Way())
    found = read(content, **({} if is_named else {"units": {"irradiance": unit}}))
    np.testing.assert_allclose(found.table["irradiance"], table["irradiance"], rtol=1e-5)
    assert any(f"what {step} s gathered" in each for each in found.remarks)


def test_without_one_interval_nothing_is_guessed():
    table = plant(rows=20)
    lines = rows(table, 3600, 300, lambda number, time: time + timedelta(seconds=17 * number**2))
    with pytest.raises(PvfaultError, match=r"an energy.*Expected one interval.*--scale irradiance=FACTOR"):
        read(write_rows([*NAMES, "G (Wh/m2)"], lines, Way()))
    with pytest.raises(PvfaultError, match="there are too few"):
        read(write_rows([*NAMES, "G (Wh/m2)"], lines[:1], Way()))


def test_power_goes_before_energy_and_what_a_day_has_gathered_is_none_of_both():
    table = plant(rows=20)
    both = [[*row[:5], "800", row[5]] for row in rows(table, 3600, 300)]
    found = read(write_rows([*NAMES, "Irradiance (W/m2)", "Irradiation (Wh/m2)"], both, Way()))
    assert set(found.table["irradiance"].to_pylist()) == {800.0}
    with pytest.raises(PvfaultError, match="has no column irradiance"):
        read(write_rows([*NAMES, "Daily irradiation (Wh/m2)"], rows(table, 3600, 300), Way()))


def test_one_value_a_row_has_its_interval_too():
    lines = [
        [row["timestamp"].isoformat(), name, number(row[key] / (12 if unit == "Wh/m²" else 1), Way(), 9), unit]
        for row in plant(rows=24).to_pylist()
        for name, key, unit in (
            ("Udc", "voltage", "V"), ("Idc", "current", "A"), ("Tmod", "temperature", "°C"),
            ("POA", "irradiance", "Wh/m²"),
        )
    ]  # fmt: skip
    found = read(write_rows(["time", "what", "value", "unit"], lines, Way()), device="INV0000001")
    np.testing.assert_allclose(found.table["irradiance"], plant(rows=24)["irradiance"], rtol=1e-5)
