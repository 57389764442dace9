"""A deployment's surroundings: AWS in this process, a small checkout to deploy from."""

import shutil
from pathlib import Path

import pytest

from tests.standins import cloudformation

PROJECT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="package")
def aws_address():
    with cloudformation.running() as address:
        yield address


@pytest.fixture
def environment_on_aws(aws_address):
    """Variables by which a process finds an empty account."""
    cloudformation.reset(aws_address)
    return {
        "AWS_ENDPOINT_URL": aws_address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": cloudformation.REGION,
        "AWS_DEFAULT_REGION": cloudformation.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def account(environment_on_aws, monkeypatch):
    """An empty account."""
    from pvfault_deploy.account import sign_in

    for name, value in environment_on_aws.items():
        monkeypatch.setenv(name, value)
    return sign_in()


@pytest.fixture
def checkout(tmp_path):
    """A checkout with the real templates and sources, and JVM packages of a few bytes."""
    folder = tmp_path / "checkout"
    names = (
        "infra", "pvfault", "pvfault_alarms", "pvfault_api", "pvfault_assets", "pvfault_cli", "pvfault_gateway",
        "pvfault_messages", "pvfault_server", "spark_jobs",
    )  # fmt: skip
    for name in names:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, folder)
    (folder / "models").mkdir()
    shutil.copy(PROJECT / "models" / "lenet5.h5", folder / "models")
    for jar in ("spark/iceberg-spark-runtime-4.0_2.13-1.10.1.jar", "aws/iceberg-aws-bundle-1.10.1.jar"):
        path = folder / "build" / "jars" / jar
        path.parent.mkdir(parents=True)
        path.write_bytes(jar.encode())
    return folder
