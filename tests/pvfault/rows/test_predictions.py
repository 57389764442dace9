"""Rows of predictions: each window by its own image, nulls, and a file as the jobs judge it."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pvfault.classify import classify_readings
from pvfault.faults import FAULTS
from pvfault.rows.predictions import prediction_rows
from pvfault.rows.references import reference_rows, references_by_device
from pvfault.rows.scalograms import missing_rows, scalogram_rows
from pvfault.tables import PREDICTION_SCHEMA, SCALOGRAMS
from tests.pvfault.rows.helpers import DAY, DEVICES, REGISTRY, Brightness


def test_each_window_has_the_prediction_of_its_own_image(scalograms):
    predictions = prediction_rows(scalograms, Brightness())
    predictions.validate(full=True)
    assert predictions.schema == PREDICTION_SCHEMA
    for name in ("deviceID", "window_start", "quality"):
        assert predictions[name].equals(scalograms[name])
    for scalogram, row in zip(scalograms["scalogram"].to_pylist(), predictions.to_pylist(), strict=True):
        assert row["model_version"] == "brightness-1"
        if scalogram is None:
            assert row["fault"] is row["confidence"] is row["probabilities"] is None
            continue
        expected = Brightness.of(np.frombuffer(scalogram, np.uint8).reshape(64, 64, 4))
        assert list(row["probabilities"].values()) == expected.tolist()
        by_name = dict(zip(FAULTS, expected.tolist(), strict=True))
        short = max("line_line", "line_ground", key=by_name.get)
        others = by_name.keys() - {"line_line", "line_ground"}
        other = max(others, key=by_name.get)
        named = short if by_name["line_line"] + by_name["line_ground"] > by_name[other] else other
        assert (row["fault"], row["confidence"]) == (named, by_name[named])


def test_a_file_of_several_dates_is_judged_date_by_date_beside_the_dates_before(fleet):
    """`pvfault classify` and the jobs, made date by date, agree."""
    earlier = fleet.set_column(1, fleet.schema.field(1), pc.subtract(fleet["timestamp"], pa.scalar(timedelta(days=1))))
    found = classify_readings(pa.concat_tables([fleet, earlier]), REGISTRY, Brightness())
    before = scalogram_rows(earlier, DAY - timedelta(days=1), REGISTRY)
    known = references_by_device(reference_rows(before, DAY, REGISTRY))
    assert set(known) == set(DEVICES)
    expected = [before, scalogram_rows(fleet, DAY, REGISTRY, known)]
    assert found.equals(pa.concat_tables([prediction_rows(rows, Brightness()) for rows in expected]))


def test_predictions_do_not_depend_on_batches_of_three_rows(scalograms):
    whole = prediction_rows(scalograms, Brightness())
    threes = [prediction_rows(pa.Table.from_batches([batch]), Brightness()) for batch in scalograms.to_batches(3)]
    assert pa.concat_tables(threes).equals(whole)


def test_predictions_can_be_written_to_parquet_nulls_included(scalograms, tmp_path):
    """Parquet refuses a null in a field that is not nullable, even below a null."""
    predictions = prediction_rows(scalograms, Brightness())
    pq.write_table(predictions, tmp_path / "predictions.parquet")
    assert pq.read_table(tmp_path / "predictions.parquet").to_pylist() == predictions.to_pylist()


def test_windows_without_any_image_have_predictions_without_fault():
    predictions = prediction_rows(missing_rows(["A000000000"], DAY), Brightness())
    assert predictions["fault"].null_count == predictions["probabilities"].null_count == 24


def test_an_image_that_lost_a_byte_is_refused():
    """Two images of wrong lengths can add up to a right one."""
    scalograms = missing_rows(["A000000000"], DAY)
    images = pa.array([bytes(16_383), bytes(16_385)] + [None] * 22, pa.binary())
    with pytest.raises(ValueError, match="not of 16384 bytes; make the date's scalograms again"):
        prediction_rows(scalograms.set_column(5, "scalogram", images), Brightness())


def test_no_scalograms_have_no_predictions():
    predictions = prediction_rows(SCALOGRAMS.schema.empty_table(), Brightness())
    assert predictions.num_rows == 0
    assert predictions.schema == PREDICTION_SCHEMA
