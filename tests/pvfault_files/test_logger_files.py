"""Files in the shapes that loggers write, as far as reading goes; each is one day of one plant.

The files are not part of the repository; where they are not beside it, these tests are skipped.
"""

import gzip

import numpy as np
import pytest

from pvfault.errors import PvfaultError
from pvfault.readings import MEASUREMENTS
from pvfault_files.choices import Choices
from pvfault_files.reader import read_files
from tests.conftest import PROJECT

FOLDER = PROJECT.parent / "shared" / "data" / "field"
PLANT = "INV0000001"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the files of loggers are not here")


def read(name, **choices):
    return read_files([FOLDER / f"{name}.csv.gz"], Choices(**choices))


@pytest.fixture(scope="module")
def healthy():
    """The healthy day, of a file that only has its weather in rows of their own."""
    return read("two_loggers").table


@pytest.mark.parametrize(("name", "choices"), [
    ("date_and_time", {"device": PLANT}),
    ("date_and_time", {"device": PLANT, "columns": {"timestamp": ("date",)}}),
    ("logger_export", {"device": PLANT}),
    ("logger_export", {"device": PLANT, "columns": {
        "timestamp": ("dd/MM/yyyy HH:mm:ss",), "voltage": ("Udc1",), "current": ("Idc1",), "temperature": ("ModTemp",),
        "irradiance": ("Irradiation",)}, "inputs": "sum"}),
])  # fmt: skip
def test_the_healthy_day_is_the_same_however_it_is_written(name, choices, healthy):
    table = read(name, **choices).table
    assert table["timestamp"].equals(healthy["timestamp"])
    for measurement in MEASUREMENTS:
        np.testing.assert_allclose(table[measurement], healthy[measurement], rtol=0.003, atol=0.02)


def test_one_input_for_the_whole_is_asked_about():
    with pytest.raises(PvfaultError, match=r"'Idc1', 'Idc2' \(named in line 5\).*--inputs sum.*--inputs devices"):
        read("logger_export", device=PLANT, columns={"current": ("Idc1",), "voltage": ("Udc1",)})


def test_two_inverters_are_told_apart_or_refused_with_the_column_that_does():
    assert sorted(read("two_inverters").names.values()) == ["A", "B"]
    with pytest.raises(PvfaultError, match=r"'inverter' \(A, B\) tells them apart: --map deviceID=inverter"):
        read("two_inverters", device=PLANT)


@pytest.mark.parametrize(
    "name", ["open_string_11h", "jitter_25s", "irradiance_kw", "zero_hour", "frozen_from_10h", "curtailed_2h"]
)
def test_what_a_sensor_or_an_inverter_did_is_left_as_it_is(name):
    """Files are read here and judged elsewhere: no value is mended."""
    lines = gzip.decompress((FOLDER / f"{name}.csv.gz").read_bytes()).decode().splitlines()[1:]
    written = np.array([line.split(",")[2:] for line in lines], np.float32)
    table = read(name).table
    for place, measurement in enumerate(MEASUREMENTS):
        np.testing.assert_array_equal(table[measurement], written[:, place])
