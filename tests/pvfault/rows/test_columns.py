"""Rows one device after the other, cut wherever batches end."""

import pyarrow as pa
import pytest

from pvfault.rows.columns import whole_devices
from tests.pvfault.rows.helpers import DEVICES, a_day

KEYS = ["deviceID", "timestamp"]
READINGS = pa.concat_tables([a_day(device, cadence=200) for device in DEVICES]).select(KEYS).combine_chunks()


@pytest.mark.parametrize("rows_in_batch", [1, 7, 432, 100_000])
@pytest.mark.parametrize("at_least", [300, 10**6])
def test_whole_devices_come_out_of_batches_of_any_size(rows_in_batch, at_least):
    tables = list(whole_devices(iter(READINGS.to_batches(max_chunksize=rows_in_batch)), at_least))
    seen = [set(table["deviceID"].to_pylist()) for table in tables]
    assert sum(map(len, seen)) == len(set().union(*seen)) == len(DEVICES)
    assert pa.concat_tables(tables).combine_chunks().equals(READINGS)
    assert len(tables) == (1 if at_least > len(READINGS) else len(DEVICES)) or rows_in_batch > 300
