"""From the windows of a device and date to one verdict.

What a window is called, and the rule that combines windows. What a fault costs is counted in `rows/device_days.py`.
"""

from dataclasses import dataclass

import numpy as np

from pvfault.faults import ARC_FAULT, FAULTS, LINE_GROUND, LINE_LINE, NONE, PARTIAL_SHADING
from pvfault.windows import WINDOWS_PER_DAY

# A window's probability can be wrong altogether: 2 % of it is spread over all classes, so that no single window
# decides a day.
DOUBT = 0.02
# Before a day is looked at: so many devices have a fault, each kind alike, beginning in any hour alike. A tenth, a
# fifth, three tenths and a half call 4, 5, 6 and 8 of 2,173 healthy days of the validation sites faulty, and 77.8,
# 79.9, 81.1 and 83.1 % of the faulty ones; and 2, 2, 5 and 8 of 78 measured days without known faults
# (docs/real_data.md).
FAULT_PRIOR = 0.2
# These come and go within a day. A loose contact, a quarter of the simulated shorts and open strings, does so too; but
# to allow for it finds few more faults and names none better: 81.6 instead of 81.0 % of the faulty validation days,
# with a macro-F1 (shorts as one) of 0.788 instead of 0.789, each with the highest prior that called 5 healthy ones
# faulty.
INTERMITTENT = (PARTIAL_SHADING, ARC_FAULT)
# Over the same modules they are one circuit: what is certainly a short must not lose to a third fault because its
# probability is shared between two names.
SHORTS = (LINE_LINE, LINE_GROUND)


@dataclass(frozen=True)
class Verdicts:
    """One verdict for each device.

    Attributes
    ----------
    fault : ndarray of int, shape (n,)
        Position in `FAULTS`; -1 where no window could be judged: unknown must not look like healthy.
    onset : ndarray of int, shape (n,)
        Hour of the first faulty window, 0 to 23; -1 without a fault.
    faulty : ndarray of bool, shape (n, 24)
        The windows in which the fault shows: from its most probable onset on, and more probably faulty than not.
    confidence : ndarray of float, shape (n,)
        Posterior probability of the verdict; NaN where unknown.
    runner_up : ndarray of int, shape (n,)
        Position in `FAULTS` of what it is if it is not `fault`; -1 where unknown.
    runner_up_probability : ndarray of float, shape (n,)
        Its posterior probability; NaN where unknown.
    """

    fault: np.ndarray
    onset: np.ndarray
    faulty: np.ndarray
    confidence: np.ndarray
    runner_up: np.ndarray
    runner_up_probability: np.ndarray


def combine_windows(probabilities, fault_prior=FAULT_PRIOR) -> Verdicts:
    """The most probable fault of each device's day, and since when.

    A day is healthy, or healthy up to an hour and of one fault from then on. With p_t(c) the network's probability of
    class c in window t, the weight of fault f from hour k on is prior(f, k) times the product over t < k of
    p_t(none) and over t >= k of p_t(f); for faults that come and go, (p_t(f) + p_t(none)) / 2 stands for p_t(f). Of
    the most probable fault, the windows from its most probable k on in which none is less probable than not are faulty.

    Line-line and line-ground stand together against the others, in every window (their sum is p_t) and at the end;
    which of the two it is, the products of their shares tell.

    Windows count as independent, which they are not: they share sky and sensors. On 4,038 simulated device-days of the
    validation sites, counting them as half as many found 79.0 % of the faulty days instead of 80.4 %, each with the
    highest of priors in steps of 0.05 that called no more than 5 of 2,173 healthy days faulty.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, 24, 6)
        In the order of `FAULTS`; NaN for windows that are not `ok`.
    fault_prior : float
        How probable a fault is before the day is looked at: the lower, the fewer alarms, false and right ones.

    Returns
    -------
    Verdicts

    Examples
    --------
    >>> day = np.full((1, 24, 6), np.nan)
    >>> day[0, 8:12] = [0.95, 0.01, 0.01, 0.01, 0.01, 0.01]
    >>> day[0, 12:16] = [0.01, 0.01, 0.01, 0.95, 0.01, 0.01]
    >>> verdict = combine_windows(day)
    >>> FAULTS[verdict.fault[0]], int(verdict.onset[0]), int(verdict.faulty.sum())
    ('open_circuit', 12, 4)
    """
    usable = np.isfinite(probabilities).all(axis=-1)
    likelihood = _log_likelihood(probabilities, usable)
    weight = _posterior(likelihood, fault_prior)
    by_fault = weight.sum(axis=2)
    fault, runner_up = _rank(by_fault)[:, :2].T
    confidence, second = (np.take_along_axis(by_fault, which[:, None], axis=1)[:, 0] for which in (fault, runner_up))
    most_probable_onset = np.take_along_axis(weight, fault[:, None, None], axis=1)[:, 0].argmax(axis=1)

    hours = np.arange(WINDOWS_PER_DAY)
    shows = usable & (hours >= most_probable_onset[:, None]) & (fault > 0)[:, None]
    shows &= np.nan_to_num(probabilities[..., FAULTS.index(NONE)], nan=1.0) < 0.5
    # There is one such window at least: with p(none) above 1/2 from k on, no fault would outweigh a healthy day. The
    # most probable k itself may lie in the night before it, where hours cannot be told apart.
    onset = shows.argmax(axis=1)

    unknown = ~usable.any(axis=1)
    return Verdicts(
        fault=np.where(unknown, -1, fault),
        onset=np.where(unknown | (fault == 0), -1, onset),
        faulty=shows,
        confidence=np.where(unknown, np.nan, confidence),
        runner_up=np.where(unknown, -1, runner_up),
        runner_up_probability=np.where(unknown, np.nan, second),
    )


def name_windows(probabilities):
    """What each window is called: the most probable class, where the two shorts stand together against the others.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, 6)
        In the order of `FAULTS`.

    Returns
    -------
    fault : ndarray of int, shape (n,)
        Position in `FAULTS`.
    confidence : ndarray of float, shape (n,)
        Its probability.

    Examples
    --------
    >>> fault, confidence = name_windows(np.array([[0.0, 0.25, 0.35, 0.0, 0.4, 0.0]]))
    >>> FAULTS[fault[0]], float(confidence[0])
    ('line_ground', 0.35)
    """
    fault = _rank(probabilities)[:, 0]
    return fault, probabilities[np.arange(len(probabilities)), fault]


def _rank(probabilities):
    """Classes of each window or device, the most probable one first; both shorts where the two together belong."""
    shorts = [FAULTS.index(fault) for fault in SHORTS]
    together = probabilities.copy()
    together[:, shorts] = probabilities[:, shorts].sum(axis=1, keepdims=True)
    return np.lexsort((-probabilities, -together), axis=1)


def _log_likelihood(probabilities, usable):
    """Log-likelihood of each device, class and hour of onset, shape (n, 6, 24); the healthy day stands at hour 0."""
    p = (1 - DOUBT) * np.nan_to_num(probabilities, nan=1.0) + DOUBT / len(FAULTS)
    healthy = p[..., :1]
    present = p.copy()
    for fault in INTERMITTENT:
        position = FAULTS.index(fault)
        present[..., position] = (p[..., position] + healthy[..., 0]) / 2
    shorts = [FAULTS.index(fault) for fault in SHORTS]
    together = p[..., shorts].sum(axis=-1, keepdims=True)
    present[..., shorts] = together
    log_present = np.where(usable[..., None], np.log(present), 0.0)
    log_healthy = np.where(usable[..., None], np.log(healthy), 0.0)
    before = np.cumsum(log_healthy, axis=1) - log_healthy
    likelihood = (before + _from_then_on(log_present)).transpose(0, 2, 1)
    kinds = _from_then_on(np.where(usable[..., None], np.log(p[..., shorts] / together), 0.0))
    kinds -= np.logaddexp(kinds[..., :1], kinds[..., 1:])
    likelihood[:, shorts] += np.log(len(shorts)) + kinds.transpose(0, 2, 1)
    return likelihood


def _from_then_on(values):
    """Sum of each hour's values and of those of all later hours, shape (n, 24, k)."""
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]


def _posterior(likelihood, fault_prior):
    """Posterior probability of each class and hour of onset, shape (n, 6, 24); the healthy day stands at hour 0."""
    prior = np.full(likelihood.shape[1:], fault_prior / (len(FAULTS) - 1) / WINDOWS_PER_DAY)
    prior[0] = 0.0
    prior[0, 0] = 1 - fault_prior
    with np.errstate(divide="ignore"):
        log_weight = likelihood + np.log(prior)
    weight = np.exp(log_weight - log_weight.max(axis=(1, 2), keepdims=True))
    return weight / weight.sum(axis=(1, 2), keepdims=True)
