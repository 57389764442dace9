"""The fleet and its scalograms, made once for the tests of this folder."""

import pyarrow as pa
import pytest

from pvfault.rows.scalograms import scalogram_rows
from tests.pvfault.rows.helpers import DAY, DEVICES, REGISTRY, a_day


@pytest.fixture(scope="package")
def fleet():
    """Four devices of different cadence."""
    return pa.concat_tables([a_day(device, [60, 300, 20, 120][i], i) for i, device in enumerate(DEVICES)])


@pytest.fixture(scope="package")
def scalograms(fleet):
    return scalogram_rows(fleet, DAY, REGISTRY)
