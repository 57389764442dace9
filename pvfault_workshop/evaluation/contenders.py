"""Who else could judge an hour: two baselines, and the ceiling.

Here: gradient boosting on hourly statistics, the expected-power rule that operators use, and the strongest classifiers
that we can fit, each fitted on the same devices as the network or on more of them. Not here: the network, and how
right anybody is (`run.py`).

Probabilities come in the order of `FAULTS`. What is chosen (a threshold, a temperature, the best of several) is chosen
on the validation windows.
"""

import warnings
from collections.abc import Callable
from itertools import product

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from pvfault.expected_power import STC_IRRADIANCE, STC_TEMPERATURE, expected_power
from pvfault.faults import FAULTS, LINE_LINE, NONE, OPEN_CIRCUIT, PARTIAL_SHADING
from pvfault.hourly_statistics import STATISTICS
from pvfault.registry import VOLTAGE_TEMPERATURE_COEFFICIENT
from pvfault.verdicts import name_windows
from pvfault_workshop.evaluation.scores import GROUP_NAMES, confusion_matrix, f1_scores, group_shorts
from pvfault_workshop.simulation.labelled import LabelledWindows, check_classes
from pvfault_workshop.simulation.surroundings import DAY_STATISTICS, NEIGHBOUR_STATISTICS

Judge = Callable[[LabelledWindows], np.ndarray]

STRONG_BOOSTING = "gradient boosting with the day and the neighbours"
IMAGE_BOOSTING = "gradient boosting of what an image can show"


def fit_boosting(training: LabelledWindows, validation: LabelledWindows, *, seed: int) -> Judge:
    """Gradient boosting on the statistics of the hour, calibrated.

    Parameters
    ----------
    training, validation : LabelledWindows
    seed : int

    Returns
    -------
    callable
        From `LabelledWindows` to probabilities, shape (n, 6).

    Raises
    ------
    PvfaultError
        If a class has no training window.
    """
    check_classes(training)
    return _fit(_boosting(seed), hour_features, training, validation)


def fit_rule(validation: LabelledWindows) -> Judge:
    """The expected-power rule: an hour that gives much less than its irradiance promises is faulty.

    Monitoring systems alert when the power of an hour falls short of the expected one by more than a set share [1]_.
    Which of current and voltage falls short of what irradiance and temperature promise then names the fault [2]_: the
    current alone an open string, the voltage alone a short, both a shadow; hardly any power is an open array. The rule
    has no name for an arc, nor does it tell line-line from line-ground. The three thresholds are those with the best
    macro-F1 on the validation windows.

    Parameters
    ----------
    validation : LabelledWindows

    Returns
    -------
    callable
        From `LabelledWindows` to answers, as probabilities of 0 and 1, shape (n, 6).

    References
    ----------
    .. [1] meteocontrol, "VCOM Cloud: calculation methods for total outage and misproduction alarms" and "Total outage
       alarms" (below 1 % of the nominal power), help-center.meteocontrol.com, 2025.
    .. [2] S. Silvestre, S. Kichou, A. Chouder, G. Nofuentes and E. Karatepe, "Analysis of current and voltage
       indicators in grid connected PV (photovoltaic) systems working in faulty and partial shading conditions",
       Energy 86, 2015, 42-50.
    """
    shortfalls = _shortfalls(validation)
    truth = group_shorts(validation.label)

    def right(thresholds):
        found = group_shorts(_apply_rule(shortfalls, thresholds))
        return f1_scores(confusion_matrix(truth, found, len(GROUP_NAMES))).mean()

    best = max(product(np.arange(0.06, 0.41, 0.02), (0.02, 0.04, 0.07, 0.1, 0.15), (0.02, 0.04, 0.07, 0.1, 0.15)),
               key=right)  # fmt: skip
    return lambda windows: np.eye(len(FAULTS))[_apply_rule(_shortfalls(windows), best)]


def fit_strong_boosting(training: LabelledWindows, validation: LabelledWindows, *, seed: int) -> Judge:
    """Fit the strongest of the ceiling's classifiers that is fast enough to be fitted several times."""
    check_classes(training)
    return _fit(strong_boosting(seed), day_features, training, validation)


def fit_strong(
    training: LabelledWindows, validation: LabelledWindows, *, seed: int
) -> tuple[dict[str, float], dict[str, Judge]]:
    """Fit several strong classifiers, given every statistic there is.

    Gradient boosting, extremely randomised trees, a multilayer perceptron, and the mean of their probabilities. They
    see the statistics of the hour, of the whole day, of the days before and of the neighbours under the same sky; one
    sees the hour alone, and one what is known of the device when the hour is over, which is what an image can show.

    Parameters
    ----------
    training, validation : LabelledWindows
    seed : int

    Returns
    -------
    scores : dict of str to float
        Macro-F1 on the validation windows, line-line and line-ground as one, by classifier.
    judges : dict of str to callable
        From `LabelledWindows` to probabilities, shape (n, 6).
    """
    check_classes(training)
    judges = {
        "gradient boosting of the hour alone": fit_boosting(training, validation, seed=seed),
        IMAGE_BOOSTING: _fit(strong_boosting(seed), image_features, training, validation),
    }
    for name, classifier in _strong(len(training), seed).items():
        judges[name] = _fit(classifier, day_features, training, validation)
    parts = tuple(judges.values())
    judges["mean of them"] = lambda windows: np.mean([judge(windows) for judge in parts], axis=0)
    scores = {name: grouped_macro_f1(judge(validation), validation.label) for name, judge in judges.items()}
    return scores, judges


def grouped_macro_f1(probabilities, label):
    """Macro-F1 of what windows are called, line-line and line-ground as one."""
    found = confusion_matrix(group_shorts(label), group_shorts(name_windows(probabilities)[0]), len(GROUP_NAMES))
    return float(f1_scores(found).mean())


def hour_features(windows):
    """What is known of an hour alone: its statistics and the size of the array, shape (n, 98)."""
    return np.column_stack([windows.statistics, np.log(windows.modules), np.log(windows.strings)])


def image_features(windows):
    """What is known of a device when an hour is over, shape (n, n_features); NaN where there is nothing.

    To `hour_features` come the hours of the day before it and the days before, and how the hour differs from them.
    """
    own = _columns(windows, DAY_STATISTICS)
    before, earlier, _, _ = np.split(windows.day_statistics, 4, axis=1)
    return np.column_stack([hour_features(windows), windows.hour, windows.deviations, before, own - earlier])


def day_features(windows):
    """What is known of an hour, its day and its neighbours, shape (n, n_features); NaN where there is nothing.

    To `image_features` come the whole day and the neighbours, and how the hour differs from them.
    """
    own = _columns(windows, DAY_STATISTICS)
    _, _, middle, spread = np.split(windows.day_statistics, 4, axis=1)
    beside = windows.neighbours
    differs = _columns(windows, NEIGHBOUR_STATISTICS) - beside
    return np.column_stack([image_features(windows), own - middle, spread, beside, differs]).astype(np.float32)


def _columns(windows, names):
    """Some statistics of windows, shape (n, len(names))."""
    return windows.statistics[:, [STATISTICS.index(name) for name in names]]


def _boosting(seed, **options):
    return HistGradientBoostingClassifier(max_iter=150, early_stopping=False, random_state=seed, **options)


def strong_boosting(seed):
    """Gradient boosting of many leaves for `day_features`, the strongest single classifier; not fitted yet."""
    return _boosting(seed, max_leaf_nodes=63, l2_regularization=1.0)


def _strong(n_windows, seed):
    """The strong classifiers, by name."""
    fill = SimpleImputer(strategy="median", add_indicator=True)
    ranks = QuantileTransformer(n_quantiles=min(1000, n_windows), output_distribution="normal", random_state=seed)
    trees = ExtraTreesClassifier(120, min_samples_leaf=4, max_features=0.25, n_jobs=-1, random_state=seed)
    perceptron = MLPClassifier(
        (192, 96), alpha=1e-4, batch_size=min(512, n_windows // 2), early_stopping=True, n_iter_no_change=3,
        max_iter=25, random_state=seed,
    )  # fmt: skip
    return {
        STRONG_BOOSTING: strong_boosting(seed),
        "extremely randomised trees": make_pipeline(fill, trees),
        "multilayer perceptron": make_pipeline(fill, ranks, perceptron),
    }


def _fit(classifier, features, training, validation) -> Judge:
    """Fit a classifier of scikit-learn, and calibrate it by a temperature."""
    with warnings.catch_warnings():
        # The perceptron stops after a set number of passes; how good it is by then is measured.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(features(training), training.label)

    def judge(windows):
        return classifier.predict_proba(features(windows))

    temperature = find_temperature(judge(validation), validation.label)
    return lambda windows: soften(judge(windows), temperature)


def soften(probabilities, temperature):
    """Divide the logarithms of probabilities by a temperature.

    Parameters
    ----------
    probabilities : ndarray, shape (n, k)
    temperature : float

    Returns
    -------
    ndarray, shape (n, k)
    """
    scaled = np.maximum(probabilities, 1e-9) ** (1 / temperature)
    return scaled / scaled.sum(axis=1, keepdims=True)


def find_temperature(probabilities, label):
    """Find the temperature under which the labels are most probable.

    C. Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    rows = np.arange(len(label))
    candidates = np.geomspace(0.5, 3, 61)
    return max(candidates, key=lambda t: np.log(soften(probabilities, t)[rows, label]).mean())


def _shortfalls(windows):
    """By how much power, current and voltage fall short of what is expected, each as a share, shape (n, 3)."""
    power, current, voltage, irradiance, temperature = _columns(
        windows, ("power_mean", "current_mean", "voltage_mean", "irradiance_mean", "temperature_mean")
    ).T
    expected_voltage = 1 + VOLTAGE_TEMPERATURE_COEFFICIENT * (temperature - STC_TEMPERATURE)
    expected = expected_power(irradiance * STC_IRRADIANCE, temperature, 1.0)
    return 1 - np.column_stack([power / expected, current / irradiance, voltage / expected_voltage])


def _apply_rule(shortfalls, thresholds):
    """What the rule takes hours for, shape (n,)."""
    power, current, voltage = (shortfalls > thresholds).T
    conditions = [~power, shortfalls[:, 0] > 0.99, current & voltage, current, voltage]
    faults = [NONE, OPEN_CIRCUIT, PARTIAL_SHADING, OPEN_CIRCUIT, LINE_LINE]
    # Neither falls short by its own threshold, but both together do.
    return np.select(conditions, [FAULTS.index(fault) for fault in faults], FAULTS.index(PARTIAL_SHADING))
