"""S3, Glue, SNS and SSM: moto's server on a free port, and buckets of a test's own in it.

EMR Serverless, which has to run jobs, has a stand-in of ours (`emr_serverless.py`).
"""

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pyiceberg.utils.config import Config

REGION = "eu-central-1"
ACCOUNT_ID = "123456789012"  # moto's own


@dataclass(frozen=True)
class Sandbox:
    """What a test has of its own.

    Attributes
    ----------
    prefix : str
        What the names of its buckets begin with.
    environment : dict
        The variables by which a process finds the server.
    """

    prefix: str
    environment: dict

    def client(self, service: str):
        """A client of the server, whatever the environment of this process."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106
        )

    def bucket(self, purpose: str) -> str:
        return f"{self.prefix}-{purpose}"

    def objects(self, purpose: str, prefix: str = "") -> dict[str, bytes]:
        """Every object of a bucket."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket(purpose), Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket(purpose), Key=key)["Body"].read() for key in keys}


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


@dataclass(frozen=True)
class AwsServer:
    """The running server."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process finds the server, and nothing outside this machine."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # PyIceberg is the one reader that asks for its endpoint by itself.
            "PYICEBERG_CATALOG__LAKE__S3__ENDPOINT": self.url,
        }

    def sandbox(self) -> Sandbox:
        """Five empty buckets under a prefix of their own, and the Glue database."""
        sandbox = Sandbox(f"test-{uuid.uuid4().hex[:12]}", self.environment)
        for purpose in ("bootstrap", "raw", "silver", "gold", "log"):
            sandbox.client("s3").create_bucket(
                Bucket=sandbox.bucket(purpose), CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        glue = sandbox.client("glue")
        if "pvfault" not in {database["Name"] for database in glue.get_databases()["DatabaseList"]}:
            glue.create_database(DatabaseInput={"Name": "pvfault"})
        return sandbox


def enter(server: AwsServer, patch: pytest.MonkeyPatch) -> Sandbox:
    """Let clients of this process find the server, and give them a sandbox."""
    for name, value in server.environment.items():
        patch.setenv(name, value)
    # PyIceberg reads the environment once, when it is imported.
    patch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())
    return server.sandbox()


@contextmanager
def running() -> Iterator[AwsServer]:
    """Run the server as long as the block lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request hides what a test says
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield AwsServer(f"http://{host}:{port}")
    finally:
        server.stop()
