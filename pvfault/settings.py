"""Every setting, its name and its default for a laptop.

Here: the `PVFAULT_*` names. Whoever starts a process (`pvfault_cli`, `pvfault_assets/definitions.py`) passes its
environment in; nothing else reads one. Not here: what is given by a command's own options.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pvfault.errors import PvfaultError


@dataclass(frozen=True)
class Settings:
    """Where things are on this machine.

    Attributes
    ----------
    home : Path
        The state folder: broker data, tables, catalog, registry, Dagster's storage (`PVFAULT_HOME`).
    jars : Path
        JVM packages as `make setup` fetched them: `kafka/` for the broker, `spark/` for Spark (`PVFAULT_JARS`).
    broker : str
        Kafka's bootstrap servers, `host:port[,host:port]` (`PVFAULT_BROKER`).
    topic : str
        The topic of readings (`PVFAULT_TOPIC`).
    registry : Path
        The device registry (`PVFAULT_REGISTRY`).
    model : Path
        Weights of the network (`PVFAULT_MODEL`).
    first_date : date
        The first day that can be materialised (`PVFAULT_FIRST_DATE`).
    lateness_hours : float
        How long past midnight a date's readings are waited for (`PVFAULT_LATENESS_HOURS`). [h]
    """

    home: Path
    jars: Path
    broker: str
    topic: str
    registry: Path
    model: Path
    first_date: date
    lateness_hours: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], project: Path) -> "Settings":
        """Read the settings.

        Parameters
        ----------
        environment : mapping of str to str
            Usually `os.environ`.
        project : Path
            The folder that relative defaults start from: where the user stands.

        Raises
        ------
        PvfaultError
            If a value is not of its form.
        """
        home = _read(environment, "PVFAULT_HOME", _path, project / ".pvfault", "a folder")
        return cls(
            home=home,
            jars=_read(environment, "PVFAULT_JARS", _path, project / "build" / "jars", "a folder"),
            broker=environment.get("PVFAULT_BROKER") or "localhost:9092",
            topic=environment.get("PVFAULT_TOPIC") or "pv-readings",
            registry=_read(environment, "PVFAULT_REGISTRY", _path, home / "devices.csv", "a file"),
            model=_read(environment, "PVFAULT_MODEL", _path, project / "models" / "lenet5.h5", "a file"),
            first_date=_read(environment, "PVFAULT_FIRST_DATE", date.fromisoformat, "2019-01-01", "a date YYYY-MM-DD"),
            lateness_hours=_read(environment, "PVFAULT_LATENESS_HOURS", _hours, "2", "a number of hours, 0 or more"),
        )

    @property
    def warehouse(self) -> Path:
        """Folder of the Iceberg tables' files."""
        return self.home / "warehouse"

    @property
    def catalog(self) -> Path:
        """SQLite file of the Iceberg catalog."""
        return self.home / "catalog.db"


def _path(text):
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # ~name of a user that this machine does not have
        raise ValueError(text) from error


def _hours(text):
    hours = float(text)
    if not 0 <= hours < math.inf:
        raise ValueError(text)
    return hours


def _read(environment, name, parse, default, expected):
    """One setting that is more than text; set but empty counts as unset."""
    text = environment.get(name) or default
    try:
        return parse(text)
    except ValueError as error:
        raise PvfaultError(f"{name} is {text!r}, expected {expected}; correct it or unset it") from error
