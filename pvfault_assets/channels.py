"""How a message reaches the operator: an SNS topic, or a webhook, as the settings say.

Here: sending one message, and whether it was taken. Not here: which messages there are, and what becomes of one that
was not taken (`notifications.py`).
"""

import json
from http.client import HTTPException
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pvfault.settings import Settings

_TIMEOUT_S = 20
_SENT = "sent"


class NotAcceptedError(Exception):
    """A message has surely not been taken."""


class WrongMessageError(Exception):
    """A message has not been taken, and what takes it says that it is wrong, or that what it was sent to is."""


class UnansweredError(Exception):
    """A message may have been taken."""


class Channel(Protocol):
    """What messages are sent by.

    Attributes
    ----------
    name : str
        For the operator; it tells no secret.
    advice : str
        What to look at if it takes no message.
    """

    name: str
    advice: str

    def send(self, subject: str, text: str) -> str:
        """Send a message, and give what it is found again by.

        Raises
        ------
        NotAcceptedError, WrongMessageError, UnansweredError
        """
        ...


def channel_of(settings: Settings) -> Channel | None:
    """What the settings name; None if nobody is to be told."""
    if settings.sns_topic_arn:
        return SnsTopic(settings.sns_topic_arn)
    return Webhook(settings.webhook_url) if settings.webhook_url else None


class SnsTopic:
    """A topic of Amazon SNS."""

    advice = "The role of this process needs sns:Publish on the topic."

    def __init__(self, arn: str):
        self.name = arn

    def send(self, subject: str, text: str) -> str:
        """Send a message, and give its id."""
        # Here, because definitions are loaded far more often than a message is sent.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            NoCredentialsError,
        )

        # botocore would send again what was not answered, although it may have arrived.
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=_TIMEOUT_S)
        sns = boto3.Session(region_name=self.name.split(":")[3]).client("sns", config=config)
        try:
            return sns.publish(TopicArn=self.name, Subject=subject, Message=text)["MessageId"]
        except (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError) as error:
            raise NotAcceptedError(str(error)) from error
        except ClientError as error:
            if error.response["Error"]["Code"].startswith("InvalidParameter"):
                raise WrongMessageError(str(error)) from error
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                raise NotAcceptedError(str(error)) from error
            raise UnansweredError(str(error)) from error
        except BotoCoreError as error:
            raise UnansweredError(str(error)) from error


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
        """Send a message."""
        body = json.dumps({"text": f"{subject}\n\n{text}"}).encode()
        request = Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - the settings take http alone
        try:
            with build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S):
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
