"""How judges' hours become verdicts on days, and which way each judge takes.

The rules, and the choice among them on the validation days within the false alarms that are allowed. The rule that the
product uses is in `pvfault/verdicts.py`.
"""

from functools import partial

import numpy as np

from pvfault.verdicts import FAULT_PRIOR, combine_windows, name_windows
from pvfault_workshop.evaluation.alarms import count_false_alarms
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED
from pvfault_workshop.evaluation.scores import MOST_FALSE_ALARMS, N_CLASSES

FAULT_PRIORS = tuple(float(prior) for prior in np.geomspace(1e-12, 0.5, 40))


def combine(probabilities, fault_prior=FAULT_PRIOR):
    """Judge days by the rule of the product.

    Parameters
    ----------
    probabilities : ndarray, shape (n_days, 24, 6)
        NaN where there is no window.
    fault_prior : float

    Returns
    -------
    ndarray of int, shape (n_days,)
    """
    return combine_windows(probabilities, fault_prior).fault


def judge_by_count(probabilities, least):
    """Call a day faulty if enough of its hours are, and name it after most of them.

    Parameters
    ----------
    probabilities : ndarray, shape (n_days, 24, 6)
        NaN where there is no window.
    least : int
        Faulty hours that are enough.

    Returns
    -------
    ndarray of int, shape (n_days,)
    """
    usable = np.isfinite(probabilities).all(axis=-1)
    found = np.zeros(usable.shape, int)
    found[usable] = name_windows(probabilities[usable])[0]
    counts = (found[..., None] == np.arange(N_CLASSES)).sum(axis=1)
    counts[:, 0] = 0
    return np.where(counts.sum(axis=1) >= least, counts.argmax(axis=1), 0)


def choose_day_rules(truth, arranged):
    """Choose how one of the others judges days, on the validation days, where everything is chosen.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
        Of the validation days.
    arranged : ndarray, shape (n, 24, 6)
        The judge's probabilities for their hours.

    Returns
    -------
    quiet, free : callable
        The rule of the product with some prior, or a number of faulty hours: the best of those that keep to the false
        alarms that the product may give (or give the fewest), and the best however many it gives.
    """
    candidates = [partial(combine, fault_prior=prior) for prior in FAULT_PRIORS]
    candidates += [partial(judge_by_count, least=least) for least in range(1, 13)]
    found = [np.maximum(rule(arranged), 0) for rule in candidates]
    alarms = np.array([count_false_alarms(truth, days).a_year for days in found])
    scores = np.array([GROUPED.score_all(truth, days) for days in found])
    quiet = np.where(alarms <= max(MOST_FALSE_ALARMS, alarms.min()), scores, -1.0)
    return candidates[quiet.argmax()], candidates[scores.argmax()]


def describe_without_limit(truth, verdicts):
    """Say what judges' days would be worth if they could give as many false alarms as they like.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
    verdicts : dict of str to ndarray of int, shape (n,)
        By judge.

    Returns
    -------
    str
    """
    said = [
        f"{judge} {GROUPED.score_all(truth, found):.3f} and {FOUND.score_all(truth, found):.3f} with "
        f"{count_false_alarms(truth, found).a_year:.1f} false alarms a device-year"
        for judge, found in ((judge, np.maximum(days, 0)) for judge, days in verdicts.items())
    ]
    return (
        f"Everybody's days are judged so that, on the validation days, at most {MOST_FALSE_ALARMS:g} false alarm a "
        "device-year is given, or as few as the judge can give. Without that limit, macro-F1 with the shorts as one "
        f"and F1 of faulty against healthy by device-day: {'; '.join(said)}."
    )
