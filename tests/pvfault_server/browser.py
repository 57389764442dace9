"""A server of the page and a browser in front of it, for tests of what people see.

The browser is Debian's `chromium`, driven by Playwright, which brings none of its own here.
"""

import shutil
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn
from axe_playwright_python.sync_playwright import Axe

from pvfault_server.app import make_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Rules of axe-core that are asked for beside those of WCAG 2.2 AA: its best practices.
_RULES = {"resultTypes": ["violations"]}


@contextmanager
def serving(settings):
    """The application of these settings on a free port of this machine; gives its address."""
    config = uvicorn.Config(make_app(settings), log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def until(page, holds, *, seconds=20):
    """Wait until an expression of JavaScript is true. Playwright's own wait evaluates text, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(holds):
        assert time.monotonic() < end, f"not within {seconds} s: {holds}"
        page.wait_for_timeout(50)


class Eyes:
    """A page of the browser, and all that it complained about or asked of another host.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    address : str
        Of the server.
    width : int
        Of the window. [px]
    scheme : str
        `light` or `dark`.
    """

    def __init__(self, browser, address, *, width=1440, scheme="light"):
        self._context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id="Asia/Tokyo"
        )
        self.address = address
        self.complaints: list[str] = []
        self.page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _see(self, request):
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.complaints.append(f"asks {request.url}")

    def open(self, path):
        """Open a view, until nothing is waited for any more."""
        self.page.goto(self.address + path)
        self.settle()
        return self.page

    def settle(self):
        """Wait until all parts of the view are there."""
        self.page.wait_for_selector("main h1")
        until(self.page, "!document.querySelector('[aria-busy]')")

    def violations(self):
        """What axe-core finds wrong, a line each."""
        found = Axe().run(self.page, options=_RULES).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]

    def close(self):
        """Close its window."""
        self._context.close()
