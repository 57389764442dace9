"""An address that takes messages by POST, and whether one was taken.

Here as well: in which ways one is not taken, which are the same of every channel (`channels.py`).
"""

import json
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

TIMEOUT_S = 20
_SENT = "sent"


class NotAcceptedError(Exception):
    """A message has surely not been taken."""


class WrongMessageError(Exception):
    """A message has not been taken, and what takes it says that it is wrong, or that what it was sent to is."""


class UnansweredError(Exception):
    """A message may have been taken."""


class _NoRedirect(HTTPRedirectHandler):
    """A message that is sent on elsewhere would arrive there without its content."""

    def redirect_request(self, *_request):
        return None


class Webhook:
    """An address that takes `{"text": ...}` by POST, as Slack, Mattermost, Rocket.Chat and Teams have them.

    The path of such an address is a secret: whoever knows it can write there.
    """

    advice = "Look at PVFAULT_WEBHOOK_URL, and whether that service is up."

    def __init__(self, url: str):
        self._url = url
        self.name = urlsplit(url).hostname or "the webhook"

    def send(self, subject: str, text: str) -> str:
        """Send a message.

        Raises
        ------
        NotAcceptedError, WrongMessageError, UnansweredError
        """
        body = json.dumps({"text": f"{subject}\n\n{text}"}).encode()
        request = Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - the settings take http alone
        try:
            with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S):
                return _SENT
        except HTTPError as error:
            with error:
                told = f"HTTP {error.code} {error.reason}"
            if error.code in (400, 413, 422):
                raise WrongMessageError(told) from error
            raise (NotAcceptedError if error.code < 500 else UnansweredError)(told) from error
        except URLError as error:  # while it was sent; what comes later is an error of its own kind
            raise NotAcceptedError(str(error.reason)) from error
        except (OSError, HTTPException) as error:
            raise UnansweredError(f"{type(error).__name__}: {error}") from error
