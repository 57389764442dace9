"""Job runs of one EMR Serverless application: found again, started once, watched, and cancelled when nobody waits.

What a job is given, and what it reports, is in `emr_serverless_runner.py`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pvfault.errors import PvfaultError, TransientError
from pvfault_assets.resources.amazon import NoAnswerError, Patience, RefusedError, RetryingClients

WAITING = {"SUBMITTED", "QUEUED", "PENDING", "SCHEDULED"}
ACTIVE = WAITING | {"RUNNING"}
DONE = {"SUCCESS", "FAILED", "CANCELLED"}


@dataclass(frozen=True)
class JobName:
    """What a job run is found again by; as text it is the name of the job run in the console.

    Attributes
    ----------
    job : str
    dates : str
        First and last.
    origin : str
        The Dagster run that was asked for first: a run that is started again has another id, and the same origin.
    token : str
        Of this very attempt; the client token of its StartJobRun.
    """

    job: str
    dates: str
    origin: str
    token: str

    def __str__(self):
        return f"{self.job} {self.dates} {self.origin} {self.token}"

    def is_same_work(self, name: str) -> bool:
        """Whether a job run of this name is of the same job, dates and origin."""
        return name.split()[:3] == [self.job, self.dates, self.origin]


class EmrJobs:
    """The job runs of one application.

    Parameters
    ----------
    amazon : RetryingClients
    patience : Patience
    application : str
        Its id.
    log : logging.Logger
        Of the Dagster run.
    """

    def __init__(self, amazon: RetryingClients, patience: Patience, application: str, log):
        self._amazon = amazon
        self._patience = patience
        self._application = application
        self._log = log

    def find(self, name: JobName, since: datetime) -> dict[str, Any] | None:
        """The job run that does this work already.

        That is this very attempt, whatever became of it, for a process that was lost after it had started its job; or
        an earlier attempt that is still at work, for a run that was started again.

        Parameters
        ----------
        name : JobName
        since : datetime
            No job run of this work is older.
        """
        found = [run for run in self._list(since) if name.is_same_work(run.get("name", ""))]
        mine = [run for run in found if run["name"] == str(name)]
        return next(iter(mine + [run for run in found if run["state"] in ACTIVE]), None)

    def find_left(self, name: JobName, since: datetime) -> str | None:
        """The id of the job run that this attempt has started without hearing so; None if there is none."""
        try:
            found = self.find(name, since)
        except (RefusedError, NoAnswerError) as error:
            self._log.error(f"a job run named {str(name)!r} may have been started, and cannot be looked for ({error})")
            return None
        return found["id"] if found and found["state"] in ACTIVE else None

    def _list(self, since: datetime) -> list[dict[str, Any]]:
        runs, page = [], {}
        while True:
            answer = self._amazon.ask(
                "emr-serverless", "list_job_runs",
                applicationId=self._application, createdAtAfter=since, maxResults=50, **page,
            )  # fmt: skip
            runs += answer["jobRuns"]
            if "nextToken" not in answer:
                return runs
            page = {"nextToken": answer["nextToken"]}

    def start(self, name: JobName, request: dict[str, Any]) -> str:
        """Start a job run and give its id.

        The client token makes the question safe to repeat: an answer that was lost on its way starts nothing twice.
        """
        answer = self._amazon.ask(
                "emr-serverless", "start_job_run",
            applicationId=self._application, clientToken=name.token, name=str(name), **request,
        )  # fmt: skip
        return answer["jobRunId"]

    def wait(self, job_run: str, look: Callable[[], None]) -> dict[str, Any]:
        """Follow a job run to its end.

        Parameters
        ----------
        job_run : str
        look : function
            Called after each look at the state.

        Returns
        -------
        dict
            GetJobRun's answer.

        Raises
        ------
        PvfaultError
            If it waits too long for workers.
        TransientError
            If its state stays unknown too long.
        """
        state, delay, seen = None, self._patience.poll_first_s, time.monotonic()
        while True:
            run = self._get(job_run)
            if run is None:
                self._refuse_silence(job_run, time.monotonic() - seen)
            else:
                seen = time.monotonic()
                if run["state"] != state:
                    state, delay = run["state"], self._patience.poll_first_s
                    self._log.info(f"job run {job_run} is {state}: {run['stateDetails']}")
                self._look(look)
                if state in DONE:
                    return run
                self._refuse_queue(run)
            time.sleep(delay)
            delay = min(1.5 * delay, self._patience.poll_most_s)

    def cancel(self, job_run: str) -> None:
        """End a job run that nobody waits for any more; says how to do it by hand if that fails."""
        try:
            self._amazon.ask(
                "emr-serverless", "cancel_job_run",
                applicationId=self._application, jobRunId=job_run,
                shutdownGracePeriodInSeconds=self._patience.grace_s,
            )  # fmt: skip
        except (RefusedError, NoAnswerError) as error:
            self._log.error(
                f"job run {job_run} could not be cancelled and may still cost money ({error}); cancel it by "
                f"`aws emr-serverless cancel-job-run --application-id {self._application} --job-run-id {job_run}`"
            )
        else:
            self._log.warning(f"job run {job_run} is cancelled: the run that waited for it has ended")

    def _look(self, look: Callable[[], None]) -> None:
        """Look at messages and logs; what cannot be read now is read the next time."""
        try:
            look()
        except NoAnswerError as error:
            self._log.warning(f"messages and logs cannot be read for now ({error})")

    def _get(self, job_run: str) -> dict[str, Any] | None:
        """The state of a job run; None if it cannot be learnt now. The job goes on whether or not we can see it."""
        try:
            answer = self._amazon.ask(
                "emr-serverless", "get_job_run", applicationId=self._application, jobRunId=job_run
            )
            return answer["jobRun"]
        except NoAnswerError as error:
            self._log.warning(f"the state of job run {job_run} is unknown for now ({error})")
            return None

    def _refuse_silence(self, job_run: str, silent_s: float) -> None:
        if silent_s > self._patience.unreachable_s:
            raise TransientError(
                f"the state of job run {job_run} is unknown for {silent_s / 60:.0f} min, and it is given up; look at "
                "the network and at the health of EMR Serverless"
            )

    def _refuse_queue(self, run: dict[str, Any]) -> None:
        waited = (datetime.now(UTC) - run["createdAt"]).total_seconds()
        if run["state"] in WAITING and waited > self._patience.queue_s:
            raise PvfaultError(
                f"job run {run['jobRunId']} was {run['state']} for {waited / 60:.0f} min and got no workers; look at "
                "the application's maximum capacity, its running jobs and the account's vCPU quota"
            )
