"""What every Spark job takes and what it reports.

`JobConfig`, `DateReport` and their parts, and `main`, by which each job's file runs under `spark-submit` and over
Dagster Pipes. A date is reported when it is done, so that what ends a range early leaves nothing unreported. How a
report reaches Dagster is in `messages.py`.
"""

import argparse
import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date

from pvfault.broker_access import BrokerAccess
from pvfault.checks.check import CheckResult, require_plain
from pvfault.date_ranges import days_between, runs_of, written
from pvfault.errors import PvfaultError, TransientError
from pvfault.locations import is_there
from pvfault.registry import EMPTY_REGISTRY, Registry, read_registry
from pvfault.settings import Settings
from pvfault.versions import code_version
from spark_jobs.transient import raised_as_transient

# A backfill of a hundred dates is one step of one run: these lines tell how far it is.
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobConfig:
    """What a job is told.

    Attributes
    ----------
    dates : tuple of date
        The days (UTC) to make, in this order.
    broker, topic : str
        Where readings are; for ingest alone.
    lateness_hours : float
        How long past midnight a date's readings are read; for ingest alone. [h]
    registry : str
        Path or s3:// URI of the device registry.
    model : str
        Path or s3:// URI of the network's weights; for classification, and for the candidates of days.
    allow_fewer : bool
        Replace a date even by fewer readings than it holds; for ingest alone.
    broker_iam_region : str
        Region of the MSK cluster whose brokers these are; empty for a broker without authentication. For ingest alone.
    """

    dates: tuple[date, ...]
    broker: str
    topic: str
    lateness_hours: float
    registry: str
    model: str
    allow_fewer: bool = False
    broker_iam_region: str = ""

    @classmethod
    def from_settings(cls, settings: Settings, dates: Sequence[date], *, allow_fewer: bool = False) -> "JobConfig":
        """What the settings say of a job, for some dates."""
        return cls(
            dates=tuple(dates),
            broker=settings.broker,
            topic=settings.topic,
            lateness_hours=settings.lateness_hours,
            registry=str(settings.registry),
            model=str(settings.model),
            allow_fewer=allow_fewer,
            broker_iam_region=settings.broker_iam_region,
        )

    @property
    def broker_access(self) -> BrokerAccess:
        """How a Kafka client reaches the broker."""
        return BrokerAccess(self.broker, self.broker_iam_region)

    def read_registry(self) -> Registry:
        """The registry; an empty one where there is no file, so that every device is scored as unregistered.

        Raises
        ------
        RegistryError
            If there is a file and it cannot be used.
        """
        return read_registry(self.registry) if is_there(self.registry) else EMPTY_REGISTRY


@dataclass(frozen=True)
class DateReport:
    """What a job did for one date.

    Attributes
    ----------
    day : date
    rows : int
        Rows of the date that were staged.
    snapshot_id : int or None
        The snapshot that was staged; None where there was nothing to write.
    published : bool
        Whether readers see it.
    seconds : float
        Wall time. [s]
    figures : dict
        Counts and sizes by name; values that JSON can hold.
    audits : tuple of CheckResult
        What its checks said before it was to be published.
    failure : str
        What a PvfaultError said that stopped it before it was audited; empty if none did.

    Raises
    ------
    TypeError
        If a figure is anything else than JSON can hold, such as an integer of NumPy.
    """

    day: date
    rows: int
    snapshot_id: int | None
    published: bool
    seconds: float = 0.0
    figures: dict = field(default_factory=dict)
    audits: tuple[CheckResult, ...] = ()
    failure: str = ""

    def __post_init__(self):
        own = {"rows": self.rows, "snapshot_id": self.snapshot_id, "published": self.published, "seconds": self.seconds}
        require_plain(own | {"figures": self.figures}, f"the report of {self.day}")

    @property
    def refusals(self) -> tuple[CheckResult, ...]:
        """The blocking audits that it failed."""
        return tuple(audit for audit in self.audits if audit.blocking and not audit.passed)

    @property
    def stopped_by(self) -> str:
        """Why the date stays as it was, and what to do; empty if nothing stands against it."""
        return self.failure or "; ".join(f"{audit.name}: {audit.summary}" for audit in self.refusals)

    def to_values(self) -> dict:
        """The report as values that JSON can hold."""
        return asdict(self) | {"day": str(self.day), "audits": [asdict(audit) for audit in self.audits]}

    @classmethod
    def from_values(cls, values: dict) -> "DateReport":
        """The report of which `to_values` has made these."""
        audits = tuple(CheckResult(**audit) for audit in values["audits"])
        return cls(**values | {"day": date.fromisoformat(values["day"]), "audits": audits})


@dataclass(frozen=True)
class JobReport:
    """What a job did.

    Attributes
    ----------
    job : str
    days : tuple of DateReport
        Date by date, in the order in which they were made.
    """

    job: str
    days: tuple[DateReport, ...]

    def to_json(self) -> str:
        """The report as text."""
        return json.dumps({"job": self.job, "days": [day.to_values() for day in self.days]})

    @classmethod
    def from_json(cls, text: str) -> "JobReport":
        """The report that `to_json` wrote."""
        values = json.loads(text)
        return cls(values["job"], tuple(DateReport.from_values(day) for day in values["days"]))


OnDate = Callable[[DateReport], None]
"""Called with each date's report as soon as the date is done."""


def to_nobody(_report: DateReport) -> None:
    """Whom a date is reported to where all of them are waited for."""


def run_dates(
    job: str, config: JobConfig, make_date: Callable[[date], DateReport], on_date: OnDate = to_nobody
) -> JobReport:
    """Make each date in turn, time it and report it.

    A date that fails a blocking audit, or that something stops which trying again would not mend, is reported and the
    next one is made: one bad day must not hold up a backfill.

    Raises
    ------
    TransientError
        What stops one date for now would stop the next one as well.
    """
    days = []
    for day in config.dates:
        started = time.perf_counter()
        try:
            with raised_as_transient():
                made = make_date(day)
        except TransientError:
            raise
        except PvfaultError as error:
            made = DateReport(day, rows=0, snapshot_id=None, published=False, failure=str(error))
        report = replace(
            made,
            seconds=round(time.perf_counter() - started, 3),
            figures={**made.figures, "code_version": code_version()},
        )
        outcome = "published" if report.published else report.stopped_by or "nothing to publish"
        _log.info("%s, %s: %d rows, %s, %.1f s", job, day, report.rows, outcome, report.seconds)
        on_date(report)
        days.append(report)
    return JobReport(job, tuple(days))


def main(job: str) -> None:
    """Run a job from a command line: under `spark-submit`, plain Python, or Dagster Pipes.

    The options are the fields of `JobConfig`, their defaults the settings. Over Pipes each date, and a user's mistake,
    is a message; without, the report is printed as one line of JSON. Exits with 2 on a user's mistake and with 1 if a
    date could not be made or was refused by a blocking audit.
    """
    from spark_jobs.messages import connected_to_dagster

    with connected_to_dagster() as send:
        code = _run(job, send)
    sys.exit(code)


def _run(job: str, send: Callable[[DateReport | PvfaultError], None] | None) -> int:
    """Run a job, send or print what came of it, and give the exit code."""
    from spark_jobs.session import start_session

    try:
        settings = Settings.from_environment(os.environ)
        config = parse_arguments(job, settings, sys.argv[1:])
        # From the package and not from the file that was started, which is another module to Python: what workers are
        # given by name, such as a cached function, they would look for in a program of Spark's.
        run = importlib.import_module(f"spark_jobs.{job}").run
        with raised_as_transient():
            report = run(start_session(settings), config, send or to_nobody)
    except PvfaultError as error:
        sys.stderr.write(f"error: {error}\n")
        if send:
            send(error)
        return 2
    if not send:
        sys.stdout.write(report.to_json() + "\n")
    return 1 if any(day.stopped_by for day in report.days) else 0


def parse_arguments(job: str, settings: Settings, arguments: Sequence[str]) -> JobConfig:
    """A job's configuration from its command line."""
    parser = argparse.ArgumentParser(prog=job, description=f"Run {job} for one or more dates.")
    parser.add_argument(
        "--dates", nargs="+", type=_days, required=True, metavar="YYYY-MM-DD", help="days, or ranges FIRST..LAST"
    )
    defaults = JobConfig.from_settings(settings, ())
    for option in fields(JobConfig):
        if option.name not in ("dates", "allow_fewer"):
            default = getattr(defaults, option.name)
            parser.add_argument(f"--{option.name.replace('_', '-')}", default=default, type=type(default))
    parser.add_argument("--allow-fewer", action="store_true", help="replace a date even by fewer readings")
    values = vars(parser.parse_args(arguments))
    return JobConfig(**{**values, "dates": tuple(day for days in values["dates"] for day in days)})


def to_arguments(config: JobConfig) -> list[str]:
    """The command line from which `parse_arguments` makes this configuration again."""
    options = {option.name: getattr(config, option.name) for option in fields(config)}
    flag = ["--allow-fewer"] if options.pop("allow_fewer") else []
    dates = _date_ranges(options.pop("dates"))
    return ["--dates", *dates, *flag, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]


def _date_ranges(dates: Sequence[date]) -> list[str]:
    """Dates as `--dates` takes them, in their order: days in a row are one range, so a backfill is no long text."""
    return [written(run[0], run[-1]) for run in runs_of(dates)]


def _days(text: str) -> list[date]:
    first, dots, last = text.partition("..")
    start = date.fromisoformat(first)
    end = date.fromisoformat(last) if dots else start
    if end < start:
        raise argparse.ArgumentTypeError(f"{text} ends before it begins; write the earlier date first")
    return days_between(start, end)
