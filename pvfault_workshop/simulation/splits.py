"""Which devices and days a network is made with.

Here: the parts of the data (training, validation, test), where and when each is simulated, of how many devices, and
what is varied among them. Not here: the simulation of their windows (`labelling.py`), how they are kept (`parts.py`).
"""

from dataclasses import dataclass
from datetime import date

from pvfault.reference import HISTORY
from pvfault_workshop.simulation.sites import TEST_SITES, TRAINING_SITES, VALIDATION_SITES, Site

LEAST_DEVICES = 48
TESTED_DEVICES = 1200
# For every device of the training fleets; see `LITERATURE`.
LITERATURE_SHARE = 1.2
# Half of the devices that a network is trained with send every 20 s, of most of them all days before are known, and the
# layout of the array; the rest keeps it from counting on any of these.
TRAINED_CADENCES = (20, 20, 20, 60, 60, 300)
UNKNOWN_LAYOUTS = 0.1
TRAINED_HISTORIES = (HISTORY[-1],) * 14 + (90, 30, 14, 7, 3, 0)
# The array of the literature is one among all.
LITERATURE_ARRAYS = ("reference", "reference, clean")
TRAINED_ARRAYS = ("any",) * 10 + LITERATURE_ARRAYS


@dataclass(frozen=True)
class Split:
    """Where and when the devices of one part of the data are simulated.

    Attributes
    ----------
    name : str
    sites : tuple of Site
    first : date
        The fleets' dates are spread over the year from here on.
    seed : int
    """

    name: str
    sites: tuple[Site, ...]
    first: date
    seed: int


TRAINING = Split("training", TRAINING_SITES, date(2021, 1, 1), 1_000_000)
# More of the array of the literature: its few configurations can be told apart, but that takes many examples.
LITERATURE = Split("array of the literature", TRAINING_SITES, date(2021, 1, 1), 1_500_000)
VALIDATION = Split("validation", VALIDATION_SITES, date(2022, 1, 1), 2_000_000)
TEST = Split("test", TEST_SITES, date(2024, 1, 1), 4_000_000)
PARTS = (TRAINING.name, VALIDATION.name, TEST.name)


def literature_devices(devices: int) -> int:
    """How many arrays of the literature are added to the devices of the training fleets."""
    return round(devices * LITERATURE_SHARE)


def plan_part(name: str, devices: int) -> list[tuple[Split, int, dict]]:
    """What a part is simulated of.

    Parameters
    ----------
    name : str
        Of `PARTS`.
    devices : int
        Faulty devices of the fleets for training.

    Returns
    -------
    list of (Split, int, dict)
        Where and when, how many devices, and the options of `simulate_fleets`.
    """
    trained = {"cadences": TRAINED_CADENCES, "histories": TRAINED_HISTORIES, "unknown_layouts": UNKNOWN_LAYOUTS}
    thinned = trained | {"thinned": True}
    return {
        TRAINING.name: [
            (TRAINING, devices, thinned | {"arrays": TRAINED_ARRAYS}),
            (LITERATURE, literature_devices(devices), thinned | {"arrays": LITERATURE_ARRAYS}),
        ],
        VALIDATION.name: [(VALIDATION, max(devices // 10, LEAST_DEVICES), trained)],
        # No twins, but devices of their own for the healthy days: false alarms need many of them to be counted.
        TEST.name: [
            (TEST, min(max(devices // 4, LEAST_DEVICES), TESTED_DEVICES), {"faulty": 0.5, "twins": False}),
        ],
    }[name]
