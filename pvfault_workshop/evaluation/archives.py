"""How right a network is on archives as people have them: means of some minutes.

Here: the same simulated device-days kept as means of different length, judged in the product's own way beside the dates
before them, with the truth of their hours. How verdicts become scores is in `transfer.py`. Not here: loggers that are
slow by themselves, whose readings are of a moment (`run.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from pvfault import reference
from pvfault.classify import Judged, judge_windows, put_together
from pvfault.readings import DEVICE_ID, MEASUREMENTS, READING_SCHEMA, SAMPLE_PERIOD_S, TIMESTAMP, TIMESTAMP_TYPE
from pvfault.registry import Registry
from pvfault.rows.scalograms import scalogram_rows
from pvfault.tables import WINDOW_START
from pvfault.windows import SLOTS, WINDOW_S, WINDOWS_PER_DAY
from pvfault_workshop.evaluation.transfer import score_transfer
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.fleet import simulate_fleet, simulate_history, site_weather
from pvfault_workshop.simulation.labelling import FLEET
from pvfault_workshop.simulation.splits import TEST, Split
from pvfault_workshop.solar_days import day_of_fleet, readings_of, sites_of_fleet, times_of, truth_of

# What archives hold: each reading, and means of so many minutes.
MEANS = {"readings every 20 s": SAMPLE_PERIOD_S} | {f"means of {m} min": 60 * m for m in (1, 5, 10, 15)}
DEVICES = 720
FAULTY = 0.5
# Further seeds than a part of any size takes, and than other protocols do.
_FURTHER = 950_000


@dataclass(frozen=True)
class Archive:
    """A fleet's readings of a date, and all that is known beside them.

    Attributes
    ----------
    day : date
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by device and time.
    registry : Registry
    references : dict of str to ndarray
        As `references_by_device` has them, from the dates before.
    labels : pa.Table
        As `score_transfer` takes them.
    """

    day: date
    readings: pa.Table
    registry: Registry
    references: dict[str, np.ndarray]
    labels: pa.Table


def measure_means(classifier, devices: int = DEVICES, *, split: Split = TEST, report: Callable[[int], None]):
    """Judge the same device-days as each of `MEANS`, and score what they are taken for.

    Parameters
    ----------
    classifier : pvfault.lenet.Classifier
    devices : int
        Half of them faulty, one day each.
    split : Split
        Whose sites and year.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    list of PlantScores
        One for each of `MEANS`.
    """
    judged: dict[str, list[Judged]] = {name: [] for name in MEANS}
    labels = []
    for archive in simulate_archives(devices, split):
        labels.append(archive.labels)
        for name, seconds in MEANS.items():
            readings = as_means(archive.readings, seconds)
            windows = scalogram_rows(readings, archive.day, archive.registry, archive.references)
            judged[name].append(judge_windows(windows, archive.day, archive.registry, classifier))
        report(sum(len(each) for each in labels) // WINDOWS_PER_DAY)
    truth = pa.concat_tables(labels)
    together = {name: put_together(parts) for name, parts in judged.items()}
    return [score_transfer(name, each.hours, each.device_days, truth) for name, each in together.items()]


def as_means(readings: pa.Table, seconds: int) -> pa.Table:
    """Readings as an archive keeps them: their means over an interval, at its beginning.

    Parameters
    ----------
    readings : pa.Table
        Of `READING_SCHEMA`, sorted by device and time.
    seconds : int
        Of the interval; as they are if it is that of the readings. [s]

    Returns
    -------
    pa.Table
        The same columns and order; of an interval without readings there is none.
    """
    if seconds <= SAMPLE_PERIOD_S:
        return readings
    interval = seconds * 1_000_000
    time = readings[TIMESTAMP].cast(pa.int64()).to_numpy()
    begin = pa.array(time // interval * interval).cast(TIMESTAMP_TYPE)
    grouped = readings.set_column(1, TIMESTAMP, begin).group_by([DEVICE_ID, TIMESTAMP])
    means = grouped.aggregate([(name, "mean") for name in MEASUREMENTS])
    means = means.rename_columns([name.removesuffix("_mean") for name in means.column_names])
    means = means.sort_by([(DEVICE_ID, "ascending"), (TIMESTAMP, "ascending")])
    return means.select(READING_SCHEMA.names).cast(READING_SCHEMA)


def simulate_archives(devices: int, split: Split) -> Iterator[Archive]:
    """Simulate fleets of devices, half of them faulty, on one date each."""
    for number, first in enumerate(range(0, devices, FLEET)):
        yield _simulate(number, min(FLEET, devices - first), split)


def _simulate(number, devices, split):
    """A fleet on its date, each solar day as a date."""
    seed = split.seed + _FURTHER + number
    day = day_of_fleet(split, number)
    fleet = simulate_fleet(devices, [day], seed, sites=sites_of_fleet(split, seed), faulty=FAULTY)
    readings, labels = [], []
    for device in fleet.devices:
        weather = site_weather(seed, device.site, day)
        simulated = simulate_day(device, day, weather)
        readings.append(readings_of(device.name, day, simulated))
        labels.append(labels_of(device, day, simulated, weather))
    registry = _registry_of(fleet)
    names = [device.name for device in fleet.devices]
    before = [day - timedelta(days=back) for back in reference.HISTORY]
    history = np.stack([simulate_history(device, before) for device in fleet.devices])
    learned = reference.learn_references(history, registry.ratings(names))
    levels = reference.measure_levels(history, learned).reshape(devices, -1)
    return Archive(
        day,
        pa.concat_tables(readings),
        registry,
        dict(zip(names, np.concatenate([learned, levels], axis=1), strict=True)),
        pa.concat_tables(labels),
    )


def _registry_of(fleet):
    """The registry of a fleet, with its layouts."""
    rated = (fleet.registry[name].to_numpy() for name in ("rated_voltage", "rated_current"))
    layout = [fleet.registry[name].to_numpy() for name in ("modules_in_series", "strings_in_parallel")]
    return Registry(tuple(fleet.registry[DEVICE_ID].to_pylist()), *rated, layout=np.column_stack(layout).astype(float))


def labels_of(device, day, simulated, weather) -> pa.Table:
    """The truth of a device's hours."""
    irradiance = simulated.truth[:, MEASUREMENTS.index("irradiance")].reshape(WINDOWS_PER_DAY, SLOTS).mean(axis=1)
    return pa.table(
        [
            pa.array([device.name] * WINDOWS_PER_DAY),
            times_of(day, np.arange(WINDOWS_PER_DAY) * WINDOW_S),
            pa.array(truth_of(device, day, simulated, weather), pa.string()),
            pa.array(irradiance, pa.float64()),
        ],
        names=[DEVICE_ID, WINDOW_START, "fault", "mean_irradiance"],
    )
