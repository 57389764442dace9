"""How right a network is on plants of a simulation that it was not made on.

Here: a folder of such readings with the truth of their hours, judged in the product's own way, and the scores. How one
score is computed is in `scores.py`. Nothing of the folder is trained on, and none of it goes into the repository.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pvfault.classify import judge_readings
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID, READING_SCHEMA
from pvfault.registry import read_registry
from pvfault.tables import UNSURE, WINDOW_START
from pvfault.windows import DARK_BELOW
from pvfault_workshop.evaluation.alarms import FalseAlarms, count_false_alarms
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED, SHORTS, Column, Metric, compare
from pvfault_workshop.evaluation.intervals import Estimate, estimate_calibration_error
from pvfault_workshop.evaluation.plan import FLEET_PART, MODEL
from pvfault_workshop.evaluation.run import Evaluation
from pvfault_workshop.evaluation.scores import GROUP_NAMES, confusion_matrix

REGISTRY, LABELS = "registry.csv", "labels.parquet"
READINGS = {"clean": "readings_clean.parquet", "noisy": "readings_noisy.parquet"}
# An hour of which the fault covers less than half: nobody can say what it should be called.
AMBIGUOUS = "ambiguous"
METRICS = (FOUND, GROUPED, *(Metric(name, SHORTS, of_group=group) for group, name in enumerate(GROUP_NAMES)))
_LABEL_COLUMNS = (DEVICE_ID, WINDOW_START, "fault", "mean_irradiance")


@dataclass(frozen=True)
class PlantScores:
    """What a network is worth on one set of plants: another simulation's, or, to stand beside them, its own test set.

    Attributes
    ----------
    name : str
    windows, days : Column
        Scores by `METRICS`, the shorts as one. A device-day is of the fault that one of its hours has.
    confusion, day_confusion : ndarray of int, shape (6, 6)
        Rows are the truth.
    calibration : Estimate
        Expected calibration error of the windows.
    false_alarms : FalseAlarms
    ambiguous, unjudged, unjudged_days : int
        Hours in the light that are not scored because their label is ambiguous; hours and days that have a label and no
        verdict.
    """

    name: str
    windows: Column
    days: Column
    confusion: np.ndarray
    day_confusion: np.ndarray
    calibration: Estimate
    false_alarms: FalseAlarms
    ambiguous: int
    unjudged: int
    unjudged_days: int

    def __str__(self) -> str:
        parts = [
            f"{column.n:,} {column.unit}: {', '.join(f'{m.name} {column.scores[m.name][MODEL]}' for m in METRICS[:2])}"
            for column in (self.windows, self.days)
        ]
        return f"{self.name}: {'; '.join(parts)}; calibration error {self.calibration}; {self.describe_rest()}"

    def describe_rest(self) -> str:
        """False alarms, and what is not in the scores."""
        alarms = self.false_alarms
        return (
            f"{alarms.count} of {alarms.days:,} healthy device-days called faulty; not scored {self.ambiguous} "
            f"ambiguous hours; without a verdict {self.unjudged} hours and {self.unjudged_days} device-days"
        )


def measure_transfer(folder: Path, classifier) -> list[PlantScores]:
    """Judge the readings of a folder, and score what they are taken for.

    Parameters
    ----------
    folder : Path
        With `registry.csv`, `labels.parquet` (a row a device and hour: deviceID, window_start, fault, mean_irradiance)
        and one or both of `readings_clean.parquet` and `readings_noisy.parquet`, with the columns of a reading.
    classifier : pvfault.lenet.Classifier

    Returns
    -------
    list of PlantScores
        One for each file of readings.

    Raises
    ------
    PvfaultError
        If one of the files is missing, has other columns, or labels that are no class.
    """
    labels = _read(folder / LABELS, _LABEL_COLUMNS)
    unknown = sorted(set(labels["fault"].unique().to_pylist()) - {*FAULTS, AMBIGUOUS})
    if unknown:
        raise PvfaultError(
            f"{folder / LABELS}: found the label {unknown[0]!r}, expected one of {', '.join((*FAULTS, AMBIGUOUS))}"
        )
    present = {name: folder / file for name, file in READINGS.items() if (folder / file).is_file()}
    if not present:
        raise PvfaultError(
            f"{folder} has no readings; expected {' or '.join(READINGS.values())} beside {LABELS} and {REGISTRY}"
        )
    registry = read_registry(folder / REGISTRY)
    found = []
    for name, path in present.items():
        judged = judge_readings(_read(path, READING_SCHEMA.names).cast(READING_SCHEMA), registry, classifier)
        found.append(score_transfer(name, judged.hours, judged.device_days, labels))
    return found


def score_transfer(name: str, hours: pa.Table, device_days: pa.Table, labels: pa.Table) -> PlantScores:
    """Hold verdicts against the truth of their hours.

    Parameters
    ----------
    name : str
        Of the set.
    hours : pa.Table
        Rows of `PREDICTION_SCHEMA`.
    device_days : pa.Table
        Rows of `DEVICE_DAY_SCHEMA`.
    labels : pa.Table
        A row a device and hour: deviceID, window_start, fault (of `FAULTS`, or `AMBIGUOUS`), mean_irradiance [W/m²].

    Returns
    -------
    PlantScores
    """
    truth = {(row[DEVICE_ID], row[WINDOW_START]): row["fault"] for row in _lit(labels).to_pylist()}
    called = {
        (row[DEVICE_ID], row[WINDOW_START]): row
        for row in hours.filter(pc.is_valid(hours["fault"])).to_pylist()
        if row["fault"] != UNSURE
    }
    labelled = [key for key, fault in truth.items() if fault != AMBIGUOUS]
    scored = [key for key in labelled if key in called]
    device = _numbers(key[0] for key in scored)
    label = _positions(truth[key] for key in scored)
    answer = _positions(called[key]["fault"] for key in scored)
    probabilities = np.array([list(called[key]["probabilities"].values()) for key in scored], np.float64)

    day_truth = _truth_of_days(truth)
    verdicts = {(row[DEVICE_ID], row["date"]): row["fault"] for row in device_days.to_pylist()}
    judged_days = [key for key in day_truth if verdicts.get(key) not in (None, UNSURE)]
    days = (
        _numbers(key[0] for key in judged_days),
        _positions(day_truth[key] for key in judged_days),
        _positions(verdicts[key] for key in judged_days),
    )
    left_out = (len(truth) - len(labelled), len(labelled) - len(scored), len(day_truth) - len(judged_days))
    return _score(name, (device, label, answer), days, probabilities, left_out)


def score_own_test(evaluation: Evaluation) -> PlantScores:
    """The same scores of the network's own test set, simulated as what it was trained on."""
    fleet = evaluation.parts[FLEET_PART]
    answers = fleet.answers[0]
    windows = (fleet.windows.device, fleet.windows.label, answers.found)
    days = (fleet.days.device, fleet.days.truth, fleet.verdicts[MODEL])
    return _score("own test set", windows, days, answers.probabilities, (0, 0, 0))


def _score(name, windows, days, probabilities, left_out):
    """All scores, from device, truth and what was found of windows and of days, and how many were left out."""
    device, label, _ = windows
    columns = [
        compare("plants", name, unit, device, truth, {MODEL: found}, METRICS)
        for unit, (device, truth, found) in (("windows", windows), ("device-days", days))
    ]
    calibration = estimate_calibration_error(device, probabilities, label)
    confusions = (confusion_matrix(*windows[1:]), confusion_matrix(*days[1:]))
    return PlantScores(name, *columns, *confusions, calibration, count_false_alarms(*days[1:]), *left_out)


def _read(path, columns):
    """Some columns of a Parquet file."""
    try:
        return pq.read_table(path, columns=list(columns)).select(columns)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise PvfaultError(
            f"{path}: found no file that can be read ({str(error).splitlines()[0]}), expected Parquet with the columns "
            f"{', '.join(columns)}; --transfer names the folder that has it"
        ) from error


def _lit(labels):
    """The labels of hours in the light: in the dark, a fault leaves no trace."""
    return labels.filter(pc.greater_equal(labels["mean_irradiance"], DARK_BELOW))


def _truth_of_days(truth):
    """The fault that one of a device-day's hours has, by device and date; without days that are ambiguous at most."""
    of_day = {}
    for (device, start), fault in truth.items():
        of_day.setdefault((device, start.date()), set()).add(fault)
    faults = {key: found - {NONE, AMBIGUOUS} for key, found in of_day.items()}
    return {
        key: next(iter(faults[key]), NONE) for key, found in of_day.items() if faults[key] or AMBIGUOUS not in found
    }


def _positions(faults):
    return np.array([FAULTS.index(fault) for fault in faults], int)


def _numbers(devices):
    return np.unique(list(devices), return_inverse=True)[1]
