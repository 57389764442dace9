"""Workbooks (xlsx, xls, ods) as text with tabs, for which the rest of this room has eyes already."""

import csv
import io
from datetime import date, datetime, time, timedelta

from pvfault.errors import PvfaultError
from pvfault_files.sources import Source, first_line


def read_sheet(source: Source, sheet: str | None) -> str:
    """Read a sheet as text: cells with tabs between them, numbers with a decimal point, times in ISO 8601.

    Parameters
    ----------
    source : Source
    sheet : str, optional
        Name of the sheet; not needed if one alone has rows.

    Raises
    ------
    PvfaultError
        If it is no workbook, has no such sheet, or several that could be meant.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with source.open() as file, CalamineWorkbook.from_filelike(io.BytesIO(file.read())) as workbook:
            names = workbook.sheet_names
            if sheet is not None and sheet not in names:
                raise PvfaultError(f"{source.name} has no sheet {sheet!r}. It has {', '.join(names)}.")
            rows = {name: workbook.get_sheet_by_name(name).to_python() for name in ([sheet] if sheet else names)}
    except CalamineError as error:
        raise PvfaultError(
            f"{source.name} is not a readable workbook: {first_line(error)}. Export it once more, or as CSV."
        ) from error
    tables = {name: cells for name, cells in rows.items() if len(cells) > 2 and max(map(len, cells)) > 2}
    if not tables:
        raise PvfaultError(f"{source.name} has no sheet with rows of readings. It has the sheets {', '.join(names)}.")
    if len(tables) > 1:
        raise PvfaultError(
            f"{source.name} has readings in one of several sheets: {', '.join(tables)}. "
            f"Say in which one: --sheet {next(iter(tables))!r}."
        )
    return _as_text(next(iter(tables.values())))


def _as_text(rows):
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows([_as_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _as_cell(value):
    """A cell's text."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # a serial number, or a whole measurement
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value).replace("\t", " ").replace("\n", " ").replace("\r", " ")
