"""How Amazon's services are asked.

Clients, and the one rule of what is tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import tenacity
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError

from pvfault.errors import PvfaultError, TransientError

RETRIES = 6

# What a service says when it was asked too often or is busy, and what passes by itself: an application that is just
# stopping refuses a job with ConflictException, and takes it a moment later.
_PASSING = {
    "ConflictException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceQuotaExceededException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


@dataclass(frozen=True)
class Patience:
    """How long each thing is waited for.

    Attributes
    ----------
    retry_first_s, retry_most_s : float
        Before the first retry of a question, and at most; doubled each time, and spread at random. [s]
    poll_first_s, poll_most_s : float
        Between two looks at a job, growing from the first to the most. [s]
    unreachable_s : float
        How long a job's state may stay unknown before the run is given up. [s]
    queue_s : float
        How long a job may wait for workers before it is cancelled. [s]
    execution_minutes : int
        After this long the service itself cancels a job.
    grace_s : int
        What a cancelled job has to end by itself; the service takes 15 to 1800. [s]
    logs_s : float
        How long the log of a failed job is waited for. [s]
    """

    retry_first_s: float = 1.0
    retry_most_s: float = 30.0
    poll_first_s: float = 2.0
    poll_most_s: float = 15.0
    unreachable_s: float = 1800.0
    queue_s: float = 3600.0
    execution_minutes: int = 360
    grace_s: int = 60
    logs_s: float = 90.0


def is_passing(error: BaseException) -> bool:
    """Whether the same question may be answered a little later."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in _PASSING or status == 429 or status >= 500
    return isinstance(error, HTTPClientError)


class RefusedError(PvfaultError):
    """A service says no, and will say it again."""


class NoAnswerError(TransientError):
    """A service was asked as often as `RETRIES` allows, and gave no answer."""


class RetryingClients:
    """Clients of Amazon's services that ask again where a little later the answer may be another.

    Parameters
    ----------
    patience : Patience
    """

    def __init__(self, patience: Patience):
        self._clients: dict[str, Any] = {}
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            stop=tenacity.stop_after_attempt(1 + RETRIES),
            wait=tenacity.wait_random_exponential(multiplier=patience.retry_first_s, max=patience.retry_most_s),
            reraise=True,
        )

    def client(self, service: str) -> Any:
        """A client of a service, made when it is first used: definitions are loaded where no region is set.

        It tries nothing again by itself, so that there is one place that does.

        Raises
        ------
        PvfaultError
            If no region is set.
        """
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60)
            try:
                self._clients[service] = boto3.client(service, config=config)
            except NoRegionError as error:
                raise PvfaultError(
                    "no region is set for AWS; set AWS_DEFAULT_REGION, for instance to eu-central-1"
                ) from error
        return self._clients[service]

    def ask(self, service: str, question: str, **parameters) -> dict[str, Any]:
        """Call a method of a service's client.

        Raises
        ------
        RefusedError
            If the service would give the same answer again.
        NoAnswerError
            If there is none after `RETRIES` more attempts.
        """
        return self._until_answered(getattr(self.client(service), question), f"{service} {question}", **parameters)

    def read(self, bucket: str, key: str) -> bytes | None:
        """An object; None if there is none. A role that may not look is an error, and not an absent object."""

        def download() -> bytes | None:
            try:
                with self.client("s3").get_object(Bucket=bucket, Key=key)["Body"] as body:
                    return body.read()
            except self.client("s3").exceptions.NoSuchKey:
                return None

        return self._until_answered(download, f"s3 get_object s3://{bucket}/{key}")

    def _until_answered(self, call: Callable[..., Any], what: str, **parameters) -> Any:
        try:
            return self._retrying(call, **parameters)
        except (ClientError, BotoCoreError) as error:
            if is_passing(error):
                raise NoAnswerError(f"AWS gives no answer to `{what}`: {error}; it is asked again later") from error
            raise RefusedError(f"AWS refuses `{what}`: {error}; look at role, region and settings") from error
