"""Job: a date's `scalograms` to its `predictions`.

How images reach the network in the workers, and what is audited.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import date
from functools import cache, partial

import pyarrow as pa
from pyspark.sql import SparkSession

from pvfault.checks import predictions as checks
from pvfault.checks.check import CheckResult
from pvfault.faults import FAULTS
from pvfault.locations import local_file
from pvfault.readings import DEVICE_ID
from pvfault.rows.predictions import prediction_rows
from pvfault.tables import BELOW_COLUMNS, PREDICTIONS, SCALOGRAMS, UNSURE, WINDOW_START
from spark_jobs import catalog, publishing, scans
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.lineage import INHERITED, lineage_of, marked

NAME = "classify_faults"

# Windows that a worker takes at once, 16 MB of images at most.
IMAGES_AT_ONCE = 1024
# Of a large file of images, so that a fleet's few files keep all cores busy. [B]
BYTES_PER_TASK = 64 * 2**20
_COLUMNS = (
    DEVICE_ID,
    WINDOW_START,
    "quality",
    "scalogram",
    "hidden_fault",
    "unsure_because",
    "open_strings",
    *BELOW_COLUMNS,
    *INHERITED,
)
AUDITS = checks.AUDITED


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `predictions` of each date.

    Raises
    ------
    ModelError
        If the weights are absent or not of this network.
    """
    from pvfault.lenet import examine_network

    # Here, before any worker: a file that is no network of ours is one clear error, not one for each date.
    with local_file(config.model) as file:
        version = examine_network(file)
    catalog.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, config.model, version), on_date)


@cache
def _classifier(model: str):
    """The network, loaded once in a process. TensorFlow is slow to import and not needed by the other jobs."""
    from pvfault.lenet import load_classifier

    with local_file(model) as file:
        return load_classifier(file, threads=1)


def _predict(model: str) -> Callable:
    def to_predictions(scalograms: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Counter]:
        found = Counter()
        for batch in scalograms:
            if not batch.num_rows:
                continue
            rows = prediction_rows(pa.Table.from_batches([batch]), _classifier(model))
            found.update(checks.count_verdicts(rows))
            yield from marked(rows, lineage_of(batch, *INHERITED)).to_batches()
        return found

    return to_predictions


def audit_rows(spark: SparkSession, _config: JobConfig, day: date) -> publishing.RowAudits:
    """How predictions of a date that are written once more are audited."""

    def to_rows(predictions: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Counter]:
        found = Counter()
        for batch in predictions:
            found.update(checks.count_verdicts(pa.Table.from_batches([batch])))
            yield batch
        return found

    def judge(staged: publishing.Staged, tallies: list[Counter]) -> tuple[CheckResult, ...]:
        windows = scans.count_rows(spark, SCALOGRAMS, day)
        return checks.judge_predictions(staged.rows, sum(tallies, Counter()), windows)

    return publishing.RowAudits(to_rows, judge)


def _make_date(spark: SparkSession, model: str, version: str, day: date) -> DateReport:
    source = scans.read_file_by_file(spark, SCALOGRAMS, day, _COLUMNS, IMAGES_AT_ONCE, at_most=BYTES_PER_TASK)
    if source is None:
        source = scans.Source(scans.read_large_rows(spark, SCALOGRAMS, day, IMAGES_AT_ONCE))
    with scans.naming_damage(spark, day, SCALOGRAMS):
        written, tallies = publishing.write(source, _predict(model), PREDICTIONS, day, rows_at_once=IMAGES_AT_ONCE)
    staged = publishing.stage(spark, PREDICTIONS, day, written)
    if not staged.rows:
        return publishing.publish_audited(spark, staged, (), {"model_version": version})
    found = sum(tallies, Counter())
    audits = checks.judge_predictions(staged.rows, found, windows=scans.count_rows(spark, SCALOGRAMS, day))
    figures = {f"windows_{fault}": found[fault] for fault in (*FAULTS, UNSURE)} | {"model_version": version}
    return publishing.publish_audited(spark, staged, audits, figures)


if __name__ == "__main__":
    main(NAME)
