"""The server's process on a laptop."""

import contextlib
import sys
from http import HTTPStatus

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pvfault.settings import Settings
from pvfault_server.app import make_app
from pvfault_server.guard import HEAD_TOO_LARGE, MOST_HEAD_BYTES, require_token
from pvfault_server.problems import ProblemError

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - named, not listened at


def serve(settings: Settings, host: str, port: int) -> None:
    """Answer until the process is ended.

    Parameters
    ----------
    settings : Settings
    host : str
        The name or address to listen at.
    port : int

    Raises
    ------
    PvfaultError
        If others could ask, and there is no token.
    """
    require_token(host, settings.token)
    server = _Server(configure(settings, host, port))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


def configure(settings: Settings, host: str, port: int) -> uvicorn.Config:
    """How the process answers."""
    return uvicorn.Config(
        make_app(settings),
        host=host,
        port=port,
        http=_Protocol,
        server_header=False,
        access_log=False,
        log_level="warning",
    )


class _Protocol(HttpToolsProtocol):
    """Refuses what is no request, and a head without an end, before all of it is held; by problem documents too."""

    _is_in_head, _bytes = True, 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._bytes = True, 0

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._bytes += len(data)
        if self._is_in_head and self._bytes > MOST_HEAD_BYTES:
            self._refuse(HEAD_TOO_LARGE)

    def send_400_response(self, _msg: str) -> None:
        self._refuse(_NO_REQUEST)

    def _refuse(self, problem: ProblemError) -> None:
        response = problem.response({"Connection": "close"})
        lines = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", response.body]))
        self.transport.close()


_NO_REQUEST = ProblemError(400, "not_readable", "what came is no request of HTTP; /openapi.json says what can be asked")


class _Server(uvicorn.Server):
    """Says where its page is as soon as that can be opened."""

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"Fleet page: {_address(self.config.host, self.config.port)} (Ctrl+C ends it)", flush=True)  # noqa: T201


def _address(host: str, port: int) -> str:
    """What to type into a browser on this machine.

    Examples
    --------
    >>> [_address(host, 8000) for host in ("127.0.0.1", "0.0.0.0", "::1", "plant.example")]
    ['http://localhost:8000', 'http://localhost:8000', 'http://[::1]:8000', 'http://plant.example:8000']
    """
    if host in ("127.0.0.1", *_EVERY_ADDRESS):
        return f"http://localhost:{port}"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
