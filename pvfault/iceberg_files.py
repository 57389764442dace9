"""Whether the files in which Iceberg keeps a table's list of files are whole.

Manifest lists and manifests of this machine are looked at. A list that is cut off between two of its parts reads as a
shorter one, so that rows are missing and nothing says so. An object on S3 is there as it was written or not at all, and
files of rows are found cut off by whoever reads them: neither is looked at here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pvfault.errors import PvfaultError
from pvfault.locations import local_path

_MAGIC = b"Obj\x01"
_SYNC_LENGTH = 16


class DamagedTableError(PvfaultError):
    """A file of a table's own bookkeeping is not as it was written.

    Parameters
    ----------
    table : str
    found : str
        Which file, and how it is.
    """

    def __init__(self, table: str, found: str):
        super().__init__(
            f"the table {table}: {found}, so rows would be missing; put the file back from a backup, or run "
            "`pvfault catalog restore`, which goes back to the last state that is whole"
        )
        self.found = found


@dataclass(frozen=True)
class Manifest:
    """What a manifest list says of one of its manifests.

    Attributes
    ----------
    location : str
    length : int
        Of the file. [B]
    data_files : int
        Files of rows that are part of the table.
    """

    location: str
    length: int
    data_files: int


def require_whole_snapshot(
    table: str, list_location: str, read_manifests: Callable[[], Iterable[Manifest]], data_files: int | None
) -> None:
    """Refuse a snapshot whose manifest list or manifests are gone, emptied or cut off, or fewer than there were.

    Parameters
    ----------
    table : str
    list_location : str
        Of the manifest list.
    read_manifests : callable
        Gives all that the list names; not called if the list itself is not whole, or not of this machine.
    data_files : int or None
        Files of rows that the snapshot has by its own count; None if it has not counted them.

    Raises
    ------
    DamagedTableError
    """
    path = local_path(list_location)
    if path is None:
        return
    if not path.is_file():
        raise DamagedTableError(table, f"the manifest list {path} is not there")
    content = path.read_bytes()
    if not is_whole_avro(content):
        raise DamagedTableError(table, f"the manifest list {path} is cut off, at {len(content)} bytes")
    listed = 0
    for manifest in read_manifests():
        _require_whole_manifest(table, manifest)
        listed += manifest.data_files
    if data_files is not None and listed != data_files:
        raise DamagedTableError(table, f"the manifest list {path} names {listed} files, expected {data_files}")


def _require_whole_manifest(table: str, manifest: Manifest) -> None:
    """Refuse a manifest that has not the length that its list says."""
    path = local_path(manifest.location)
    if not path.is_file():
        raise DamagedTableError(table, f"the manifest {path} is not there")
    if (length := path.stat().st_size) != manifest.length:
        raise DamagedTableError(table, f"the manifest {path} has {length} bytes, expected {manifest.length}")


def is_whole_avro(content: bytes) -> bool:
    """Whether bytes are an Avro file from its beginning to its end: what stands in its blocks is not looked at.

    The form is that of an `object container file <https://avro.apache.org/docs/1.12.0/specification/>`_: a header
    with a map and a mark, then blocks that end with the same mark.
    """
    try:
        sync, place = _read_header(content)
        while place < len(content):
            _, place = _read_long(content, place)
            length, place = _read_long(content, place)
            place += length + _SYNC_LENGTH
            if length < 0 or content[place - _SYNC_LENGTH : place] != sync:
                return False
    except IndexError:
        return False
    return place == len(content)


def _read_header(content: bytes) -> tuple[bytes, int]:
    """The mark, and where the first block begins."""
    if not content.startswith(_MAGIC):
        raise IndexError
    entries, place = _read_long(content, len(_MAGIC))
    while entries:
        if entries < 0:  # then the length of the entries in bytes follows
            _, place = _read_long(content, place)
        for _ in range(2 * abs(entries)):  # a name and a value each
            length, place = _read_long(content, place)
            place += max(length, 0)
        entries, place = _read_long(content, place)
    end = place + _SYNC_LENGTH
    if end > len(content):
        raise IndexError
    return content[place:end], end


def _read_long(content: bytes, place: int) -> tuple[int, int]:
    """A number in Avro's form, seven bits a byte and the sign in the lowest, and where it ends."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place
