"""Figures of readings are those of whole devices, however a file's row groups cut these."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pvfault.registry import read_registry
from pvfault.tables import READINGS
from pvfault_api import reading_figures
from pvfault_api.published import scan_dates
from pvfault_api.reading_figures import count_readings
from tests.pvfault_api.plant import DAY, DEVICES, good_date, write

A_DAY = 4320  # readings of a device


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path / "home")


@pytest.mark.parametrize("rows", [1000, A_DAY // 2, A_DAY, A_DAY + 1, 6000, 3 * A_DAY, 100_000])
def test_row_groups_may_end_anywhere(settings, monkeypatch, rows):
    """A device that two groups share, or that fills some, is one device, and its first reading twice is found there."""
    good = good_date(settings)
    readings = good["readings"]
    voltage = readings["voltage"].to_numpy().copy()
    voltage[2 * A_DAY : 3 * A_DAY] *= 2
    voltage[:10] = np.nan
    readings = readings.set_column(2, readings.schema.field("voltage"), pa.array(voltage))
    again = readings.slice(3 * A_DAY, 1)
    good["readings"] = pa.concat_tables([readings.slice(0, 3 * A_DAY), again, readings.slice(3 * A_DAY)])
    write(settings, good)
    _cut_anew(settings, rows)
    # That all are read at once, as where they are in no order, is not what is looked at here.
    monkeypatch.setattr(reading_figures, "read_dates", None)
    found = count_readings(settings, DAY, read_registry(settings.registry))
    assert found.rows == 4 * A_DAY + 1
    assert list(found.hours) == list(DEVICES)
    expected = np.full((4, 24), 180)
    expected[3, 0] += 1
    np.testing.assert_array_equal(list(found.hours.values()), expected)
    assert found.twice == {DEVICES[3]: 1}
    np.testing.assert_array_equal(found.implausible, [10, 0, 0, 0])
    assert [tuple(doubt) for doubt in found.doubts] == [(DEVICES[2], A_DAY, A_DAY, 0)]


def _cut_anew(settings, rows):
    """Write the date's file once more, in row groups of so many rows."""
    with scan_dates(settings, READINGS, [DAY]) as scan:
        (path,) = (task.file.file_path.removeprefix("file://") for task in scan.plan_files())
    pq.write_table(pq.ParquetFile(path).read(), path, row_group_size=rows)
    assert pq.ParquetFile(path).num_row_groups == -(-(4 * A_DAY + 1) // rows)
