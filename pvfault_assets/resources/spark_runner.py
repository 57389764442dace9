"""How a Spark job is run.

Here: the interface that assets ask, and the runner of a laptop. Not here: what a job does (`spark_jobs`), the runner of
AWS (`emr_serverless_runner.py`).
"""

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from pvfault.settings import Settings
from pvfault_gateway.msk import find_brokers

if TYPE_CHECKING:
    from spark_jobs.job import DateReport, OnDate


class SparkRunner(Protocol):
    """Whoever can run a Spark job."""

    def run(
        self,
        job: str,
        dates: Sequence[date],
        context: dg.AssetExecutionContext,
        on_date: "OnDate",
        *,
        allow_fewer: bool = False,
    ) -> dict[str, Any]:
        """Run a job for some dates, and wait until each of them is reported.

        Parameters
        ----------
        job : str
            Name of a module of `spark_jobs`.
        dates : sequence of date
        context : AssetExecutionContext
            Of the asset that the job makes: whose run it is, and where to log.
        on_date : callable
            Called with each date's report as soon as the date is done.
        allow_fewer : bool
            Replace a date even by fewer readings than it holds.

        Returns
        -------
        dict
            What running it took and costs, of all dates together; empty if that is not known.

        Raises
        ------
        PvfaultError
            If something outside pvfault is wrong; a TransientError if it may pass by itself. What was reported before
            is done.
        """
        ...


class LocalSparkRunner:
    """Runs jobs in this process, on dagster-pyspark's session.

    Parameters
    ----------
    settings : Settings
        Nothing is started before the first job: definitions are loaded far more often than jobs are run.
    """

    def __init__(self, settings: Settings):
        self._settings = settings
        self._starting: Future | None = None

    def start(self) -> None:
        """Start the session beside what the caller does before its first job.

        What goes wrong is not told: the first job tries it again, and fails with it.
        """
        thread = ThreadPoolExecutor(1)
        self._starting = thread.submit(self._session)
        thread.shutdown(wait=False)

    def run(
        self,
        job: str,
        dates: Sequence[date],
        context: dg.AssetExecutionContext,  # noqa: ARG002 - this process logs to its run by itself
        on_date: "OnDate",
        *,
        allow_fewer: bool = False,
    ) -> dict[str, Any]:
        """Run a job; the first one starts the session, which all later ones of the process share."""
        # Here, because definitions are loaded far more often than jobs are run.
        from spark_jobs.job import JobConfig
        from spark_jobs.transient import raised_as_transient

        if self._starting:
            wait([self._starting])
        config = JobConfig.from_settings(find_brokers(self._settings), dates, allow_fewer=allow_fewer)
        with raised_as_transient():
            import_module(f"spark_jobs.{job}").run(self._session(), config, lambda report: on_date(_sent(report)))
        return {}

    def _session(self) -> Any:
        """The session of this process, started if there is none yet."""
        from dagster_pyspark import LazyPySparkResource

        from spark_jobs.session import prepare_session, spark_config

        prepare_session(self._settings)
        return LazyPySparkResource(spark_config=spark_config(self._settings)).spark_session


def _sent(report: "DateReport") -> "DateReport":
    """A report as it would come from another machine, so that a laptop finds what would be lost on that way."""
    from spark_jobs.messages import from_message, to_message

    return from_message(json.loads(json.dumps(to_message(report))))
