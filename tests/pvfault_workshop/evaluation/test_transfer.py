"""Plants of another simulation: which of their hours count, and what a folder of them must hold."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.tables import DEVICE_DAY_SCHEMA, PREDICTION_SCHEMA
from pvfault_workshop.evaluation.plan import MODEL
from pvfault_workshop.evaluation.transfer import measure_transfer, score_transfer
from tests.pvfault_workshop.evaluation.transfer_folder import DAY, at, labels, write_folder


def predictions(rows):
    """Predictions from device, hour and what it is called with 0.8."""
    return pa.Table.from_pylist(
        [
            {
                "deviceID": device,
                "window_start": at(hour),
                "quality": "ok",
                "fault": fault,
                "confidence": 0.8,
                "probabilities": {name: 0.8 if name == fault else 0.04 for name in FAULTS} if fault else None,
                "model_version": "x",
            }
            for device, hour, fault in rows
        ],
        schema=PREDICTION_SCHEMA,
    )


def device_days(verdicts):
    rows = [
        {"deviceID": device, "date": DAY, "fault": fault, "faulty_hours": 0, "usable_hours": 1, "energy_kwh": 0.0,
         "completeness": 1.0}
        for device, fault in verdicts.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=DEVICE_DAY_SCHEMA)


def test_hours_that_nobody_can_name_are_in_no_score():
    truth = labels(
        [
            ("A", 9, "none", 500.0),
            ("A", 10, "ambiguous", 500.0),
            ("A", 11, "line_line", 500.0),
            ("A", 12, "line_line", 500.0),
            ("A", 17, "line_line", 20.0),  # dark
            ("B", 11, "none", 500.0),
            ("C", 11, "ambiguous", 500.0),
            ("D", 11, "arc_fault", 500.0),
        ]
    )
    hours = predictions(
        [("A", 9, "none"), ("A", 10, "arc_fault"), ("A", 11, "line_ground"), ("A", 12, "none"), ("A", 17, "none"),
         ("B", 11, "none"), ("C", 11, "none"), ("D", 11, None)]
    )  # fmt: skip
    found = score_transfer("clean", hours, device_days({"A": "line_ground", "B": "arc_fault", "C": "none"}), truth)
    # A at 9, 11 and 12, and B at 11: a short is called a short, and once missed.
    assert found.windows.n == 4
    assert found.windows.scores["F1, faulty against healthy"][MODEL].value == pytest.approx(2 / 3)
    assert found.windows.scores["short"][MODEL].value == pytest.approx(2 / 3)
    assert found.confusion.sum() == 4
    # Wrong is the name of A at 11, among six, and its 12; so half is right of what 0.8 is said of.
    assert found.calibration.value == pytest.approx(0.3)
    # C may have a fault or not; D has one, and no verdict.
    assert found.days.n == 2
    assert (found.false_alarms.count, found.false_alarms.days) == (1, 1)
    assert (found.ambiguous, found.unjudged, found.unjudged_days) == (2, 1, 1)
    assert "2 ambiguous hours" in str(found)


class Healthy:
    """Calls everything healthy."""

    version = "x"
    sets = None

    def predict(self, images):
        return np.tile(np.float32([0.95, 0.01, 0.01, 0.01, 0.01, 0.01]), (len(images), 1))


def test_a_folder_is_judged_in_the_products_own_way(tmp_path):
    write_folder(tmp_path)
    (found,) = measure_transfer(tmp_path, Healthy())
    assert found.name == "clean"
    assert found.windows.n == 16
    assert found.confusion[:, 0].tolist() == [12, 0, 0, 4, 0, 0]
    assert found.day_confusion[:, 0].tolist() == [1, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("missing", "message"),
    [("labels.parquet", "labels.parquet: found no file"), ("readings_clean.parquet", "has no readings"),
     ("registry.csv", "registry.csv")],
)  # fmt: skip
def test_a_folder_without_one_of_its_files_is_refused(tmp_path, missing, message):
    write_folder(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(PvfaultError, match=message):
        measure_transfer(tmp_path, Healthy())


def test_labels_that_are_no_class_are_refused(tmp_path):
    write_folder(tmp_path)
    pq.write_table(labels([("INV0000001", 9, "broken", 500.0)]), tmp_path / "labels.parquet")
    with pytest.raises(PvfaultError, match="found the label 'broken', expected one of none, "):
        measure_transfer(tmp_path, Healthy())
