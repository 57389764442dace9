"""The server's process on a laptop."""

import contextlib
import sys

import uvicorn

from pvfault.settings import Settings
from pvfault_server.app import make_app
from pvfault_server.guard import require_token

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
    config = uvicorn.Config(
        make_app(settings), host=host, port=port, server_header=False, access_log=False, log_level="warning"
    )
    server = _Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(1)


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
