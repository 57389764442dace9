"""What an evaluation is asked for: how much of it, by whom, and how the user is told.

Here are also the names of judges and of parts of the test that report, card and plots look up.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

MODEL, BOOSTING, RULE, CEILING = "model", "gradient boosting", "expected-power rule", "ceiling"
BASELINES = (BOOSTING, RULE)
FLEET_PART, VALIDATION_PART = "fleet", "validation"
EVERY_20_S = "20 s"
CADENCES = {EVERY_20_S: 20, "1 min": 60, "5 min": 300}
CLEAN = "20 s, no errors"
REFERENCE = {"reference, clean": "reference, clean", "reference, noisy": "reference"}
FAULTY_SHARE = 0.5
OTHER_DEVICES = 1_200


@dataclass(frozen=True)
class Plan:
    """How much is simulated.

    Attributes
    ----------
    devices : int
        Of the fleet that is tested, one day each, half of them faulty, and as many reference arrays. Slower cadences
        and sensors without errors are tested on `OTHER_DEVICES`.
    training_devices : int
        Faulty ones, each with its healthy twin, that the network was trained on, and the baselines are.
    ceiling : int
        How many times as many the strongest of the ceiling's classifiers is fitted on; 0 for no ceiling.
    seed : int
        Of whatever the classifiers draw.
    workers : int
        Processes that simulate.
    """

    devices: int
    training_devices: int
    ceiling: int
    seed: int = 1
    workers: int = 2


@dataclass(frozen=True)
class Progress:
    """How the user is told what is done: a step around a block, and how far it is."""

    step: Callable[[str], AbstractContextManager]
    tell: Callable[[str], None]
