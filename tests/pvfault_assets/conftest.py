"""Fixtures of Dagster's tests."""

import json

import pytest


class Inbox:
    """A queue that gets what is sent to an SNS topic of its own.

    Attributes
    ----------
    arn : str
        The topic's.
    """

    def __init__(self, account):
        sns, self._sqs = account.client("sns"), account.client("sqs")
        self.arn = sns.create_topic(Name=f"{account.prefix}-told")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName=f"{account.prefix}-inbox")["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=asked["Attributes"]["QueueArn"])

    def __call__(self) -> list[tuple[str, str]]:
        """Take all messages that have come since the last time, as (subject, text)."""
        taken = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                body = json.loads(message["Body"])
                taken.append((body["Subject"], body["Message"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return taken


@pytest.fixture
def inbox(aws):
    """An SNS topic, and who is subscribed to it."""
    return Inbox(aws)
