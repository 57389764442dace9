"""The rows of a file as an Arrow table: only the columns that are wanted, in types that cost little.

Here: one fast reading with the types that the first rows promise, and one of plain text where they do not keep it;
what is said about torn rows. Not here: what a column is (`columns.py`), what a text means (`cells.py`, `times.py`).
"""

import codecs
import csv
import io
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pvfault.errors import PvfaultError
from pvfault_files.cells import PLACEHOLDERS_OF_ARROW, Marks
from pvfault_files.choices import Choices
from pvfault_files.dialect import Dialect, find_dialect
from pvfault_files.footers import END_BYTES, Rows, find_footer
from pvfault_files.sources import HEAD_BYTES, Source, first_line

TEXT = pa.dictionary(pa.int32(), pa.string())  # a few names, or times that several devices share
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException, UnicodeError)


class Body:
    """A table in a file: its names, and its columns by number.

    Attributes
    ----------
    name : str
        What messages call the file.
    kind : str
    dialect : Dialect
        Of a Parquet file, what can be said of one.
    """

    def __init__(self, name: str, kind: str, dialect: Dialect):
        self.name = name
        self.kind = kind
        self.dialect = dialect

    def read(self, types: dict[int, pa.DataType]) -> pa.Table:
        """Read columns by their number, with types that the first rows promise; text where they do not keep it."""
        raise NotImplementedError

    def read_texts(self, numbers: Iterable[int]) -> pa.Table:
        """Read columns as text."""
        raise NotImplementedError

    def line_of(self, row: int) -> str:
        """Where a row of the table stands, in words."""
        raise NotImplementedError

    def skipped(self) -> str:
        """What is said of lines under the last row that are none of the table; empty without any."""
        return ""


def open_body(source: Source, choices: Choices) -> Body:
    """Open the table of a source.

    Raises
    ------
    PvfaultError
        If it is no table.
    """
    with _told(source.name, "file"):
        kind = source.kind
    with _told(source.name, kind):
        if source.kind == "Parquet":
            return _ParquetBody(source)
        if source.kind == "workbook":
            from pvfault_files.workbooks import read_sheet

            text = read_sheet(source, choices.sheet)
            content = text.encode()
            dialect = find_dialect(
                source.name,
                content[:HEAD_BYTES],
                replace(choices, encoding="utf-8", delimiter="\t", decimal="."),
                is_whole=len(content) <= HEAD_BYTES,
            )
            return _CsvBody(source.name, "workbook", dialect, lambda: io.BytesIO(content))
        head = source.head
        dialect = find_dialect(source.name, head, choices, is_whole=len(head) < HEAD_BYTES)
        # Arrow reads a plain file in threads; it takes a path for that.
        return _CsvBody(source.name, "CSV", dialect, source.open, str(source.path) if source.is_plain else None)


@contextmanager
def _told(name, kind):
    """Turn what a library says of a broken file into one sentence."""
    try:
        yield
    except _BROKEN as error:
        what = {"Parquet": "Parquet file"}.get(kind, kind)
        raise PvfaultError(f"{name} is not a readable {what}: {first_line(error)}. Export it once more.") from error


class _ParquetBody(Body):
    """Columns of a Parquet file, with the types that they have."""

    def __init__(self, source):
        # A path is mapped and read in threads; what is packed is read whole.
        self._place = str(source.path) if source.is_plain else pa.BufferReader(source.open().read())
        with pq.ParquetFile(self._place) as file:
            self._names = file.schema_arrow.names
            self.types = [file.schema_arrow.field(number).type for number in range(len(self._names))]
            self.rows = file.metadata.num_rows
            batch = next(file.iter_batches(batch_size=20), None)
        columns = [_as_texts(column) for column in batch.columns] if batch is not None else []
        sample = tuple(zip(*columns, strict=True))
        nothing = Dialect("", "", Marks("."), 0, 1, tuple(self._names), ("",) * len(self._names), sample)
        super().__init__(source.name, "Parquet", nothing)

    def read(self, types):
        with _told(self.name, self.kind), pq.ParquetFile(self._place) as file:
            names = [self._names[number] for number in types]
            table = file.read(columns=list(dict.fromkeys(names)))
            return pa.table({str(number): table[self._names[number]] for number in types})

    def read_texts(self, numbers):
        return self.read(dict.fromkeys(numbers))

    def line_of(self, row):
        return f"row {row + 1:,}"


def _as_texts(column):
    """Values as a CSV would have them."""
    try:
        texts = pc.cast(column, pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [str(value) for value in column]  # lists, and what else is no value
    return ["" if text is None else text for text in texts]


class _Beginning(io.RawIOBase):
    """The first bytes of an open file."""

    def __init__(self, file, size):
        self._file, self._left = file, size

    def readable(self):
        return True

    def readinto(self, buffer):
        block = self._file.read(min(len(buffer), self._left))
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)

    def close(self):
        self._file.close()
        super().close()


class _CsvBody(Body):
    """Columns of a text file."""

    def __init__(self, name, kind, dialect, opener: Callable, path: str | None = None):
        super().__init__(name, kind, dialect)
        self._opener = opener
        self._path = path

    def read(self, types):
        try:
            return self._read(types)
        except (pa.ArrowException, UnicodeError):
            # Torn rows are told by the second reading, and so is what is no text in the encoding.
            return self.read_texts(types)

    def read_texts(self, numbers):
        try:
            return self._read(dict.fromkeys(numbers, TEXT))
        except (pa.ArrowInvalid, UnicodeError) as error:
            self._refuse_torn_rows()
            raise PvfaultError(
                f"{self.name} is not a readable CSV: {first_line(error)}. Mend it or export it once more."
            ) from error

    def _read(self, types):
        dialect = self.dialect
        names = [str(number) for number in range(len(dialect.names))]
        encoding = {"utf-8-sig": "utf-8"}.get(dialect.encoding, dialect.encoding)
        place = self._place()
        table = pa_csv.read_csv(
            place,
            read_options=pa_csv.ReadOptions(
                column_names=names, skip_rows=dialect.data_line - 1, encoding=encoding.replace("_", "-")
            ),
            parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, quote_char='"' if dialect.quoted else False),
            convert_options=pa_csv.ConvertOptions(
                include_columns=[str(number) for number in types],
                column_types={str(number): kind for number, kind in types.items()},
                null_values=PLACEHOLDERS_OF_ARROW,
                strings_can_be_null=True,
                decimal_point=dialect.marks.decimal or ".",
            ),
        )
        if place is not self._path:
            place.close()
        if dialect.quoted and self._count_lines() > table.num_rows + dialect.data_line - 1:
            self._refuse_open_quotes()
        return table

    def _place(self):
        """What Arrow reads: the path, or bytes of which the footer is cut off."""
        if self._footer is None or self._path is None:
            return self._path or self._open()
        with pa.memory_map(self._path) as file:
            return pa.BufferReader(file.read_buffer(self._size))

    def _open(self):
        """The bytes without the footer."""
        file = self._opener()
        return file if self._footer is None else _Beginning(file, self._size)

    @cached_property
    def _footer(self):
        """What stands under the last row, or None."""
        rows = Rows(self.dialect.sample, self._width, self.dialect.delimiter, self.dialect.quoted)
        if not rows.are_timed():
            return None
        end, size = self._end
        encoding = self._plain_encoding()
        return find_footer(end.decode(encoding, errors="replace"), encoding, rows, is_whole=len(end) == size)

    @cached_property
    def _end(self):
        """The last bytes, and how many there are in all."""
        with self._opener() as file:
            if self._path is not None:
                size = file.seek(0, io.SEEK_END)
                # A multiple of what any character takes.
                file.seek(max(size - END_BYTES, 0) // 4 * 4)
                return file.read(), size
            end, size = b"", 0
            for block in iter(lambda: file.read(1 << 20), b""):
                size += len(block)
                end = (end + block)[-END_BYTES - size % 4 :]
            return end, size

    @property
    def _size(self):
        return self._end[1] - self._footer.size

    def _plain_encoding(self):
        """The encoding without a mark of the order of bytes, as it is in the middle of a file."""
        encoding = self.dialect.encoding.replace("_", "-").lower()
        if encoding in ("utf-16", "utf-32"):
            with self._opener() as file:
                return f"{encoding}-{'le' if file.read(2) == codecs.BOM_UTF16_LE else 'be'}"
        return {"utf-8-sig": "utf-8"}.get(encoding, encoding)

    def skipped(self):
        return self._footer.told(self.name, self._count_lines()) if self._footer is not None else ""

    def _count_lines(self):
        """Lines of the table, in whatever encoding."""
        with self._open() as file:
            ends = [(block.count(b"\n"), block.count(b"\r")) for block in iter(lambda: file.read(1 << 20), b"")]
        return max(map(sum, zip(*ends, strict=True)))

    @cached_property
    def _width(self):
        return len(self.dialect.names)

    def _refuse_open_quotes(self):
        """Raise for a cell that goes on for lines: its quote was not closed, and rows vanish in it."""
        for line, last, _ in self._walk():
            if last > line:
                raise PvfaultError(
                    f"{self.name}, line {line}: a quote is not closed before line {last}. Mend that line."
                )

    def _refuse_torn_rows(self):
        """Raise for the first row that has not as many cells as there are columns."""
        for line, _, cells in self._walk():
            if len(cells) != self._width:
                raise PvfaultError(
                    f"{self.name}, line {line}: has {len(cells)} cells, expected {self._width}, one for each of "
                    f"{', '.join(map(repr, self.dialect.names[:4]))} …; the row is torn. Mend that line or remove it."
                )

    def _walk(self):
        """Rows as Arrow counts them, with their first and last lines."""
        encoding = "utf-8" if self.dialect.encoding == "utf-8-sig" else self.dialect.encoding
        with self._open() as binary, io.TextIOWrapper(binary, encoding, errors="replace", newline="") as text:
            lines = itertools.islice(text, self.dialect.data_line - 1, None)
            quoting = csv.QUOTE_MINIMAL if self.dialect.quoted else csv.QUOTE_NONE
            rows = csv.reader(lines, delimiter=self.dialect.delimiter, quoting=quoting)
            before = self.dialect.data_line - 1
            try:
                for cells in rows:
                    last = self.dialect.data_line - 1 + rows.line_num
                    if cells:
                        yield before + 1, last, cells
                    before = last
            except csv.Error as error:
                raise PvfaultError(
                    f"{self.name}, line {before + 1}: is not a row of a CSV ({error}). Mend that line."
                ) from error

    def line_of(self, row):
        found = next(itertools.islice(self._walk(), row, None), None)
        return f"line {found[0]}" if found else f"row {row + 1:,}"
