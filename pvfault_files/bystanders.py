"""Files that are plainly no readings: a registry, notes, a list of alarms, beside the readings of a folder.

Here: what makes a file one of these, by its names and first rows. Not here: files of readings that lack something,
which are asked about (`layouts.py`), and whether one is left out or refused (`reader.py`).
"""

from pvfault.errors import PvfaultError
from pvfault_files.bodies import Body
from pvfault_files.choices import Choices
from pvfault_files.columns import read_name
from pvfault_files.key_columns import KeyColumns

_RATINGS = {"rated_voltage", "rated_current"}


class NoReadingsError(PvfaultError):
    """A file is plainly something else than readings.

    Attributes
    ----------
    what : str
        The file, and what it is or lacks.
    """

    def __init__(self, what: str, expected: str):
        super().__init__(f"{what}. {expected}")
        self.what = what


def refuse_bystander(body: Body, choices: Choices) -> None:
    """Refuse a file that is plainly no readings.

    Parameters
    ----------
    body : Body
    choices : Choices
        A file that has a column which they name is taken for readings.

    Raises
    ------
    NoReadingsError
        If it is something else.
    """
    if set(body.dialect.names) >= _RATINGS:
        hint = "" if choices.device_ids else f"; --registry {body.name} says that its ratings are to be minded"
        raise NoReadingsError(
            f"{body.name} is a registry and has no readings{hint}", "Expected files of readings in its place."
        )
    if {name for columns in choices.columns.values() for name in columns} & set(body.dialect.names):
        return
    columns = KeyColumns(body.name, body.dialect, choices)
    if not columns.has_times():
        raise NoReadingsError(
            f"{body.name} has no column timestamp, nor any column of times. It has {columns.all_names()}",
            "Say which column is meant: --map timestamp=COLUMN",
        )
    if not any(each.measurement for each in columns.read) and not _has_texts_of_measurements(columns):
        raise NoReadingsError(
            f"{body.name} has no column voltage, current, temperature or irradiance. It has {columns.all_names()}",
            "Say which column is meant: --map voltage=COLUMN --map current=COLUMN --map temperature=COLUMN --map "
            "irradiance=COLUMN",
        )


def _has_texts_of_measurements(columns):
    """Whether a column says what is measured, as in files of one value a row."""
    kinds = ({read_name(text).measurement for text in columns.cells(n)} - {""} for n in range(len(columns.names)))
    return any(len(each) >= 2 for each in kinds)
