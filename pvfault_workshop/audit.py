"""What a new network has to show before it takes the place of the one that is there.

Whether its file holds it, and whether it is worse.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pvfault import lenet
from pvfault.errors import PvfaultError
from pvfault.scores import read_scores
from pvfault.verdicts import combine_windows, name_windows
from pvfault_workshop.evaluation.comparison import FOUND, GROUPED, Days, compare
from pvfault_workshop.evaluation.intervals import Estimate
from pvfault_workshop.simulation.labelled import LabelledWindows, by_device_day

LOOKED_AT = 64  # images
# Between a network in memory and the same one read from a file.
MOST_DIFFERENCE = 1e-5
_NEW, _PRESENT = "new", "present"


@dataclass(frozen=True)
class Difference:
    """One score of two networks on the same windows.

    Attributes
    ----------
    name : str
        Of the score, and of what.
    new, present : float
        The higher, the better.
    difference : Estimate
        The new network's less the present one's.
    """

    name: str
    new: float
    present: float
    difference: Estimate

    @property
    def worse(self) -> bool:
        """Whether the new network is worse beyond chance: the whole interval of the difference lies below 0."""
        return self.difference.high < 0

    def __str__(self):
        interval = f"{self.difference.low:+.3f} to {self.difference.high:+.3f}"
        return f"{self.name} {self.new:.3f} instead of {self.present:.3f} (difference {interval})"


class _Quiet:
    """The share of healthy ones that are called healthy, as a `Metric`; it says what macro-F1 hardly notices."""

    name = "healthy ones called healthy"

    def score(self, whole, drawn):
        """Compute the share of all devices, and of each draw of them."""
        return float(self._share(whole)), self._share(drawn)

    @staticmethod
    def _share(confusion):
        return confusion[..., 0, 0] / np.maximum(confusion[..., 0, :].sum(axis=-1), 1)


_METRICS = (GROUPED, FOUND, _Quiet())


def read_back(weights: Path, network, images: np.ndarray) -> lenet.Classifier:
    """Read a network's file as whoever classifies with it will, and refuse it if it holds something else.

    Parameters
    ----------
    weights : Path
        Just written.
    network : keras.Model
        That was written.
    images : ndarray of uint8, shape (n, 64, 64, 4)
        The first `LOOKED_AT` are looked at.

    Returns
    -------
    Classifier
        Of the file.

    Raises
    ------
    PvfaultError
        If it cannot be read, gives other answers than the network, or tells no scores.
    """
    classifier = lenet.load_classifier(weights)
    some = images[:LOOKED_AT]
    apart = np.abs(classifier.predict(some) - lenet.Classifier(network, "in memory").predict(some)).max(initial=0)
    if not apart <= MOST_DIFFERENCE:  # nor NaN
        raise PvfaultError(
            f"{weights}: the file that was just written gives other probabilities than the network (by up to "
            f"{apart:.2g}, expected {MOST_DIFFERENCE:g} at most); the disk may be damaged: train again elsewhere"
        )
    if not read_scores(weights):
        raise PvfaultError(f"{weights}: the file that was just written tells no scores; train again")
    return classifier


def compare_networks(new: lenet.Classifier, present: lenet.Classifier, test: LabelledWindows) -> list[Difference]:
    """Compare two networks on the same windows, by window and by device-day.

    Parameters
    ----------
    new, present : Classifier
    test : LabelledWindows

    Returns
    -------
    list of Difference
        Intervals are over devices, the same draws for both networks.
    """
    probabilities = {_NEW: new.predict(test.images), _PRESENT: present.predict(test.images)}
    windows = {judge: name_windows(answer)[0] for judge, answer in probabilities.items()}
    verdicts = {judge: combine_windows(by_device_day(answer, test)).fault for judge, answer in probabilities.items()}
    days = Days.of(test)
    columns = (
        compare("all", "all", "by window", test.device, test.label, windows, _METRICS),
        compare("all", "all", "by device-day", days.device, days.truth, verdicts, _METRICS),
    )
    return [
        Difference(
            f"{metric}, {column.unit}:",
            scores[_NEW].value,
            scores[_PRESENT].value,
            column.differences[metric][_PRESENT],
        )
        for column in columns
        for metric, scores in column.scores.items()
    ]
