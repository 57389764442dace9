"""The Kafka broker of a laptop: a real Apache Kafka, one node, from the packages of `make setup`.

One state folder (`Settings.home`) has one broker. Brokers of a cluster are run by somebody else.
"""

import contextlib
import fcntl
import json
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import KafkaException

from pvfault.broker_access import BrokerAccess
from pvfault.errors import PvfaultError
from pvfault.settings import Settings
from pvfault_gateway.topics import admin_client

DEFAULT_PORT = 9092
LOOPBACK = "127.0.0.1"
# Below what Linux gives to outgoing connections, and what IANA leaves to them.
_PORTS = (20_000, 32_768)

# Any 16 bytes will do (this is "pvfault-laptop-1" in base64): nothing else ever joins a cluster that only listens to
# this machine.
CLUSTER_ID = "cHZmYXVsdC1sYXB0b3AtMQ"

# A replay of 4.3 M readings needs about 200 MB of heap; what is read again comes from the page cache, not from here.
HEAP = "512m"

# A cold JVM takes 3 s on two free cores, and many times that when they are busy.
START_TIMEOUT_S = 90
# The system takes its time to clear up after a process of a gigabyte that was killed.
RELEASE_TIMEOUT_S = 20
# Kafka flushes its logs when it is asked to end; after this long it hangs.
STOP_TIMEOUT_S = 30

_SERVER_PROPERTIES = """\
# Written by `pvfault broker start`; changes are lost.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{loopback}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{loopback}:{port},CONTROLLER://{loopback}:{controller_port}
advertised.listeners=PLAINTEXT://localhost:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
# Readings of years ago must stay where a replay put them.
log.retention.ms=-1
# A misspelt topic is an error, not a new topic.
auto.create.topics.enable=false
# There is one node to keep copies.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
"""

_LOG4J_PROPERTIES = """\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
# These two write every request and every state of every partition.
log4j.logger.kafka.request.logger=WARN
log4j.logger.state.change.logger=WARN
"""


@dataclass(frozen=True)
class RunningBroker:
    """A broker whose process is alive.

    Attributes
    ----------
    pid : int
    port : int
        Where clients reach it, on this machine only.
    """

    pid: int
    port: int

    @property
    def address(self) -> str:
        """What clients call the bootstrap server."""
        return f"localhost:{self.port}"


def find(settings: Settings) -> RunningBroker | None:
    """Find the broker that runs on this state folder."""
    process, port = _recorded_process(settings)
    return RunningBroker(process.pid, port) if process else None


def start(settings: Settings, *, port: int = DEFAULT_PORT, java_home: str | None = None) -> RunningBroker:
    """Start a broker on this state folder and wait until it answers.

    It is detached: it outlives this process and its terminal, until `stop`.

    Parameters
    ----------
    settings : Settings
        `jars` / "kafka" holds the packages, `home` / "kafka" keeps data, configuration and log.
    port : int
        Where clients shall reach it.
    java_home : str, optional
        Folder of the Java to use (`JAVA_HOME`); else the one on the path.

    Returns
    -------
    RunningBroker
        The one that has been running already, if it uses this port.

    Raises
    ------
    PvfaultError
        If Java or the packages are missing, the port is taken, the broker runs on another port, or it dies or does not
        answer in time; the message has the last lines of its log.
    """
    folder = settings.home / "kafka"
    with _one_at_a_time(folder):
        running = find(settings)
        if running:
            _check_same_port(running, port)
            return running
        java = [*_java_command(settings, java_home)]
        _check_port_is_free(port)
        _write_configuration(folder, port)
        _format_storage(folder, java)
        return _launch(settings, folder, java, port)


def stop(settings: Settings) -> RunningBroker | None:
    """End the broker of this state folder and wait until its process is gone; its data stay.

    Returns
    -------
    RunningBroker or None
        What was ended; None if nothing was running.
    """
    folder = settings.home / "kafka"
    if not folder.exists():
        return None
    with _one_at_a_time(folder):
        process, port = _recorded_process(settings)
        if process:
            _end(process)
        _record_file(folder).unlink(missing_ok=True)
        return RunningBroker(process.pid, port) if process else None


def log_file(settings: Settings) -> Path:
    """Where the broker of this state folder writes what it does."""
    return settings.home / "kafka" / "broker.log"


def free_port(*, other_than: int | None = None) -> int:
    """Find a port of this machine that nobody listens on at the moment.

    It is none of those that outgoing connections get: while a broker is started anew, a client that looks for it could
    be given the broker's own port, and hold it.
    """
    while True:
        port = random.randrange(*_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            if port != other_than:
                return port


def _java_command(settings, java_home):
    """Make the command that runs a class of Kafka, without the class."""
    java = shutil.which(Path(java_home, "bin", "java") if java_home else "java")
    if java is None:
        where = f"JAVA_HOME is {java_home}, which has no bin/java" if java_home else "there is no `java` on the path"
        raise PvfaultError(f"The broker needs Java 17: {where}. Install it (for example openjdk-17) and try again.")
    jars = settings.jars / "kafka"
    if not any(jars.glob("kafka_*.jar")):
        raise PvfaultError(f"The broker's packages are not in {jars}. Run `make setup`, or let PVFAULT_JARS name them.")
    return java, f"-Xmx{HEAP}", "-XX:+UseG1GC", "-cp", f"{jars}/*"


def _check_same_port(running, port):
    """Refuse to take a broker on another port for the one that was asked for."""
    if running.port != port:
        raise PvfaultError(
            f"The broker of this folder is already running at {running.address} (process {running.pid}), "
            f"not on port {port}. Use it as it is, or `pvfault broker stop` first."
        )


def _check_port_is_free(port):
    """Refuse a port that somebody listens on, and say who.

    A process that was killed is gone a little before its sockets are, so a port that nobody has is waited for.
    """
    released_until = time.monotonic() + RELEASE_TIMEOUT_S
    while error := _bind(port):
        who = _who_listens(port)
        if who or time.monotonic() > released_until:
            raise PvfaultError(
                f"Port {port} is not free: {who or error.strerror}. "
                f"Choose another one with `pvfault broker start --port N`, or end what uses it."
            ) from error
        time.sleep(0.1)


def _bind(port):
    """Take a port for a moment; the error if that cannot be."""
    with socket.socket() as probe:
        # As Kafka does it: connections that an earlier broker has just closed are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def _who_listens(port):
    """Name and id of the process that listens on a port, if the system tells us."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid}) listens on it"
    return None


def _write_configuration(folder, port):
    """Write the broker's two configuration files."""
    # Only the broker itself talks to its controller, so any port will do, and it may change from start to start.
    configuration = _SERVER_PROPERTIES.format(
        loopback=LOOPBACK, port=port, controller_port=free_port(other_than=port), data=folder / "data"
    )
    _properties_file(folder).write_text(configuration)
    (folder / "log4j.properties").write_text(_LOG4J_PROPERTIES)


def _format_storage(folder, java):
    """Prepare the data folder, once in its life."""
    if (folder / "data" / "meta.properties").exists():
        return
    command = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", _properties_file(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PvfaultError(f"The broker's data folder {folder / 'data'} cannot be prepared: {_tail(done.stderr)}")


def _launch(settings, folder, java, port):
    """Start the process, record it, and wait until it answers; leave nothing behind if it does not."""
    log = log_file(settings)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    command = [*java, f"-Dlog4j.configuration=file:{folder / 'log4j.properties'}", "kafka.Kafka"]
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*command, _properties_file(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C nor the end of the terminal reaches it
        )
    # It shall outlive us. Popen would complain about a child that nobody waited for.
    child.returncode = 0
    process = psutil.Process(child.pid)
    _record_file(folder).write_text(json.dumps({"pid": process.pid, "port": port}))
    try:
        _wait_until_it_answers(process, port, log)
    except BaseException:  # also Ctrl-C
        _end(process)
        _record_file(folder).unlink(missing_ok=True)
        raise
    return RunningBroker(process.pid, port)


def _wait_until_it_answers(process, port, log):
    """Ask for its topics until they come."""
    client = admin_client(BrokerAccess(f"localhost:{port}"))
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while _is_alive(process):
        with contextlib.suppress(KafkaException):
            client.list_topics(timeout=1)
            return
        if time.monotonic() > give_up_at:
            raise PvfaultError(
                f"The broker did not answer at localhost:{port} within {START_TIMEOUT_S} s and was ended. "
                f"The end of {log}:\n{_tail(log.read_text(errors='replace'))}"
            )
    raise PvfaultError(f"The broker died while it started. The end of {log}:\n{_tail(log.read_text(errors='replace'))}")


def _recorded_process(settings):
    """Find the live process that `start` recorded, and its port; twice None if there is none.

    A process id is given to somebody else sooner or later, and a start time moves when the clock is set. The command
    line names this very folder, so it cannot be mistaken.
    """
    folder = settings.home / "kafka"
    try:
        record = json.loads(_record_file(folder).read_text())
        process = psutil.Process(record["pid"])
        if _is_alive(process) and str(_properties_file(folder)) in process.cmdline():
            return process, record["port"]
    except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.Error):
        pass  # none, or a damaged one
    return None, None


def _is_alive(process):
    """Whether anything of it still runs.

    A zombie waits for a parent that may never ask, but holds no port and no file. A JVM looks like one some 50 ms too
    early: its first thread has ended, and others are still at it.
    """
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return process.num_threads() > 1
        return process.is_running()
    except psutil.NoSuchProcess:  # also ZombieProcess, of which macOS counts no threads
        return False


def _end(process):
    """Ask it to end, then make it."""
    for ask in (process.terminate, process.kill):
        with contextlib.suppress(psutil.NoSuchProcess):
            ask()
        give_up_at = time.monotonic() + STOP_TIMEOUT_S
        while _is_alive(process) and time.monotonic() < give_up_at:
            time.sleep(0.1)
        if not _is_alive(process):
            break
    # Our own child stays a zombie until it is reaped; that of somebody else is not ours to reap.
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(timeout=0)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let a second `start` or `stop` of this folder wait for the first: each would lose the other's record."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _properties_file(folder):
    return folder / "server.properties"


def _record_file(folder):
    return folder / "broker.json"


def _tail(text, lines=8):
    """Keep the last lines of a program's words."""
    return "\n".join(text.strip().splitlines()[-lines:])
