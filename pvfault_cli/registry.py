"""`pvfault registry`: what is known of devices beforehand."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault.errors import PvfaultError
from pvfault_cli.file_options import FilesArgument, takes_choices
from pvfault_cli.messages import count, prepare_output, print_table

app = typer.Typer(help="What is known of devices beforehand: their ratings.", no_args_is_help=True)

_LOOK_UP = (
    "Look up on the data sheet of the modules: V_mp and I_mp at standard test conditions (often Vmpp and Impp; not "
    "V_oc, not I_sc), and on the plant's plan how many modules a string has and how many strings the input. Then "
    "rated_voltage = modules × V_mp and rated_current = strings × I_mp. Fill in modules_in_series and "
    "strings_in_parallel too: what one module or one string more or less makes is then known."
)


@app.command()
@takes_choices
def guess(
    files: FilesArgument,
    choices,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DEVICES.csv", help="Write the registry here.")
    ] = None,
    module: Annotated[
        str | None, typer.Option(metavar="NAME", help="Type of the modules, as on their label: CS6P-250M.")
    ] = None,
):
    """Guess a registry from the clear hours of files of readings.

    Voltage is brought to 25 °C, current to 1000 W/m². With --module, whole numbers of modules and strings are guessed
    too, and the ratings are theirs. What was wrong all the time is part of the guess: hold it against the data sheet.

    Example: `pvfault registry guess plant.csv --module CS6P-250M -o devices.csv`
    """
    from pvfault.registry import write_registry
    from pvfault_files.reader import read_files

    if output is not None:
        prepare_output(output, "a CSV", "devices.csv")
        if output.exists():
            raise PvfaultError(
                f"{output} is there already, and a guess does not replace what is known; name another file."
            )
    sheet = _look_up(module) if module else None
    found = read_files(files, choices)
    for remark in found.remarks:
        typer.echo(f"  {remark}")
    guesses = _guess_each(found)
    rows = [_row(device, guessed, sheet) for device, guessed in guesses.items() if guessed.voltage]
    print_table([_shown(found.names[device], guessed, sheet) for device, guessed in guesses.items()],
                "device", "V_mp [V]", "I_mp [A]", "modules", "strings", "clear hours")  # fmt: skip
    for device, guessed in guesses.items():
        for warning in [*guessed.warnings, *_not_whole(guessed, sheet)]:
            typer.secho(f"{found.names[device]}: {warning}.", fg="yellow")
    typer.echo(f"Modules are {sheet.name}: V_mp {sheet.voltage:g} V, I_mp {sheet.current:g} A." if sheet else _LOOK_UP)
    if not rows:
        raise PvfaultError("no device has a clear hour above 500 W/m² to guess from; name files of clearer days.")
    if output is None:
        typer.echo("Add -o devices.csv to write it, then: pvfault classify FILE --registry devices.csv")
        return
    write_registry(_as_table(rows, found.names), output)
    typer.echo(f"{count(len(rows), 'device')} in {output}; correct it, then: pvfault classify FILE --registry {output}")


def _look_up(module):
    """The data sheet of a module; pvlib has it, which is not always installed."""
    try:
        from pvfault_workshop.module_library import look_up_module
    except ModuleNotFoundError as error:
        if error.name != "pvlib":
            raise
        raise PvfaultError(
            "--module needs pvlib, which is not installed; `pip install 'pvfault[workshop]'`, or leave --module away"
        ) from error
    return look_up_module(module)


def _guess_each(found):
    """A guess of each device."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from pvfault.readings import TIMESTAMP
    from pvfault.registry_guess import guess_ratings
    from pvfault_report.curves import ReadingsByDay

    readings = ReadingsByDay(found.table)
    dates = sorted(pc.unique(found.table[TIMESTAMP].cast(pa.date32(), safe=False)).to_pylist())
    return {
        device: guess_ratings(readings.of(device, day) for day in dates)
        for device in sorted(found.names, key=found.names.get)
    }


def _counts(guessed, sheet):
    """Modules and strings, where the module is known."""
    from pvfault.registry_guess import count_units

    if sheet is None or guessed.voltage is None:
        return None, None
    return count_units(guessed.voltage, sheet.voltage), count_units(guessed.current, sheet.current)


def _row(device, guessed, sheet):
    """A device's row of the registry: of whole modules and strings where the module is known."""
    modules, strings = _counts(guessed, sheet)
    return {
        "deviceID": device,
        "rated_voltage": round(modules.number * sheet.voltage if sheet else guessed.voltage.middle, 1),
        "rated_current": round(strings.number * sheet.current if sheet else guessed.current.middle, 2),
        "modules_in_series": modules.number if modules else None,
        "strings_in_parallel": strings.number if strings else None,
    }


def _shown(name, guessed, sheet):
    """A device's row on the screen."""
    if guessed.voltage is None:
        return name, "", "", "", "", 0
    return (
        name,
        "{1:.0f} ({0:.0f}–{2:.0f})".format(*guessed.voltage),
        "{1:.1f} ({0:.1f}–{2:.1f})".format(*guessed.current),
        *("" if each is None else _counted(each) for each in _counts(guessed, sheet)),
        guessed.clear_hours,
    )


def _counted(unit):
    return f"{unit.number} ({unit.low}–{unit.high})" if unit.high > unit.low else str(unit.number)


def _not_whole(guessed, sheet):
    """Where a device is not of whole modules."""
    for what, unit in zip(("modules in series", "strings in parallel"), _counts(guessed, sheet), strict=True):
        if unit and not unit.is_whole:
            yield (
                f"it looks like {unit.exact:.2f} {what}, which is no whole number: it is another module, or there are "
                "optimisers in the strings"
            )


def _as_table(rows, names):
    """Rows of a registry, with the user's names where they are others than the deviceIDs."""
    import pyarrow as pa

    from pvfault.registry import NAME, REGISTRY_SCHEMA

    table = pa.Table.from_pylist(rows, schema=REGISTRY_SCHEMA)
    called = [names[row["deviceID"]] for row in rows]
    return table if called == table["deviceID"].to_pylist() else table.append_column(NAME, pa.array(called))
