"""The columns of one file as a plan is made of them: looked up by name, and what stands in their first rows."""

import shlex

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, TIMESTAMP
from pvfault_files import columns as words
from pvfault_files.cells import is_placeholder, unit_in_cells
from pvfault_files.choices import Choices
from pvfault_files.columns import read_name
from pvfault_files.dialect import Dialect


class FileColumns:
    """Columns of one file, by their number.

    Attributes
    ----------
    name : str
        What messages call the file.
    names, beside : tuple of str
        Names, and what stands in the row of units.
    sample : tuple of tuple of str
        The first rows.
    read : list of Name
        What each name says.
    remarks : list of str
        What is to be said of choices that were made here.
    """

    def __init__(self, name: str, dialect: Dialect, choices: Choices):
        self.name = name
        self.names = dialect.names
        self.sample = dialect.sample
        self.beside = tuple(beside or unit_in_cells(self.cells(number)) for number, beside in enumerate(dialect.units))
        self.choices = choices
        self.header_line = dialect.header_line
        self.remarks = []
        self.read = [read_name(text, beside) for text, beside in zip(self.names, self.beside, strict=True)]

    def named(self, what: str) -> tuple[int, ...]:
        """Columns that --map names for something."""
        return tuple(self.column(what, text) for text in self.choices.columns[what])

    def column(self, what: str, text: str) -> int:
        """The column of a name; refuse a name that is not there, or there twice."""
        found = [number for number, each in enumerate(self.names) if each == text]
        if not found and "+" in text:  # Idc1+Idc2
            raise PvfaultError(
                f"{self.name} has no column {text!r}. To take several together, repeat --map for each of them. "
                f"It has {self.all_names()}."
            )
        if not found:
            likely = [n for n in range(len(self.names)) if self._could_be(what, n)]
            advice = " or ".join(f"--map {shlex.quote(f'{what}={self.names[n]}')}" for n in likely[:4])
            raise PvfaultError(
                f"{self.name} has no column {text}. It has {self.all_names()}."
                + (f" Perhaps {advice}" if advice else "")
            )
        if len(found) > 1:
            raise PvfaultError(
                f"{self.name} has the column {text!r} twice. Rename one, so that it is clear which is meant."
            )
        return found[0]

    def _could_be(self, what, column):
        """Whether a column's name fits."""
        text = self.names[column]
        if what == TIMESTAMP:
            return words.is_time_name(text) or words.is_date_name(text)
        return words.is_device_name(text) if what == DEVICE_ID else self.read[column].measurement == what

    def all_names(self) -> str:
        """All names, as a message lists them."""
        named = ", ".join(self.names)
        return named if self.header_line or self.names[:1] != ("column 1",) else f"{named} (no line names them)"

    def cells(self, column):
        """What stands in a column of the first rows, without placeholders."""
        cells = (row[column] for row in self.sample if column < len(row))
        return [cell.strip() for cell in cells if not is_placeholder(cell)]

    def owner(self, column: int) -> str:
        """Whose a column is, as its name says."""
        return self.read[column].owner

    def listed(self, columns) -> str:
        """Names of columns, as a message lists them."""
        return ", ".join(repr(self.names[n]) for n in columns)

    def which_of(self, what: str, columns) -> str:
        """The question which of several columns is meant."""
        options = " or ".join(f"--map {shlex.quote(f'{what}={self.names[n]}')}" for n in columns[:6])
        return (
            f"{self.name} has {len(columns)} columns that could be {what}: {self.listed(columns)}. "
            f"Say which one is meant: {options}"
        )
