"""The method of the original design, on the readings that the jobs have published.

`pywt.cwt` device by device, window by window, channel by channel in `applyInPandas`, and Keras `predict` on each batch
of images. Where there is a choice, the one that favours it is taken: dark windows are skipped, the wavelet transform is
all that is computed, plain Parquet is written between its two steps instead of an audited table, images come to Keras
in large batches with the network loaded once a worker, and what does not grow with the number of windows is taken off.
"""

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import pywt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pvfault import reference, scalogram
from pvfault.faults import FAULTS
from pvfault.readings import DEVICE_ID, MEASUREMENTS, SAMPLE_PERIOD_S, TIMESTAMP
from pvfault.registry import Registry
from pvfault.tables import PREDICTIONS, READINGS, WINDOW_START
from pvfault.windows import DARK_BELOW, SLOTS, WINDOW_S, WINDOWS_PER_DAY
from pvfault_bench.filling import DAY, device_names
from spark_jobs import scans
from spark_jobs.job import JobConfig

# Two samples, of whose times the difference is taken: what a query costs by itself falls out.
SMALL_SAMPLE, LARGE_SAMPLE = 8, 48
# Keras is too fast for so few images to be timed; they are predicted this many times.
COPIES = 8
TIMES = 3
KERAS_BATCH = 256  # the default of 32 is slower
_TASKS_PER_CORE = 8  # of a few devices each, so that no core waits for the other
_IMAGES = f"{DEVICE_ID} string, {WINDOW_START} timestamp, scalogram binary"
_FAULTS = f"{DEVICE_ID} string, {WINDOW_START} timestamp, fault string"


def time_original(spark: SparkSession, config: JobConfig, devices: int, folder: Path) -> dict:
    """Seconds per lit window of the original method, on a sample of the devices.

    Parameters
    ----------
    spark : SparkSession
    config : JobConfig
        Of the date whose `readings` and `predictions` are published.
    devices : int
        In the fleet.
    folder : Path
        For what is written on the way.

    Returns
    -------
    dict
        `devices` and `windows` of the sample, `transform_seconds_per_window`, `predict_seconds_per_window`,
        `seconds_per_window`, and `same_fault_share`: of the windows that both judge, those for which it names the
        fault that the jobs name.
    """
    large = min(devices, LARGE_SAMPLE)
    small = min(SMALL_SAMPLE, max(1, large // 4))
    cores = spark.sparkContext.defaultParallelism
    names = device_names(large).tolist()
    registry = config.read_registry()
    made = folder / "original"

    def transform(some: list[str]) -> tuple[float, int]:
        images = original_scalograms(spark, some, registry, tasks=_TASKS_PER_CORE * cores)
        seconds = _time(lambda: images.write.mode("overwrite").parquet(made.as_uri()))
        return seconds, spark.read.parquet(made.as_uri()).count()

    def predict(copies: int) -> tuple[float, int]:
        images = _copies(spark, made, copies, cores)
        seconds = _time(lambda: original_faults(images, config.model).write.format("noop").mode("overwrite").save())
        return seconds, images.count()

    transform(names[:1])  # Spark's workers import pywt, and compile the query
    transform_seconds = _slope(transform(names[:small]), transform(names))
    windows = spark.read.parquet(made.as_uri()).count()
    same_fault_share = _same_fault_share(spark, original_faults(spark.read.parquet(made.as_uri()), config.model))
    predict_seconds = _slope(predict(1), predict(COPIES))
    shutil.rmtree(made)
    return {
        "devices": large,
        "windows": windows,
        "transform_seconds_per_window": transform_seconds,
        "predict_seconds_per_window": predict_seconds,
        "seconds_per_window": transform_seconds + predict_seconds,
        "same_fault_share": same_fault_share,
    }


def original_scalograms(spark: SparkSession, devices: list[str], registry: Registry, tasks: int) -> DataFrame:
    """Images of the lit windows of some devices."""
    readings = scans.read(spark, READINGS, DAY).where(f.col(DEVICE_ID).isin(devices))
    # A number of tasks that is asked for stays: Spark would take so small a sample into one.
    by_device = readings.repartition(tasks, DEVICE_ID).groupBy(DEVICE_ID)
    return by_device.applyInPandas(partial(transform_device, registry=registry), _IMAGES)


def transform_device(readings: pd.DataFrame, registry: Registry) -> pd.DataFrame:
    """One row for each lit hour of a device's readings."""
    device = readings[DEVICE_ID].iloc[0]
    readings = readings.sort_values(TIMESTAMP)
    second = (readings[TIMESTAMP] - pd.Timestamp(DAY)).dt.total_seconds().to_numpy()
    measurements = readings[list(MEASUREMENTS)].to_numpy()
    means, windows = np.full((1, WINDOWS_PER_DAY, len(MEASUREMENTS)), np.nan), {}
    for hour, start in enumerate(range(0, 86_400, WINDOW_S)):
        inside = (second >= start) & (second < start + WINDOW_S)
        if not inside.any():
            continue
        means[0, hour] = measurements[inside].mean(axis=0)
        if means[0, hour, 3] >= DARK_BELOW:
            slots = start + np.arange(SLOTS) * SAMPLE_PERIOD_S
            windows[hour] = [np.interp(slots, second[inside], values[inside]) for values in measurements.T]
    rated, layout = registry.ratings([device]), registry.layouts([device])
    given, before = reference.typical_references(rated), np.full((1, len(reference.HISTORY), 2), np.nan)
    hours = np.array(list(windows), int)
    here = np.zeros(len(hours), int), hours
    values = np.array(list(windows.values())).reshape(-1, len(MEASUREMENTS), SLOTS).transpose(0, 2, 1)
    background = reference.background_of(*here, means, before, given, rated, layout)
    signals = scalogram.signals_of(values, *here, background)
    rows = [
        (device, pd.Timestamp(DAY) + timedelta(hours=int(hour)), transform_window(window).tobytes())
        for hour, window in zip(hours, signals, strict=True)
    ]
    return pd.DataFrame(rows, columns=[DEVICE_ID, WINDOW_START, "scalogram"])


def transform_window(window: np.ndarray) -> np.ndarray:
    """The image of one window, channel by channel.

    Parameters
    ----------
    window : ndarray, shape (180, 4)
        As `scalogram.normalise` gives it.

    Returns
    -------
    ndarray of uint8, shape (64, 64, 4)
    """
    image = np.empty(scalogram.SHAPE, np.uint8)
    padding = (scalogram.PADDED - SLOTS) // 2
    for channel, signal in enumerate(window.T):
        padded = np.pad(signal, padding)
        coefficients, _ = pywt.cwt(padded, scalogram.SCALES, scalogram.WAVELET, precision=scalogram.PRECISION)
        pooled = np.abs(coefficients).reshape(len(scalogram.SCALES), scalogram.COLUMNS, scalogram.POOL).mean(axis=2)
        image[..., channel] = scalogram.quantise(pooled)
    return image


def original_faults(images: DataFrame, model: str) -> DataFrame:
    """The fault of each image, by Keras."""
    return images.mapInPandas(partial(_predict, model), _FAULTS)


def _predict(model: str, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        images = np.frombuffer(b"".join(batch["scalogram"]), np.uint8).reshape(-1, *scalogram.SHAPE)
        probabilities = _network(model).predict(images, batch_size=KERAS_BATCH, verbose=0)
        faults = np.array(FAULTS, dtype=object)[probabilities.argmax(axis=1)]
        yield batch[[DEVICE_ID, WINDOW_START]].assign(fault=faults)


@cache
def _network(model: str):
    """The network, loaded once in a worker."""
    from pvfault.lenet import load_network
    from pvfault.tensorflow_start import limit_threads

    limit_threads(1)
    return load_network(model)


def _copies(spark: SparkSession, made: Path, copies: int, cores: int) -> DataFrame:
    """The images of the sample some times over, as a file for each core."""
    folder = made / "copies"
    images = spark.read.parquet(made.as_uri())
    many = images.crossJoin(spark.range(copies).select())
    many.repartition(cores).write.mode("overwrite").parquet(folder.as_uri())
    return spark.read.parquet(folder.as_uri())


def _same_fault_share(spark: SparkSession, faults: DataFrame) -> float:
    """For how many of the windows that the jobs judge, too, their table has the same fault."""
    ours = scans.read(spark, PREDICTIONS, DAY).where(f.col("fault").isNotNull())
    ours = ours.select(DEVICE_ID, WINDOW_START, f.col("fault").alias("ours"))
    # (deviceID, window_start) is the key of both sides.
    both = faults.join(ours, on=[DEVICE_ID, WINDOW_START], how="inner")
    return both.agg(f.avg((f.col("fault") == f.col("ours")).cast("double"))).first()[0]


def _slope(small: tuple[float, int], large: tuple[float, int]) -> float:
    """Seconds for one window more, between two samples of (seconds, windows).

    Where the larger one was no slower, as with a handful of windows, the larger one's mean.
    """
    seconds, windows = large[0] - small[0], large[1] - small[1]
    return seconds / windows if seconds > 0 and windows > 0 else large[0] / large[1]


def _time(work: Callable) -> float:
    """Seconds of a piece of work, the median of some times."""
    seconds = []
    for _ in range(TIMES):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
