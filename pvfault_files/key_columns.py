"""The columns that say when and whose a reading is, and what is measured where a row has one value.

They are found by name and by what stands in the first rows. Not here: columns of measurements (`layouts.py`).
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from pvfault.errors import PvfaultError
from pvfault.readings import DEVICE_ID, MEASUREMENTS, TIMESTAMP
from pvfault_files import columns as words
from pvfault_files.cells import is_number, is_time
from pvfault_files.columns import read_name
from pvfault_files.file_columns import FileColumns
from pvfault_files.zones import zone_in_name


@dataclass(frozen=True)
class Long:
    """Columns of a file that has one value in a row: what it is, the value, and the unit if there is one."""

    what: int
    value: int
    unit: int | None


_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\.?([T ]0?0:00(:00)?(\.0+)?)?|(19|20)\d{6}")


class KeyColumns(FileColumns):
    """A file's columns, with those that say when and whose."""

    def find_times(self) -> tuple[int, ...]:
        """The column of timestamps, or those of dates and of times of day."""
        if TIMESTAMP in self.choices.columns:
            mapped = self.named(TIMESTAMP)
            if len(mapped) > 2:
                raise PvfaultError(
                    f"--map names {len(mapped)} columns for {TIMESTAMP}; expected one, or date and time."
                )
            return mapped if len(mapped) == 2 else self._with_clock(mapped[0])
        if self.names.count(TIMESTAMP) == 1:
            return self._with_clock(self.names.index(TIMESTAMP))
        named = [n for n, text in enumerate(self.names) if words.is_time_name(text) or words.is_date_name(text)]
        whole = [column for column in named if self._is_of_instants(column)]
        if not named:
            whole = [n for n in range(len(self.names)) if self.cells(n) and all(map(_is_instant, self.cells(n)))]
        if len(whole) > 1:
            universal = [column for column in whole if zone_in_name(self.names[column]) == "UTC"]
            whole = universal if len(universal) == 1 else whole
        if len(whole) > 1:
            raise PvfaultError(self.which_of(TIMESTAMP, whole))
        if whole:
            return self._with_clock(whole[0])
        dates = [column for column in named if words.is_date_name(self.names[column]) or self._is_of_dates(column)]
        if len(dates) == 1:
            return self._with_clock(dates[0])
        if len(named) == 1:
            return (named[0],)
        what = f"Of {', '.join(self.names[n] for n in named)} none is clearly it." if named else ""
        raise PvfaultError(
            f"{self.name} has no column {TIMESTAMP}. It has {self.all_names()}. {what}".strip()
            + " Say which column is meant: --map timestamp=COLUMN"
        )

    def has_times(self) -> bool:
        """Whether any column has dates or times, whatever it is called."""
        cells = [self.cells(n) for n, text in enumerate(self.names) if not words.is_time_name(text)]
        return len(cells) < len(self.names) or any(
            own and all(is_time(cell) or re.fullmatch(r"\d{10}(\.\d+)?|\d{12,19}", cell) for cell in own)
            for own in cells
        )

    def _with_clock(self, column):
        """A column of times, and that of times of day if it holds dates alone."""
        if not self._is_of_dates(column):
            return (column,)
        clocks = [n for n in range(len(self.names)) if n != column and self.cells(n) and self._is_of_clocks(n)]
        named = [n for n in clocks if words.is_clock_name(self.names[n]) or words.is_time_name(self.names[n])] or clocks
        if len(named) > 1:
            raise PvfaultError(self.which_of(TIMESTAMP, named))
        if not named:
            return (column,)
        pair = f"{self.names[column]!r} and {self.names[named[0]]!r}"
        self.remarks.append(f"{self.name}: date and time of day were put together, from {pair}.")
        return (column, named[0])

    def _is_of_dates(self, column):
        """Whether a column has dates alone; a spreadsheet writes them with a midnight, or as whole serials."""
        cells = self.cells(column)
        serials = words.is_date_name(self.names[column]) and all(re.fullmatch(r"\d{5}(\.0)?", cell) for cell in cells)
        return bool(cells) and (serials or all(_DATE.fullmatch(cell) for cell in cells))

    def _is_of_clocks(self, column):
        cells = self.cells(column)
        named = words.is_clock_name(self.names[column])
        return all(
            re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?", cell)
            or (named and re.fullmatch(r"[01]?(\.\d+)?|0\.\d+([eE]-\d+)?|\d{4}|\d{6}", cell))
            for cell in cells
        )

    def _is_of_instants(self, column):
        cells = self.cells(column)
        return bool(cells) and all(map(_is_instant, cells)) and not self._is_of_dates(column)

    def find_device(self, times: tuple[int, ...]) -> int | None:
        """The column of devices; None if there is none, or --device names the one device."""
        if self.choices.device is not None:
            if DEVICE_ID in self.names:
                raise PvfaultError(
                    f"{self.name} has a column {DEVICE_ID} of its own. Leave --device away, or remove the column."
                )
            return None
        if DEVICE_ID in self.choices.columns:
            return self.named(DEVICE_ID)[0]
        if self.names.count(DEVICE_ID) == 1:
            return self.names.index(DEVICE_ID)
        found = [
            n for n, text in enumerate(self.names)
            if n not in times and words.is_device_name(text) and self.cells(n) and not self._counts_rows(n)
        ]  # fmt: skip
        if len(found) > 1:
            found = self._one_of_equals(found)
        if len(found) > 1:
            raise PvfaultError(self.which_of(DEVICE_ID, found))
        return found[0] if found else None

    def _counts_rows(self, column):
        """Whether a column numbers the rows, and no devices."""
        cells = self.cells(column)
        numbers = [int(cell) for cell in cells if cell.isdigit()]
        return len(numbers) == len(cells) > 2 and all(b - a == 1 for a, b in pairwise(numbers))

    def _one_of_equals(self, found):
        """Of columns that tell the same devices apart, the one that people read."""
        pairs = {tuple(row[n] for n in found if n < len(row)) for row in self.sample}
        if all(len({pair[place] for pair in pairs}) == len(pairs) for place in range(len(found))):
            best = min(found, key=lambda n: ("name" not in self.names[n].lower(), n))
            self.remarks.append(
                f"{self.name}: devices were told apart by {self.names[best]!r}; "
                f"{', '.join(repr(self.names[n]) for n in found if n != best)} tells the same."
            )
            return [best]
        return found

    def find_port(self, taken: set) -> int | None:
        """The column that tells inputs of a device apart, which have rows of their own."""
        found = [
            n for n, text in enumerate(self.names)
            if n not in taken and words.is_port_name(text) and not self.read[n].measurement and self.cells(n)
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def find_long(self, taken):
        """Find the columns of a file that has one value in a row; None if it has not."""
        mapped = [text for m in MEASUREMENTS for text in self.choices.columns.get(m, ())]
        if any(text in self.names for text in mapped):
            return None  # of a long file, --map names what is measured
        if {"voltage", "current"} & {each.measurement for each in self.read}:
            return None
        units = [n for n, text in enumerate(self.names) if re.fullmatch("(?i)units?|einheit|unite|unidad|uom", text)]
        found = []
        for what in [n for n in range(len(self.names)) if n not in units]:
            texts = set(self.cells(what))
            kinds = {read_name(text).measurement for text in texts} - {""}
            if what not in taken and len(kinds) >= 2 and len(texts) < len(self.cells(what)):
                found.append(what)
        values = [
            n for n in range(len(self.names))
            if n not in taken and n not in found and self.cells(n) and all(map(is_number, self.cells(n)))
        ]  # fmt: skip
        if len(values) > 1:
            named = [n for n in values if re.search("(?i)val|wert|valeur|reading|measure|mess", self.names[n])]
            values = named if len(named) == 1 else values
        if len(found) != 1 or len(values) != 1:
            return None
        return Long(found[0], values[0], units[0] if len(units) == 1 else None)


def _is_instant(cell):
    """Whether a cell is a date with a time of day, or a number that could be one."""
    if re.fullmatch(r"\d{5}(\.\d+)?|\d{10}(\.\d+)?|\d{12,14}|\d{16}|\d{19}", cell):
        return True
    return is_time(cell) and re.search(r"\d[T ,_-]+\d{1,2}[:.h]\d{2}", cell) is not None
