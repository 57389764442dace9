"""What every Spark job takes and what it reports.

Here: `JobConfig`, `JobReport` and their parts, and `main`, by which each job's file runs under `spark-submit` and over
Dagster Pipes. Not here: what a job does.
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
from datetime import date, timedelta
from pathlib import Path

from pvfault.broker_access import BrokerAccess
from pvfault.errors import PvfaultError
from pvfault.locations import is_there
from pvfault.registry import EMPTY_REGISTRY, Registry, read_registry
from pvfault.settings import Settings

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
        Path or s3:// URI of the network's weights; for classification alone.
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
class Audit:
    """A sentence about a staged date that can be false.

    Attributes
    ----------
    name : str
        The sentence, as an identifier.
    description : str
        What it means for the operator.
    remedy : str
        What to do if it is false.
    blocking : bool
        Whether a date that fails it stays unpublished.
    """

    name: str
    description: str
    remedy: str
    blocking: bool = False

    def judge(self, passed: bool, found: str, **figures) -> "AuditResult":
        """The result for one date: what was found and, if that is wrong, what to do."""
        return AuditResult(
            self.name, bool(passed), self.blocking, found if passed else f"{found}; {self.remedy}", figures
        )


# The remedy of an audit that only a mistake of our own can fail.
REPORT_IT = "nothing was published. This is a mistake of pvfault: report it with the run's log"


@dataclass(frozen=True)
class AuditResult:
    """Whether a date passed an audit.

    Attributes
    ----------
    name : str
    passed, blocking : bool
    summary : str
        What was found and, if it did not pass, what to do.
    figures : dict
        Counts and a capped sample; values that JSON can hold.
    """

    name: str
    passed: bool
    blocking: bool
    summary: str
    figures: dict = field(default_factory=dict)


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
    audits : tuple of AuditResult
    """

    day: date
    rows: int
    snapshot_id: int | None
    published: bool
    seconds: float = 0.0
    figures: dict = field(default_factory=dict)
    audits: tuple[AuditResult, ...] = ()

    @property
    def refusals(self) -> tuple[AuditResult, ...]:
        """The blocking audits that it failed."""
        return tuple(audit for audit in self.audits if audit.blocking and not audit.passed)


@dataclass(frozen=True)
class JobReport:
    """What a job did.

    Attributes
    ----------
    job : str
    days : tuple of DateReport
        Date by date, in the order in which they were made.
    figures : dict
        What running it took, of all dates together, told by whoever ran it; values that JSON can hold.
    """

    job: str
    days: tuple[DateReport, ...]
    figures: dict = field(default_factory=dict)

    def to_json(self) -> str:
        """The report as text, for a log or a message.

        Raises
        ------
        TypeError
            If a figure is no value of JSON, as NumPy's integers are none: as text it would only look like a number.
        """
        return json.dumps(asdict(self), default=_date_as_text)

    @classmethod
    def from_json(cls, text: str) -> "JobReport":
        """The report that `to_json` wrote."""
        values = json.loads(text)
        return cls(
            values["job"],
            tuple(
                DateReport(
                    **{
                        **day,
                        "day": date.fromisoformat(day["day"]),
                        "audits": tuple(AuditResult(**audit) for audit in day["audits"]),
                    }
                )
                for day in values["days"]
            ),
            values["figures"],
        )


def _date_as_text(value: object) -> str:
    if type(value) is not date:
        found = f"{value!r} is a {type(value).__name__}"
        raise TypeError(f"{found}, which a report cannot hold; make it a plain number or text")
    return value.isoformat()


def run_dates(job: str, config: JobConfig, make_date: Callable[[date], DateReport]) -> JobReport:
    """Make each date in turn and time it.

    A date that fails a blocking audit is reported and the next one is made: one bad day must not hold up a backfill.
    """
    days = []
    for day in config.dates:
        started = time.perf_counter()
        report = replace(make_date(day), seconds=round(time.perf_counter() - started, 3))
        outcome = "published" if report.published else "refused" if report.refusals else "nothing to publish"
        _log.info("%s, %s: %d rows, %s, %.1f s", job, day, report.rows, outcome, report.seconds)
        days.append(report)
    return JobReport(job, tuple(days))


def main(job: str) -> None:
    """Run a job from a command line: under `spark-submit`, plain Python, or Dagster Pipes.

    The options are the fields of `JobConfig`, their defaults the settings. Over Pipes the report, or a user's mistake,
    is sent as a custom message; without, it is printed as one line of JSON. Exits with 2 on a user's mistake and with 1
    if a date was refused by a blocking audit.
    """
    from spark_jobs.messages import told_to_dagster

    with told_to_dagster() as pipes:
        code = _run_and_tell(job, pipes)
    sys.exit(code)


def _run_and_tell(job: str, pipes) -> int:
    """Run a job, tell what came of it, and give the exit code."""
    from spark_jobs.session import start_session

    try:
        settings = Settings.from_environment(os.environ, Path.cwd())
        config = parse_arguments(job, settings, sys.argv[1:])
        # From the package and not from the file that was started, which is another module to Python: what workers are
        # given by name, such as a cached function, they would look for in a program of Spark's.
        run = importlib.import_module(f"spark_jobs.{job}").run
        report = run(start_session(settings), config)
    except PvfaultError as error:
        sys.stderr.write(f"error: {error}\n")
        if pipes:
            pipes.report_custom_message({"mistake": str(error)})
        return 2
    if pipes:
        pipes.report_custom_message(json.loads(report.to_json()))
    else:
        sys.stdout.write(report.to_json() + "\n")
    return 1 if any(day.refusals for day in report.days) else 0


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
    ranges: list[list[date]] = []
    for day in dates:
        if ranges and day - ranges[-1][-1] == timedelta(days=1):
            ranges[-1][-1] = day
        else:
            ranges.append([day, day])
    return [str(first) if first == last else f"{first}..{last}" for first, last in ranges]


def _days(text: str) -> list[date]:
    first, dots, last = text.partition("..")
    start = date.fromisoformat(first)
    end = date.fromisoformat(last) if dots else start
    if end < start:
        raise ValueError(text)
    return [start + timedelta(days=n) for n in range((end - start).days + 1)]
