"""Who is let in: whoever shows the token, and without one only what runs on this machine.

A page of another origin may not read the answers: no header of CORS is ever sent. It could still give its own host the
address of this machine, so without a token the host that a request names has to be this machine as well.
"""

import hmac
import ipaddress
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from pvfault.errors import PvfaultError
from pvfault_server.problems import ProblemError


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
        refused = self._refused(Headers(scope=scope), scope["path"]) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, headers: Headers, path: str):
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
