"""Who is let in: whoever shows the token, and without one only what runs on this machine.

A page of another origin may not read the answers: no header of CORS is ever sent. It could still give its own host the
address of this machine, so without a token the host that a request names has to be this machine as well. And it could
send something that is done here without reading the answer: so without a token a browser has to say that what is done
comes from a page of this server, and what is done is told as JSON, which no form of another origin can send unasked.
"""

import hmac
import ipaddress
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pvfault.errors import PvfaultError
from pvfault_server.problems import ProblemError

MOST_BYTES = 16_384
"""Of what is told with a request; a comment of the greatest length is a half of it."""

MOST_HEAD_BYTES = 65_536
"""Of a request's headers."""

_ASKING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Lets a request through, or answers it with a problem.

    Parameters
    ----------
    app : ASGIApp
    token : str or None
        What a request has to show as `Authorization: Bearer`; None if this machine alone can ask.
    is_open : callable
        Whether a path is shown without the token: a browser that opens a page cannot show one.
    """

    def __init__(self, app: ASGIApp, token: str | None, is_open: Callable[[str], bool]):
        self._app, self._token, self._is_open = app, token, is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refused(headers, scope["path"])
        if not refused and scope["method"] not in _ASKING:
            refused = self._refused_to_do(headers)
            if not refused:
                receive = await _held(receive)
                refused = None if receive else _TOO_LARGE.response()
        await (refused or self._app)(scope, receive, send)

    def _refused(self, headers: Headers, path: str):
        if sum(len(name) + len(value) for name, value in headers.raw) > MOST_HEAD_BYTES:
            return HEAD_TOO_LARGE.response()
        if self._token is None:
            if is_loopback(_host_of(headers.get("host", ""))):
                return None
            return ProblemError(421, "other_host", "this server answers as localhost alone").response()
        if self._is_open(path):
            return None
        shown = headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(shown, f"Bearer {self._token}".encode()):
            return None
        problem = ProblemError(401, "token_missing", "send the server's token as `Authorization: Bearer TOKEN`")
        return problem.response({"WWW-Authenticate": "Bearer"})

    def _refused_to_do(self, headers: Headers):
        """Why something is not done, if it is not."""
        if self._token is None and not _is_of_own_page(headers):
            return ProblemError(403, "other_origin", "pages of other origins can do nothing here").response()
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            problem = ProblemError(415, "no_json", "what is to be done is told as `Content-Type: application/json`")
            return problem.response()
        return None


_TOO_LARGE = ProblemError(413, "too_large", f"what is told with a request has at most {MOST_BYTES} bytes; say less")

HEAD_TOO_LARGE = ProblemError(
    431, "head_too_large", f"a request's headers have at most {MOST_HEAD_BYTES} bytes; say less by them"
)


def _is_of_own_page(headers: Headers) -> bool:
    """Whether a request is of a page of this server, or of no page at all: browsers say so, and no page can say it."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    own = {f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")}
    return site in ("same-origin", "none") and (origin is None or origin in own)


async def _held(receive: Receive) -> Receive | None:
    """A request's body, held until somebody wants it; None if it is too large, of which no more is held than that."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            message = {"type": "http.request", "body": body, "more_body": False}
            break
    first: list[Message] = [message]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def require_token(host: str, token: str | None) -> None:
    """Refuse to listen where others can ask, without a token.

    Raises
    ------
    PvfaultError
    """
    if token is None and not is_loopback(host):
        raise PvfaultError(
            f"--host {host} can be reached from other machines, and PVFAULT_TOKEN is not set; set it to what requests "
            "have to show (`openssl rand -hex 32` makes one), or leave --host out"
        )


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "plant.example", "")]
    [True, True, True, False, False, False]
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str:
    """The host of a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
