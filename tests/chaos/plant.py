"""A small plant to kill things in: its broker, its jobs as processes of their own, and its tables.

Here: what is sent, how a job is started and how it is run to its end, how tables are put back to an older state, read
and compared. Not here: when something is killed (`stages.py`).
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import inspect

from pvfault.settings import Settings
from pvfault.tables import LEDGER, NAMESPACE, TABLES, Table
from pvfault_gateway import broker
from pvfault_gateway.topics import ensure_topic
from tests.conftest import OF_JAVA, PROJECT
from tests.spark_jobs.helpers import DEVICES, avro, make_readings, midnight, send, send_readings

DAY = date(2024, 6, 1)
JOBS = ("ingest_readings", "compute_scalograms", "classify_faults", "summarise_device_days")
# Columns that tell of one making of a date, and differ between two of the same.
OF_A_MAKING = ("making", "made_at", "snapshot_id")
# What is left of a job ends when it finds its other half gone; a busy machine takes its time.
GONE_WITHIN_S = 120
ENDED_WITHIN_S = 400

# Runs one job after the other, as Dagster's process does on a laptop: the second try of a job takes no start of Spark.
_DAGSTER = """
import os, sys
from datetime import date
from pathlib import Path

from pvfault.settings import Settings
from pvfault_assets.resources.spark_runner import LocalSparkRunner

runner = LocalSparkRunner(Settings.from_environment(os.environ, Path.cwd()))
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the virtual machine writes there too
for job in sys.stdin:
    made = []
    runner.run(job.strip(), [date.fromisoformat(sys.argv[1])], None, made.append)
    answers.write(f"{job.strip()} {[report.published for report in made]}\\n")
"""

Rows = dict[str, pa.Table]
"""Rows by the name of their table; tables without rows are left out."""


@dataclass
class Plant:
    """The plant's broker and tables.

    Attributes
    ----------
    settings : Settings
    saved : Path
        Folder of the tables' saved states.
    environment : dict of str to str
        Of its processes.
    """

    settings: Settings
    saved: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PVFAULT_HOME": str(self.settings.home),
            "PVFAULT_JARS": str(self.settings.jars),
            "PVFAULT_BROKER": self.settings.broker,
            "PVFAULT_MODEL": str(PROJECT / "models" / "lenet5.h5"),
            **OF_JAVA,
        }

    def start_broker(self) -> None:
        """Start the broker, on the data that an earlier one left, and end what is left of that one."""
        self.stop_broker()
        port = int(self.settings.broker.rpartition(":")[2])
        broker.start(self._of_broker, port=port, java_home=os.environ.get("JAVA_HOME"))

    def stop_broker(self) -> None:
        """End the broker, if it runs."""
        broker.stop(self._of_broker)

    @property
    def broker_process(self) -> psutil.Process:
        """The broker's process."""
        return psutil.Process(broker.find(self._of_broker).pid)

    @property
    def _of_broker(self) -> Settings:
        # The tables' folder is put back to older states; the topic stays as it is.
        return Settings.from_environment(
            self.environment | {"PVFAULT_HOME": str(self.saved / "of the broker")}, PROJECT
        )

    def send_the_morning(self) -> None:
        """Send what the tables are first made of: two devices' morning, and some records that are no readings."""
        ensure_topic(self.settings, partitions=2)
        rows = make_readings(DAY, DEVICES[:2])
        send_readings(self.settings, self.settings.topic, rows.filter(_is_before_noon(rows)))
        self._send_bad(hour=11, n=3)

    def send_the_rest(self) -> None:
        """Send their afternoon, a third device, duplicates with other values, the next date and more bad records."""
        rows = make_readings(DAY, DEVICES[:2])
        send_readings(self.settings, self.settings.topic, rows.filter(pc.invert(_is_before_noon(rows))))
        send_readings(self.settings, self.settings.topic, make_readings(DAY, DEVICES[2:3]))
        noon = midnight(DAY) + timedelta(hours=12)
        twice = [(DEVICES[0].encode(), avro(DEVICES[0], noon + timedelta(seconds=20 * n)), noon) for n in range(10)]
        send(self.settings, self.settings.topic, twice)
        self._send_bad(hour=13, n=5)
        tomorrow = make_readings(DAY + timedelta(days=1), DEVICES[:3], period_s=3600)
        send_readings(self.settings, self.settings.topic, tomorrow)

    def _send_bad(self, hour: int, n: int) -> None:
        at = midnight(DAY) + timedelta(hours=hour)
        send(self.settings, self.settings.topic, [(b"%d" % i, b"no reading %d" % i, at) for i in range(n)])

    @contextmanager
    def dagster(self) -> Iterator["Dagster"]:
        """A process that runs jobs to their end."""
        log = self.saved / "dagster.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", _DAGSTER, str(DAY)],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        with process:  # which closes its input, and so ends it
            yield Dagster(process, log)

    def start(self, job: str) -> "JobProcess":
        """Start a job in a process of its own."""
        log = self.saved / f"{job}.log"
        command = [sys.executable, str(PROJECT / "spark_jobs" / f"{job}.py"), "--dates", str(DAY)]
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,  # by which those that it starts are found when it is gone
            )
        return JobProcess(process, log)

    def save(self, name: str) -> None:
        """Keep the tables as they are."""
        shutil.copytree(self.settings.home, self.saved / name)

    def restore(self, name: str) -> None:
        """Let the tables be as they were. Iceberg's metadata name files by their whole path, so it is the same one."""
        shutil.rmtree(self.settings.warehouse)
        shutil.copytree(self.saved / name / self.settings.warehouse.name, self.settings.warehouse)
        # Into the file that is there: other processes have it open.
        with (
            closing(sqlite3.connect(self.saved / name / self.settings.catalog.name)) as saved,
            closing(sqlite3.connect(self.settings.catalog)) as catalog,
        ):
            saved.backup(catalog)

    def empty(self) -> None:
        """Let there be no tables, no catalog, nothing but the registry."""
        shutil.rmtree(self.settings.home, ignore_errors=True)
        self.settings.home.mkdir()
        devices = [f"{device},500,10" for device in DEVICES]  # the last of which is silent
        registry = "\n".join(["deviceID,rated_voltage,rated_current", *devices])
        (self.settings.home / "devices.csv").write_text(registry + "\n")

    def rows(self) -> Rows:
        """What a reader sees now, with PyIceberg, which shares no code with Spark."""
        if not self.settings.catalog.exists():
            return {}
        with closing(
            SqlCatalog(
                "lake",
                uri=f"sqlite:///{self.settings.catalog}",
                warehouse=self.settings.warehouse.as_uri(),
                init_catalog_tables="false",  # a reader does not write
            )
        ) as catalog:
            if not inspect(catalog.engine).has_table("iceberg_tables"):
                return {}
            read = {
                table.name: _comparable(table, catalog.load_table(name).scan().to_arrow())
                for table in TABLES
                if catalog.table_exists(name := f"{NAMESPACE}.{table.name}")
            }
        return {name: rows for name, rows in read.items() if rows.num_rows}


@dataclass(frozen=True)
class Dagster:
    """A process that lives long and runs one job after the other.

    Attributes
    ----------
    process : subprocess.Popen
    log : Path
        What it says on standard error.
    """

    process: subprocess.Popen
    log: Path

    def run(self, job: str) -> None:
        """Run a job to its end."""
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{job} [True]\n", self.log.read_text()[-3000:]


@dataclass(frozen=True)
class JobProcess:
    """A job that runs: the driver, which is Python, and what it has started.

    Attributes
    ----------
    driver : subprocess.Popen
    log : Path
        What it says on standard error.
    """

    driver: subprocess.Popen
    log: Path

    @property
    def processes(self) -> list[psutil.Process]:
        """Those of its processes that are alive, also when the driver is gone."""
        return [process for process in psutil.process_iter() if _session_of(process) == self.driver.pid]

    @property
    def jvm(self) -> psutil.Process | None:
        """Spark's virtual machine."""
        children = _children(self.driver.pid)
        return next((process for process in children if name_of(process) == "java"), None)

    @property
    def workers(self) -> list[psutil.Process]:
        """Python processes in which Spark's tasks run, without the one that forks them."""
        jvm = self.jvm
        daemons = [process for process in _children(jvm.pid) if name_of(process).startswith("python")] if jvm else []
        return [worker for daemon in daemons for worker in _children(daemon.pid)]

    def wait(self) -> int:
        """Wait until all of it is gone; the driver's exit code."""
        code = self.driver.wait(ENDED_WITHIN_S)
        _, alive = psutil.wait_procs(self.processes, GONE_WITHIN_S)
        assert not alive, f"the job has ended and left {alive}"
        return code

    def end(self) -> None:
        """End whatever is left of it."""
        for process in self.processes:
            process.kill()
        self.driver.wait()


def _is_before_noon(rows: pa.Table) -> pa.ChunkedArray:
    return pc.less(rows["timestamp"], pa.scalar(midnight(DAY) + timedelta(hours=12)))


def _comparable(table: Table, rows: pa.Table) -> pa.Table:
    """Rows in an order of their own, without what differs between two makings of the same; of the ledger the last."""
    if table == LEDGER and rows.num_rows:
        rows = rows.filter(pc.equal(rows["made_at"], pc.max(rows["made_at"])))
    kept = [name for name in rows.schema.names if name not in OF_A_MAKING]
    rows = rows.sort_by([(column, "ascending") for column in table.key]).select(kept)
    return rows.cast(pa.schema([table.schema.field(name) for name in kept])).combine_chunks()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def name_of(process: psutil.Process) -> str:
    """What a process is called; empty if it is gone."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def _session_of(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None
