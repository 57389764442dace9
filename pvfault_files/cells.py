"""What a cell of text can be: nothing, a number, a time; and numbers of any way of writing.

Here: placeholders, decimal and thousands signs. Not here: where cells stand (`dialect.py`), and times (`times.py`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

# What stands where no measurement is, in small letters.
PLACEHOLDERS = {
    "", "-", "--", "---", "----", "nan", "null", "none", "nil", "na", "n/a", "n.a.", "#n/a", "#na", "#n/a n/a",
    "<na>", "-nan",
    "1.#qnan", "-1.#ind", "#value!", "#ref!", "#div/0!", "#num!", "unavailable", "unknown", "no data", "nodata",
    "missing", "bad", "bad input", "i/o timeout", "error", "offline", "?", ".", "*", "k.a.", "keine daten", "s/d",
}  # fmt: skip
# The same for Arrow, which compares letter by letter.
_WAYS = (str.lower, str.upper, str.capitalize, str.title)
PLACEHOLDERS_OF_ARROW = sorted({way(each) for each in PLACEHOLDERS for way in _WAYS} | {"NaN", "-NaN"})

_NUMBER = re.compile(r"[+-]?(?:\d[\d.,'’  \u202f]*|[.,]\d+)(?:[eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)|\d{1,2}[-. ][A-Za-z]{3,9}[-. ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
_CLOCK = re.compile(r"T?\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?")
_WITH_UNIT = re.compile(r"[+-]?\d[\d.,]*\s*([A-Za-z°º%][A-Za-z°º²/0-9%]*)")
_GROUPING = "'’ \u00a0\u202f"


def is_placeholder(cell: str) -> bool:
    """Whether a cell says that there is nothing."""
    return cell.strip().lower() in PLACEHOLDERS


def is_number(cell: str) -> bool:
    """Whether a cell is a number, in whatever way of writing."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_time(cell: str) -> bool:
    """Whether a cell is a date, a time of day or both."""
    cell = cell.strip().lstrip("'")
    return _DATE.match(cell) is not None or _CLOCK.fullmatch(cell) is not None


def unit_in_cells(cells: list[str]) -> str:
    """What stands behind every number of a column, as in 517.2 V; empty if nothing does, or not the same.

    Examples
    --------
    >>> unit_in_cells(["517.2 V", "0 V"]), unit_in_cells(["517.2", "0"])
    ('V', '')
    """
    found = {match[1] if (match := _WITH_UNIT.fullmatch(cell)) else "" for cell in cells}
    return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True)
class Marks:
    """Signs in numbers.

    Attributes
    ----------
    decimal : str
        Comma or point; empty where the numbers seen are whole, or leave both open.
    thousands : str
        Comma or point between groups of three digits; empty if there is none.
    open : str
        A number that could be read both ways, if that is why `decimal` is empty.
    """

    decimal: str = ""
    thousands: str = ""
    open: str = ""


def find_marks(numbers: Iterable[str]) -> Marks | None:
    """Find decimal and thousands signs of numbers that one program wrote.

    Returns
    -------
    Marks or None
        None if the numbers contradict each other.

    Examples
    --------
    >>> find_marks(["25,4", "0"]).decimal, find_marks(["1.234,5"]).thousands, find_marks(["1,234"]).open
    (',', '.', '1,234')
    """
    decimals, groupings, either = set(), set(), {}
    hundreds = False
    for number in numbers:
        marks = re.findall(r"[.,]", number)
        if not marks:
            hundreds |= len(number.strip("+- ")) >= 3
            continue
        last = marks[-1]
        if len(set(marks)) == 2:
            if marks.count(last) > 1:
                return None
            decimals.add(last)
            groupings.add(marks[0])
        elif len(marks) > 1:
            groupings.add(last)
        elif _could_be_grouped(number):
            either.setdefault(last, number)
        else:
            decimals.add(last)
    if len(decimals) > 1 or len(groupings) > 1 or decimals & groupings:
        return None
    if groupings and not decimals:
        decimals = {",", "."} - groupings
    if decimals:
        (decimal,) = decimals
        other = {",", "."} - decimals
        grouped = groupings or (other & either.keys())
        return Marks(decimal, "".join(grouped))
    # Points alone are decimal points, as programs write them, unless 998 stands beside 1.023. Of a comma before three
    # digits nobody knows.
    if set(either) == {"."} and not hundreds:
        return Marks(".")
    return Marks(open=next(iter(either.values()))) if either else Marks()


def _could_be_grouped(number):
    """Whether the one sign of a number could be that of thousands: 1,234 could, 0,234 and 1,5 could not."""
    return re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", number.strip()) is not None


def clean_texts(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Texts without spaces around them; null where a placeholder stands."""
    trimmed = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.is_in(pc.utf8_lower(trimmed), pa.array(sorted(PLACEHOLDERS))), None, trimmed)


def parse_numbers(texts: pa.Array | pa.ChunkedArray, marks: Marks) -> tuple[pa.Array | pa.ChunkedArray, int | None]:
    """Read texts as numbers.

    Parameters
    ----------
    texts : array of str
        As `clean_texts` gives them.
    marks : Marks

    Returns
    -------
    numbers : array of float64
        Null where there is none.
    wrong : int or None
        Row of the first text that is no number; then `numbers` are not to be used.
    """
    plain = pc.replace_substring_regex(texts, rf"(\d)[{_GROUPING}](\d\d\d)", r"\1\2")
    plain = pc.replace_substring_regex(plain, rf"(\d)[{_GROUPING}](\d\d\d)", r"\1\2")
    decimal = marks.decimal or "."
    grouping = "," if decimal == "." else "."
    if marks.thousands:
        grouped = pc.match_substring_regex(plain, rf"^[+-]?\d{{1,3}}([{grouping}]\d{{3}})+([{decimal}]\d*)?$")
        plain = pc.if_else(grouped, pc.replace_substring(plain, grouping, ""), plain)
    form = rf"^[+-]?(\d+([{decimal}]\d*)?|[{decimal}]\d+)([eE][+-]?\d+)?$|^(?i:[+-]?inf(inity)?)$"
    wrong = pc.index(pc.fill_null(pc.match_substring_regex(plain, form), True), False).as_py()
    if wrong >= 0:
        return texts, wrong
    if decimal == ",":
        plain = pc.replace_substring(plain, ",", ".")
    return pc.cast(pc.utf8_ltrim(plain, "+"), pa.float64()), None
