"""Fixtures of more than one room: a real broker, topics, an environment without the user's settings."""

import os
import socket
import uuid
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pvfault.settings import Settings
from tests import streams
from tests.guard import guarded
from tests.standins import amazon

PROJECT = Path(__file__).parent.parent
# Read before any test hides the user's environment.
JARS = os.environ.get("PVFAULT_JARS", str(PROJECT / "build" / "jars"))
# Spark gives these to its virtual machines. Those of tests are short of work: the second compiler would take half of
# their time and not earn it back, and the collector with the fewest threads is the cheapest.
os.environ["SPARK_SUBMIT_OPTS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# What a program that starts Java is given of the environment.
OF_JAVA = {name: os.environ[name] for name in ("JAVA_HOME", "SPARK_SUBMIT_OPTS") if name in os.environ}


# A key whose secret has every kind of character that signing has to quote.
AWS_KEYS = {"AKIDEXAMPLE": "secret/key+with=signs"}


def pytest_collection_modifyitems(items):
    streams.arrange(items)


def pytest_xdist_make_scheduler(config, log):
    return streams.Scheduling(config, log)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_user():
    """Tests see only the settings that they make."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PVFAULT_", "AWS_"))]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def _nothing_is_left(tmp_path_factory):
    """Processes of the tests end with them."""
    with guarded(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(scope="session")
def make_settings():
    """Make settings of a home of one's own, with the packages of `make setup`."""

    def make(home: Path, **environment) -> Settings:
        return Settings.from_environment({"PVFAULT_HOME": str(home), "PVFAULT_JARS": JARS, **environment}, home)

    return make


@pytest.fixture(scope="session")
def broker(tmp_path_factory, make_settings):
    """Settings of a home whose broker runs for the whole session; when it ends, so does its process."""
    from pvfault_gateway.broker import free_port, start, stop

    port = free_port()
    settings = make_settings(tmp_path_factory.mktemp("broker"), PVFAULT_BROKER=f"localhost:{port}")
    running = start(settings, port=port, java_home=os.environ.get("JAVA_HOME"))
    yield settings
    stop(settings)
    assert not psutil.pid_exists(running.pid)


@pytest.fixture(scope="session")
def _msk(tmp_path_factory, make_settings):
    """The stand-in for an MSK cluster, for the whole session."""
    from tests.standins.msk import run_msk

    settings = make_settings(tmp_path_factory.mktemp("msk"))
    with run_msk(settings, secrets=AWS_KEYS, java_home=os.environ.get("JAVA_HOME")) as cluster:
        yield cluster


@pytest.fixture
def msk(_msk, monkeypatch):
    """An MSK cluster, and the environment of a process that may sign in to it."""
    ((access_key, secret),) = AWS_KEYS.items()
    for name, value in {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CA_BUNDLE": str(_msk.certificate),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    _msk.gate.accepted.clear()
    _msk.gate.refused.clear()
    return _msk


@pytest.fixture
def make_topic(broker):
    """Make empty topics of the test's own."""
    from pvfault_gateway.topics import ensure_topic

    def make() -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        ensure_topic(replace(broker, topic=name))
        return name

    return make


@pytest.fixture
def topic(make_topic):
    """Name of an empty topic of the test's own."""
    return make_topic()


@pytest.fixture
def environment(broker, topic, tmp_path):
    """Environment of a command that talks to the session's broker and keeps its files to itself."""
    return {
        "PVFAULT_BROKER": broker.broker,
        "PVFAULT_TOPIC": topic,
        "PVFAULT_HOME": str(tmp_path / "home"),
        "PVFAULT_JARS": JARS,
    }


@pytest.fixture
def closed_port():
    """A port that is held for the test, and on which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def aws_server():
    """S3, Glue, SNS and SSM for the whole session."""
    with amazon.running() as server:
        yield server


@pytest.fixture
def aws(aws_server, monkeypatch):
    """A test's view of Amazon: clients of this process find the server, and buckets are the test's own."""
    return amazon.enter(aws_server, monkeypatch)


@pytest.fixture
def inbox(aws):
    """An SNS topic, and who is subscribed to it."""
    return amazon.Inbox(aws)


@pytest.fixture(scope="session")
def lake_settings(broker):
    """Settings of the tables that all tests share: a JVM has one Spark session, and a session one catalog.

    Tests keep apart by their dates: each one makes dates that no other does.
    """
    return replace(broker, model=PROJECT / "models" / "lenet5.h5")


@pytest.fixture(scope="session")
def spark(lake_settings):
    """The Spark session of all tests."""
    from spark_jobs.session import start_session

    session = start_session(lake_settings)
    yield session
    session.stop()
