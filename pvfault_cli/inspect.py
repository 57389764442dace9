"""`pvfault inspect`: what was found in files of readings, before anything is judged."""

from pathlib import Path
from typing import Annotated

import typer

from pvfault_cli.file_options import FilesArgument, takes_choices
from pvfault_cli.messages import count, print_error

_SHOWN_FILES = 3
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@takes_choices
def inspect(
    files: FilesArgument,
    choices,
    write_profile: Annotated[
        Path | None, typer.Option(metavar="PLANT.toml", help="Keep the choices of this call in a profile.")
    ] = None,
):
    """Show what is in files of readings and what each column was taken for, and the command that follows.

    Nothing is judged. If something can be read in two ways, it is asked, and the exit code is 2.

    Example: `pvfault inspect plant.csv --timezone Europe/Rome --write-profile plant.toml`
    """
    from pvfault_files.choices import write_profile as keep
    from pvfault_files.inspection import command_for, inspect_files
    from pvfault_files.pace import why_too_slow

    found = inspect_files(files, choices)
    for form in found.forms[:_SHOWN_FILES]:
        _print_form(form)
    if len(found.forms) > _SHOWN_FILES:
        typer.echo(f"… and {count(len(found.forms) - _SHOWN_FILES, 'more file')}.")
    if found.files is None:
        print_error(found.question)
        raise typer.Exit(2)
    _print_readings(found.files)
    if too_slow := why_too_slow(found.files):
        print_error(too_slow)
        raise typer.Exit(2)
    if write_profile is not None:
        keep(choices, write_profile)
        typer.echo(f"The choices of this call are in {write_profile}.")
    typer.echo("\nNext:\n  " + command_for(files, choices, write_profile))


def _print_form(form):
    """One file: how it is written, its columns, its first rows."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    written = [form.kind]
    if form.kind == "CSV":
        written += [form.encoding, f"{_DELIMITERS.get(form.delimiter, repr(form.delimiter))} between columns"]
        written += [f"decimal {'comma' if form.decimal == ',' else 'point'}"] if form.decimal else []
    if form.header_line:
        written.append(f"names of columns in line {form.header_line}")
    typer.echo(f"{form.name}: {', '.join(written)}{f'; {form.layout}' if form.layout else ''}")
    table = Table("column", "taken for", "unit", "lowest", "highest", "first rows", box=SIMPLE_HEAD, show_edge=False)
    for number, column in enumerate(form.columns):
        cells = [row[number].strip() for row in form.first_rows if number < len(row)]
        table.add_row(
            column.name,
            column.taken_for or "-",
            column.unit + (" ?" if column.why else ""),
            *("" if value is None else f"{value:.6g}" for value in (column.low, column.high)),
            " · ".join(cell or "(empty)" for cell in cells),
        )
    Console(width=max(Console().width, 100), highlight=False, markup=False, emoji=False).print(table)
    if any(column.why for column in form.columns):
        typer.echo("  ? no unit is named in the file; it was taken for this one")


def _print_readings(files):
    """What came of all files together."""
    forms = files.forms
    first, last = min(form.first for form in forms), max(form.last for form in forms)
    sampling = sorted({form.sampling_s for form in forms if form.sampling_s})
    names = list(files.names.values())
    shown = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
    typer.echo(f"\n{count(len(files.table), 'reading')} of {count(len(names), 'device')} ({shown})")
    typer.echo(f"from {first} to {last} UTC; zone of the times: {forms[0].zone} ({forms[0].zone_why})")
    if sampling:
        steps = f"{sampling[0]:g} s" if len(sampling) == 1 else f"{sampling[0]:g} to {sampling[-1]:g} s"
        gaps = sum(form.gaps for form in forms)
        typer.echo(
            f"a reading every {steps}" + (f", {count(gaps, 'gap')} of the first device" if gaps else ", no gaps")
        )
    for number, what in ((files.rows_without_time, "had no time"), (files.duplicates, "repeated another one")):
        if number:
            typer.echo(f"{count(number, 'row')} {what} and {'was' if number == 1 else 'were'} left out")
    for remark in files.remarks:
        typer.echo(remark)
