"""The fleet page: one document and its files, which lie in `page/` as they are sent.

The page holds no data. It asks for them by the paths of this server, with the token if one is needed, so the page
itself is given to everybody who may reach the server. Nothing in it comes from another host, and its policy lets
nothing do so.
"""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

FILES = Path(__file__).parent / "page"

# Pictures of hours are fetched with the token and then shown, hence blob:.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for again each time, and answered with 304: after an upgrade no file is of before it.
    "Cache-Control": "no-cache",
}

router = APIRouter()


@router.get("/", include_in_schema=False)
def page():
    """The fleet page."""
    return FileResponse(FILES / "index.html", headers=_HEADERS)


class _Files(StaticFiles):
    """Files with the page's headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] += [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        await super().__call__(scope, receive, send_with_headers)


def add_page(app: FastAPI) -> None:
    """Let an application show the page."""
    app.include_router(router)
    app.mount("/page", _Files(directory=FILES))


def is_of_page(path: str) -> bool:
    """Whether a path is the page's or one of its files, which say nothing of any plant.

    Examples
    --------
    >>> [is_of_page(path) for path in ("/", "/page/js/main.js", "/devices", "/pages")]
    [True, True, False, False]
    """
    return path == "/" or path.startswith("/page/")
