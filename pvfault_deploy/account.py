"""The account that is deployed to, and what its errors mean to whoever deploys.

The clients of one account and region, and the words for what is in the way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import boto3
import botocore.exceptions as failures
from botocore.client import BaseClient

from pvfault.errors import PvfaultError

# What the account said no to, by the codes that its services use for it.
_REFUSED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_NOT_BELIEVED = {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
    "SignatureDoesNotMatch", "AuthFailure", "InvalidAccessKeyId",
}  # fmt: skip


class Account:
    """An account in a region, as clients of whoever deploys to it.

    Attributes
    ----------
    id : str
        Its twelve digits.
    region : str
    """

    def __init__(self, session: boto3.Session, account_id: str):
        self._session = session
        self.id = account_id
        self.region = session.region_name
        self.client = cache(self._client)

    def _client(self, service: str) -> BaseClient:
        """The client of a service, the same one each time."""
        return self._session.client(service)


@dataclass(frozen=True)
class _Words:
    """How a failure is told."""

    kind: type[Exception]
    text: str


_WORDS = (
    _Words(
        failures.NoRegionError,
        "no AWS region is set, and stacks are made in one; set AWS_REGION, as in AWS_REGION=eu-central-1",
    ),
    _Words(
        failures.ProfileNotFound,
        "the profile that AWS_PROFILE names is not in ~/.aws/config; correct it, or run `aws configure sso`",
    ),
    _Words(
        failures.CredentialRetrievalError,
        "the credentials could not be fetched; log in anew, as in `aws sso login`",
    ),
    _Words(
        failures.UnauthorizedSSOTokenError,
        "the log-in has expired; log in anew by `aws sso login`",
    ),
    _Words(
        failures.SSOTokenLoadError,
        "nobody is logged in; run `aws sso login`",
    ),
    _Words(
        (failures.NoCredentialsError, failures.PartialCredentialsError),
        "there are no AWS credentials; run `aws configure sso` and `aws sso login`, "
        "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    _Words(
        (failures.EndpointConnectionError, failures.ConnectTimeoutError, failures.ConnectionClosedError),
        "AWS does not answer; see whether this machine reaches it, and whether AWS_REGION is the name of a region",
    ),
)


@contextmanager
def explained() -> Iterator[None]:
    """Turn Amazon's errors that a user can mend into messages; others keep their traceback.

    Raises
    ------
    PvfaultError
        If credentials, region, network or permissions are in the way.
    """
    try:
        yield
    except failures.ClientError as error:
        code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        if code in _NOT_BELIEVED:
            raise PvfaultError(f"AWS does not accept the credentials ({code}: {text}); log in anew") from error
        if code in _REFUSED:
            raise PvfaultError(
                f"the account does not allow {error.operation_name} ({text}); "
                "deploy with a role that may, see docs/deployment.md"
            ) from error
        raise
    except failures.BotoCoreError as error:
        for words in _WORDS:
            if isinstance(error, words.kind):
                raise PvfaultError(f"{words.text} (found: {error})") from error
        raise


def sign_in() -> Account:
    """Whoever the environment says we are, checked by asking who that is.

    Raises
    ------
    PvfaultError
        If there is no region, or there are no credentials, or they are not accepted.
    """
    with explained():
        session = boto3.Session()
        if session.region_name is None:
            raise failures.NoRegionError
        identity = session.client("sts").get_caller_identity()
    return Account(session, identity["Account"])
