"""The options of all commands that read files of readings, and the choices that they become.

A command takes the options that it has use for, under these names, and hands all of them to `choices_of`. What a profile
decides holds as long as no option says otherwise.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvfault.errors import PvfaultError

if TYPE_CHECKING:
    from pvfault_files.choices import Choices

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="Files of readings (CSV, Parquet, xlsx; also zipped), folders of them, or patterns."
    ),
]
ProfileOption = Annotated[
    Path | None, typer.Option(metavar="PLANT.toml", help="Choices that `pvfault inspect --write-profile` has kept.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=COLUMN",
        help="The file's column for one of the reading's; may be repeated, also for the same (currents of several "
        "inputs are summed; date and time of day are put together).",
    ),
]
DeviceOption = Annotated[str | None, typer.Option(help="Name of the device that all rows are of.")]
TimezoneOption = Annotated[
    str | None, typer.Option(help="Zone of times without one: Europe/Berlin, or +01:00.  [default: UTC]")
]
UnitOption = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="NAME=UNIT", help="Unit of a measurement, as in irradiance=kW/m²; may be repeated."),
]
ScaleOption = Annotated[
    list[str] | None,
    typer.Option("--scale", metavar="NAME=FACTOR", help="Factor of a measurement, as in current=0.1; may be repeated."),
]
DayFirstOption = Annotated[
    bool | None, typer.Option("--day-first/--month-first", help="What 01/02/2024 is: 1 February, or January 2.")
]
TimeFormatOption = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="Form of times, as strptime takes it: '%y%m%d %H:%M'.")
]
InputsOption = Annotated[
    str | None,
    typer.Option(metavar="sum|devices", help="Inputs of a device: taken together, or as devices of their own."),
]
DecimalOption = Annotated[str | None, typer.Option(metavar=",|.", help="Decimal sign of a CSV.")]
DelimiterOption = Annotated[str | None, typer.Option(metavar="CHARACTER", help="Delimiter of a CSV.")]
EncodingOption = Annotated[str | None, typer.Option(help="Encoding of a CSV, as in utf-8 or cp1252.")]
HeaderLineOption = Annotated[int | None, typer.Option(metavar="NUMBER", help="Line that names the columns.")]
SheetOption = Annotated[str | None, typer.Option(help="Sheet of a workbook.")]


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
        raise PvfaultError(f"--scale {name}={text} is no number; expected a factor, as in --scale {name}=0.1.") from None
