"""Upkeep of the tables in Dagster: run by the resource that runs the jobs, and told table by table."""

import dagster as dg
import pytest

from pvfault.errors import PvfaultError, TransientError
from pvfault_assets.assembly import build_definitions
from spark_jobs.job import DateReport

DONE = {"snapshots": 3, "files_of_snapshots": 7, "orphans": 1, "data_files": 0, "manifests": 20}


class Runner:
    """Reports what upkeep has done, after some errors."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.asked = []

    def run(self, job, dates, _context, on_date, **_options):
        self.asked.append((job, len(dates)))
        if self.errors:
            raise self.errors.pop(0)
        on_date(DateReport(dates[0], 0, None, published=False, seconds=2.5, figures={"readings": DONE, "code": "x"}))
        return {"job_run_dollars": 0.01}


@pytest.fixture
def maintain(make_settings, tmp_path):
    def run(runner):
        definitions = build_definitions(make_settings(tmp_path), spark=runner, retries=dg.RetryPolicy(max_retries=2))
        return definitions.resolve_job_def("maintain_tables").execute_in_process(raise_on_error=False)

    return run


def test_upkeep_is_one_job_without_dates_and_tells_of_each_table(maintain):
    runner = Runner(TransientError("other runs have changed the same table"))
    result = maintain(runner)
    assert result.success
    assert runner.asked == [("maintain_tables", 1)] * 2
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    (row,) = metadata["tables"].records
    assert row.data == {"table": "readings", **DONE}
    assert (metadata["seconds"].value, metadata["job_run_dollars"].value) == (2.5, 0.01)
    assert event.partition is None


def test_a_damaged_table_is_a_failure_that_says_so(maintain):
    result = maintain(Runner(PvfaultError("the table readings: a manifest is cut off")))
    assert not result.success
    (failure,) = (event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE)
    assert failure.step_failure_data.user_failure_data.description == "the table readings: a manifest is cut off"
