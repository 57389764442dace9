"""Answers in the form that a request accepts: JSON, CSV, an Arrow stream or Parquet, with an ETag.

An answer is of a request and of the versions of what it is read from. As long as these are the same, so is its ETag,
and who has it already is told so before any row is read.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from starlette.requests import Request
from starlette.responses import Response

from pvfault.versions import code_version, version_of
from pvfault_server.problems import ProblemError

JSON = "application/json"
CSV = "text/csv"
PNG = "image/png"
LATER_S = 2
"""After how long an answer that is not there yet is asked for again."""


@dataclass(frozen=True)
class Rows:
    """An answer of rows.

    Attributes
    ----------
    table : pa.Table
    is_page : bool
        Whether it may be one of several.
    following : str or None
        Path of the next one; None on the last.
    """

    table: pa.Table
    is_page: bool = False
    following: str | None = None


def answer(
    request: Request,
    versions: Iterable[str],
    make: Callable[[], Rows | Mapping | bytes],
    *,
    forms: Sequence[str] | None = None,
) -> Response:
    """Answer a request.

    Parameters
    ----------
    request : Request
    versions : iterable of str
        Of all that the answer is read from.
    make : callable
        Gives the answer; not called if the client has it already.
    forms : sequence of str, optional
        Media types that the answer can have, the preferred one first; all of `FORMS` by default.

    Raises
    ------
    ProblemError
        406 if the request accepts none of them.
    """
    form = _accepted(request.headers.get("accept", "*/*"), forms or tuple(FORMS))
    tag = _tag(str(request.url.path), sorted(request.query_params.multi_items()), sorted(versions), form)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    made = make()
    if isinstance(made, Rows):
        if made.following:
            headers["Link"] = f'<{made.following}>; rel="next"'
        body = FORMS[form](made)
    else:
        body = made if isinstance(made, bytes) else _as_text(made)
    return Response(body, headers=headers, media_type=form)


def written(document: Mapping) -> Response:
    """The answer to something that was done: what it has come to. Nobody keeps it."""
    return Response(_as_text(document), headers={"Cache-Control": "no-store"}, media_type=JSON)


def later(detail: str) -> Response:
    """What is said as long as an answer is not there yet."""
    headers = {"Cache-Control": "no-store", "Retry-After": str(LATER_S)}
    return Response(_as_text({"detail": detail}), 202, headers, JSON)


def _as_json(rows: Rows) -> bytes:
    following = {"next": rows.following} if rows.is_page else {}
    return _as_text({"rows": rows.table.to_pylist(), **following})


def _as_csv(rows: Rows) -> bytes:
    flat = rows.table
    while any(pa.types.is_struct(column.type) for column in flat.schema):
        flat = flat.flatten()
    for number, column in enumerate(flat.schema):
        if pa.types.is_list(column.type):  # of words, which hold no space
            flat = flat.set_column(number, column.name, pc.binary_join(flat[number], " "))
    sink = io.BytesIO()
    pa_csv.write_csv(flat, sink)
    return sink.getvalue()


def _as_arrow(rows: Rows) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.table.schema) as writer:
        writer.write_table(rows.table)
    return sink.getvalue()


def _as_parquet(rows: Rows) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows.table, sink)
    return sink.getvalue()


FORMS: Mapping[str, Callable[[Rows], bytes]] = {
    JSON: _as_json,
    CSV: _as_csv,
    "application/vnd.apache.arrow.stream": _as_arrow,
    "application/vnd.apache.parquet": _as_parquet,
}


def _as_text(value) -> bytes:
    # What is no number is null, and a time is of UTC.
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _accepted(header: str, forms: Sequence[str]) -> str:
    """The form that a request likes best, the first of several."""
    liked = {form: _quality(header, form) for form in forms}
    best = max(forms, key=liked.get)
    if not liked[best]:
        raise ProblemError(406, "no_such_form", f"answers here are of {', '.join(forms)}; ask for one by `Accept`")
    return best


def _quality(header: str, form: str) -> float:
    """How much a request likes a media type, 0 to 1, by the range that names it most closely (RFC 9110, 12.5.1)."""
    closeness = {"*/*": 1, f"{form.partition('/')[0]}/*": 2, form: 3}
    found = (0, 0.0)
    for part in header.lower().split(","):
        named, *parameters = (piece.strip() for piece in part.split(";"))
        if named in closeness:
            found = max(found, (closeness[named], _weight(parameters)))
    return found[1]


def _weight(parameters: Iterable[str]) -> float:
    given = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        weight = float(given)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _tag(*of) -> str:
    # Weak: the bytes are others when they are compressed.
    return f'W/"{hashlib.sha256(repr((_own_version(), *of)).encode()).hexdigest()[:32]}"'


@cache
def _own_version() -> str:
    """Version of the code that makes answers: after an upgrade an answer may look otherwise."""
    own = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return f"{code_version()}-{version_of(own)}"


def _has(header: str, tag: str) -> bool:
    """Whether a client says that it has an answer."""
    known = {each.strip().removeprefix("W/") for each in header.split(",")}
    return "*" in known or tag.removeprefix("W/") in known
