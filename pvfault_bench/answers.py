"""How fast `pvfault serve` answers, beside a plain scan of the same rows by PyIceberg.

Gold tables of a fleet are written as the jobs lay them out, a server is started as a user starts it, and this process
asks: one question after the other, and at a fixed rate whether answers have come or not. Not here: the tables' making
from readings (`run.py`).
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
from pyiceberg.transforms import DayTransform, IdentityTransform

from pvfault.dates import midnight
from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID, TIMESTAMP_TYPE
from pvfault.settings import Settings
from pvfault.tables import (
    CATALOG,
    DARK,
    DEVICE_DAYS,
    NAMESPACE,
    OK,
    PREDICTIONS,
    PROBABILITIES_TYPE,
    TABLES,
    WINDOW_START,
    Table,
)
from pvfault_bench.machine import describe_machine
from pvfault_gateway.broker import free_port
from spark_jobs import files

FIRST = date(2024, 5, 1)
# A file of each partition of the topic, by which devices are split without regard to their names.
FILES = 8
SITES = 40
MIB = 2**20
_HOURS = 24
_NIGHT = 10  # hours of a day that are not judged
_PLAIN_SCANS, _ASKED_ALONE, _WARMUP = 40, 300, 1500
_LONGEST_START_S = 60
_COMMAND = "from pvfault_cli.main import main; main()"

Step = Callable[[str], AbstractContextManager]


@dataclass(frozen=True)
class Load:
    """What is asked of the server.

    Attributes
    ----------
    devices, dates : int
        In the tables.
    rate : float
        Requests that begin in a second, whether earlier ones are answered or not. [1/s]
    seconds : float
        For how long. [s]
    """

    devices: int
    dates: int = 30
    rate: float = 200.0
    seconds: float = 30.0


def measure_answers(settings: Settings, load: Load, step: Step = lambda _name: nullcontext()) -> dict:
    """Make tables, start a server, and ask it.

    Parameters
    ----------
    settings : Settings
        With a state folder of the measurement's own.
    load : Load
    step : function
        Gives a context around each step.

    Returns
    -------
    dict
        The figures, as JSON can hold them; docs/performance.md says what they mean.
    """
    plant = Plant(settings, load.devices)
    days = [FIRST + timedelta(days=number) for number in range(load.dates)]
    with step("Tables written"):
        plant.make(days)
    draw = random.Random(0)  # noqa: S311 - no secret

    def device_day() -> str:
        device, day = draw.choice(plant.devices), draw.choice(days)
        return f"/devices/{device}/predictions?first={day}&last={day}"

    def device_month() -> str:
        return f"/devices/{draw.choice(plant.devices)}/predictions?first={days[0]}&last={days[-1]}"

    with step("Plain scans timed"):
        plain = _time_plain_scans(
            settings, [(draw.choice(plant.devices), draw.choice(days)) for _ in range(_PLAIN_SCANS)]
        )
    with _serving(settings) as server:
        found = {"plain_scan": plain, "start_s": server.started_s}
        with step("Single questions timed"):
            _ask_alone(server, device_day, _WARMUP)
            found["device_day"] = _ask_alone(server, device_day, _ASKED_ALONE)
            for name, asked, times in (
                ("device_month", device_month, 40),
                ("fleet", lambda: f"/fleet?first={days[-7:][0]}&last={days[-1]}", 20),
                ("fleet_by_site", lambda: f"/fleet?by=site&first={days[-7:][0]}&last={days[-1]}", 20),
                ("page_of_devices", lambda: "/devices?sort=-lost_kwh", 20),
            ):
                _ask_alone(server, asked, times // 2)
                found[name] = _ask_alone(server, asked, times)
        with step("Load kept up"):
            found["load"] = _ask_at_rate(server, device_day, load.rate, load.seconds)
        with step("A date published under load"):
            found["new_snapshot"] = _publish_under_load(server, plant, device_day, load.rate / 4, days)
        found["peak_mib"] = server.peak_mib()
    found["cpu_ratio"] = plain["cpu_ms"] / found["device_day"]["cpu_ms"]
    return {"devices": load.devices, "dates": load.dates, **_rounded(found), "machine": describe_machine()}


class Plant:
    """Gold tables of a fleet, and its registry.

    Parameters
    ----------
    settings : Settings
    devices : int
    """

    def __init__(self, settings: Settings, devices: int):
        self._settings = settings
        self.devices = [f"BENCH{number:05d}" for number in range(devices)]
        self._random = np.random.default_rng(0)
        self._file_of = self._random.integers(FILES, size=devices)

    def make(self, days: Sequence[date]) -> None:
        """Make all tables, those of gold with these dates in one commit."""
        self._settings.home.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{device},500,10,S{number % SITES}\n" for number, device in enumerate(self.devices))
        self._settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site\n{rows}")
        with self._catalog() as catalog:
            catalog.create_namespace(NAMESPACE)
            for table in TABLES:
                iceberg = catalog.create_table(f"{NAMESPACE}.{table.name}", table.schema)
                is_date = pa.types.is_date(table.schema.field(table.day_of).type)
                with iceberg.update_spec() as spec:
                    transform = IdentityTransform() if is_date else DayTransform()
                    spec.add_field(table.day_of, transform, f"{table.day_of}_day")
        self.publish(self.write(days))

    def write(self, days: Sequence[date]) -> dict[str, list[str]]:
        """Write dates of the tables of gold, which nobody sees yet: where the files of each are."""
        made = {PREDICTIONS: self._predictions, DEVICE_DAYS: self._verdicts}
        return {
            table.name: [self._write(table, day, rows) for day in days for rows in rows_of(day)]
            for table, rows_of in made.items()
        }

    def publish(self, written: Mapping[str, list[str]]) -> None:
        """Add what was written to the tables."""
        with self._catalog() as catalog:
            for name, locations in written.items():
                catalog.load_table(f"{NAMESPACE}.{name}").add_files(locations)

    def _catalog(self) -> SqlCatalog:
        return SqlCatalog(
            CATALOG, uri=f"sqlite:///{self._settings.catalog}", warehouse=self._settings.warehouse.as_uri()
        )

    def _write(self, table: Table, day: date, rows: pa.Table) -> str:
        folder = (self._settings.warehouse / NAMESPACE / table.name / "data").as_uri()
        edges = [day, day + timedelta(days=1)]
        if table.day_of != "date":
            edges = [midnight(edge) for edge in edges]
        target = files.Target(folder, uuid.uuid4().hex, table.schema, table.day_of, *edges, files.ROWS_OF_GOLD)
        return files.write(rows.to_batches(), target).location

    def _predictions(self, day: date) -> Iterator[pa.Table]:
        for number in range(FILES):
            devices = [device for device, own in zip(self.devices, self._file_of, strict=True) if own == number]
            if devices:
                yield self._hours(devices, day)

    def _hours(self, devices: Sequence[str], day: date) -> pa.Table:
        """Hours of some devices, of which those at night are not judged."""
        n = len(devices) * _HOURS
        starts = int(midnight(day).timestamp()) + 3600 * np.tile(np.arange(_HOURS), len(devices))
        shares = self._random.exponential(size=(n, len(FAULTS))) ** 4
        shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
        is_night = np.tile(np.arange(_HOURS) < _NIGHT, len(devices))
        best = np.array(FAULTS, dtype=object)[shares.argmax(axis=1)]
        probabilities = pa.StructArray.from_arrays(
            [pa.array(shares[:, k]) for k in range(len(FAULTS))],
            fields=list(PROBABILITIES_TYPE),
            mask=pa.array(is_night),
        )
        columns = {
            DEVICE_ID: pa.array(np.repeat(devices, _HOURS).tolist(), pa.string()),
            WINDOW_START: pa.array(starts * 1_000_000, pa.int64()).cast(TIMESTAMP_TYPE),
            "quality": pa.array(np.where(is_night, DARK, OK).tolist(), pa.string()),
            "fault": pa.array(best, pa.string(), mask=is_night),
            "confidence": pa.array(shares.max(axis=1), mask=is_night),
            "probabilities": probabilities,
            "unsure_because": pa.nulls(n, pa.string()),
            "candidates": _alone(best, is_night),
        }
        return _with_lineage(columns, PREDICTIONS, n, day)

    def _verdicts(self, day: date) -> Iterator[pa.Table]:
        n = len(self.devices)
        is_faulty = self._random.random(n) < 0.02
        kind = np.where(is_faulty, self._random.integers(1, len(FAULTS), n), 0)
        columns = {
            DEVICE_ID: pa.array(self.devices, pa.string()),
            "date": pa.array([day] * n, pa.date32()),
            "fault": pa.array(np.array(FAULTS, dtype=object)[kind], pa.string()),
            "onset": pa.array([midnight(day) + timedelta(hours=8)] * n, TIMESTAMP_TYPE, mask=~is_faulty),
            "faulty_hours": pa.array(np.where(is_faulty, 9, 0), pa.int32()),
            "usable_hours": pa.array([14] * n, pa.int32()),
            "confidence": pa.array(self._random.random(n), pa.float32()),
            "energy_kwh": pa.array(self._random.random(n) * 40),
            "lost_kwh": pa.array(np.where(is_faulty, self._random.random(n), 0.0)),
            "completeness": pa.array(self._random.random(n)),
            "runner_up": pa.array([NONE] * n, pa.string()),
            "runner_up_probability": pa.array(self._random.random(n) / 2, pa.float32()),
            "unsure_because": pa.nulls(n, pa.string()),
            "candidates": _alone(np.array(FAULTS, dtype=object)[kind], np.zeros(n, bool)),
        }
        yield _with_lineage(columns, DEVICE_DAYS, n, day)


def _alone(names: np.ndarray, unjudged: np.ndarray) -> pa.Array:
    """Sets of one candidate each."""
    ends = pa.array(np.arange(len(names) + 1), pa.int32())
    return pa.ListArray.from_arrays(ends, pa.array(names, pa.string()), mask=pa.array(unjudged))


def _with_lineage(columns: dict[str, pa.Array], table: Table, n: int, day: date) -> pa.Table:
    origin = {"readings_making": f"{day.toordinal():032x}"}
    for name in set(table.schema.names) - columns.keys():
        columns[name] = pa.array([origin.get(name, "0123456789ab")] * n, pa.string())
    return pa.table({name: columns[name] for name in table.schema.names}, schema=table.schema)


def _time_plain_scans(settings: Settings, asked: Sequence[tuple[str, date]]) -> dict:
    """What PyIceberg takes by itself, from the table's name to the rows; the first three are not counted."""
    wall, cpu = [], []
    with SqlCatalog(CATALOG, uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri()) as catalog:
        for device, day in asked:
            began, busy = time.perf_counter(), time.process_time()
            first, end = (midnight(edge).isoformat() for edge in (day, day + timedelta(days=1)))
            of_day = And(GreaterThanOrEqual(WINDOW_START, first), LessThan(WINDOW_START, end))
            table = catalog.load_table(f"{NAMESPACE}.{PREDICTIONS.name}")
            rows = table.scan(And(EqualTo(DEVICE_ID, device), of_day)).to_arrow()
            if len(rows) != _HOURS:
                raise RuntimeError(f"{len(rows)} hours of {device} on {day}, expected {_HOURS}")
            wall.append(time.perf_counter() - began)
            cpu.append(time.process_time() - busy)
    return {**_quantiles(wall[3:]), "cpu_ms": 1000 * statistics.mean(cpu[3:])}


@dataclass(frozen=True)
class _Server:
    """A server that listens.

    Attributes
    ----------
    process : psutil.Process
    port : int
    started_s : float
        From its start to its first answer. [s]
    """

    process: psutil.Process
    port: int
    started_s: float

    def cpu_s(self) -> float:
        """Seconds of the processor so far."""
        return sum(self.process.cpu_times()[:2])

    def peak_mib(self) -> int:
        """Memory that it has taken at most; where the system does not say, what it takes now."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.is_file():
            return round(self.process.memory_info().rss / MIB)
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(peak) / 1024)


@contextmanager
def _serving(settings: Settings) -> Iterator[_Server]:
    port = free_port()
    environment = os.environ | {"PVFAULT_HOME": str(settings.home), "PVFAULT_TOKEN": ""}
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "serve", "--port", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            asyncio.run(_first_answer(process, port))
            yield _Server(psutil.Process(process.pid), port, time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait()


async def _first_answer(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + _LONGEST_START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if (await _Connection.ask_once(port, "/devices?limit=1"))[0] == 200:
                return
        except OSError:
            await asyncio.sleep(0.02)
    raise RuntimeError("the server does not answer")


class _Connection:
    """A connection that is kept open, as little as it needs to ask: a client's library takes longer than the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "_Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def ask_once(cls, port: int, path: str) -> tuple[int, bytes]:
        connection = await cls.open(port)
        try:
            return await connection.ask(path)
        finally:
            connection.close()

    async def ask(self, path: str) -> tuple[int, bytes]:
        """Status and content of an answer."""
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        (length,) = (int(line.partition(":")[2]) for line in head if line.startswith("content-length:"))
        return int(head[0].split()[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


def _ask_alone(server: _Server, path: Callable[[], str], times: int) -> dict:
    """Ask one after the other."""

    async def ask() -> list[float]:
        connection = await _Connection.open(server.port)
        taken = []
        for _ in range(times):
            asked, began = path(), time.perf_counter()
            status, _content = await connection.ask(asked)
            if status != 200:
                raise RuntimeError(f"{asked} was answered with {status}")
            taken.append(time.perf_counter() - began)
        connection.close()
        return taken

    busy = server.cpu_s()
    taken = asyncio.run(ask())
    return {**_quantiles(taken), "cpu_ms": 1000 * (server.cpu_s() - busy) / times}


@dataclass(frozen=True)
class _Answered:
    """Requests that began at a fixed rate.

    Attributes
    ----------
    taken : list of float
        From when a request was due to its answer. [s]
    failed : int
        That were not answered with 200.
    """

    taken: list[float]
    failed: int


async def _at_rate(port: int, path: Callable[[], str], rate: float, until: Callable[[int], bool]) -> _Answered:
    """Begin requests at a fixed rate, as long as `until` does not say of their number that it is enough."""
    idle: list[_Connection] = []
    taken: list[float] = []
    failed = 0

    async def ask(asked: str) -> int:
        connection = idle.pop() if idle else None
        if connection is not None:
            with suppress(OSError, EOFError):  # the server closes what was idle for some seconds
                status, _ = await connection.ask(asked)
                idle.append(connection)
                return status
        connection = await _Connection.open(port)
        status, _ = await connection.ask(asked)
        idle.append(connection)
        return status

    async def one(due: float) -> None:
        nonlocal failed
        try:
            status = await ask(path())
        except (OSError, EOFError):
            status = 0
        taken.append(time.perf_counter() - due)
        failed += status != 200

    began, number, running = time.perf_counter(), 0, set()
    while not until(number):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(due))
        running.add(task)
        task.add_done_callback(running.discard)
        number += 1
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return _Answered(taken, failed)


def _ask_at_rate(server: _Server, path: Callable[[], str], rate: float, seconds: float) -> dict:
    busy, began = server.cpu_s(), time.perf_counter()
    found = asyncio.run(_at_rate(server.port, path, rate, lambda number: number >= rate * seconds))
    took = time.perf_counter() - began
    return {
        "asked_per_s": rate,
        "answered_per_s": (len(found.taken) - found.failed) / took,
        "requests": len(found.taken),
        "failed": found.failed,
        **_quantiles(found.taken),
        "cpu_ms": 1000 * (server.cpu_s() - busy) / len(found.taken),
    }


def _publish_under_load(
    server: _Server, plant: Plant, path: Callable[[], str], rate: float, days: Sequence[date]
) -> dict:
    """Publish a date while others ask: when it is seen, and the longest that anybody has waited."""
    new = days[-1] + timedelta(days=1)
    written = plant.write([new])
    seen_s = 0.0

    async def publish_and_look() -> None:
        nonlocal seen_s
        await asyncio.sleep(1.0)
        await asyncio.to_thread(plant.publish, written)
        published = time.perf_counter()
        connection = await _Connection.open(server.port)
        asked = f"/devices/{plant.devices[0]}/predictions?first={new}&last={new}"
        while (await connection.ask(asked))[0] != 200:
            await asyncio.sleep(0.02)
        seen_s = time.perf_counter() - published
        connection.close()

    async def both() -> _Answered:
        looking = asyncio.create_task(publish_and_look())
        found = await _at_rate(server.port, path, rate, lambda _number: looking.done())
        await looking
        return found

    found = asyncio.run(both())
    return {"seen_after_s": seen_s, "failed": found.failed, **_quantiles(found.taken)}


def _quantiles(seconds: Sequence[float]) -> dict:
    """Median, 95 of 100 and longest, in milliseconds."""
    ordered = np.quantile(seconds, [0.5, 0.95, 1.0]) * 1000
    return dict(zip(("p50_ms", "p95_ms", "longest_ms"), map(float, ordered), strict=True))


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value
