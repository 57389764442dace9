"""The runner of AWS: each job is a job run of an EMR Serverless application.

What a job run is given, and what its end means. The states in between are in `emr_jobs.py`. How large workers are is
the application's own (`infra/cloudformation`).
"""

import hashlib
import json
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from pvfault.errors import PvfaultError, TransientError
from pvfault.prices import DOLLARS_PER_GB_HOUR, DOLLARS_PER_VCPU_HOUR, SOURCE
from pvfault.settings import Settings
from pvfault_assets.partitions import dates_of_step
from pvfault_assets.resources.amazon import Patience, RetryingClients
from pvfault_assets.resources.emr_jobs import EmrJobs, JobName
from pvfault_assets.resources.job_messages import (
    TRACEBACK,
    BucketMessageReader,
    DriverLog,
    cause,
    driver_logs,
    excerpt,
    failure_text,
)
from pvfault_gateway.msk import find_brokers
from spark_jobs.job import DateReport, JobConfig, OnDate, to_arguments
from spark_jobs.messages import from_message

LOGS, MESSAGES = "emr", "messages"
# Dagster marks a run that is started again by this, with the first one's id.
ROOT_RUN = "dagster/root_run_id"

# The same job would fail the same way again: something is not there, or may not be used.
_LASTING = re.compile(r"AccessDenied|NoSuchKey|NoSuchBucket|FileNotFound|ClassNotFound|ResourceNotFound|ImportError|"
                      r"ModuleNotFound|Not Found")  # fmt: skip


class EmrServerlessRunner:
    """Runs jobs on EMR Serverless, and waits for them.

    Parameters
    ----------
    settings : Settings
        Of AWS. Nothing is asked before the first job: definitions are loaded far more often than jobs are run.
    patience : Patience, optional

    Raises
    ------
    PvfaultError
        If the settings name no application.
    """

    def __init__(self, settings: Settings, patience: Patience | None = None):
        if not settings.emr_application_id:
            raise PvfaultError(
                "PVFAULT_ENV is 'aws', and PVFAULT_EMR_APPLICATION_ID, PVFAULT_EMR_JOB_ROLE_ARN and PVFAULT_RELEASE do "
                "not say what runs the jobs; `pvfault deploy` makes them"
            )
        self._settings = settings
        self._patience = patience or Patience()
        self._amazon = RetryingClients(self._patience)

    def run(
        self,
        job: str,
        dates: Sequence[date],
        context: dg.AssetExecutionContext,
        on_date: OnDate,
        *,
        allow_fewer: bool = False,
    ) -> dict[str, Any]:
        """Run a job, or wait for the job run that does this work already.

        The job run ends with this call: whatever ends the call early cancels it.

        Raises
        ------
        PvfaultError
            If the job found something that a user can mend.
        TransientError
            If it found something that may pass by itself.
        dagster.Failure
            If it did not report all its dates.
        """
        log_bucket = self._settings.bucket("log")
        jobs = EmrJobs(self._amazon, self._patience, self._settings.emr_application_id, context.log)
        name = _name(job, dates, context)
        since = _asked_for(name.origin, context)
        found = jobs.find(name, since)
        token = found["name"].split()[-1] if found else name.token
        # A reader of this run alone; an earlier attempt's job writes where its own token says.
        reader = BucketMessageReader(self._amazon, log_bucket, f"{MESSAGES}/{token}")
        # The context of the step and not of the asset, whose run id Dagster itself calls deprecated.
        step = context.op_execution_context
        with dg.open_pipes_session(step, dg.PipesEnvContextInjector(), reader) as session:
            with _cancelled_if_left(jobs, name, since) as started:
                if found:
                    started.job_run = found["id"]
                    context.log.info(f"job run {started.job_run} does this work already: waiting for it")
                else:
                    config = JobConfig.from_settings(find_brokers(self._settings), dates, allow_fewer=allow_fewer)
                    request = self._request(job, config, session.get_bootstrap_env_vars())
                    started.job_run = jobs.start(name, request)
                    context.log.info(
                        f"job run {started.job_run} is started; its logs: {self._console(started.job_run)}"
                    )
                figures = {"job_run": started.job_run, "console": self._console(started.job_run)}
                heard = _Heard(reader, session, dates, on_date, figures)
                logs = driver_logs(self._amazon, log_bucket, _log_folder(self._settings, started.job_run))
                ended = jobs.wait(started.job_run, lambda: _look(heard, logs))
                started.done = True
            self._read_the_rest(heard, logs, ended)
        costs = _costs(ended, dates)
        self._judge(job, ended, heard, logs, costs, context, taken_up=found is not None)
        return costs

    def _request(self, job: str, config: JobConfig, pipes: Mapping[str, str]) -> dict[str, Any]:
        """What StartJobRun is told; the same for the same attempt, as its client token demands."""
        release = self._settings.release
        variables = {**self._settings.environment_of_jobs(), **pipes}
        parameters = [
            "--jars", ",".join(f"{release}/{jar}" for jar in self._jars()),
            "--py-files", f"{release}/pvfault.zip",
        ]  # fmt: skip
        for name, value in variables.items():
            parameters += ["--conf", f"spark.emr-serverless.driverEnv.{name}={value}"]
        return {
            "executionRoleArn": self._settings.emr_job_role_arn,
            "executionTimeoutMinutes": self._patience.execution_minutes,
            "jobDriver": {
                "sparkSubmit": {
                    "entryPoint": f"{release}/jobs/{job}.py",
                    "entryPointArguments": to_arguments(config),
                    "sparkSubmitParameters": shlex.join(parameters),
                }
            },
            "configurationOverrides": {
                "monitoringConfiguration": {
                    "s3MonitoringConfiguration": {"logUri": f"s3://{self._settings.bucket('log')}/{LOGS}/"}
                }
            },
        }

    def _jars(self) -> list[str]:
        """The JVM packages of the release, by its own list."""
        bucket, _, folder = self._settings.release.removeprefix("s3://").partition("/")
        manifest = self._amazon.read(bucket, f"{folder}/release.json")
        if manifest is None:
            raise PvfaultError(
                f"there is no release at {self._settings.release} (no release.json); run `pvfault deploy`, or point "
                "PVFAULT_RELEASE at one"
            )
        jars = [name for name in json.loads(manifest)["files"] if name.startswith("jars/")]
        # aws-msk-iam-auth holds an older copy of Amazon's SDK, under its own names, in which Iceberg's Glue catalog
        # finds a field missing. Java takes a class from where it stands first.
        return sorted(jars, key=lambda jar: ("iceberg-aws-bundle" not in jar, jar))

    def _read_the_rest(self, heard: "_Heard", logs: Sequence[DriverLog], ended: dict[str, Any]) -> None:
        """Read what was written last, also that of a job that has failed: above all its reports."""
        heard.take_new()
        if ended["state"] == "SUCCESS":
            _copy_logs(logs)
        else:
            # The service uploads the last of a log some time after the job has ended.
            _wait_for_logs(logs, self._patience)

    def _judge(self, job, ended, heard, logs, costs, context, *, taken_up) -> None:
        """Raise what is wrong with a job run that has ended; its reports count, and not its state."""
        job_run, state = ended["jobRunId"], ended["state"]
        if not heard.missing:
            if state != "SUCCESS" and not heard.has_refused:
                context.log.warning(f"job run {job_run} reported all its dates and then was {state}")
            return
        if heard.mistake:
            raise type(heard.mistake)(f"{heard.mistake} (job run {job_run})")
        if state == "SUCCESS" and taken_up:
            raise TransientError(f"job run {job_run}, which was at work already, was not of all dates of this step")
        log = failure_text(*(log.text for log in logs))
        found = cause(log) or ended["stateDetails"]
        dates = ", ".join(map(str, heard.missing))
        lines = {
            "SUCCESS": f"{job} ended as job run {job_run} without a report of {dates}, so nothing is recorded as made. "
            "Whatever ran there is not this release's job: look at its entry point and its log",
            "CANCELLED": f"job run {job_run} of {job} was cancelled: {ended['stateDetails']}. If nobody did, it ran "
            f"longer than {self._patience.execution_minutes} min: ask for fewer dates at once, or for more workers",
        }
        raise dg.Failure(
            lines.get(state, f"{job} failed on EMR Serverless as job run {job_run}: {found}"),
            metadata={
                "state": f"{state}: {ended['stateDetails']}",
                "driver_log": dg.MetadataValue.md(f"```\n{excerpt(log) or 'There is no log.'}\n```"),
                "console": dg.MetadataValue.url(self._console(job_run)),
                **costs,
            },
            # A driver that is lost says nothing. What its program says of itself would come again.
            allow_retries=state == "FAILED"
            and not heard.program_has_failed(log)
            and not _LASTING.search(log + ended["stateDetails"]),
        )

    def _console(self, job_run: str) -> str:
        """The page of the logs: whoever opens it signs in; the dashboard's own address carries a token."""
        region = self._amazon.client("s3").meta.region_name
        folder = _log_folder(self._settings, job_run)
        return (
            f"https://console.aws.amazon.com/s3/buckets/{self._settings.bucket('log')}?region={region}&prefix={folder}/"
        )


class _Heard:
    """What a job run has said so far; each date that was asked for is handed on once, as soon as it is heard of.

    Attributes
    ----------
    missing : list of date
        Of which nothing was heard.
    has_refused : bool
        Whether a date was not made.
    mistake : PvfaultError or None
        That stopped the job.
    """

    def __init__(self, reader: BucketMessageReader, session, dates: Sequence[date], on_date: OnDate, figures: dict):
        self._reader = reader
        self._session = session
        self._on_date = on_date
        self._figures = figures
        self._taken = 0
        self.missing = list(dates)
        self.has_refused = False
        self.mistake: PvfaultError | None = None

    def take_new(self) -> None:
        """Read what has been written since the last time."""
        try:
            self._reader.read_new()
        finally:
            messages = self._session.get_custom_messages()[self._taken :]
            for message in messages:
                self._taken += 1
                self._take(from_message(message))

    def _take(self, said: DateReport | PvfaultError) -> None:
        if isinstance(said, PvfaultError):
            self.mistake = said
        elif said.day in self.missing:
            self.missing.remove(said.day)
            self.has_refused |= bool(said.stopped_by)
            self._on_date(replace(said, figures=said.figures | self._figures))

    def program_has_failed(self, log: str) -> bool:
        """Whether the job's program has ended by an error of its own, or could not even begin."""
        return self._reader.has_raised or (not self._reader.has_opened and TRACEBACK in log)


class _Started:
    """What is known of a job run while the run waits for it."""

    job_run: str | None = None
    done: bool = False


@contextmanager
def _cancelled_if_left(jobs: EmrJobs, name: JobName, since: datetime) -> Iterator[_Started]:
    """Cancel the job run if the block is left before it has ended: by an error, an interrupt or a termination."""
    started = _Started()
    try:
        yield started
    except BaseException as error:
        # Left while it was started: the service may have taken it, and the answer may have been lost.
        was_refused = isinstance(error, PvfaultError) and not isinstance(error, TransientError)
        if started.job_run is None and not was_refused:
            started.job_run = jobs.find_left(name, since)
        raise
    finally:
        if started.job_run and not started.done:
            jobs.cancel(started.job_run)


def _wait_for_logs(logs: Sequence[DriverLog], patience: Patience) -> None:
    """Copy logs until there is something in one, or the time is over."""
    until = time.monotonic() + patience.logs_s
    _copy_logs(logs)
    while not any(log.text for log in logs) and time.monotonic() < until:
        time.sleep(patience.poll_first_s)
        _copy_logs(logs)


def _look(heard: "_Heard", logs: Sequence[DriverLog]) -> None:
    heard.take_new()
    _copy_logs(logs)


def _copy_logs(logs: Sequence[DriverLog]) -> None:
    for log in logs:
        log.copy_new()


def _name(job: str, dates: Sequence[date], context: dg.AssetExecutionContext) -> JobName:
    """The name of this attempt: the same in a process that takes the attempt up again.

    Its dates are those of the step, some of which may be made already: so a job run is found again that was started
    when none was. A step without dates is named by those of the job.
    """
    run = context.run
    dates = dates_of_step(context) if context.assets_def.partitions_def else dates
    attempt = f"{run.run_id}|{context.asset_key.to_user_string()}|{context.retry_number}"
    days = f"{min(dates)}..{max(dates)}"
    token = hashlib.sha256(attempt.encode()).hexdigest()[:32]
    return JobName(job, days, run.tags.get(ROOT_RUN, run.run_id), token)


def _asked_for(origin: str, context: dg.AssetExecutionContext) -> datetime:
    """When the work was asked for first: no job run of it is older."""
    record = context.instance.get_run_record_by_id(origin)
    created = record.create_timestamp.replace(tzinfo=UTC) if record else datetime.now(UTC) - timedelta(days=7)
    return created - timedelta(minutes=5)  # clocks differ


def _log_folder(settings: Settings, job_run: str) -> str:
    return f"{LOGS}/applications/{settings.emr_application_id}/jobs/{job_run}/SPARK_DRIVER"


def _costs(ended: dict[str, Any], dates: Sequence[date]) -> dict[str, Any]:
    """What the job run took and costs, for all its dates together."""
    costs: dict[str, Any] = {"job_run": ended["jobRunId"], "job_run_dates": len(dates)}
    billed = ended.get("billedResourceUtilization")
    if billed:
        dollars = billed["vCPUHour"] * DOLLARS_PER_VCPU_HOUR + billed["memoryGBHour"] * DOLLARS_PER_GB_HOUR
        costs |= {
            "job_run_vcpu_hours": round(billed["vCPUHour"], 4),
            "job_run_gb_hours": round(billed["memoryGBHour"], 4),
            "job_run_dollars": round(dollars, 4),
            "prices": SOURCE,
        }
    return costs
