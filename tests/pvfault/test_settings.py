"""Settings: defaults, their names, and what a wrong value is answered with."""

from datetime import date
from pathlib import Path

import pytest

from pvfault.errors import PvfaultError
from pvfault.settings import Settings


def read(project, **environment):
    return Settings.from_environment(environment, project)


def test_without_any_variable_everything_is_below_the_project(tmp_path):
    settings = read(tmp_path)
    assert settings.home == tmp_path / ".pvfault"
    assert settings.jars == tmp_path / "build" / "jars"
    assert settings.registry == tmp_path / ".pvfault" / "devices.csv"
    assert settings.model == tmp_path / "models" / "lenet5.h5"
    assert settings.broker == "localhost:9092"
    assert settings.topic == "pv-readings"
    assert settings.lateness_hours == 2


def test_tables_catalog_and_registry_follow_the_state_folder(tmp_path):
    settings = read(tmp_path / "project", PVFAULT_HOME=str(tmp_path / "state"))
    for path in (settings.warehouse, settings.catalog, settings.registry):
        assert path.parent == tmp_path / "state"
    assert settings.model == tmp_path / "project" / "models" / "lenet5.h5"


def test_each_variable_is_read(tmp_path):
    settings = read(
        tmp_path,
        PVFAULT_JARS="/opt/jars",
        PVFAULT_BROKER="b-1.example:9098,b-2.example:9098",
        PVFAULT_TOPIC="plant",
        PVFAULT_REGISTRY="/etc/devices.csv",
        PVFAULT_MODEL="/models/new.h5",
        PVFAULT_FIRST_DATE="2024-02-29",
        PVFAULT_LATENESS_HOURS="0.5",
        UNRELATED="1",
    )
    assert settings.jars == Path("/opt/jars")
    assert settings.broker == "b-1.example:9098,b-2.example:9098"
    assert settings.topic == "plant"
    assert settings.registry == Path("/etc/devices.csv")
    assert settings.model == Path("/models/new.h5")
    assert settings.first_date == date(2024, 2, 29)
    assert settings.lateness_hours == 0.5


def test_a_variable_that_is_set_but_empty_counts_as_unset(tmp_path):
    names = ("HOME", "JARS", "BROKER", "TOPIC", "REGISTRY", "MODEL", "FIRST_DATE", "LATENESS_HOURS")
    assert read(tmp_path, **{f"PVFAULT_{name}": "" for name in names}) == read(tmp_path)


def test_a_relative_path_and_a_home_folder_become_absolute(tmp_path, monkeypatch):
    """Spark workers and Dagster's processes stand in other folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    settings = read(tmp_path, PVFAULT_HOME="state", PVFAULT_MODEL="~/new.h5")
    assert settings.home == tmp_path / "state"
    assert settings.registry == tmp_path / "state" / "devices.csv"
    assert settings.model == tmp_path / "me" / "new.h5"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PVFAULT_FIRST_DATE", "yesterday", "a date YYYY-MM-DD"),
        ("PVFAULT_FIRST_DATE", "2023-02-29", "a date YYYY-MM-DD"),
        ("PVFAULT_LATENESS_HOURS", "two", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "-1", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "nan", "a number of hours, 0 or more"),
        ("PVFAULT_LATENESS_HOURS", "inf", "a number of hours, 0 or more"),
        ("PVFAULT_HOME", "~no-such-user-here/x", "a folder"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(tmp_path, name, value, expected):
    with pytest.raises(PvfaultError, match=f"{name} is '{value}', expected {expected}; correct it or unset it"):
        read(tmp_path, **{name: value})
