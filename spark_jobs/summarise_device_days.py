"""Job: a date's `predictions`, and the hourly means in its `scalograms`, to its `device_days`: a verdict a device.

How the two meet, and what is audited. The verdict's rule is in `pvfault.verdicts`.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from pvfault.candidates import CandidateSets, read_candidate_sets
from pvfault.checks import device_days as checks
from pvfault.checks.check import CheckResult
from pvfault.faults import FAULTS
from pvfault.locations import is_there, local_file
from pvfault.readings import DEVICE_ID
from pvfault.registry import Registry
from pvfault.rows.device_days import HOURLY_COLUMNS, device_day_rows
from pvfault.tables import DEVICE_DAYS, PREDICTIONS, SCALOGRAMS, UNSURE, WINDOW_START, Table
from spark_jobs import catalog, publishing, scans
from spark_jobs.job import DateReport, JobConfig, JobReport, OnDate, main, run_dates, to_nobody
from spark_jobs.lineage import INHERITED, lineage_of, marked

NAME = "summarise_device_days"

# Of columns of scalograms that stand beside those of the same name of predictions.
_BESIDE = "scalograms_"
# What predictions come from, and what the scalograms beside them do: the columns of `INHERITED` of both.
Origin = tuple[tuple[str | None, ...], tuple[str | None, ...]]

# Devices of a task are taken as one Arrow table; with their 24 rows each they take about 25 MB.
DEVICES_PER_TASK = 50_000

AUDITS = checks.AUDITED


def run(spark: SparkSession, config: JobConfig, on_date: OnDate = to_nobody) -> JobReport:
    """Make the `device_days` of each date.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    ModelError
        If there are weights, and they cannot be read.
    """
    registry = config.read_registry()
    sets = _read_sets(config.model)
    catalog.create_tables(spark)
    return run_dates(NAME, config, partial(_make_date, spark, registry, sets), on_date)


def _read_sets(model: str) -> CandidateSets | None:
    """What days can be, by the network; None without one: verdicts come from predictions, which need no weights."""
    if not is_there(model):
        return None
    from pvfault.lenet import examine_network

    with local_file(model) as file:
        examine_network(file)
        return read_candidate_sets(file)


def hours_of(spark: SparkSession, day: date, n_tasks: int) -> DataFrame:
    """The predictions of a date with the hourly means beside its scalograms, a device's in one task."""

    def rows(table: Table, columns: Sequence[str]) -> DataFrame:
        return scans.read_together(spark, table, scans.files_of(spark, table, day), columns)

    means = rows(SCALOGRAMS, (DEVICE_ID, WINDOW_START, *HOURLY_COLUMNS, *INHERITED))
    # What they come from is told of both sides: the scalograms may have been made again since they were judged.
    means = means.withColumnsRenamed({name: f"{_BESIDE}{name}" for name in INHERITED})
    hours = rows(PREDICTIONS, PREDICTIONS.schema.names).join(means, on=[DEVICE_ID, WINDOW_START], how="left")
    return hours.repartition(n_tasks, DEVICE_ID)


@dataclass(frozen=True)
class Tally:
    """What one task has seen; each device is in one task.

    Attributes
    ----------
    predicted : int
        Devices of which it had predictions.
    verdicts : Counter
        `devices` that it gives, how many by fault and of an `unknown` one, and their energies. [kWh]
    origins : set of Origin
    """

    predicted: int = 0
    verdicts: Counter = field(default_factory=Counter)
    origins: frozenset[Origin] = frozenset()

    def __add__(self, other: "Tally") -> "Tally":
        verdicts = Counter(self.verdicts)
        verdicts.update(other.verdicts)  # by `+`, Counter would leave out what is not positive
        return Tally(self.predicted + other.predicted, verdicts, self.origins | other.origins)


def _verdicts(day: date, registry: Registry, sets: CandidateSets | None) -> Callable:
    def to_device_days(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        held = list(batches)
        if not held:
            return Tally()
        hours = pa.Table.from_batches(held)
        lineage = lineage_of(hours, "model_version", *INHERITED)
        verdicts = marked(device_day_rows(hours, day, registry, sets), lineage)
        yield from verdicts.to_batches()
        return Tally(len(pc.unique(hours[DEVICE_ID])), _count(verdicts), _origins(hours))

    return to_device_days


def audit_rows(spark: SparkSession, _config: JobConfig, day: date) -> publishing.RowAudits:
    """How verdicts of a date that are written once more are audited."""

    def to_rows(verdicts: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch, None, Tally]:
        tally = Tally()
        for batch in verdicts:
            yield batch
            tally += Tally(verdicts=_count(batch))
        return tally

    def judge(staged: publishing.Staged, tallies: list[Tally]) -> tuple[CheckResult, ...]:
        predicted = scans.read(spark, PREDICTIONS, day).select(DEVICE_ID).distinct().count()
        return _judge_verdicts(staged, sum(tallies, Tally()).verdicts, predicted)

    return publishing.RowAudits(to_rows, judge)


def _count(verdicts: pa.Table | pa.RecordBatch) -> Counter:
    """Rows of `device_days` by what they say."""
    faults = {row["values"]: row["counts"] for row in pc.value_counts(verdicts["fault"]).to_pylist()}
    return Counter(
        devices=len(pc.unique(verdicts[DEVICE_ID])),
        unknown=faults.pop(None, 0),
        **faults,
        **{name: pc.sum(verdicts[name]).as_py() or 0.0 for name in ("energy_kwh", "lost_kwh")},
    )


def _origins(hours: pa.Table) -> frozenset[Origin]:
    """What the predictions of some hours come from, and what the scalograms beside them do."""
    columns = [(*INHERITED,), tuple(f"{_BESIDE}{name}" for name in INHERITED)]
    found = hours.group_by([name for side in columns for name in side]).aggregate([]).to_pylist()
    return frozenset(tuple(tuple(row[name] for name in side) for side in columns) for row in found)


def _make_date(spark: SparkSession, registry: Registry, sets: CandidateSets | None, day: date) -> DateReport:
    n_devices = scans.count_rows(spark, PREDICTIONS, day) // 24
    hours = hours_of(spark, day, n_tasks=1 + n_devices // DEVICES_PER_TASK)
    with scans.naming_damage(spark, day, PREDICTIONS, SCALOGRAMS):
        written, tallies = publishing.write(scans.Source(hours), _verdicts(day, registry, sets), DEVICE_DAYS, day)
    staged = publishing.stage(spark, DEVICE_DAYS, day, written)
    if not staged.rows:
        return publishing.publish_audited(spark, staged, (), {})
    tally = sum(tallies, Tally())
    found = tally.verdicts
    audits = (*_judge_verdicts(staged, found, tally.predicted), _judge_origins(tally.origins, registry))
    figures = {
        **{f"devices_{fault}": found[fault] for fault in (*FAULTS, UNSURE)},
        "devices_unknown": found["unknown"],
        "energy_kwh": round(found["energy_kwh"], 1),
        "lost_kwh": round(found["lost_kwh"], 1),
    }
    return publishing.publish_audited(spark, staged, audits, figures)


def _judge_verdicts(staged: publishing.Staged, found: Counter, predicted: int) -> tuple[CheckResult, ...]:
    return checks.judge_verdicts(rows=staged.rows, devices=found["devices"], predicted=predicted, verdicts=found)


def _judge_origins(origins: Iterable[Origin], registry: Registry) -> CheckResult:
    is_apart = any(of_predictions != of_scalograms for of_predictions, of_scalograms in origins)
    apart = [(PREDICTIONS.name, SCALOGRAMS.name)] if is_apart else []
    registries = [version for (_, version), _ in origins if version is not None]
    return checks.judge_origin(apart=apart, registries=registries, registry=registry.version)


if __name__ == "__main__":
    main(NAME)
