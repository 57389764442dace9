"""The application on AWS Lambda, behind an HTTP API of API Gateway.

Here: settings together with what only secrets tell, what is done with an event, whom IAM has let in already, and
answers that are too large for the service. Not here: what is asked and answered (`app.py`), what the service loads
(`on_lambda.py`), how the function is set up (`infra/cloudformation/answers.yaml`).

The application's lifespan is not run, and the limit of threads that `app.py` sets there is not needed: an instance
answers one request at a time.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_server.app import make_app
from pvfault_server.problems import MEDIA_TYPE, ProblemError

TOKEN_SECRET, DATABASE_SECRET = "PVFAULT_TOKEN_SECRET", "PVFAULT_DATABASE_SECRET"
DATABASE_HOST, DATABASE_NAME = "PVFAULT_DATABASE_HOST", "PVFAULT_DATABASE_NAME"

UPDATE_ALARMS = {"pvfault": "update alarms"}
"""The event that comes by the clock, and not from an HTTP API."""

MOST_BYTES = 6 * 1024**2
"""Of an answer as it leaves the function, all of it as JSON and what is no text in base64 (quota of Lambda)."""

# Without an endpoint for the service the network gives no answer, and a start may take ten seconds.
_TIMEOUT_S = 3

_TOO_LARGE = ProblemError(
    422,
    "answer_too_large",
    "the answer is larger than the 6 MB that can be sent from here; ask for fewer dates, devices or pixels, or for "
    "Accept-Encoding: gzip or Parquet, which are smaller",
)


class Handler:
    """What Lambda calls with each request.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    PvfaultError
        If there is no token: whoever finds the address can ask.
    """

    def __init__(self, settings: Settings):
        if settings.token is None:
            raise PvfaultError(
                f"there is no token, and the address of an HTTP API is open to everybody; let {TOKEN_SECRET} name the "
                "secret that has it, as infra/cloudformation/answers.yaml does"
            )
        # By default the lifespan is run with each request, and a problem's text is sent in base64.
        text = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]
        app = make_app(settings)
        self._token, self._desk = settings.token, app.state.desk
        self._answer = Mangum(app, lifespan="off", text_mime_types=text)

    def __call__(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        """The answer to an event of payload format 2.0; for `UPDATE_ALARMS`, how many dates are still to be read."""
        if event == UPDATE_ALARMS:
            waiting = self._desk.bring_up_to_date()
            self._desk.tell()
            return {"waiting": waiting}
        answer = self._answer(_with_token(event, self._token) if _is_signed(event) else event, context)
        return _of_problem(_TOO_LARGE) if _is_too_large(answer) else answer


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of a function: its environment, and what the secrets tell that it names.

    Parameters
    ----------
    environment : mapping of str to str

    Raises
    ------
    PvfaultError
        If a secret is not given, or settings do not go together.
    """
    told = {}
    if secret := environment.get(TOKEN_SECRET):
        told["PVFAULT_TOKEN"] = _read_secret(secret)
    if secret := environment.get(DATABASE_SECRET):
        told["PVFAULT_ALARMS_DATABASE"] = _database_address(json.loads(_read_secret(secret)), environment)
    return Settings.from_environment({**environment, **told}, Path.cwd())


def _database_address(secret: Mapping[str, str], environment: Mapping[str, str]) -> str:
    user, password = (quote(secret[name], safe="") for name in ("username", "password"))
    # RDS for PostgreSQL 15 and later refuses connections without TLS.
    return f"postgresql://{user}:{password}@{environment[DATABASE_HOST]}/{environment[DATABASE_NAME]}?sslmode=require"


def _read_secret(name: str) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 2})
    try:
        return boto3.client("secretsmanager", config=config).get_secret_value(SecretId=name)["SecretString"]
    except (BotoCoreError, ClientError) as error:
        raise PvfaultError(
            f"the secret {name} is not given ({error}); look at the function's role, at the network's endpoint for "
            "Secrets Manager, and whether the secret is there"
        ) from error


def _is_signed(event: Mapping[str, Any]) -> bool:
    """Whether IAM has let the request in: the service says so, and nothing of the request can."""
    return bool(event["requestContext"].get("authorizer", {}).get("iam"))


def _with_token(event: Mapping[str, Any], token: str) -> dict[str, Any]:
    """A request with the token in the place of its signature, which is of no use any more."""
    headers = {name: value for name, value in event["headers"].items() if name.lower() != "authorization"}
    return {**event, "headers": {**headers, "authorization": f"Bearer {token}"}}


def _is_too_large(answer: Mapping[str, Any]) -> bool:
    # As the runtime writes it, with up to six bytes for a character; below a tenth it need not be written to know that.
    return len(answer["body"]) > MOST_BYTES // 10 and len(json.dumps(answer)) > MOST_BYTES


def _of_problem(problem: ProblemError) -> dict[str, Any]:
    response = problem.response()
    return {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": bytes(response.body).decode(),
        "isBase64Encoded": False,
    }
