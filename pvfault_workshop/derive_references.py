"""The typical references and their ridge, found again from simulated healthy devices.

What is typical of devices without history, how close to healthy hours an expectation comes, and what other ridges would
do.

Nothing here changes the numbers that references are learned with: the trained weights hang on them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pvfault import reference
from pvfault.errors import PvfaultError
from pvfault.reference import CURRENT_RIDGE, HISTORY, N_CURRENT, N_VOLTAGE, TYPICAL, VOLTAGE_RIDGE
from pvfault_workshop.simulation.labelling import simulate_hours
from pvfault_workshop.simulation.splits import TRAINING

DEVICES = 326
BRIGHT = 250.0  # W/m²
COEFFICIENTS = (
    *(f"voltage {term}" for term in ("at 25 °C and 800 W/m²", "by temperature", "by light", "by light²")),
    *(
        f"current {term}"
        for term in ("at 25 °C and 800 W/m²", "by temperature", "by light", "by light²", "by hour", "by hour²")
    ),
)
# Which ridges are changed together, by what, and how many days are known meanwhile: a ridge is for what these do not
# tell.
_CURRENT_TEMPERATURE = 1
RIDGES = ("of the levels", "of the current's temperature", "of the rest")
FACTORS = (0.1, 1.0, 10.0)
KNOWN_DAYS = (HISTORY[-1], 14, 3)


@dataclass(frozen=True)
class FoundReferences:
    """What was found.

    Attributes
    ----------
    devices : int
    typical : ndarray, shape (10,)
        Median of each of `COEFFICIENTS`, relative to the ratings.
    hours : int
        Hours above `BRIGHT`.
    within : tuple of float
        In half of these, voltage and current are within so much of what the days before promise.
    ridges : list of (str, float, float, list of (float, float))
        Of `RIDGES`, its weight, by how much that differs from the code's, and `within` for each of `KNOWN_DAYS`.
    """

    devices: int
    typical: np.ndarray
    hours: int
    within: tuple[float, float]
    ridges: list[tuple[str, float, float, list[tuple[float, float]]]]


def derive_references(
    devices: int, *, workers: int = 1, report: Callable[[int], None] = lambda _done: None
) -> FoundReferences:
    """Find typical references again.

    Parameters
    ----------
    devices : int
        Healthy ones, simulated at the training sites.
    workers : int
        Processes.
    report : callable
        Called with the number of devices that are done.

    Returns
    -------
    FoundReferences
    ----------

    Raises
    ------
    PvfaultError
        If no device has an hour above `BRIGHT`.
    """
    fleets = list(simulate_hours(TRAINING, devices, faulty=0.0, twins=False, workers=workers, report=report))
    learned = np.concatenate([reference.learn_references(each.history, each.ratings) for each in fleets])
    ratings = np.concatenate([each.ratings for each in fleets])
    scale = np.repeat(ratings, (N_VOLTAGE, N_CURRENT), axis=1)
    hours = sum(int((each.mean_irradiance > BRIGHT).sum()) for each in fleets)
    if not hours:
        raise PvfaultError(f"{devices} devices have no hour above {BRIGHT:g} W/m²; simulate more")
    code = (VOLTAGE_RIDGE, CURRENT_RIDGE)
    return FoundReferences(
        devices=devices,
        typical=np.nanmedian(learned[:, :-1] / scale, axis=0),
        hours=hours,
        within=_within(fleets, HISTORY[-1], code),
        ridges=[
            (
                name,
                float(_weights_of(name, code)[0] * factor),
                factor,
                [_within(fleets, known, _change(name, factor, code)) for known in KNOWN_DAYS],
            )
            for name in RIDGES
            for factor in FACTORS
        ],
    )


def found_and_written(found: FoundReferences) -> list[tuple[str, float, float]]:
    """For each coefficient: its name, its typical value in the code, and the one that was found."""
    return list(zip(COEFFICIENTS, TYPICAL[:-1].tolist(), found.typical.tolist(), strict=True))


def _within(fleets, known, ridges):
    """Median distance of bright hours' voltage and current from what so many days before promise."""
    distances = []
    for each in fleets:
        far = np.array(HISTORY) > known
        history = np.where(far[:, None, None], np.nan, each.history)
        references = reference.learn_references(history, each.ratings, ridges=ridges)
        references = reference.or_typical(references, each.ratings)[each.owner]
        bright = each.mean_irradiance > BRIGHT
        deviations = reference.deviate(each.values[bright], each.hour[bright], references[bright])
        distances.append(np.abs(deviations.mean(axis=1)))
    voltage, current = np.median(np.concatenate(distances), axis=0).tolist()
    return voltage, current


def _members(name):
    """Which coefficients of voltage and current have a ridge of `RIDGES`, as masks."""
    level, temperature = np.eye(N_CURRENT, dtype=bool)[[0, _CURRENT_TEMPERATURE]]
    nothing = np.zeros(N_VOLTAGE, bool)
    return {
        "of the levels": (level[:N_VOLTAGE], level),
        "of the current's temperature": (nothing, temperature),
        "of the rest": (~level[:N_VOLTAGE], ~level & ~temperature),
    }[name]


def _weights_of(name, ridges):
    """The weights of a ridge, which are alike."""
    return np.concatenate([np.array(ridge)[mask] for ridge, mask in zip(ridges, _members(name), strict=True)])


def _change(name, factor, ridges):
    """Ridges of which one is so many times as heavy."""
    return tuple(tuple(np.where(mask, factor, 1.0) * ridge) for ridge, mask in zip(ridges, _members(name), strict=True))
