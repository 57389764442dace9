"""How long a backfill of many dates takes beside the same jobs without Dagster.

As a program it prints one line of JSON: `python -m pvfault_bench.backfilling [DATES] [DEVICES]`. What is not the jobs'
own time is Dagster's: loading, the steps of the network and of the registry, events, and the checks of each date.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date, timedelta

from pvfault.settings import Settings
from pvfault_assets.requests import Request
from pvfault_assets.run_apart import materialise_apart
from pvfault_bench.stages import JOBS
from pvfault_gateway import broker
from pvfault_gateway.simulate import simulate
from pvfault_workshop.simulation import simulate_fleet
from spark_jobs.job import JobConfig
from spark_jobs.session import start_session

FIRST = date(2024, 6, 1)
SEED = 1


def measure_backfill(settings: Settings, environment: dict[str, str], dates: list[date], devices: int) -> dict:
    """Fill a topic, make all dates by one request as `pvfault backfill` does, and then by the jobs alone.

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
        Seconds, and the ratio of the backfill to one start of Spark and the jobs alone.
    """
    request, log = Request(dates[0], dates[-1]), settings.home / "backfill.log"
    try:
        broker.start(settings, port=int(settings.broker.rpartition(":")[2]), java_home=os.environ.get("JAVA_HOME"))
        simulate(settings, simulate_fleet(devices, dates, SEED), dates)
        started = time.perf_counter()
        materialise_apart(environment, request, log, lambda _message: None)
        backfill = time.perf_counter() - started
        alone = _time_jobs(replace(settings, home=settings.home / "alone"), dates)
    finally:
        broker.stop(settings)
    return {
        "dates": len(dates), "devices": devices, "cores": os.cpu_count(), "seconds": round(backfill, 1),
        "alone": {step: round(seconds, 1) for step, seconds in alone.items()},
        "ratio": round(backfill / sum(alone.values()), 3),
    }  # fmt: skip


def _time_jobs(settings: Settings, dates: list[date]) -> dict[str, float]:
    """Seconds that Spark takes to start, and that the jobs take one after the other, into tables of their own."""
    seconds = {}
    started = time.perf_counter()
    spark = start_session(settings)
    seconds["spark_start"] = time.perf_counter() - started
    for job in JOBS:
        started = time.perf_counter()
        report = job.run(spark, JobConfig.from_settings(settings, dates))
        seconds[job.NAME] = time.perf_counter() - started
        if not all(day.published for day in report.days):
            raise RuntimeError(f"{job.NAME} has not published every date")
    spark.stop()
    return seconds


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    n_dates, devices = (int(each) for each in [*sys.argv[1:], *("30", "50")[len(sys.argv) - 1 :]])
    dates = [FIRST + timedelta(days=number) for number in range(n_dates)]
    with tempfile.TemporaryDirectory(prefix="pvfault-backfill-") as folder:
        own = {"PVFAULT_HOME": folder, "PVFAULT_BROKER": f"localhost:{broker.free_port()}"}
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("PVFAULT_")}
        environment = theirs | own
        settings = Settings.from_environment(environment)
        found = measure_backfill(settings, environment, dates, devices)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
