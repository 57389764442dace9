"""The broker's process: it answers when it has started, and is gone when it has stopped."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest

from pvfault.errors import PvfaultError
from pvfault_gateway import broker as broker_module
from pvfault_gateway.broker import find, free_port, log_file, start, stop
from pvfault_gateway.producer import ReadingProducer
from pvfault_gateway.topics import connect, count_records, ensure_topic
from tests.pvfault_gateway.helpers import NOON, make_readings

pytestmark = pytest.mark.broker
JAVA_HOME = os.environ.get("JAVA_HOME")


@pytest.fixture
def settings(tmp_path, make_settings):
    """Settings of a home without a broker; one that the test leaves running is ended."""
    port = free_port()
    settings = make_settings(tmp_path / "home", PVFAULT_BROKER=f"localhost:{port}")
    yield settings
    stop(settings)


def port_of(settings):
    return int(settings.broker.rpartition(":")[2])


def test_start_and_stop_leave_no_process_and_keep_the_records(settings):
    assert find(settings) is None
    assert stop(settings) is None

    running = start(settings, port=port_of(settings), java_home=JAVA_HOME)
    assert running.address == settings.broker
    assert find(settings) == running
    assert start(settings, port=running.port) == running  # once more: the same one
    with pytest.raises(PvfaultError, match=f"already running at localhost:{running.port}"):
        start(settings, port=free_port())
    process = psutil.Process(running.pid)
    listening = {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1"}  # this machine only
    ensure_topic(settings)
    with ReadingProducer(settings) as producer:
        producer.send(make_readings([NOON]))

    assert stop(settings) == running
    assert not psutil.pid_exists(running.pid)
    assert find(settings) is None

    again = start(settings, port=port_of(settings), java_home=JAVA_HOME)
    assert count_records(connect(settings)) == {settings.topic: 1}
    assert stop(settings) == again


def test_a_broker_that_hangs_is_made_to_end(settings, monkeypatch):
    running = start(settings, port=port_of(settings), java_home=JAVA_HOME)
    monkeypatch.setattr(broker_module, "STOP_TIMEOUT_S", 1)  # a test shall not wait half a minute
    psutil.Process(running.pid).suspend()  # it hears no request to end any more
    assert stop(settings) == running
    assert not psutil.pid_exists(running.pid)


def test_a_child_that_ended_by_itself_is_reaped():
    """It was left as a zombie when it ended just before it was looked at, and its id stayed taken."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.returncode = 0  # as `start` does: Popen shall not wait for it
    process = psutil.Process(child.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    broker_module._end(process)
    assert not psutil.pid_exists(process.pid)


def test_a_process_that_was_given_the_same_id_is_not_taken_for_the_broker(settings):
    """Ids are used again after a restart of the machine; somebody else's process must not be killed."""
    folder = settings.home / "kafka"
    folder.mkdir(parents=True)
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (folder / "broker.json").write_text(json.dumps({"pid": bystander.pid, "port": 9092}))
    assert find(settings) is None
    assert stop(settings) is None
    assert bystander.poll() is None
    bystander.communicate()


@pytest.mark.parametrize("record", ["", "{}", '{"pid": 1', '{"pid": 99999999, "port": 1}', "[]"])
def test_a_damaged_record_is_no_broker(settings, record):
    folder = settings.home / "kafka"
    folder.mkdir(parents=True)
    (folder / "broker.json").write_text(record)
    assert find(settings) is None


def test_a_port_that_is_taken_is_an_error_that_says_by_whom(settings):
    words = rf"Port {port_of(settings)} is not free: .*{os.getpid()}.*--port N"
    with socket.create_server(("127.0.0.1", port_of(settings))), pytest.raises(PvfaultError, match=words):
        start(settings, port=port_of(settings), java_home=JAVA_HOME)
    assert find(settings) is None


def test_a_broker_that_dies_while_it_starts_is_an_error_with_the_end_of_its_log(settings):
    folder = settings.home / "kafka"
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=somebody-elses\nnode.id=7\n")
    with pytest.raises(
        PvfaultError, match=r"(?s)died while it started.*broker\.log:.*node id 7 doesn't match"
    ) as caught:
        start(settings, port=port_of(settings), java_home=JAVA_HOME)
    assert str(log_file(settings)) in str(caught.value)
    assert find(settings) is None
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]


def test_missing_packages_are_an_error_that_names_make_setup(settings, tmp_path):
    with pytest.raises(PvfaultError, match="make setup"):
        start(replace(settings, jars=tmp_path / "none"), port=port_of(settings), java_home=JAVA_HOME)


def test_missing_java_is_an_error_that_says_where_it_was_looked_for(settings, tmp_path, monkeypatch):
    with pytest.raises(PvfaultError, match=f"Java 17.*JAVA_HOME is {tmp_path}"):
        start(settings, port=port_of(settings), java_home=str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("java") is None
    with pytest.raises(PvfaultError, match=r"Java 17.*on the path"):
        start(settings, port=port_of(settings))


def test_a_free_port_is_none_that_an_outgoing_connection_can_have():
    """A client that looks for a broker in vain could be given the broker's own port, which then is not free for it."""
    with socket.socket() as server:
        server.bind((broker_module.LOOPBACK, 0))
        server.listen()
        outgoing = [socket.create_connection(server.getsockname()) for _ in range(50)]
    lowest = min(connection.getsockname()[1] for connection in outgoing)
    for connection in outgoing:
        connection.close()
    assert all(free_port() < lowest for _ in range(50))


def test_a_port_that_a_killed_broker_still_has_for_a_moment_is_waited_for(settings):
    """Nobody listens on it any more, and the system has not cleared up yet."""
    port = int(settings.broker.rpartition(":")[2])
    held = socket.socket()
    held.bind((broker_module.LOOPBACK, port))  # as a socket of a process that is about to be gone
    threading.Timer(1.0, held.close).start()
    assert start(settings, port=port, java_home=JAVA_HOME).port == port
