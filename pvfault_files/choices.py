"""What a user decides about files of readings, and the profile (TOML) that keeps it.

Here: the decisions, their checks, and their form in a profile. Not here: how a file is read with them (`reader.py`),
and the options of the command line that become decisions (`pvfault_cli/file_options.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA

INPUTS = ("sum", "devices")
_MARKS = (",", ".")


@dataclass(frozen=True)
class Choices:
    """Decisions about files; what is not decided (None, or empty) is found by itself or asked about.

    Attributes
    ----------
    columns : mapping of str to tuple of str
        Columns of the file by the reading's column, as in ``{"voltage": ("V_DC",)}``. Of several, currents are summed,
        voltages weighted by the currents beside them, temperatures and irradiances averaged; a date and a time of day
        are put together.
    device : str
        Name of the one device that all rows are of.
    timezone : str
        Zone of times that have none: a name as `Europe/Berlin` or an offset as `+01:00`; UTC if it is not decided.
    units : mapping of str to str
        Unit by measurement, as in ``{"irradiance": "kW/m²"}``; it goes before what the file says.
    scale : mapping of str to float
        Factor by measurement, applied after the unit.
    day_first : bool
        Whether 01/02/2024 is the first of February, or (False) the second of January.
    time_format : str
        Form of times as `strptime` takes it, as in ``%y%m%d %H:%M``.
    inputs : str
        Several inputs of a device: one device with their `sum`, or `devices` of their own.
    decimal : str
        Decimal sign, comma or point.
    delimiter : str
        What stands between two columns, one character.
    encoding : str
        Encoding of text files, as Python calls it.
    header_line : int
        Line that names the columns; the first one is 1.
    sheet : str
        Sheet of a workbook.
    device_ids : mapping of str to str
        DeviceID by the user's own name, as a registry has them; for other names an alias is made. Not in a profile.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    device: str | None = None
    timezone: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    day_first: bool | None = None
    time_format: str | None = None
    inputs: str | None = None
    decimal: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    header_line: int | None = None
    sheet: str | None = None
    device_ids: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name, file_columns in self.columns.items():
            if name not in READING_SCHEMA.names:
                raise PvfaultError(
                    f"A reading has no {name!r}. Expected --map NAME=COLUMN with NAME one of "
                    f"{', '.join(READING_SCHEMA.names)}."
                )
            if name == DEVICE_ID and len(file_columns) > 1:
                raise PvfaultError(f"--map names {DEVICE_ID} twice: {' and '.join(file_columns)}. Leave one away.")
        if self.device is not None and DEVICE_ID in self.columns:
            raise PvfaultError(
                f"Both --device {self.device} and --map {DEVICE_ID}={self.columns[DEVICE_ID][0]} name the device. "
                "Leave one away."
            )
        if self.device is not None and not self.device.strip():
            raise PvfaultError("--device is empty; expected the name of the device that all rows are of.")
        for option, by_measurement in (("--unit", self.units), ("--scale", self.scale)):
            for name in by_measurement:
                if name not in MEASUREMENTS:
                    raise PvfaultError(f"{option} is of {name!r}; expected one of {', '.join(MEASUREMENTS)}.")
        _check_word("--inputs", self.inputs, INPUTS)
        _check_word("--decimal", self.decimal, _MARKS)
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise PvfaultError(f"--delimiter is {self.delimiter!r}; expected one character, as in --delimiter ';'.")
        if self.header_line is not None and self.header_line < 1:
            raise PvfaultError(f"--header-line is {self.header_line}; expected a line's number, the first one is 1.")


def _check_word(option, value, allowed):
    if value is not None and value not in allowed:
        raise PvfaultError(f"{option} is {value!r}; expected one of {', '.join(allowed)}.")


# What a profile may hold, and of which type; a list of columns may be written as one text.
_KEPT = {each.name for each in fields(Choices)} - {"device_ids"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "columns": dict, "units": dict, "scale": dict, "day_first": bool, "header_line": int,
}  # fmt: skip


def read_profile(path: Path) -> dict[str, Any]:
    """Read a profile's choices, as keyword arguments of `Choices`.

    Parameters
    ----------
    path : Path
        TOML, as `write_profile` writes it.

    Raises
    ------
    PvfaultError
        If there is no such file, it is no TOML, or it holds something else than choices.
    """
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PvfaultError(
            f"There is no profile {path}. Write one with `pvfault inspect FILE --write-profile {path}`."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PvfaultError(f"The profile {path} cannot be read ({error}). Expected TOML; correct it.") from error
    for name, value in found.items():
        if name not in _KEPT:
            raise PvfaultError(f"The profile {path} has {name!r}; expected some of {', '.join(sorted(_KEPT))}.")
        expected = _TYPES.get(name, str)
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise PvfaultError(f"The profile {path} has {name} = {value!r}; expected {expected.__name__}.")
    found["columns"] = {name: _as_columns(path, name, value) for name, value in found.get("columns", {}).items()}
    for name, value in found.get("scale", {}).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PvfaultError(f"The profile {path} has scale.{name} = {value!r}; expected a number.")
    for name, value in found.get("units", {}).items():
        if not isinstance(value, str):
            raise PvfaultError(f"The profile {path} has units.{name} = {value!r}; expected a text, as in 'kW/m²'.")
    return found


def _as_columns(path, name, value):
    """A column's names as a tuple, from one text or a list of them."""
    columns = tuple(value) if isinstance(value, list) else (value,)
    if not columns or not all(isinstance(column, str) and column for column in columns):
        raise PvfaultError(f"The profile {path} has columns.{name} = {value!r}; expected a column's name or several.")
    return columns


def write_profile(choices: Choices, path: Path) -> None:
    """Keep choices in a profile; what is not decided is not in it.

    Raises
    ------
    PvfaultError
        If it cannot be written.
    """
    import tomlkit

    document = tomlkit.document()
    document.add(tomlkit.comment("How to read this plant's files: pvfault classify FILE --profile " + path.name))
    kept = {each.name: getattr(choices, each.name) for each in fields(choices) if each.name in _KEPT}
    # A table ends the part of single values, so those come first.
    for name, value in sorted(kept.items(), key=lambda item: isinstance(item[1], Mapping)):
        if isinstance(value, Mapping):
            value = {key: list(each) if isinstance(each, tuple) else each for key, each in value.items()}
        if value not in (None, {}):
            document.add(name, tomlkit.item(value))
    try:
        path.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise PvfaultError(f"The profile {path} cannot be written ({error}). Name another file.") from error
