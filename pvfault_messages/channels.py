"""Which channel the settings name, and the SNS topic as one."""

from typing import Protocol

from pvfault.settings import Settings
from pvfault_messages.webhook import NotAcceptedError, UnansweredError, Webhook, WrongMessageError

# A function of AWS Lambda that tells of alarms is ended after 29 s, and a message that was begun is not sent again.
_CONNECT_S, _ANSWER_S = 3, 10


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
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=_CONNECT_S, read_timeout=_ANSWER_S)
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
