"""A small fleet of hand-made days, with a stand-in for the network, for the tests of this folder."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from pvfault.candidates import CandidateSets
from pvfault.readings import READING_SCHEMA
from pvfault.registry import Registry

DAY = date(2024, 6, 21)
MIDNIGHT = datetime(2024, 6, 21, tzinfo=UTC)
DEVICES = ("A000000000", "B000000000", "C000000000", "D000000000")
REGISTRY = Registry(
    DEVICES,
    np.array([600.0, 550.0, 700.0, 650.0]),
    np.array([10.0, 9.0, 12.0, 8.0]),
    np.array([[20.0, 1.0], [np.nan, np.nan], [24.0, 2.0], [np.nan, 1.0]]),
)


def readings_of(device, second, measurements):
    """Readings of one device as a table; a measurement of None is null."""
    n = len(second)
    columns = [pa.array(column, pa.float32()) for column in zip(*measurements, strict=True)] if n else [[]] * 4
    timestamp = [MIDNIGHT + timedelta(seconds=float(s)) for s in second]
    return pa.table([[device] * n, timestamp, *columns], schema=READING_SCHEMA)


def a_day(device, cadence=60, seed=0):
    """A bright day of one device, with lost and broken readings."""
    random = np.random.default_rng(seed)
    second = np.arange(0, 86_400, cadence)
    second = second[random.random(len(second)) > 0.05]
    light = np.clip(900 * np.sin(np.pi * (second / 3600 - 4) / 16), 0, None) * random.uniform(0.5, 1, len(second))
    readings = np.column_stack([550 + 0 * light, light / 100, 15 + light / 30, light])
    readings[random.random(len(second)) < 0.02, random.integers(4)] = np.nan
    return readings_of(device, second, readings)


class Brightness:
    """Stands in for the network: probabilities that can be worked out from each image."""

    version = "brightness-1"
    sets = CandidateSets(
        version, np.array([2.0, 0.15, 0.15, 0.2, 0.16, 0.3]), np.array([2.0, 0.16, 0.16, 0.2, 0.18, 0.3])
    )

    def predict(self, images):
        assert images.shape[1:] == (64, 64, 4)
        return np.stack([self.of(image) for image in images]) if len(images) else np.empty((0, 6), np.float32)

    @staticmethod
    def of(image):
        weight = 1 + np.array([image[k::6].mean(dtype=np.float64) for k in range(6)])
        weight **= 8
        return (weight / weight.sum()).astype(np.float32)
