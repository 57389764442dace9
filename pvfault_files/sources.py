"""Where readings stand: files, folders of them, patterns, archives; and the bytes of each.

Here: what a path means and of which kind a file is, by its first bytes. Not here: what stands in it (`dialect.py`,
`bodies.py`).
"""

import bz2
import glob
import gzip
import lzma
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from pvfault.errors import PvfaultError

HEAD_BYTES = 65_536
_SUFFIXES = re.compile(
    r"\.(csv|tsv|txt|dat|log|asc|parquet|pq|xlsx|xlsm|xls|ods|zip|csv\.\d+)(\.(gz|bz2|xz|zst))?$", re.IGNORECASE
)
_COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
# What tells a workbook from an archive of files; both are zip.
_IN_WORKBOOKS = ("xl/", "[Content_Types].xml", "mimetype")


@dataclass(frozen=True)
class Source:
    """One table of readings: a file, or one in an archive.

    Attributes
    ----------
    path : Path
    member : str
        Name within an archive, empty if the path is no archive.
    is_named : bool
        Whether the user has named this very file. One of a folder, a pattern or an archive need not be of readings.
    """

    path: Path
    member: str = ""
    is_named: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def is_empty(self) -> bool:
        """Whether there is not a byte in it."""
        if not self.member:
            return self.path.stat().st_size == 0
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size == 0

    @cached_property
    def head(self) -> bytes:
        """The first bytes, unpacked."""
        with self.open() as file:
            return file.read(HEAD_BYTES)

    @cached_property
    def kind(self) -> str:
        """`Parquet`, `workbook` or `CSV`."""
        name = (self.member or self.path.name).lower()
        if self.head[:4] == _PARQUET or name.endswith((".parquet", ".pq")):
            return "Parquet"
        return "workbook" if self.head[:4] in (_ZIP, _OLD_WORKBOOK) else "CSV"

    @property
    def is_plain(self) -> bool:
        """Whether the file on disk is the table itself, not packed in anything."""
        return not self.member and _opener(self.path) is None

    def open(self) -> BinaryIO:
        """Open the unpacked bytes.

        Raises
        ------
        PvfaultError
            If it cannot be opened, or is not what its first bytes say.
        """
        try:
            if self.member:
                return zipfile.ZipFile(self.path).open(self.member)
            opener = _opener(self.path)
            return opener(self.path) if opener else self.path.open("rb")
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:
            raise unreadable(self.name, error) from error


def unreadable(name: str, error: Exception) -> PvfaultError:
    """What is said of a file whose bytes cannot be had."""
    return PvfaultError(f"{name} cannot be read: {first_line(error)}. Export or copy it once more.")


def first_line(error: Exception) -> str:
    """Shorten what a library says."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def find_sources(paths: Iterable[Path]) -> list[Source]:
    """Find all tables that paths name, in the order of the paths; those of a folder or pattern by name.

    Parameters
    ----------
    paths : iterable of Path
        Files, folders (with all below), patterns as `2024-*/*.csv`, and zip archives of files.

    Raises
    ------
    PvfaultError
        If there is no such file, or nothing in it.
    """
    found: dict[Path, bool] = {}
    for path in map(Path, paths):
        for file in _files_of(path):
            found[file] = found.get(file, False) or file == path
    return [source for file, is_named in found.items() for source in _sources_of(file, is_named)]


def _files_of(path):
    """The files that a path names."""
    if path.is_dir():
        files = sorted(
            file for file in path.rglob("*") if file.is_file() and _is_wanted(file.relative_to(path).as_posix())
        )
        if not files:
            raise PvfaultError(f"The folder {path} has no file of readings. Expected CSV, Parquet or xlsx files in it.")
        return files
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        files = [Path(file) for file in sorted(glob.glob(str(path), recursive=True)) if Path(file).is_file()]  # noqa: PTH207 - of a whole path, also an absolute one
        if files:
            return files
        raise PvfaultError(f"No file fits the pattern {path}. Check it, and the folder you are in.")
    raise PvfaultError(f"There is no file {path}. Check the name and the folder you are in.")


def _is_wanted(name):
    """Whether a file in a folder or archive looks like a table, and is not hidden."""
    hidden = any(part.startswith((".", "__MACOSX", "~$")) for part in name.split("/"))
    return not hidden and _SUFFIXES.search(name) is not None


def _sources_of(path, is_named):
    """The tables of a file: itself, or what an archive holds."""
    try:
        if path.stat().st_size == 0 and is_named:
            raise PvfaultError(f"{path} is empty. Expected a CSV with a header, or a Parquet file.")
        with path.open("rb") as file:
            magic = file.read(4)
        if magic != _ZIP:
            return [Source(path, is_named=is_named)]
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise unreadable(path, error) from error
    if any(member.startswith(_IN_WORKBOOKS) for member in members):
        return [Source(path, is_named=is_named)]
    wanted = sorted(member for member in members if not member.endswith("/") and _is_wanted(member))
    if not wanted:
        raise PvfaultError(f"The archive {path} has no file of readings. Expected CSV or Parquet files in it.")
    return [Source(path, member, is_named=False) for member in wanted]


def _opener(path):
    """What opens a compressed file, None if it is not compressed."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(_ZSTANDARD):
        import pyarrow as pa

        return lambda file: pa.input_stream(str(file), compression="zstd")
    return next((opener for start, opener in _COMPRESSED.items() if magic.startswith(start)), None)
