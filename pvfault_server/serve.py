"""The server's process on a laptop."""

import uvicorn

from pvfault.settings import Settings
from pvfault_server.app import make_app
from pvfault_server.guard import require_token


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
    uvicorn.run(make_app(settings), host=host, port=port, server_header=False, access_log=False, log_level="info")
