"""Job: a date's `scalograms` to its `predictions`.

How images reach the network in the workers, and what is audited.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import date
from functools import cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from pvfault.faults import FAULTS, NONE
from pvfault.locations import local_file
from pvfault.readings import DEVICE_ID
from pvfault.rows.predictions import prediction_rows
from pvfault.tables import OK, PREDICTIONS, SCALOGRAMS, WINDOW_START
from spark_jobs import catalog, publishing, scans
from spark_jobs.job import (
    REPORT_IT,
    Audit,
    AuditResult,
    DateReport,
    JobConfig,
    JobReport,
    OnDate,
    main,
    run_dates,
    to_nobody,
)
from spark_jobs.lineage import INHERITED, lineage_of, marked

NAME = "classify_faults"

# Windows that a worker takes at once, 16 MB of images at most.
IMAGES_AT_ONCE = 1024
# Of a large file of images, so that a fleet's few files keep all cores busy. [B]
BYTES_PER_TASK = 64 * 2**20
_COLUMNS = (DEVICE_ID, WINDOW_START, "quality", "scalogram", *INHERITED)
# More than this share of the judged windows of a whole plant with one and the same fault tells of a wrong registry, a
# shaded irradiance sensor or a wrong model sooner than of the plant.
COMMON_FAULT = 0.3
SUM_TOLERANCE = 1e-3

ALL_JUDGED = Audit(
    "every_ok_window_has_a_prediction",
    "Each window has a row, and exactly the windows that can be judged have a fault.",
    REPORT_IT,
    blocking=True,
)
PROBABILITIES = Audit(
    "probabilities_are_probabilities",
    "The six probabilities of a window lie in 0 to 1 and sum to 1.",
    "the weights are damaged: write them anew with `pvfault train`, or point PVFAULT_MODEL at others",
    blocking=True,
)
BALANCED = Audit(
    "no_fault_is_everywhere",
    f"No one fault is found in more than {COMMON_FAULT:.0%} of the windows of the plant.",
    "look at the ratings in the registry and at the irradiance sensor first",
)
AUDITS = (ALL_JUDGED, PROBABILITIES, BALANCED)


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `predictions` of each date.

    Raises
    ------
    ModelError
        If the weights are absent or not of this network.
    """
    # Here, before any worker: a model that cannot be loaded is one clear error, not one for each task.
    version = _classifier(config.model).version
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
            found.update(count_verdicts(rows))
            yield from marked(rows, lineage_of(batch, *INHERITED)).to_batches()
        return found

    return to_predictions


def audit_rows(spark: SparkSession, _config: JobConfig, day: date) -> publishing.RowAudits:
    """How predictions of a date that are written once more are audited."""

    def to_rows(predictions: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Counter]:
        found = Counter()
        for batch in predictions:
            found.update(count_verdicts(pa.Table.from_batches([batch])))
            yield batch
        return found

    def judge(staged: publishing.Staged, tallies: list[Counter]) -> tuple[AuditResult, ...]:
        return _audit(staged.rows, sum(tallies, Counter()), windows=scans.count_rows(spark, SCALOGRAMS, day))

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
    audits = _audit(staged.rows, found, windows=scans.count_rows(spark, SCALOGRAMS, day))
    figures = {f"windows_{fault}": found[fault] for fault in FAULTS} | {"model_version": version}
    return publishing.publish_audited(spark, staged, audits, figures)


def count_verdicts(predictions: pa.Table) -> dict[str, int]:
    """What is audited of some predictions.

    Returns
    -------
    dict
        `judged`, windows that are `ok`; `mismatched`, windows with a fault where none can be told or without where one
        can; `unsound`, judged windows whose probabilities are none; and by the name of each fault, its windows.
    """
    is_ok = np.asarray(pc.equal(predictions["quality"], OK))
    has_fault = np.asarray(predictions["fault"].is_valid())
    each = np.column_stack([pc.struct_field(predictions["probabilities"], fault).to_numpy() for fault in FAULTS])
    # NaN, which stands for no value too, compares false.
    is_sound = ((each >= 0) & (each <= 1)).all(axis=1) & (np.abs(each.sum(axis=1) - 1) <= SUM_TOLERANCE)
    by_fault = {pair["values"]: pair["counts"] for pair in predictions["fault"].drop_null().value_counts().to_pylist()}
    return {
        "judged": int(np.count_nonzero(is_ok)),
        "mismatched": int(np.count_nonzero(is_ok != has_fault)),
        "unsound": int(np.count_nonzero(is_ok & ~is_sound)),
        **by_fault,
    }


def _audit(rows: int, found: Counter, windows: int) -> tuple[AuditResult, ...]:
    judged = found["judged"]
    shares = {fault: round(found[fault] / judged, 4) if judged else 0.0 for fault in FAULTS}
    common = [fault for fault in FAULTS if fault != NONE and shares[fault] > COMMON_FAULT]
    return (
        ALL_JUDGED.judge(
            rows == windows and found["mismatched"] == 0,
            f"{rows} predictions for {windows} windows, {found['mismatched']} with a fault where none can be "
            "told, or without where one can",
            windows=windows,
            mismatched=found["mismatched"],
        ),
        PROBABILITIES.judge(
            found["unsound"] == 0, f"{found['unsound']} of {judged} windows have no sound probabilities", judged=judged
        ),
        BALANCED.judge(
            not common,
            f"{', '.join(common) or 'no fault'} in more than {COMMON_FAULT:.0%} of {judged} judged windows",
            **shares,
        ),
    )


if __name__ == "__main__":
    main(NAME)
