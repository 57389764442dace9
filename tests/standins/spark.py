"""A stand-in for Spark and EMR: jobs that make nothing and report what a test wants of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from spark_jobs import classify_faults, compute_scalograms, ingest_readings, summarise_device_days
from spark_jobs.job import DateReport

REFUSED = "REFUSED_READINGS"
"""The variable in which a test names dates, with spaces between, to a process of Dagster's."""

JOBS = {job.NAME: job for job in (ingest_readings, compute_scalograms, classify_faults, summarise_device_days)}


@dataclass
class SparkStandIn:
    """Runs no job: reports each date as made, with all its audits passed.

    Attributes
    ----------
    refuse : mapping of str to sequence of date
        By job, the dates that fail its first blocking audit.
    fail : mapping of str to sequence of date
        By job, the dates that something stops before they are audited.
    ends : dict of str to list of (int, Exception)
        By job, after how many dates each of its next runs ends early, and how.
    costs : dict
        What a run of a job takes.
    runs : list of (str, list of date)
        What was asked for so far.
    """

    refuse: Mapping[str, Sequence[date]] = field(default_factory=dict)
    fail: Mapping[str, Sequence[date]] = field(default_factory=dict)
    ends: dict[str, list[tuple[int, Exception]]] = field(default_factory=dict)
    costs: dict = field(default_factory=dict)
    runs: list[tuple[str, list[date]]] = field(default_factory=list)

    def run(self, job, dates, _context, on_date, **_options):
        """Report dates, until the run is to end early."""
        self.runs.append((job, list(dates)))
        end = self.ends[job].pop(0) if self.ends.get(job) else None
        for number, day in enumerate(dates):
            if end and number == end[0]:
                raise end[1]
            on_date(self._report(job, day))
        return self.costs

    def _report(self, job, day) -> DateReport:
        if day in self.fail.get(job, ()):
            return DateReport(day, 0, None, published=False, failure="a file is damaged; make it again")
        audits = JOBS[job].AUDITS
        bad = next(audit for audit in audits if audit.blocking) if day in self.refuse.get(job, ()) else None
        judged = tuple(audit.judge(audit is not bad, "3 of 4 found") for audit in audits)
        return DateReport(day, day.day, 7, published=bad is None, audits=judged)


class SparkOfAnotherProcess(SparkStandIn):
    """The same, refusing the readings of those dates that the environment names when it runs."""

    def run(self, job, *arguments, **options):
        """Report dates."""
        self.refuse = {"ingest_readings": [date.fromisoformat(day) for day in os.environ[REFUSED].split()]}
        return super().run(job, *arguments, **options)
