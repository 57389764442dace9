"""Beside the readings of a folder there are files of other kinds: left out, and refused if they are named."""

import zipfile

import pytest

from pvfault.errors import PvfaultError
from pvfault.readings import READING_SCHEMA
from pvfault_files.choices import Choices
from pvfault_files.inspection import inspect_files
from pvfault_files.reader import read_files
from tests.pvfault_files.test_ways_of_writing import rows_of
from tests.pvfault_files.writing import Way, plant, same_readings, write_rows

PLANT = plant(("INV0000001", "INV0000002"))
OTHERS = {
    "registry.csv": "deviceID,rated_voltage,rated_current\nINV0000001,586.8,55.2\n",
    "notes.csv": "what,who\nfuse of string 3 replaced,me\nmodules washed,me\n",
    "alarms.csv": "time,code,text\n2024-06-10 10:00:00,12,isolation\n2024-06-10 11:00:00,13,grid\n",
    "yield.csv": "date,E_AC (kWh),P_AC max (W)\n2024-06-10,31.2,5100\n2024-06-11,30.1,5000\n",
    "readme.txt": "The plant's data since 2019.\nAsk before you change anything.\n",
    "empty.csv": "",
    "no_rows.csv": ",".join(READING_SCHEMA.names) + "\n",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "plant.csv").write_bytes(write_rows(READING_SCHEMA.names, rows_of(PLANT, Way()), Way()))
    for name, text in OTHERS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_folder_s_other_files_are_left_out_and_named(folder):
    for paths in ([folder], [folder / "*.*"], [folder, folder / "plant.csv"]):
        found = read_files(paths, Choices())
        assert same_readings(found.table, PLANT)
        told = [each for each in found.remarks if "was left out" in each]
        assert [any(name in each for each in told) for name in OTHERS] == [True] * len(OTHERS)
        (registry,) = [each for each in told if "registry.csv" in each]
        assert f"--registry {folder / 'registry.csv'}" in registry
    assert inspect_files([folder], Choices()).files is not None


def test_so_are_those_of_an_archive(folder):
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for name in ("plant.csv", "registry.csv", "empty.csv"):
            archive.write(folder / name, name)
    found = read_files([folder / "all.zip"], Choices())
    assert same_readings(found.table, PLANT)
    assert sum("was left out" in each for each in found.remarks) == 2


@pytest.mark.parametrize("name", OTHERS)
def test_one_that_the_user_names_is_refused(folder, name):
    with pytest.raises(PvfaultError, match=name):
        read_files([folder / "plant.csv", folder / name], Choices())


def test_a_folder_without_readings_is_refused(folder):
    (folder / "plant.csv").unlink()
    with pytest.raises(PvfaultError, match=r"Expected|Say which"):
        read_files([folder], Choices())


def test_a_file_that_lacks_a_column_is_asked_about_and_not_left_out(folder):
    """Else a logger whose columns got other names would vanish from the plant."""
    lines = write_rows(
        ["deviceID", "timestamp", "voltage", "x", "temperature", "irradiance"], rows_of(PLANT, Way()), Way()
    )
    (folder / "second.csv").write_bytes(lines)
    with pytest.raises(PvfaultError, match=r"second\.csv has no column current"):
        read_files([folder], Choices())
