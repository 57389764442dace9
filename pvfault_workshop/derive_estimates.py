"""What verdicts without a registry are worth: measured on simulated plants whose truth is known, and made so.

Devices, half of them with a fault, are judged from files of one day and of some days, without registry and without any
other history. Of those at the validation sites comes what the network's probabilities mean beside estimated ratings,
`WEIGHTS` of `pvfault/calibration.py`, and how probable it is that a healthy look hides a fault, `HIDDEN_FAULT` of
`pvfault/estimates.py`. Those at the test sites, other devices in another year, say how right each name then is at its
confidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pvfault.calibration import calibrate, looks_healthy, terms_of
from pvfault.classify import as_days, cut_days
from pvfault.faults import FAULTS, NONE
from pvfault.readings import DEVICE_ID
from pvfault.registry import EMPTY_REGISTRY
from pvfault.rows.images import as_images
from pvfault.tables import BELOW_COLUMNS, UNSURE, WINDOW_START
from pvfault.verdicts import combine_windows, name_windows
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_workshop.simulation.devices import simulate_day
from pvfault_workshop.simulation.fleet import simulate_fleet, site_weather
from pvfault_workshop.simulation.labelling import FLEET
from pvfault_workshop.simulation.splits import TRAINED_CADENCES, VALIDATION, Split
from pvfault_workshop.solar_days import day_of_fleet, readings_of, sites_of_fleet, truth_of

# Of each length of a file, in days.
DEVICES = {1: 240, 4: 144}
FAULTY = 0.5
# Further seeds than a part of any size takes.
_FURTHER = 900_000
BINS = 10
# How far a weight strays from where it leaves the network's probabilities as they are. At twice as much, the validation
# windows are calibrated as well and the test windows less.
STRAY = 0.2


@dataclass(frozen=True)
class Seen:
    """Windows of the last dates of some files, shape (n,) each.

    Attributes
    ----------
    truth : ndarray of int
        Position in `FAULTS`.
    network : ndarray, shape (n, 6)
        Its probabilities.
    below : ndarray, shape (n, 2)
        Of voltage and current, as `Estimate` has it.
    is_estimated : ndarray of bool
        Whether the estimate tells anything.
    has_reason : ndarray of bool
        Whether there is one why the window cannot be healthy.
    device : ndarray of int
        Whose day each is of.
    """

    truth: np.ndarray
    network: np.ndarray
    below: np.ndarray
    is_estimated: np.ndarray
    has_reason: np.ndarray
    device: np.ndarray


@dataclass(frozen=True)
class Judged:
    """What windows are called, shape (n,) each.

    Attributes
    ----------
    truth : ndarray of object
        Of `FAULTS`.
    called : ndarray of object
        Of `FAULTS`, or `UNSURE`.
    confidence : ndarray
        NaN where it is unsure.
    probabilities : ndarray, shape (n, 6)
    device : ndarray of int
        Whose day each is of.
    """

    truth: np.ndarray
    called: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray
    device: np.ndarray


def see_files(
    classifier, devices: Mapping[int, int], *, split: Split = VALIDATION,
    report: Callable[[int], None] = lambda _done: None,
) -> dict[int, Seen]:  # fmt: skip
    """Look at files of simulated readings without a registry.

    Parameters
    ----------
    classifier : pvfault.lenet.Classifier
    devices : mapping of int to int
        How many, by the days of their file, of which the last one is looked at.
    split : Split
        Whose sites and year.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    dict of int to Seen
        By the days of a file.
    """
    found, done = {}, 0
    for days, count in devices.items():
        parts = []
        for number in range(-(-count // FLEET)):
            readings, truth, last = simulate_file(number, min(FLEET, count - number * FLEET), days, split)
            cut = cut_days(as_days(readings, EMPTY_REGISTRY), EMPTY_REGISTRY)
            (windows,) = (rows for day, rows in cut if day == last)
            parts.append(_seen(windows, truth, classifier, number * FLEET))
            done += len(truth)
            report(done)
        found[days] = join(parts)
    return found


def simulate_file(number: int, devices: int, n_days: int, split: Split = VALIDATION):
    """Readings of a fleet over some solar days, each as a date, and the truth of the last one.

    Parameters
    ----------
    number : int
        Of the fleet; another one, other devices and another season.
    devices, n_days : int
    split : Split
        Whose sites and year.

    Returns
    -------
    readings : pa.Table
    truth : dict of str to ndarray of object, shape (24,)
        Of `FAULTS`, by device.
    last : datetime.date
    """
    seed = split.seed + _FURTHER + number
    days = [day_of_fleet(split, number) + timedelta(days=n) for n in range(n_days)]
    sites = sites_of_fleet(split, seed)
    # A fault begins before the last day, or on it: what began meanwhile, the days before tell.
    fleet = simulate_fleet(devices, days[-1:], seed, sites=sites, faulty=FAULTY, cadences=TRAINED_CADENCES)
    tables, truth = [], {}
    for device in fleet.devices:
        for day in days:
            weather = site_weather(seed, device.site, day)
            simulated = simulate_day(device, day, weather)
            tables.append(readings_of(device.name, day, simulated))
        truth[device.name] = truth_of(device, days[-1], simulated, weather)
    return pa.concat_tables(tables), truth, days[-1]


def _seen(windows, truth, classifier, before):
    """The windows that are judged, with their truth."""
    windows = windows.filter(pc.is_valid(windows["scalogram"]))
    names = {name: number for number, name in enumerate(truth)}
    devices, hours = windows[DEVICE_ID].to_pylist(), [start.hour for start in windows[WINDOW_START].to_pylist()]
    return Seen(
        np.array([FAULTS.index(truth[name][hour]) for name, hour in zip(devices, hours, strict=True)], int),
        classifier.predict(as_images(windows["scalogram"])).reshape(-1, len(FAULTS)),
        np.column_stack([pc.fill_null(windows[name], 0.0).to_numpy() for name in BELOW_COLUMNS]),
        np.asarray(windows["hidden_fault"].is_valid()),
        np.asarray(windows["unsure_because"].is_valid()),
        np.array([before + names[name] for name in devices], int),
    )


def fit_weights(seen: Seen) -> np.ndarray:
    """Weights of `pvfault/calibration.py`, by logistic regression held to the network's own probabilities.

    Of the windows in which the network sees a fault. Windows of a device are alike, so n of them count as sqrt(n).

    Returns
    -------
    ndarray, shape (5, len(TERMS))
    """
    from scipy.optimize import minimize

    used = seen.is_estimated & ~looks_healthy(seen.network)
    terms, truth = terms_of(seen.network[used], seen.below[used]), np.eye(len(FAULTS))[seen.truth[used]]
    _, device, windows = np.unique(seen.device[used], return_inverse=True, return_counts=True)
    counts = 1 / np.sqrt(windows[device])
    held = np.eye(len(FAULTS) - 1, terms.shape[1])
    # What the network says of one fault is no evidence of another.
    free = (held > 0) | (np.arange(terms.shape[1]) >= len(FAULTS) - 1)

    def loss(flat):
        weights = flat.reshape(held.shape)
        logits = np.column_stack([np.zeros(len(terms)), terms @ weights.T])
        logits -= logits.max(axis=1, keepdims=True)
        log_odds = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        gradient = ((np.exp(log_odds) - truth) * counts[:, None])[:, 1:].T @ terms + (weights - held) / STRAY**2
        gradient *= free
        return ((weights - held) ** 2).sum() / 2 / STRAY**2 - (
            counts * (log_odds * truth).sum(axis=1)
        ).sum(), gradient.ravel()

    return minimize(loss, held.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000}).x.reshape(held.shape)


def call(seen: Seen, weights: np.ndarray | None, hidden: float) -> Judged:
    """What windows are called, as `prediction_rows` does; by the network alone without weights."""
    probabilities = seen.network.copy()
    which = seen.is_estimated
    if weights is not None:
        probabilities[which] = calibrate(seen.network[which], seen.below[which], weights)
    fault, confidence = name_windows(probabilities)
    called = np.array(FAULTS, object)[fault]
    confidence = np.where(called == NONE, confidence * (1 - hidden), confidence)
    unsure = seen.has_reason & (~which | (called == NONE))
    called[unsure], confidence[unsure] = UNSURE, np.nan
    return Judged(np.array(FAULTS, object)[seen.truth], called, confidence, probabilities, seen.device)


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


def join(parts: Sequence):
    """Windows of several files, of which each field is an array."""
    fields = zip(*(vars(part).values() for part in parts), strict=True)
    return type(parts[0])(*(np.concatenate(field) for field in fields))


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
