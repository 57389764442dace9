"""A look at files before they are judged: what each column was taken for, and what to type next.

Everything is found by `reader.read_files`; where that asks or refuses, what is known of the first file until then is
shown beside the question.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from pvfault.errors import PvfaultError
from pvfault_files.bodies import Body, open_body
from pvfault_files.choices import Choices
from pvfault_files.columns import is_device_name, is_time_name, read_name
from pvfault_files.forms import ColumnForm, FileForm, ReadFiles
from pvfault_files.reader import read_files
from pvfault_files.sources import find_sources

_SHOWN_ROWS = 3
# What the options of `Choices` are called on the command line.
_OPTIONS = {
    "device": "--device", "timezone": "--timezone", "time_format": "--time-format", "inputs": "--inputs",
    "decimal": "--decimal", "delimiter": "--delimiter", "encoding": "--encoding", "header_line": "--header-line",
    "sheet": "--sheet",
}  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """What is known of files.

    Attributes
    ----------
    forms : tuple of FileForm
    files : ReadFiles or None
        The readings; None if the files cannot be read as they are.
    question : str
        Why they cannot.
    """

    forms: tuple[FileForm, ...]
    files: ReadFiles | None = None
    question: str = ""


def inspect_files(paths: Sequence[Path], choices: Choices) -> Inspection:
    """Look at files.

    Raises
    ------
    PvfaultError
        If there is no such file, or the first one holds no table.
    """
    sources = find_sources(paths)
    body = open_body(next((source for source in sources if not source.is_empty), sources[0]), choices)
    try:
        files = read_files(paths, choices)
    except PvfaultError as error:
        return Inspection((_guess_form(body),), question=str(error))
    return Inspection(files.forms, files)


def _guess_form(body: Body):
    """Columns of a file that could not be read, with what their names say."""
    dialect = body.dialect
    columns = []
    for text, beside in zip(dialect.names, dialect.units, strict=True):
        name = read_name(text, beside)
        guess = name.measurement or ("timestamp" if is_time_name(text) else "deviceID" if is_device_name(text) else "")
        columns.append(ColumnForm(text, f"{guess}?" if guess else "", name.unit.text if name.unit else beside))
    return FileForm(
        body.name,
        body.kind,
        encoding=dialect.encoding,
        delimiter=dialect.delimiter,
        decimal=dialect.marks.decimal,
        header_line=dialect.header_line,
        columns=tuple(columns),
        first_rows=dialect.sample[:_SHOWN_ROWS],
    )


def command_for(paths: Sequence[Path], choices: Choices, profile: Path | None = None) -> str:
    """The command that judges these files as they were looked at.

    Examples
    --------
    >>> command_for([Path("plant 1.csv")], Choices(device="INV1", units={"irradiance": "kW/m²"}))
    "pvfault classify 'plant 1.csv' --device INV1 --unit 'irradiance=kW/m²'"
    """
    words = ["pvfault", "classify", *map(str, paths)]
    if profile is not None:
        return shlex.join([*words, "--profile", str(profile)])
    for name, columns in choices.columns.items():
        words += [word for column in columns for word in ("--map", f"{name}={column}")]
    for each in fields(choices):
        value = getattr(choices, each.name)
        if each.name in _OPTIONS and value is not None:
            words += [_OPTIONS[each.name], str(value)]
    if choices.day_first is not None:
        words.append("--day-first" if choices.day_first else "--month-first")
    for option, by_measurement in (("--unit", choices.units), ("--scale", choices.scale)):
        words += [word for name, value in by_measurement.items() for word in (option, f"{name}={value}")]
    return shlex.join(words)
