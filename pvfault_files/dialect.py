"""How a text file is written: encoding, delimiter, title lines, names and units of the columns, decimal sign.

All of it is found in the first bytes. Not here: what a column is (`columns.py`), the rows below (`bodies.py`).
"""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace

from pvfault.errors import PvfaultError
from pvfault_files.cells import Marks, find_marks, is_number, is_placeholder, is_time
from pvfault_files.choices import Choices
from pvfault_files.footers import Rows
from pvfault_files.units import is_unit

DELIMITERS = ",;\t|"
_SAMPLED = 200  # rows that are looked at
_LINES_OF_A_CELL = 5  # names of columns are broken into lines, rows never
_MARKS_OF_ORDER = [
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
]  # fmt: skip
# What headers and names are written with in the west of Europe.
_USUAL = {chr(code) for code in range(128)} | set("\u00a0°º²³µ·±äöüÄÖÜßéèêëÉÈàâáãåÀÁÅçÇñÑíìîïóòôõÓúùûÚøØæÆœ€–’")
# Encodings of loggers and of office programs; among more, a single degree sign would be anything.
_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp850", "mac_roman", "gb18030", "shift_jis", "euc_kr", "big5"]


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes
    ----------
    encoding, delimiter : str
    marks : Marks
        Decimal and thousands sign, as far as the first rows tell.
    header_line : int
        Line that names the columns, from 1; 0 if none does.
    data_line : int
        First line of rows.
    names, units : tuple of str
        Of each column; a unit that is not given is empty.
    sample : tuple of tuple of str
        The first rows.
    titles : int
        Lines above the header that say nothing of columns.
    quoted : bool
        Whether quotes stand around cells. If not, a quote is a letter like others, and swallows no lines.
    """

    encoding: str
    delimiter: str
    marks: Marks
    header_line: int
    data_line: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    titles: int = 0
    quoted: bool = True


@dataclass(frozen=True)
class _Row:
    """Cells, and the lines that they stand in."""

    cells: list[str]
    first_line: int
    last_line: int

    @property
    def filled(self):
        return sum(1 for cell in self.cells if cell.strip())


def find_dialect(name: str, head: bytes, choices: Choices, *, is_whole: bool = False) -> Dialect:
    """Find how a text file is written.

    Parameters
    ----------
    name : str
        What messages call it.
    head : bytes
        Its first bytes.
    choices : Choices
    is_whole : bool
        Whether that is all of it.

    Raises
    ------
    PvfaultError
        If it is no text, has no table, or names no columns where it was said to.
    """
    encoding = choices.encoding or find_encoding(name, head)
    text = _decode(name, head, encoding)
    if not is_whole:  # the last line may be cut
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    announced = re.match(r'"?sep=(.)"?[ \t]*(?=[\r\n])', text)
    delimiter = choices.delimiter or (announced[1] if announced else _find_delimiter(text))
    rows = [row for row in _rows_of(name, text, delimiter) if any(cell.strip() for cell in row.cells)]
    if announced:
        rows = [row for row in rows if row.first_line > 1]
    if not rows:
        raise PvfaultError(f"{name} has no rows. Expected a CSV with a header and a row for each reading.")
    return replace(_arrange(name, rows, encoding, delimiter, choices, is_whole), quoted='"' in text)


def find_encoding(name: str, head: bytes) -> str:
    """Find the encoding of text by its first bytes."""
    for mark, encoding in _MARKS_OF_ORDER:
        if head.startswith(mark):
            return encoding
    zeros = (head[::2].count(0), head[1::2].count(0))
    if max(zeros) > len(head) / 6 and min(zeros) < max(zeros) / 10 and not re.search(rb"[\x01-\x08\x0e-\x1a]", head):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    if re.search(rb"[\x00-\x08\x0e-\x1a]", head):
        raise PvfaultError(
            f"{name} is not text and not Parquet. Expected a CSV with a header, Parquet, or an xlsx workbook."
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _guess_encoding(head)
    return "utf-8"


def _guess_encoding(head):
    """What single bytes above 127 mean: a degree sign first, else what makes words of them."""
    for encoding in ("cp1252", "cp850", "mac_roman", "gb18030"):
        text = head.decode(encoding, errors="replace")
        if re.search("[°º] ?[CF]|m²", text) and not set(text) - _USUAL:
            return encoding
    if not set(head.decode("cp1252", errors="replace")) - _USUAL:
        return "cp1252"
    # Of few letters it makes Chinese; so it is asked last.
    from charset_normalizer import from_bytes

    best = from_bytes(head, cp_isolation=_ENCODINGS).best()
    return best.encoding if best else "cp1252"


def _decode(name, head, encoding):
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except LookupError as error:
        raise PvfaultError(f"--encoding is {encoding!r}; expected one as utf-8, cp1252 or utf-16.") from error
    except UnicodeDecodeError as error:
        raise PvfaultError(f"{name} is no text in {encoding} ({error}). Name another --encoding.") from error


def _rows_of(name, text, delimiter):
    """The first rows, with their lines."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter)
    before = 0
    try:
        for cells in reader:
            yield _Row(cells, before + 1, reader.line_num)
            if reader.line_num - before > _LINES_OF_A_CELL:
                raise PvfaultError(
                    f"{name}, line {before + 1}: a quote is not closed before line {reader.line_num}. Mend that line."
                )
            before = reader.line_num
            if before > 10 * _SAMPLED:
                return
    except csv.Error as error:
        raise PvfaultError(f"{name}, line {before + 1}: is not a row of a CSV ({error}). Mend that line.") from error


def _find_delimiter(text):
    """The character that makes a table of the text."""
    tables = {mark: _table(text, mark) for mark in DELIMITERS}
    clean = [mark for mark, table in tables.items() if len({len(row) for row in table}) == 1 and len(table[0]) > 1]
    if len(clean) == 1:
        return clean[0]
    # Titles, or decimal commas between semicolons: what makes values of cells is asked of a library that takes a while.
    import clevercsv

    try:
        found = clevercsv.Sniffer().sniff(
            "".join(text.splitlines(keepends=True)[:_SAMPLED]), delimiters=list(DELIMITERS)
        )
    except clevercsv.Error:
        found = None
    return found.delimiter if found and found.delimiter else max(DELIMITERS, key=text.count)


def _table(text, delimiter):
    lines = text.splitlines()[: 2 * _SAMPLED]
    try:
        return [row for row in csv.reader(lines, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _usual_width(table):
    """The number of cells that most rows have."""
    widths = Counter(len(row) for row in table)
    return max(widths, key=lambda width: (widths[width], width)) if widths else 0


def _arrange(name, rows, encoding, delimiter, choices, is_whole):
    """Tell titles, header and rows apart, and what may stand under the rows."""
    width = _usual_width([row.cells for row in rows[-_SAMPLED:]])
    first = _first_of_data(rows, width, choices.header_line)
    above, below = rows[:first], rows[first : first + _SAMPLED]
    header, units = _header_of(name, above, width, choices.header_line)
    names = _names_of(header, width)
    if below and len(below[0].cells) == len(names) + 1 and not below[0].cells[-1].strip():
        names.append("")  # each row ends in a delimiter, the header does not
    elif below and len(below[0].cells) < len(names):
        while len(names) > len(below[0].cells) and not names[-1]:
            names.pop()
    data_line = below[0].first_line if below else rows[-1].last_line + 1
    if is_whole:
        below = _without_footer(below, len(names), delimiter)
    used = {id(row) for row in [*header, *([units] if units else [])]}
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        marks=_marks_of([row.cells for row in below], choices.decimal, delimiter),
        header_line=header[-1].first_line if header else 0,
        data_line=data_line,
        names=tuple(names),
        units=tuple(((units.cells if units else []) + [""] * len(names))[: len(names)]),
        sample=tuple(tuple(row.cells) for row in below),
        titles=sum(1 for row in above if id(row) not in used),
    )


def _without_footer(below, width, delimiter):
    """The first rows without what stands under the last one."""
    looks = Rows([below[0].cells] if below else [], width, delimiter, quoted=True)
    kept = len(below)
    while looks.are_timed() and kept > 1 and not looks.has_cells(below[kept - 1].cells):
        kept -= 1
    return below[:kept]


def _first_of_data(rows, width, header_line):
    """The first row that holds values; the number of rows if none does."""
    for number, row in enumerate(rows):
        if header_line is not None:
            if row.first_line <= header_line:
                continue
        elif abs(len(row.cells) - width) > 1:
            continue
        if _is_data(row.cells):
            return number
    return len(rows)


def _is_data(cells):
    """Whether cells are of a row of readings: a time among them, or mostly numbers."""
    filled = [cell for cell in cells if not is_placeholder(cell)]
    numbers = sum(map(is_number, filled))
    times = sum(map(is_time, filled))
    return times > 0 or 0 < len(filled) <= 2 * numbers


def _header_of(name, above, width, header_line):
    """Rows that name columns, and the one that gives their units, or None."""
    if header_line is not None:
        named = [row for row in above if row.first_line <= header_line <= row.last_line]
        if not named:
            raise PvfaultError(f"{name} has no names of columns in line {header_line}, as --header-line says.")
        units = [row for row in above if row.first_line > header_line and _is_of_units(row)]
        return named, (units[0] if units else None)
    candidates = []
    for row in reversed(above):
        # A title with its value, or a line of a preamble, is narrower than the table.
        if row.filled < 2 or abs(len(row.cells) - width) > 1:
            break
        candidates.insert(0, row)
    units = next((row for row in candidates if _is_of_units(row)), None)
    names = [row for row in candidates if row is not units]
    if not names and not units and above and abs(len(above[-1].cells) - width) <= 1:
        names = above[-1:]  # a table of one column
    if not names:
        return [], units
    best = max(names, key=lambda row: (row.filled, row.first_line))
    cells = [cell.strip() for cell in best.cells if cell.strip()]
    if len(set(cells)) == len(cells):
        return [best], units
    return names, units  # two inverters' Udc are told apart by the line above


def _is_of_units(row):
    """Whether all that stands in a row are units, and more than one."""
    filled = [cell for cell in row.cells if cell.strip()]
    units = sum(1 for cell in filled if is_unit(cell))
    return units >= 2 and units >= 0.75 * len(filled)


def _names_of(header, width):
    """One name for each column, of one or several rows."""
    if not header:
        return [f"column {number}" for number in range(1, width + 1)]
    if len(header) == 1:
        names = [" ".join(cell.split()) for cell in header[0].cells]
    else:
        filled = [_filled_forward(row.cells) if row is not header[-1] else row.cells for row in header]
        length = max(map(len, filled))
        padded = [[*cells, *[""] * (length - len(cells))] for cells in filled]
        names = [" ".join(part.strip() for part in parts if part.strip()) for parts in zip(*padded, strict=True)]
    if names and names[0].startswith("#"):
        names[0] = names[0].lstrip("#").strip()  # a comment, for plotting programs
    return names


def _filled_forward(cells):
    """What stands above several columns stands in the first of them."""
    last, filled = "", []
    for cell in cells:
        last = cell.strip() or last
        filled.append(last)
    return filled


def _marks_of(rows, decimal, delimiter):
    """Decimal and thousands sign of the first rows; columns of times do not count."""
    if decimal:
        return Marks(decimal, "." if decimal == "," else ",")
    numbers = [cell for row in rows for cell in row if is_number(cell) and not is_time(cell)]
    marks = find_marks(numbers)
    if marks is None:
        return Marks()
    if not marks.decimal and delimiter == "," and "," not in marks.open:
        return Marks(".")
    return marks
