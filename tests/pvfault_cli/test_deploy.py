"""`pvfault deploy` as a user types it: against AWS in this process, and without any."""

import os
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pvfault_cli import main
from tests.standins import cloudformation

PROJECT = Path(__file__).parent.parent.parent
JARS = os.environ.get("PVFAULT_JARS", str(PROJECT / "build" / "jars"))

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.fixture
def run(monkeypatch):
    """Run the command in the checkout, with credentials of nobody and a region, unless the test takes them away."""
    monkeypatch.chdir(PROJECT)

    def run(*arguments, address="http://127.0.0.1:1", answer=None, **without):
        environment = {
            "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": cloudformation.REGION, "AWS_DEFAULT_REGION": cloudformation.REGION,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "1",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "PVFAULT_JARS": JARS, **without,
        }  # fmt: skip
        return CliRunner().invoke(main.app, ["deploy", *arguments], env=environment, input=answer)

    return run


@pytest.mark.parametrize("command", [["--prefix", "acme-pv"], ["status"]])
@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_REGION": None, "AWS_DEFAULT_REGION": None}, "no AWS region is set"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "there are no AWS credentials"),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE names is not in"),
        ({}, "AWS does not answer"),
    ],
)
def test_without_a_way_to_amazon_it_says_what_to_do(run, command, environment, words):
    result = run(*command, **environment)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_a_value_of_no_form_is_refused(run):
    result = run("--set", "MaximumVcpu")
    assert result.exit_code == 2
    assert "--set is 'MaximumVcpu'; expected NAME=VALUE" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stage", "Prod-1"], "the stage is 'Prod-1'; expected up to 16 of a-z and 0-9"),
        (["--prefix", "Acme_PV"], "the bucket prefix is 'Acme_PV'; expected 3 to 50 of a-z, 0-9 and -"),
        (["--set", "MaximumCpu=64"], "no template has a parameter MaximumCpu; there are"),
    ],
)
def test_what_is_seen_to_be_wrong_is_refused_before_amazon_is_asked(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_outside_of_a_checkout_it_says_so(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert "change into a checkout of pvfault" in result.stderr


def test_a_deployment_as_it_is_typed(run):
    """Say yes, say no, then see how far it came."""
    with cloudformation.running() as address:
        cloudformation.reset(address)
        refused = run("--prefix", "acme-pv", "--first-date", "2026-11-01", address=address, answer="y\nn\n")
        assert refused.exit_code == 2
        assert "  Add     RawBucket (AWS::S3::Bucket)" in refused.stdout
        assert "Change pvfault-prod-storage? [y/N]" in refused.stderr
        assert "pvfault-prod-images was left as it is" in refused.stderr

        other = run("--stage", "test", "status", address=address)
        assert "pvfault-test-storage: not there" in other.stdout

        status = run("status", address=address)
        assert status.exit_code == 1
        assert re.search(
            r"pvfault-prod-storage: CREATE_COMPLETE\n  BootstrapBucketName: acme-pv-bootstrap", status.stdout
        )
        assert "pvfault-prod-images: not there" in status.stdout
        assert "Release: none" in status.stdout


def test_yes_to_everything_loses_nothing_and_what_may_be_lost_is_named(run, monkeypatch, tmp_path):
    """A renamed bucket among fifty changes of a script is an empty platform the next morning."""
    with cloudformation.running() as address:
        cloudformation.reset(address)
        run("--prefix", "acme-pv", address=address, answer="y\nn\n")

        for part in PROJECT.iterdir():
            if part.name != "infra":
                (tmp_path / part.name).symlink_to(part)
        shutil.copytree(PROJECT / "infra", tmp_path / "infra")
        template = tmp_path / "infra" / "cloudformation" / "storage.yaml"
        template.write_text(template.read_text().replace("${BucketPrefix}-raw", "${BucketPrefix}-readings"))
        monkeypatch.chdir(tmp_path)

        refused = run("--yes", address=address)
        assert refused.exit_code == 2, refused.output
        assert "  Modify  RawBucket (AWS::S3::Bucket)" in refused.stdout
        assert "RawBucket (AWS::S3::Bucket acme-pv-raw) would be replaced: its objects stay in it" in refused.stderr
        assert "deploy again with --lose acme-pv-raw" in refused.stderr

        allowed = run("--lose", "acme-pv-raw", address=address, answer="y\nn\n")
        assert "pvfault-prod-storage: UPDATE_COMPLETE" in allowed.stderr
