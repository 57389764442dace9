"""The marks and their scales, found again from simulated training windows.

The numbers that marks are chosen from, the constants of their scales, and leaving out again and again what a perceptron
misses least.

Nothing here changes the marks: the trained weights hang on them.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from pvfault import reference
from pvfault.errors import PvfaultError
from pvfault.hourly_statistics import RELATIONS, SIGNALS, SUMMARIES
from pvfault.marks import CHANGES, LEAST_SIZE, MARKS, SIZES, WAYS, measure_numbers, to_scale
from pvfault.reference import HISTORY
from pvfault_workshop.evaluation.scores import GROUP_NAMES, group_shorts
from pvfault_workshop.simulation.labelling import FLEET, simulate_hours, thin
from pvfault_workshop.simulation.splits import TRAINING, VALIDATION, Split, plan_part

# About 26,000 windows.
DEVICES = 2_160
_SIGNALS = ("voltage", "current", "power", *(f"rated_{signal}" for signal in ("voltage", "current", "power")))
_SIGNALS += tuple(signal for signal in SIGNALS if signal not in _SIGNALS)
_LAYOUT = tuple(f"{part}{what}" for part in ("modules", "strings") for what in ("", "_surplus", "_remainder"))
_STEPS = (*(f"{days}_days_ago" for days in HISTORY), "56_to_154_days_ago", "1_hours_ago")
# Numbers that are also compared with the hours before.
_COMPARED = tuple(
    f"{signal}_{summary}"
    for signal in ("voltage", "current", "power", "rated_voltage", "current_ratio", "irradiance")
    for summary in ("mean", "std", "min", "q50", "max", "step_mean", "step_max")
)
# As many as the marks were once chosen from, and all marks among them; which the others were is not written anywhere.
CANDIDATES = (
    *(f"{signal}_{summary}" for signal in _SIGNALS for summary in SUMMARIES), *RELATIONS, *_LAYOUT, "from_noon",
    *(f"{signal}_{step}" for signal in ("voltage", "current") for step in _STEPS),
    *(f"{number}_{way}" for number in (*_COMPARED, *RELATIONS) for way in WAYS),
)  # fmt: skip

# How numbers end that are of one sign and run over decades.
_OF_ONE_SIGN = (
    "std", "step_mean", "step_max", "step_std", "off_irradiance", "without_current", "jumps", "_remainder",
    "irradiance_mean",
)  # fmt: skip
# The middle of these is 0, whatever the windows are like: no module is missing, it is noon.
_ABOUT_ZERO = ("_surplus", "from_noon")
# For a normal distribution, nine in ten lie within so many standard deviations, from the lowest to the highest of them.
_NINE_IN_TEN = 3.3
_LEAST_SPREAD = 1e-6

# Of the numbers that are left, a share goes at a time; the rest is asked anew, for what two of them say alike is missed
# once one of them has gone.
_LEFT_OUT = 0.1
_NEURONS = (128,)
_PASSES = 12


@dataclass(frozen=True)
class Numbers:
    """Numbers of windows.

    Attributes
    ----------
    by_name : dict of str to ndarray, shape (n,)
        NaN where nothing is known.
    label : ndarray of int, shape (n,)
        Position in `GROUP_NAMES`.
    """

    by_name: dict[str, np.ndarray]
    label: np.ndarray

    def select(self, which: slice) -> "Numbers":
        """Those of some of the windows."""
        return Numbers({name: values[which] for name, values in self.by_name.items()}, self.label[which])


@dataclass(frozen=True)
class Scales:
    """The constants of the scales of some numbers, as `pvfault.marks.to_scale` takes them."""

    changes: dict[str, tuple[float, float]]
    sizes: dict[str, tuple[float, float]]

    def apply(self, numbers: Numbers, names: Sequence[str]) -> np.ndarray:
        """Numbers of some names on their scales, shape (n, len(names)), 0 where nothing is known."""
        changes, sizes = ({n: scale for n, scale in part.items() if n in names} for part in vars(self).values())
        columns = dict(zip((*changes, *sizes), to_scale(numbers.by_name, changes, sizes).T, strict=True))
        return np.nan_to_num(np.column_stack([columns[name] for name in names])).astype(np.float32)


@dataclass(frozen=True)
class FoundMarks:
    """What was found.

    Attributes
    ----------
    windows : int
        For training.
    scales : Scales
        Of all candidates.
    chosen : tuple of str
    losses : dict of str to float
        Cross-entropy of a perceptron, by what it sees, on validation windows that nothing was chosen by.
    """

    windows: int
    scales: Scales
    chosen: tuple[str, ...]
    losses: dict[str, float]


def derive_marks(
    devices: int, *, candidates: Sequence[str] = CANDIDATES, wanted: int = len(MARKS), seed: int = 1, workers: int = 1,
    report: Callable[[int], None] = lambda _done: None, tell: Callable[[str], None] = lambda _line: None,
) -> FoundMarks:  # fmt: skip
    """Choose marks again, and find the constants of their scales.

    Parameters
    ----------
    devices : int
        Faulty devices, each with its healthy twin; a quarter as many more decide what is missed, and as many again
        compare what was found with what is in the code: numbers are the better where they were chosen.
    candidates : sequence of str
        Of `CANDIDATES`.
    wanted : int
        Marks to be chosen.
    seed : int
    workers : int
        Processes that simulate.
    report : callable
        Called with the number of devices that are done.
    tell : callable
        Called with a line each time that numbers were left out.

    Returns
    -------
    FoundMarks
    """
    training = simulate_numbers(TRAINING, devices, candidates, workers=workers, report=report)
    more = simulate_numbers(
        VALIDATION, others_for(devices), candidates, workers=workers, report=lambda done: report(devices + done)
    )
    # Device after device, so that hardly one is in both.
    half = len(more.label) // 2
    validation, comparison = more.select(slice(half)), more.select(slice(half, None))
    scales = find_scales(training, candidates)
    chosen = choose_marks(training, validation, scales, candidates, wanted, seed=seed, tell=tell)
    seen = {"all candidates": tuple(candidates), "the marks found": chosen}
    if set(MARKS) <= set(candidates):
        seen["the marks of the code"] = MARKS
    losses = {}
    for name, names in seen.items():
        perceptron = _fit(training, scales, names, seed)
        losses[name] = _loss(perceptron, scales.apply(comparison, names), comparison.label)
    return FoundMarks(len(training.label), scales, chosen, losses)


def others_for(devices: int) -> int:
    """How many more devices are simulated beside those for training."""
    return 2 * max(devices // 4, FLEET)


def simulate_numbers(
    split: Split, devices: int, names: Sequence[str], *, workers: int = 1,
    report: Callable[[int], None] = lambda _done: None,
) -> Numbers:  # fmt: skip
    """Measure numbers of simulated windows, of which healthy ones are left out as for training.

    Parameters
    ----------
    split : Split
    devices : int
    names : sequence of str
        Of `CANDIDATES`.
    workers : int
    report : callable

    Returns
    -------
    Numbers
    """
    options = {name: value for name, value in plan_part(TRAINING.name, devices)[0][2].items() if name != "thinned"}
    rng = np.random.default_rng(split.seed)
    by_fleet, labels = [], []
    for hours in simulate_hours(split, devices, workers=workers, report=report, **options):
        kept = thin(hours.label, rng)
        by_fleet.append(_measure(hours, tuple(names))[:, kept])
        labels.append(group_shorts(hours.label[kept]))
    by_name = dict(zip(names, np.concatenate(by_fleet, axis=1), strict=True))
    return Numbers(by_name, np.concatenate(labels))


def _measure(hours, names):
    """Numbers of a fleet's hours, shape (len(names), n)."""
    deviations = reference.deviate(hours.values, hours.hour, hours.background.references)
    numbers = measure_numbers(hours.values, deviations, hours.owner, hours.hour, hours.background, names)
    return np.stack([numbers[name] for name in names])


def is_size(name: str) -> bool:
    """Whether a number is of one sign and runs over decades; else it differs from a middle to both sides."""
    if name.endswith("_against_earlier"):
        return False
    plain = name.removesuffix("_earlier").removesuffix("_hour_before")
    return name.endswith("_range") or plain.endswith(_OF_ONE_SIGN) or plain in ("modules", "strings")


def find_scales(numbers: Numbers, names: Iterable[str]) -> Scales:
    """Find the constants of the scales of some numbers.

    Parameters
    ----------
    numbers : Numbers
    names : iterable of str

    Returns
    -------
    Scales
        Middle and unit: the median, and the median of the distances from it. Median and spread of logarithms: nine in
        ten lie within 3.3 spreads, from the lowest to the highest; where a size is 0, it has none and is left out.
    """
    changes, sizes = {}, {}
    for name in names:
        known = numbers.by_name[name][np.isfinite(numbers.by_name[name])]
        if not len(known):
            raise PvfaultError(f"no window tells {name}; simulate more devices")
        if is_size(name):
            sizes[name] = _scale_of_size(known)
        else:
            middle = 0.0 if name.endswith(_ABOUT_ZERO) else float(np.median(known))
            changes[name] = middle, max(float(np.median(np.abs(known - middle))), _LEAST_SPREAD)
    return Scales(changes, sizes)


def _scale_of_size(known):
    """Median and spread of the logarithms of what is not 0."""
    there = known[known > 0]
    if not len(there):
        return float(np.log(LEAST_SIZE)), 1.0
    low, middle, high = np.quantile(np.log(there + LEAST_SIZE), (0.05, 0.5, 0.95)).tolist()
    return middle, max((high - low) / _NINE_IN_TEN, _LEAST_SPREAD)


def choose_marks(
    training: Numbers, validation: Numbers, scales: Scales, candidates: Sequence[str], wanted: int, *, seed: int,
    tell: Callable[[str], None] = lambda _line: None,
) -> tuple[str, ...]:  # fmt: skip
    """Leave out, again and again, the numbers that a perceptron on the others misses least.

    A number is missed by as much as the cross-entropy on the validation windows rises when its values are dealt to
    other windows.

    Parameters
    ----------
    training, validation : Numbers
    scales : Scales
        Of the candidates.
    candidates : sequence of str
    wanted : int
    seed : int
    tell : callable

    Returns
    -------
    tuple of str
        In the order of the candidates.

    References
    ----------
    .. [1] I. Guyon, J. Weston, S. Barnhill and V. Vapnik, "Gene selection for cancer classification using support
       vector machines", Machine Learning 46, 2002, 389-422 (recursive feature elimination).
    .. [2] L. Breiman, "Random forests", Machine Learning 45, 2001, 5-32, section 10 (values that are dealt anew).
    """
    left = tuple(candidates)
    while len(left) > wanted:
        missed, loss = _how_missed(training, validation, scales, left, seed)
        count = min(len(left) - wanted, max(1, int(_LEFT_OUT * len(left))))
        gone = set(np.argsort(missed, kind="stable")[:count].tolist())
        tell(f"{len(left)} numbers: cross-entropy {loss:.4f} on validation windows; {count} are left out")
        left = tuple(name for position, name in enumerate(left) if position not in gone)
    return left


def _how_missed(training, validation, scales, names, seed):
    """By how much the loss rises without each number, and what it is with all of them."""
    perceptron = _fit(training, scales, names, seed)
    seen = scales.apply(validation, names)
    whole = _loss(perceptron, seen, validation.label)
    dealt = np.random.default_rng(seed).permutation(len(seen))
    missed = []
    for column in range(len(names)):
        without = seen.copy()
        without[:, column] = seen[dealt, column]
        missed.append(_loss(perceptron, without, validation.label) - whole)
    return np.array(missed), whole


def _fit(training, scales, names, seed):
    """A perceptron that names windows by some numbers."""
    perceptron = MLPClassifier(
        _NEURONS, alpha=1e-3, batch_size=min(256, len(training.label)), max_iter=_PASSES, random_state=seed
    )
    with warnings.catch_warnings():
        # It stops after a set number of passes; how good it is by then is measured.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return perceptron.fit(scales.apply(training, names), training.label)


def _loss(perceptron, seen, label):
    """Mean cross-entropy; a class that the perceptron has never seen is as good as impossible to it."""
    probabilities = np.full((len(seen), len(GROUP_NAMES)), 1e-9)
    probabilities[:, perceptron.classes_] = perceptron.predict_proba(seen)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return float(log_loss(label, probabilities, labels=np.arange(len(GROUP_NAMES))))


def found_and_written(found: FoundMarks) -> list[tuple[str, tuple[float, float], tuple[float, float]]]:
    """For each mark among the candidates: its name, its constants in the code, and those that were found."""
    written, again = CHANGES | SIZES, found.scales.changes | found.scales.sizes
    return [(name, written[name], again[name]) for name in MARKS if name in again]
