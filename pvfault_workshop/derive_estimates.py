"""How sure a verdict without a registry can be: measured on simulated plants whose truth is known.

Devices of the validation sites, half of them with a fault, are judged from files of one day and of some days, without
registry and without any other history. What comes of it is how probable it is that a healthy look hides a fault,
`HIDDEN_FAULT` of `pvfault/estimates.py`, and how right each name is at its confidence.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from pvfault.classify import classify_readings
from pvfault.dates import midnight
from pvfault.estimates import HIDDEN_FAULT
from pvfault.faults import FAULTS, NONE
from pvfault.readings import READING_SCHEMA, SAMPLE_PERIOD_S
from pvfault.registry import EMPTY_REGISTRY
from pvfault.tables import UNSURE
from pvfault.verdicts import combine_windows
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.fleet import simulate_fleet, site_weather
from pvfault_workshop.simulation.labelling import FLEET, LEAST_EFFECT, SITES_OF_A_FLEET, measure_effect
from pvfault_workshop.simulation.splits import TRAINED_CADENCES, VALIDATION

DEVICES = 240
FAULTY = 0.5
# Days of a file, one for each row of `HIDDEN_FAULT`: that many of the dates that are looked at lie before its last one.
FILE_DAYS = {0: 1, 3: 4, 7: 15}
# Further seeds than a validation part of any size takes.
_SEED = VALIDATION.seed + 900_000
BINS = 10


@dataclass(frozen=True)
class Judged:
    """Windows of the last dates of some files, shape (n,) each.

    Attributes
    ----------
    truth : ndarray of object
        Of `FAULTS`.
    called : ndarray of object
        Of `FAULTS`, or `UNSURE`.
    confidence : ndarray
        NaN where it is unsure.
    probabilities : ndarray, shape (n, 6)
        The network's.
    device : ndarray of int
        Whose day each is of.
    """

    truth: np.ndarray
    called: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray
    device: np.ndarray


def derive_estimates(
    classifier, devices: int = DEVICES, *, file_days: dict[int, int] = FILE_DAYS, judge: Callable = classify_readings,
    report: Callable[[int], None] = lambda _done: None,
) -> dict[int, Judged]:  # fmt: skip
    """Judge files of simulated readings without a registry.

    Parameters
    ----------
    classifier : pvfault.lenet.Classifier
    devices : int
        Of each length of a file.
    file_days : dict of int to int
        Days of a file by how many dates before are known of its last.
    judge : callable
        As `classify_readings`.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    dict of int to Judged
        By how many dates before are known.
    """
    found, done = {}, 0
    for known, days in file_days.items():
        parts = []
        for number in range(-(-devices // FLEET)):
            readings, truth, last = simulate_file(number, min(FLEET, devices - number * FLEET), days)
            rows = judge(readings, EMPTY_REGISTRY, classifier)
            parts.append(_judged(rows, truth, last, number * FLEET))
            done += len(truth)
            report(done)
        found[known] = Judged(
            *(np.concatenate(fields) for fields in zip(*(vars(p).values() for p in parts), strict=True))
        )
    return found


def simulate_file(number: int, devices: int, n_days: int):
    """Readings of a fleet over some solar days, each as a date, and the truth of the last one.

    Parameters
    ----------
    number : int
        Of the fleet; another one, other devices and another season.
    devices, n_days : int

    Returns
    -------
    readings : pa.Table
    truth : dict of str to ndarray of object, shape (24,)
        Of `FAULTS`, by device.
    last : datetime.date
    """
    seed = _SEED + number
    first = VALIDATION.first + timedelta(days=number * 157 % 365)
    days = [first + timedelta(days=n) for n in range(n_days)]
    rng = np.random.default_rng([seed, 5])
    sites = tuple(VALIDATION.sites[k] for k in rng.permutation(len(VALIDATION.sites))[:SITES_OF_A_FLEET])
    # A fault begins before the last day, or on it: what began meanwhile, the days before tell.
    fleet = simulate_fleet(devices, days[-1:], seed, sites=sites, faulty=FAULTY, cadences=TRAINED_CADENCES)
    tables, truth = [], {}
    for device in fleet.devices:
        for day in days:
            weather = site_weather(seed, device.site, day)
            simulated = simulate_day(device, day, weather)
            tables.append(_table(device.name, day, simulated))
        truth[device.name] = np.full(WINDOWS_PER_DAY, NONE, object)
        if device.fault is not None:
            healthy = simulate_day(device.healthy_twin(), days[-1], weather)
            truth[device.name][measure_effect(simulated.truth, healthy.truth) >= LEAST_EFFECT] = device.fault.name
    return pa.concat_tables(tables), truth, days[-1]


def _table(name, day, simulated):
    slots = np.flatnonzero(simulated.received)
    begin = int(midnight(day).timestamp())
    times = pa.array((begin + slots * SAMPLE_PERIOD_S) * 1_000_000).cast(READING_SCHEMA.field("timestamp").type)
    values = [pa.array(column) for column in simulated.readings[slots].astype(np.float32).T]
    return pa.table(
        dict(zip(READING_SCHEMA.names, [pa.array([name] * len(slots)), times, *values], strict=True)),
        schema=READING_SCHEMA,
    )


def _judged(rows, truth, last, before):
    names = {name: number for number, name in enumerate(truth)}
    found = [row for row in rows.to_pylist() if row["fault"] is not None and row["window_start"].date() == last]
    return Judged(
        np.array([truth[row["deviceID"]][row["window_start"].hour] for row in found], object),
        np.array([row["fault"] for row in found], object),
        np.array([np.nan if row["confidence"] is None else row["confidence"] for row in found], float),
        np.array([[row["probabilities"][fault] for fault in FAULTS] for row in found]).reshape(-1, len(FAULTS)),
        np.array([before + names[row["deviceID"]] for row in found], int),
    )


def hidden_share(judged: Judged) -> float:
    """How probable it is that a window that the network is sure is healthy hides a fault."""
    healthy = judged.called == NONE
    sure = judged.probabilities[healthy, FAULTS.index(NONE)].mean()
    return float(1 - (judged.truth[healthy] == NONE).mean() / sure)


def by_name(judged: Judged) -> list[tuple[str, int, float, float]]:
    """For each name: how many windows have it, their mean confidence, and the share of them that it is right of."""
    rows = []
    for name in (*FAULTS, UNSURE):
        which = judged.called == name
        if which.any():
            sure = float(np.mean(judged.confidence[which])) if name != UNSURE else float("nan")
            rows.append((name, int(which.sum()), sure, float((judged.truth[which] == name).mean())))
    return rows


def calibration_error(judged: Judged) -> float:
    """Expected calibration error of what is called something, in `BINS` of its confidence."""
    sure = np.isfinite(judged.confidence)
    confidence, right = judged.confidence[sure], judged.called[sure] == judged.truth[sure]
    of = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(sum(abs((confidence - right)[of == each].sum()) for each in range(BINS)) / max(len(right), 1))


def false_alarms(judged: Judged) -> tuple[int, int, int]:
    """Healthy device-days, those of them that are called faulty, and the unsure ones."""
    days = alarms = unsure = 0
    for device in np.unique(judged.device):
        of = judged.device == device
        if (judged.truth[of] != NONE).any():
            continue
        verdict = combine_windows(np.pad(judged.probabilities[of], ((0, WINDOWS_PER_DAY - of.sum()), (0, 0)),
                                         constant_values=np.nan)[None]).fault[0]  # fmt: skip
        days += 1
        open_ = judged.called[of] == UNSURE
        alarms += verdict > 0 and not open_.all()
        unsure += bool(open_.all() or (verdict == 0 and open_.any()))
    return days, int(alarms), unsure


def found_and_written(found: dict[int, Judged]) -> Iterator[tuple[int, float, float]]:
    """For each number of dates before: what `HIDDEN_FAULT` has, and what was found."""
    written = dict(HIDDEN_FAULT)
    for known, judged in found.items():
        yield known, written[known], hidden_share(judged)
