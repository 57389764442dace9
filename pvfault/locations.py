"""Files that are named by a path or by an s3:// URI.

This is the one place that opens a URI; whatever reads a file gets a path of this machine. Credentials, region and
endpoint are those of the process, as Amazon's own tools read them.

PyArrow is imported where it is used: the settings know this module, and no command's help should wait for it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pvfault.errors import PvfaultError, TransientError

S3 = "s3://"
# As Arrow tells what S3 has answered, and those answers that may be others a little later.
_OF_S3 = re.compile(r"AWS Error \w+")
_MAY_PASS = re.compile(
    "AWS Error (NETWORK_CONNECTION|SLOW_DOWN|THROTTLING|REQUEST_TIMEOUT|INTERNAL_FAILURE|SERVICE_UNAVAILABLE)"
    r"|AWS Error UNKNOWN \(HTTP status 5"
)

Location = Path | str
"""A path, or an s3:// URI as text."""


class LocationError(PvfaultError):
    """A file cannot be reached."""


class NotThereError(LocationError):
    """There is no such file."""


def is_there(location: Location) -> bool:
    """Whether there is such a file.

    Raises
    ------
    LocationError
        If S3 cannot be asked.
    TransientError
        If S3 does not answer now.
    """
    if not _is_uri(location):
        return Path(location).is_file()
    from pyarrow import fs

    with _explained(location):
        system, path = _store_of(location)
        return system.get_file_info(path).type == fs.FileType.File


def written_at(location: Location) -> datetime:
    """When a file was written last (UTC).

    Raises
    ------
    NotThereError
        If there is no such file.
    LocationError
        If S3 cannot be asked.
    TransientError
        If S3 does not answer now.
    """
    from pyarrow import fs

    with _explained(str(location)):
        system, path = _store_of(str(location))
        found = system.get_file_info(path)
        if found.type != fs.FileType.File:
            raise FileNotFoundError(path)
        return found.mtime.astimezone(UTC)


@contextmanager
def local_file(location: Location) -> Iterator[Path]:
    """A file as one of this machine: itself, or a copy that is there as long as the block lasts.

    Parameters
    ----------
    location : Path or str
        A path is handed on as it is, also if nothing is there.

    Raises
    ------
    LocationError
        If a URI names no file, or S3 cannot be asked.
    TransientError
        If S3 does not answer now.
    """
    if not _is_uri(location):
        yield Path(location)
        return
    with tempfile.TemporaryDirectory(prefix="pvfault-") as folder:
        copy = Path(folder) / PurePosixPath(location).name
        with _explained(location):
            system, path = _store_of(location)
            with system.open_input_stream(path) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        yield copy


def open_to_read(location: str):
    """A table's file, to be read at any place.

    Parameters
    ----------
    location : str
        An s3:// URI or a path, with or without `file:` before it, as Iceberg names files.

    Returns
    -------
    pyarrow.NativeFile
        To be closed by the caller.

    Raises
    ------
    NotThereError
        If there is no such file.
    LocationError
        If S3 cannot be asked.
    TransientError
        If S3 does not answer now.
    """
    with _explained(location):
        system, path = _store_of(location)
        return system.open_input_file(path)


def create(location: str):
    """A new file of a table, and the folders on the way to it.

    Parameters
    ----------
    location : str
        As in `open_to_read`.

    Returns
    -------
    pyarrow.NativeFile
        To be written and closed by the caller.

    Raises
    ------
    LocationError
        If it cannot be made.
    TransientError
        If S3 does not answer now.
    """
    with _explained(location, "written"):
        system, path = _store_of(location)
        if system.type_name == "local":  # a bucket has no folders
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        return system.open_output_stream(path)


def local_path(location: str) -> Path | None:
    """The path of a table's file; None if it is not on this machine.

    Parameters
    ----------
    location : str
        As in `open_to_read`.

    Examples
    --------
    >>> [str(local_path(name)) for name in ("file:///a/b", "file:/a/b", "/a/b", "s3://bucket/b")]
    ['/a/b', '/a/b', '/a/b', 'None']
    """
    return None if _is_uri(location) else Path(location.removeprefix("file:").replace("///", "/", 1))


def uri_of(path: Path) -> str:
    """The name that Iceberg is to give a file or folder of this machine; the way back from `local_path`.

    Examples
    --------
    >>> uri_of(Path("/a b/c"))
    'file:///a b/c'
    """
    return f"file://{path}"


def _store_of(location: str):
    """The store of a file, and its name there. No character of a name is an escape, neither to Iceberg nor to S3."""
    from pyarrow import fs

    if not _is_uri(location):
        return fs.LocalFileSystem(), str(local_path(location))
    bucket, _, key = location.removeprefix(S3).partition("/")
    system, _ = fs.FileSystem.from_uri(f"{S3}{bucket}")
    return system, f"{bucket}/{key}"


def _is_uri(location: Location) -> bool:
    return isinstance(location, str) and location.startswith(S3)


@contextmanager
def _explained(location: str, done: str = "read") -> Iterator[None]:
    """Say of which file an error is, and what can be done."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise NotThereError(f"{location}: no such file; put it there, or name another one") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise explain(location, error, done) from error


def explain(location: Location, error: Exception, done: str = "read") -> PvfaultError:
    """What to tell of an error with a file: a TransientError if it may pass by itself."""
    if _MAY_PASS.search(str(error)):
        return TransientError(f"{location}: cannot be {done} now ({error}); S3 does not answer, try again later")
    return LocationError(f"{location}: cannot be {done} ({error}); look at the URI, the role and the network")


def is_of_s3(error: Exception) -> bool:
    """Whether an error is S3's answer, and so tells nothing of what is in a file."""
    return _OF_S3.search(str(error)) is not None
