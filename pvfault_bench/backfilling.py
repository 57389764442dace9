"""How long a backfill of many dates takes beside what the jobs in it take themselves.

As a program it prints one line of JSON: `python -m pvfault_bench.backfilling [DATES] [DEVICES]`. What is not the jobs'
own time is Dagster's: loading, steps, events, the checks of each date, and one start of Spark.
"""

import json
import os
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from pvfault.settings import Settings
from pvfault.tables import MADE_OF
from pvfault_assets.instance import open_instance
from pvfault_assets.requests import Request
from pvfault_assets.run_apart import materialise_apart
from pvfault_gateway import broker
from pvfault_gateway.simulate import simulate
from pvfault_workshop.simulation import simulate_fleet
from spark_jobs.session import start_session

FIRST = date(2024, 6, 1)
SEED = 1


def measure_backfill(settings: Settings, environment: dict[str, str], dates: list[date], devices: int) -> dict:
    """Fill a topic, make all dates by one request as `pvfault backfill` does, and start Spark once more alone.

    Parameters
    ----------
    settings : Settings
        With a state folder and a broker's address of the measurement's own.
    environment : dict of str to str
        Of which these are the settings.
    dates : list of date
    devices : int

    Returns
    -------
    dict
        Seconds, and the ratio of the backfill to the jobs' own time and one start of Spark.
    """
    request, log = Request(dates[0], dates[-1]), settings.home / "backfill.log"
    try:
        broker.start(settings, port=int(settings.broker.rpartition(":")[2]), java_home=os.environ.get("JAVA_HOME"))
        simulate(settings, simulate_fleet(devices, dates, SEED), dates)
        started = time.perf_counter()
        materialise_apart(environment, request, log, lambda _message: None)
        backfill = time.perf_counter() - started
    finally:
        broker.stop(settings)
    started = time.perf_counter()
    start_session(settings)
    spark = time.perf_counter() - started
    jobs = _seconds_of_jobs(settings, dates)
    return {
        "dates": len(dates), "devices": devices, "cores": os.cpu_count(), "seconds": round(backfill, 1),
        "jobs": {table: round(seconds, 1) for table, seconds in jobs.items()}, "spark_start": round(spark, 1),
        "ratio": round(backfill / (sum(jobs.values()) + spark), 3),
    }  # fmt: skip


def _seconds_of_jobs(settings: Settings, dates: list[date]) -> dict[str, float]:
    """What the jobs say that each table's dates took."""
    seconds = {}
    with open_instance(settings) as instance:
        for table in MADE_OF:
            asked = dg.AssetRecordsFilter(dg.AssetKey(table), [str(day) for day in dates])
            records = instance.fetch_materializations(asked, limit=len(dates)).records
            if len(records) != len(dates):
                raise RuntimeError(f"{len(records)} dates of {table} were made, expected {len(dates)}")
            seconds[table] = sum(record.asset_materialization.metadata["seconds"].value for record in records)
    return seconds


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    n_dates, devices = (int(each) for each in [*sys.argv[1:], *("30", "50")[len(sys.argv) - 1 :]])
    dates = [FIRST + timedelta(days=number) for number in range(n_dates)]
    with tempfile.TemporaryDirectory(prefix="pvfault-backfill-") as folder:
        own = {"PVFAULT_HOME": folder, "PVFAULT_BROKER": f"localhost:{broker.free_port()}"}
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PVFAULT_")}
        environment = theirs | own
        settings = Settings.from_environment(environment, Path.cwd())
        found = measure_backfill(settings, environment, dates, devices)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
