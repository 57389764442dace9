"""What Dagster's page and the commands cost after many dates: loading, looking at them, and what the page asks.

As a program it prints one line of JSON: `python -m pvfault_bench.history [DATES]`. Each figure is of a process of its
own, or of a query, in CPU-seconds and MiB. Tables have as many files as a real plant's and hardly any rows, because
what is measured reads none; Dagster's storage has the runs, materialisations and checks of each date, recorded by the
real job around a runner that reports dates and makes none. Not here: the planning of Spark's jobs (`planning.py`).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.transforms import DayTransform, IdentityTransform

from pvfault.checks.assets import CHECKS, OF_RUNS
from pvfault.dates import midnight
from pvfault.rows.references import history_dates
from pvfault.settings import Settings
from pvfault.tables import DEVICE_DAYS, LEDGER, MADE_OF, NAMESPACE, TABLES, Table
from pvfault.versions import version_of
from pvfault_assets.assembly import build_definitions
from pvfault_assets.instance import open_instance
from pvfault_assets.partitions import DATES_PER_RUN, tags_of
from pvfault_bench.planning import FILES, FIRST, MANY
from pvfault_gateway.broker import free_port
from spark_jobs.job import DateReport

DEVICE = "BENCH00000"
MIB = 2**20


def make_tables(settings: Settings, days: Sequence[date]) -> None:
    """Publish dates of all tables, in one commit each, as upkeep leaves them."""
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current\n{DEVICE},500,10\n")
    makings = {day: uuid.uuid4().hex for day in days}
    origin = {
        "registry_version": version_of(settings.registry.read_bytes()),
        "model_version": version_of(settings.model.read_bytes()),
        "code_version": "c0de",
    }
    with SqlCatalog("lake", uri=f"sqlite:///{settings.catalog}", warehouse=settings.warehouse.as_uri()) as catalog:
        catalog.create_namespace(NAMESPACE)
        for table in TABLES:
            iceberg = catalog.create_table(f"{NAMESPACE}.{table.name}", table.schema)
            is_date = pa.types.is_date(table.schema.field(table.day_of).type)
            with iceberg.update_spec() as spec:
                spec.add_field(table.day_of, IdentityTransform() if is_date else DayTransform(), f"{table.day_of}_day")
            folder = settings.warehouse / NAMESPACE / table.name / "data"
            folder.mkdir(parents=True)
            if table.name in MADE_OF:
                files = 1 if table == DEVICE_DAYS else FILES
                rows = ((day, {**origin, "readings_making": makings[day]}) for day in days for _ in range(files))
                iceberg.add_files([_write(folder, table, makings[day], [(day, values)]) for day, values in rows])
            elif table == LEDGER:
                iceberg.append(_rows(table, [one for day in days for one in _makings(settings, day, makings[day])]))


def _makings(settings: Settings, day: date, making: str) -> Iterator[tuple[date, dict]]:
    """What the ledger has of a date: a row for each partition of the topic."""
    for partition in range(FILES):
        first = 10 * day.toordinal()
        yield day, {
            "making": making, "made_at": datetime.now(UTC), "topic": settings.topic, "topic_id": "t",
            "partition": partition, "first_offset": first, "end_offset": first + 10,
            "scanned": [{"first_offset": first, "end_offset": first + 10}], "elsewhere": [],
        }  # fmt: skip


def _write(folder: Path, table: Table, making: str, rows: Sequence[tuple[date, dict]]) -> str:
    path = folder / f"{making}-{uuid.uuid4()}.parquet"
    pq.write_table(_rows(table, rows), path)
    return path.as_uri()


_ZERO = {pa.float32(): 0.0, pa.float64(): 0.0, pa.int32(): 0, pa.int64(): 0, pa.string(): DEVICE}


def _rows(table: Table, rows: Sequence[tuple[date, dict]]) -> pa.Table:
    is_date = pa.types.is_date(table.schema.field(table.day_of).type)
    least = {field.name: None if field.nullable else _ZERO.get(field.type) for field in table.schema}
    made = [
        least
        | {name: value for name, value in values.items() if name in least}
        | {table.day_of: day if is_date else midnight(day) + timedelta(hours=12)}
        for day, values in rows
    ]
    return pa.Table.from_pylist(made, table.schema)


class _Reporting:
    """A runner that reports dates as made, with as much as a job says of them, and makes none."""

    def run(self, job, dates, _context, on_date, **_options):
        table = _TABLE_OF[job]
        for day in dates:
            audits = tuple(check.judge(True, "as it should be") for check in CHECKS[table])
            figures = {
                "scalograms": {"history": [then.isoformat() for then in history_dates(day) if then >= FIRST]},
                # As long as the pictures of a date, which there are no tables for yet.
                "device_days": {"pictures": 10_000 * "x"},
            }.get(table, {})
            on_date(DateReport(day, 1000, 7, published=True, seconds=1.0, figures=figures, audits=audits))
        return {}


_TABLE_OF = dict(
    zip(("ingest_readings", "compute_scalograms", "classify_faults", "summarise_device_days"), MADE_OF, strict=True)
)


def make_events(settings: Settings, days: Sequence[date]) -> None:
    """Let Dagster record dates as made: the newest month in a run each, those before in runs of a month."""
    job = build_definitions(settings, spark=_Reporting()).resolve_job_def("materialise_day")
    tables = {dg.AssetKey(table) for table in MADE_OF}
    # The jobs' audits are results of the same checks; what runs ask beside them reads the tables.
    audits = {dg.AssetCheckKey(dg.AssetKey(table), each.name) for table, checks in OF_RUNS.items() for each in checks}
    job = job.get_subset(asset_selection=tables, asset_check_selection=audits)
    backfilled, daily = days[:-DATES_PER_RUN], days[-DATES_PER_RUN:]
    runs = [backfilled[first : first + DATES_PER_RUN] for first in range(0, len(backfilled), DATES_PER_RUN)]
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with open_instance(settings) as instance:
        for run in (*runs, *([day] for day in daily)):
            job.execute_in_process(quiet, instance=instance, tags=tags_of(run[0], run[-1]))


# What the pages of the graph and of an asset send, without what tells of no date.
_GRAPH_STATE = """query($keys: [AssetKeyInput!]!) {
  assetNodes(assetKeys: $keys, loadMaterializations: true) {
    assetMaterializations(limit: 1) { timestamp }
    assetObservations(limit: 1) { timestamp }
    assetChecksOrError { ... on AssetChecks { checks {
      name
      executionForLatestMaterialization { status timestamp evaluation { severity } }
      partitionStatuses { ... on AssetCheckTimePartitionStatuses { ranges { startKey endKey status } } }
    } } }
    partitionStats { numMaterialized numMaterializing numFailed }
  }
  assetsLatestInfo(assetKeys: $keys) { unstartedRunIds inProgressRunIds latestRun { status } }
}"""
_GRAPH_STALE = """query($keys: [AssetKeyInput!]!) {
  assetNodes(assetKeys: $keys) { staleStatus partitionStats { numMaterialized } }
}"""
_ASSET_PARTITIONS = """query($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    partitionKeysByDimension { partitionKeys }
    assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } } }
  } }
}"""
_ASSET_EVENTS = """query($key: AssetKeyInput!, $limit: Int!, $partitions: [String!]) {
  assetOrError(assetKey: $key) { ... on Asset {
    assetEventHistory(
      limit: $limit, partitions: $partitions, eventTypeSelectors: [MATERIALIZATION, OBSERVATION, FAILED_TO_MATERIALIZE]
    ) { results { ... on MaterializationEvent {
      timestamp partition
      metadataEntries { label ... on TextMetadataEntry { text } ... on IntMetadataEntry { intRepr } }
    } } }
  } }
}"""
_DATE_STALE = """query($key: AssetKeyInput!, $date: String!) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    staleStatus(partition: $date) staleCauses(partition: $date) { reason }
  } }
}"""


def queries(day: date) -> dict[str, tuple[str, dict]]:
    """What the page asks, with which variables, by what it shows; `day` is the one that is looked at."""
    keys, key = [{"path": [table]} for table in MADE_OF], {"path": [DEVICE_DAYS.name]}
    return {
        "graph: state": (_GRAPH_STATE, {"keys": keys}),
        "graph: out of date": (_GRAPH_STALE, {"keys": keys}),
        "asset: partitions": (_ASSET_PARTITIONS, {"key": key}),
        "asset: events": (_ASSET_EVENTS, {"key": key, "limit": 100, "partitions": None}),
        "date: events": (_ASSET_EVENTS, {"key": key, "limit": 1000, "partitions": [str(day)]}),
        "date: out of date": (_DATE_STALE, {"key": key, "date": str(day)}),
    }


_LOAD = "import pvfault_assets.definitions"
_COMMAND = "import sys; sys.argv[1:] = {arguments}; from pvfault_cli.main import main; main()"
_TICK = """
import dagster as dg, os
from pvfault.settings import Settings
from pvfault_assets.definitions import defs
from pvfault_assets.instance import open_instance
with open_instance(Settings.from_environment(os.environ)) as instance:
    defs.get_sensor_def({name!r}).evaluate_tick(dg.build_sensor_context(instance))
"""
SENSORS = ("look_at_dates", "make_late_dates_again", "judge_history_again")


_MEASURED = """
import contextlib, json, sys, time
from pvfault_bench.machine import peak_memory
with contextlib.suppress(SystemExit):
    exec(sys.argv[1])
print()
print(json.dumps([time.process_time(), peak_memory()]))
"""


def measure_commands(environment: Mapping[str, str], day: date) -> dict[str, dict]:
    """What processes take that load the definitions, tell the state of dates, check one, and tick a sensor."""
    programs = {
        "load": _LOAD,
        "pvfault status": _COMMAND.format(arguments=["status"]),
        "pvfault check": _COMMAND.format(arguments=["check", "--date", str(day)]),
        **{name: _TICK.format(name=name) for name in SENSORS},
    }
    return {name: _measure(environment, program) for name, program in programs.items()}


def _measure(environment: Mapping[str, str], program: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, program], env=dict(environment), stdout=subprocess.PIPE, text=True, check=True
    )
    cpu_s, peak = json.loads(done.stdout.splitlines()[-1])
    return {"cpu_s": round(cpu_s, 2), "peak_mib": round(peak / MIB)}


def measure_page(environment: Mapping[str, str], day: date) -> dict[str, dict]:
    """What the web server takes for each query, and at its peak."""
    port = free_port()
    page = subprocess.Popen(
        [sys.executable, "-m", "pvfault_assets.page", "--port", str(port)],
        env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_until_loaded(port)
        started = psutil.Process(page.pid).children(recursive=True)
        (server,) = (each for each in started if "dagster_webserver" in each.cmdline())
        found = {name: _measure_query(server, port, *asked) for name, asked in queries(day).items()}
        return found | {"web server": {"mib": round(server.memory_info().rss / MIB)}}
    finally:
        page.terminate()
        page.wait()


def _measure_query(server: psutil.Process, port: int, query: str, variables: dict) -> dict:
    """The second time, as when the page asks again."""
    _ask(port, query, variables)
    before, began = sum(server.cpu_times()[:2]), time.perf_counter()
    _ask(port, query, variables)
    return {"s": round(time.perf_counter() - began, 2), "cpu_s": round(sum(server.cpu_times()[:2]) - before, 2)}


def _wait_until_loaded(port: int) -> None:
    while True:
        try:
            _ask(port, "{repositoriesOrError { ... on RepositoryConnection { nodes { name } } }}", {})
        except OSError:
            time.sleep(0.5)
        else:
            return


def _ask(port: int, query: str, variables: dict) -> None:
    request = urllib.request.Request(
        f"http://localhost:{port}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own page
        found = json.load(answer)
    if "errors" in found:
        raise RuntimeError(found["errors"])


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    dates = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    days = [FIRST + timedelta(days=number) for number in range(dates)]
    with tempfile.TemporaryDirectory(prefix="pvfault-history-") as folder:
        environment = os.environ | {"PVFAULT_HOME": folder, "PVFAULT_FIRST_DATE": str(FIRST)}
        settings = Settings.from_environment(environment)
        make_events(settings, days)
        make_tables(settings, days)
        found = {"dates": dates} | measure_commands(environment, days[-1]) | measure_page(environment, days[-1])
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
