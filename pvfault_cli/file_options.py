"""The options of all commands that read files of readings, and the choices that they become.

A command that has a parameter `choices` and is decorated by `takes_choices` has all of them. What a profile decides
holds as long as no option says otherwise.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault.locations import Location, is_there

if TYPE_CHECKING:
    from pvfault_files.choices import Choices
    from pvfault_files.forms import ReadFiles

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="Files of readings (CSV, Parquet, xlsx; also zipped), folders of them, or patterns."
    ),
]
_PANEL = "How the files are to be read, where that is not found by itself"


def _option(kind, *names, **told):
    """An option of files, of a type that may be None."""
    return Annotated[kind | None, typer.Option(*names, rich_help_panel=_PANEL, **told)]


# By the parameters of `choices_of`.
_OPTIONS = {
    "profile": _option(Path, metavar="PLANT.toml", help="Choices that `pvfault inspect --write-profile` has kept."),
    "columns": _option(
        list[str], "--map", metavar="NAME=COLUMN",
        help="The file's column for one of the reading's. May be repeated, also for the same: currents of several "
        "inputs are summed, date and time of day put together.",
    ),
    "device": _option(str, help="Name of the device that all rows are of."),
    "timezone": _option(str, help="Zone of times without one: Europe/Berlin, or +01:00.  [default: UTC]"),
    "units": _option(list[str], "--unit", metavar="NAME=UNIT", help="Unit of a measurement: irradiance=kW/m²."),
    "scale": _option(list[str], "--scale", metavar="NAME=FACTOR", help="Factor of a measurement: current=0.1."),
    "day_first": _option(bool, "--day-first/--month-first", help="What 01/02/2024 is: 1 February, or January 2."),
    "time_format": _option(str, metavar="FORMAT", help="Form of times, as strptime takes it: '%y%m%d %H:%M'."),
    "inputs": _option(str, metavar="sum|devices", help="Inputs of a device: together, or as devices of their own."),
    "decimal": _option(str, metavar="SIGN", help="Decimal sign of a CSV, comma or point."),
    "delimiter": _option(str, metavar="CHARACTER", help="Delimiter of a CSV."),
    "encoding": _option(str, help="Encoding of a CSV, as in utf-8 or cp1252."),
    "header_line": _option(int, metavar="NUMBER", help="Line of a CSV that names the columns."),
    "sheet": _option(str, help="Sheet of a workbook."),
}  # fmt: skip


def takes_choices(command: Callable) -> Callable:
    """A command with the options of files in place of its parameter `choices`."""
    own = [each for each in inspect.signature(command).parameters.values() if each.name != "choices"]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in _OPTIONS.items()
    ]

    @functools.wraps(command)
    def with_choices(*arguments, **given):
        decided = {name: given.pop(name, None) for name in _OPTIONS}
        return command(*arguments, choices=choices_of(**decided), **given)

    with_choices.__signature__ = inspect.Signature([*own, *options])
    with_choices.__annotations__ = {each.name: each.annotation for each in [*own, *options]}
    return with_choices


def choices_of(
    profile: Path | None = None,
    columns: list[str] | None = None,
    units: list[str] | None = None,
    scale: list[str] | None = None,
    **decided,
) -> "Choices":
    """Choices of a profile and of options, of which the options go first.

    Parameters
    ----------
    profile : Path, optional
    columns, units, scale : list of str, optional
        Values of --map, --unit and --scale.
    **decided
        The other attributes of `Choices`; None where an option was not given.

    Raises
    ------
    PvfaultError
        If an option or the profile is of the wrong form.
    """
    from pvfault_files.choices import Choices, read_profile

    kept = read_profile(profile) if profile else {}
    options = {name: value for name, value in decided.items() if value is not None}
    mapped = _pairs("--map", "COLUMN", columns, "voltage=V_DC")
    # A device on the command line and a column of devices in the profile are no contradiction.
    if "device" in options:
        kept.get("columns", {}).pop("deviceID", None)
    if "deviceID" in mapped:
        kept.pop("device", None)
    together = {
        "columns": {name: tuple(values) for name, values in mapped.items()},
        "units": _singles("--unit", _pairs("--unit", "UNIT", units, "irradiance=kW/m²")),
        "scale": {
            name: _number(name, value)
            for name, value in _singles("--scale", _pairs("--scale", "FACTOR", scale, "current=0.1")).items()
        },
    }
    return Choices(**(kept | options | {name: kept.get(name, {}) | value for name, value in together.items()}))


def with_registered_names(choices: "Choices", registry: Location) -> "Choices":
    """Choices that know the deviceIDs of a registry's names, if there is one."""
    from dataclasses import replace

    from pvfault.registry import read_registry

    return replace(choices, device_ids=read_registry(registry).device_ids) if is_there(registry) else choices


def print_remarks(files: "ReadFiles") -> None:
    """Tell on standard error what was found by itself."""
    for remark in files.remarks:
        typer.echo(remark, err=True)


def _pairs(option, what, values, example):
    """The values of a repeatable NAME=VALUE option, by name."""
    pairs = {}
    for value in values or []:
        name, equals, right = value.partition("=")
        if not (name and equals and right):
            raise PvfaultError(f"{option} is {value!r}; expected NAME={what}, as in {option} {example}.")
        if right in pairs.get(name, ()):
            raise PvfaultError(f"{option} says {value} twice. Leave one away.")
        pairs.setdefault(name, []).append(right)
    return pairs


def _singles(option, pairs):
    """Pairs of which each name may occur once."""
    for name, values in pairs.items():
        if len(values) > 1:
            raise PvfaultError(f"{option} names {name} twice: {' and '.join(values)}. Leave one away.")
    return {name: values[0] for name, values in pairs.items()}


def _number(name, text):
    """A factor of --scale."""
    try:
        return float(text)
    except ValueError:
        raise PvfaultError(
            f"--scale {name}={text} is no number; expected a factor, as in --scale {name}=0.1."
        ) from None
