"""Amazon MSK: which brokers a cluster has, and the tokens by which it knows us.

Every call to Amazon's API that reaching a broker needs. What a client is given of it is in `pvfault.broker_access`.
"""

from dataclasses import replace

from pvfault.errors import PvfaultError
from pvfault.settings import Settings


def find_brokers(settings: Settings) -> Settings:
    """Settings that name the brokers of their MSK cluster.

    Asked once where a process begins; everything after it finds broker and region in the settings.

    Parameters
    ----------
    settings : Settings
        `broker`, or `msk_cluster_arn` where that is empty.

    Returns
    -------
    Settings
        The same ones if they name a broker already.

    Raises
    ------
    PvfaultError
        If there are no credentials, or the cluster is not there, is not ours to see, or does not know clients by IAM.
    """
    if settings.broker:
        return settings
    arn = settings.msk_cluster_arn
    region = arn.split(":")[3]
    return replace(settings, broker=_bootstrap_brokers(arn, region), broker_iam_region=region)


class TokenSigner:
    """Signs a token each time it is called, as librdkafka's `oauth_cb`.

    Parameters
    ----------
    region : str
        That of the cluster.

    Attributes
    ----------
    error : PvfaultError or None
        Why the last call gave no token: librdkafka only tells that there was an exception.
    """

    def __init__(self, region: str):
        self._region = region
        self.error = None

    def __call__(self, _config: str = "") -> tuple[str, float]:
        """A token, and the time at which it ends, in seconds since 1970."""
        try:
            token = _sign(self._region)
        except PvfaultError as error:
            self.error = error
            raise
        self.error = None
        return token


def iam_options(region: str) -> dict:
    """What a librdkafka client needs beside `BrokerAccess.librdkafka_options`: who signs its tokens, whom it trusts.

    A token is signed at once: librdkafka waits 10 s for the first one, and keeps to itself why there is none. It asks
    for the next ones by itself, before each ends.

    Parameters
    ----------
    region : str
        That of the cluster.

    Raises
    ------
    PvfaultError
        If there are no credentials to sign with.
    """
    import botocore.session

    signer = TokenSigner(region)
    signer()
    options = {"oauth_cb": signer}
    # Whoever needs certificates of their own for Amazon's API (AWS_CA_BUNDLE) needs them for the brokers too.
    bundle = botocore.session.get_session().get_config_variable("ca_bundle")
    return options | {"ssl.ca.location": bundle} if bundle else options


def _sign(region):
    """A token and the time at which it ends, in seconds since 1970."""
    import botocore.session
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.exceptions import BotoCoreError

    try:
        # The signer meets absent credentials with an AttributeError.
        if botocore.session.get_session().get_credentials() is None:
            raise PvfaultError(f"Signing in to MSK in {region} needs AWS credentials, and {_NO_CREDENTIALS}")
        token, ends_ms = MSKAuthTokenProvider.generate_auth_token(region)
    except BotoCoreError as error:
        raise PvfaultError(f"Signing in to MSK in {region} needs AWS credentials: {error}. {_RENEW_THEM}") from error
    return token, ends_ms / 1000


def _bootstrap_brokers(arn, region):
    """Ask Amazon for the addresses at which a cluster knows its clients by IAM."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        # The default session would keep the first credentials that it finds, for as long as the process lives.
        brokers = boto3.Session(region_name=region).client("kafka").get_bootstrap_brokers(ClusterArn=arn)
    except NoCredentialsError as error:
        raise PvfaultError(f"Finding the brokers of {arn} needs AWS credentials, and {_NO_CREDENTIALS}") from error
    except ClientError as error:
        raise PvfaultError(_why_refused(arn, region, error.response["Error"])) from error
    except BotoCoreError as error:
        raise PvfaultError(f"The brokers of {arn} were not found: {error}. {_RENEW_THEM}") from error
    addresses = brokers.get("BootstrapBrokerStringSaslIam")
    if not addresses:
        others = ", ".join(
            sorted(name.removeprefix("BootstrapBrokerString") or "Plaintext" for name in _strings(brokers))
        )
        raise PvfaultError(
            f"The cluster {arn} has no broker that knows clients by IAM (it has: {others or 'none yet'}). Wait until "
            "it is ACTIVE, turn on its IAM access control, or name a broker without authentication in PVFAULT_BROKER."
        )
    # Amazon gives them in any order, and who asks twice for the same job must ask for the same.
    return ",".join(sorted(addresses.split(",")))


_NO_CREDENTIALS = (
    "none were found. Give this process a role, sign in with `aws sso login`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID."
)
_RENEW_THEM = "Check region and network, and renew the credentials (`aws sts get-caller-identity` tries them)."


def _why_refused(arn, region, answer):
    """What an answer of Amazon's API means for the user."""
    code, message = answer["Code"], answer["Message"]
    found = f"Amazon answers {code} for the MSK cluster {arn} ({message})."
    if code in ("ForbiddenException", "AccessDeniedException", "UnauthorizedException"):
        return f"{found} Allow this role the action kafka:GetBootstrapBrokers on that cluster."
    if code in ("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidSignatureException"):
        return f"{found} {_RENEW_THEM}"
    if code in ("NotFoundException", "BadRequestException"):
        return (
            f"{found} Correct PVFAULT_MSK_CLUSTER_ARN (`aws kafka list-clusters-v2 --region {region}` lists clusters)."
        )
    return f"{found} Try again later, or name a broker in PVFAULT_BROKER."


def _strings(brokers):
    """Those fields of the answer that hold addresses."""
    return [name for name in brokers if name.startswith("BootstrapBrokerString")]
