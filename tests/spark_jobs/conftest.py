"""Fixtures of the jobs' tests."""

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import OF_JAVA, PROJECT


@pytest.fixture
def environment(lake_settings):
    """Environment of a job in a process of its own that writes the tables of the tests."""
    return {
        # spark-submit looks for its Python, and that for pyspark, on the path.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PVFAULT_HOME": str(lake_settings.home),
        "PVFAULT_JARS": str(lake_settings.jars),
        "PVFAULT_BROKER": lake_settings.broker,
        **OF_JAVA,
    }


@pytest.fixture
def registry_of(tmp_path):
    """Write a registry of some devices, all rated 500 V and 10 A."""

    def write(devices):
        path = tmp_path / "devices.csv"
        rows = [f"{device},500,10" for device in devices]
        path.write_text("\n".join(["deviceID,rated_voltage,rated_current", *rows]) + "\n")
        return path

    return write
