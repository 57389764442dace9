"""What an operator notices of a judge: false alarms, and how soon a fault is found.

False alarms are counted, delays are measured, and it is said which faults must be found soon.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from pvfault.faults import FAULTS, OPEN_CIRCUIT
from pvfault.windows import WINDOWS_PER_DAY
from pvfault_workshop.evaluation.comparison import SHORTS, Days
from pvfault_workshop.evaluation.intervals import CONFIDENCE
from pvfault_workshop.evaluation.scores import GROUP_NAMES, SHORT
from pvfault_workshop.simulation.devices import CONFUSERS

# Of a string's power: what a short has to take to be counted as one that must be found soon.
LEAST_OF_A_STRING = 0.10
SOON = 2.0  # h of daylight


@dataclass(frozen=True)
class FalseAlarms:
    """Healthy device-days that were called faulty.

    Attributes
    ----------
    count, days : int
        Of how many.
    a_year, at_most : float
        A device-year, and the upper limit of a Poisson count with 95 % confidence.
    """

    count: int
    days: int
    a_year: float
    at_most: float


def count_false_alarms(truth, verdict) -> FalseAlarms:
    """Count the false alarms among healthy device-days.

    Parameters
    ----------
    truth, verdict : ndarray of int, shape (n,)

    Returns
    -------
    FalseAlarms

    Examples
    --------
    >>> nobody = count_false_alarms(np.zeros(1095, int), np.zeros(1095, int))
    >>> nobody.count, f"{nobody.at_most:.2f}"  # the rule of three: 3 / n
    (0, '1.00')
    """
    healthy = truth == 0
    count, days = int((verdict[healthy] > 0).sum()), int(healthy.sum())
    years = max(days, 1) / 365
    return FalseAlarms(count, days, count / years, float(chi2.ppf(CONFIDENCE, 2 * (count + 1)) / 2 / years))


def alarms_by_confuser(days: Days, verdicts: dict) -> list[tuple[str, int, dict]]:
    """Count the false alarms on healthy device-days that show something which might be taken for a fault.

    Parameters
    ----------
    days : Days
    verdicts : dict of str to ndarray of int, shape (n,)
        By judge.

    Returns
    -------
    list of tuple
        What they show, healthy device-days that do, and how many of these each judge called faulty; "nothing" first.
    """
    healthy = days.truth == 0
    parts = {"nothing": days.confusers == 0}
    parts |= {name: (days.confusers >> position & 1).astype(bool) for position, name in enumerate(CONFUSERS)}
    return [
        (name, int((shown & healthy).sum()), {j: int((v[shown & healthy] > 0).sum()) for j, v in verdicts.items()})
        for name, shown in parts.items()
    ]


def detection_delay(days: Days, arranged, judge_days):
    """Daylight from the onset of a fault to the end of the hour whose verdict first calls the device faulty.

    The verdict of an hour knows the windows up to that hour, as somebody who looks at the running day would.

    Parameters
    ----------
    days : Days
    arranged : ndarray, shape (n, 24, 6)
        Probabilities by hour.
    judge_days : callable
        As `Answers` has it.

    Returns
    -------
    ndarray, shape (n,)
        Infinite where the day ends before; NaN for healthy days. Only hours that could be judged count as daylight. [h]
    """
    hours = np.arange(WINDOWS_PER_DAY)
    begun = np.nan_to_num(days.onset, nan=np.inf)[:, None]
    # Daylight since the onset at the end of each hour.
    elapsed = np.cumsum(np.where(days.lit, np.clip(hours + 1 - begun, 0, 1), 0.0), axis=1)
    delay = np.where(days.truth > 0, np.inf, np.nan)
    for hour in hours:
        waiting = np.isinf(delay) & days.lit[:, hour] & (hours[hour] + 1 > begun[:, 0])
        if waiting.any():
            so_far = np.where((hours <= hour)[None, :, None], arranged[waiting], np.nan)
            found = judge_days(so_far) > 0
            delay[np.flatnonzero(waiting)[found]] = elapsed[waiting, hour][found]
    return delay


def must_be_found_soon(days: Days):
    """Which device-days have an open string or a short of a tenth of a string or more, and 2 h of daylight to show it.

    Parameters
    ----------
    days : Days

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    hours = np.arange(WINDOWS_PER_DAY)
    left = np.where(days.lit, np.clip(hours + 1 - days.onset[:, None], 0, 1), 0.0).sum(axis=1)
    short = (SHORTS[days.truth] == GROUP_NAMES.index(SHORT)) & (days.severity * days.strings >= LEAST_OF_A_STRING)
    return (short | (days.truth == FAULTS.index(OPEN_CIRCUIT))) & (np.nan_to_num(left) >= SOON)
