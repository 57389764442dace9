"""What stands under the last row of a text file and is none of the table: totals, an end mark, a summary.

Found by looking at the end of the file. A line is none of the table if it does not begin as the table's rows do, cell
by cell; one that does and then breaks off is a torn row, and is refused (`bodies.py`).
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pvfault_files.cells import is_placeholder, is_time

END_BYTES = 65_536
_INSTANTS = re.compile(r"\d{8}([T _-]?\d{4,6})?|\d{10}(\.\d+)?|\d{12,14}|\d{16}|\d{19}")
_SHOWN = 3


@dataclass(frozen=True)
class Footer:
    """Lines under the last row.

    Attributes
    ----------
    size : int
        Bytes from the end of the last row to the end of the file.
    lines : tuple of str
        From the first one that says something, blank ones too.
    """

    size: int
    lines: tuple[str, ...]

    def told(self, name: str, above: int) -> str:
        """What is said of it, where so many lines stand above."""
        first, last = above + 1, above + len(self.lines)
        where = f"line {first} was" if first == last else f"lines {first} to {last} were"
        said = [line.strip() for line in self.lines if line.strip()]
        shown = ", ".join(repr(line[:40]) for line in said[:_SHOWN]) + (" …" if len(said) > _SHOWN else "")
        return f"{name}: {where} skipped, under the last row and none of the table: {shown or 'empty cells'}."


class Rows:
    """How a table's rows look.

    Parameters
    ----------
    sample : sequence of sequence of str
        The first rows, of which the very first is one.
    width : int
        Number of columns.
    delimiter : str
    quoted : bool
    """

    def __init__(self, sample: Sequence[Sequence[str]], width: int, delimiter: str, quoted: bool):
        self._width = width
        self._reading = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE}
        first = sample[0] if sample else []
        self._times = [n for n, cell in enumerate(first) if is_time(cell) or _INSTANTS.fullmatch(cell.strip())]
        self._forms = [{_form(row[n]) for row in sample if n < len(row)} for n in range(width)]

    def are_timed(self) -> bool:
        """Whether a column of times is known, without which nothing is told apart."""
        return bool(self._times)

    def has(self, line: str) -> bool:
        """Whether a line is a row, whole or torn."""
        try:
            cells = next(csv.reader([line], **self._reading), [])
        except csv.Error:
            return True
        # Digits alone may be the rest of a row that was broken in two.
        says = re.search(r"[^\W\d]", line) is not None
        return self.has_cells(cells) or (not says and re.search(r"\d", line) is not None)

    def has_cells(self, cells: Sequence[str]) -> bool:
        """Whether cells are those of a row, whole or torn."""
        if not any(cell.strip() for cell in cells):
            return False
        if len(cells) >= self._width:
            times = [cells[n].strip() for n in self._times]
            if any(is_time(cell) or _INSTANTS.fullmatch(cell) for cell in times):
                return True
            if all(is_placeholder(cell) for cell in times):
                return True
        return all(self._begins(n, cell) for n, cell in enumerate(cells[: self._width]))

    def _begins(self, column, cell):
        """Whether a cell may be the beginning of one of the column's."""
        form = _form(cell)
        return any(each.startswith(form) for each in self._forms[column])


def find_footer(end: str, encoding: str, rows: Rows, *, is_whole: bool) -> Footer | None:
    """Find the footer in the last lines of a file.

    Parameters
    ----------
    end : str
        The end of the file.
    encoding : str
        That gives as many bytes for it as the file has.
    rows : Rows
    is_whole : bool
        Whether `end` begins with a whole line.

    Returns
    -------
    Footer or None
        None where the last line is a row, no line is one, or what is below cannot be read.
    """
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", end)
    lines = [line for line in (lines if is_whole else lines[1:]) if line]
    kept = len(lines)
    while kept and not rows.has(lines[kept - 1].rstrip("\r\n")):
        kept -= 1
    while kept < len(lines) and not lines[kept].strip(" \r\n"):
        kept += 1
    below = lines[kept:]
    if not kept or not below or any("\ufffd" in line for line in below):
        return None
    return Footer(len("".join(below).encode(encoding)), tuple(line.rstrip("\r\n") for line in below))


def _form(cell):
    """A cell with its digits alike."""
    return re.sub(r"\d", "9", cell.strip())
