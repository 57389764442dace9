"""The figures of the ceiling: found by one evaluation, and kept for the networks after it.

What is kept, where, and for which devices it stands. Who the ceiling is and what it answers is in `others.py`.

How much could be known does not depend on the network, and to find it out takes hours.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pvfault.errors import PvfaultError
from pvfault_workshop.evaluation.alarms import SOON
from pvfault_workshop.evaluation.goals import (
    CALIBRATION,
    FALSE_ALARMS,
    FLEET_SCORES,
    FOUND_SOON,
    reference_scores,
    whole,
)
from pvfault_workshop.evaluation.plan import CEILING, Plan
from pvfault_workshop.evaluation.run import Evaluation
from pvfault_workshop.publishing import replace_text
from pvfault_workshop.simulation.parts import hash_code

KEPT_CEILING = "ceiling.json"


@dataclass(frozen=True)
class Ceiling:
    """What the ceiling has, and how that was found.

    Attributes
    ----------
    figures : dict of str to float
        By the name of what is to be reached.
    notes : list of str
        What it was fitted on, and where its lead comes from.
    version : str
        Of the network that was evaluated beside it.
    command : str
        That finds it again.
    stands_for : dict
        How many devices were tested, how many the network was trained on, and the code that simulates them.
    """

    figures: dict[str, float]
    notes: list[str]
    version: str
    command: str
    stands_for: dict

    def describe(self, version: str) -> list[str]:
        """Say how it was found; if not beside a network of this version, with what."""
        if version == self.version:
            return self.notes
        return [f"The ceiling was found beside version {self.version}, with `{self.command}`.", *self.notes]


def ceiling_of(evaluation: Evaluation, *, command: str) -> Ceiling:
    """The figures of an evaluation's ceiling.

    Parameters
    ----------
    evaluation : Evaluation
        With a ceiling.
    command : str
        That makes it again.

    Returns
    -------
    Ceiling
    """
    figures = {
        name: whole(evaluation, unit).scores[metric.name][CEILING].value
        for name, (unit, metric, _) in FLEET_SCORES.items()
    }
    figures |= {name: scores[CEILING].value for name, scores, _ in reference_scores(evaluation)}
    figures |= {
        FALSE_ALARMS: evaluation.false_alarms[CEILING].a_year,
        FOUND_SOON: float((evaluation.delays[CEILING] <= SOON).mean()),
        CALIBRATION: evaluation.calibration[CEILING].value,
    }
    return Ceiling(figures, evaluation.ceiling_notes, evaluation.version, command, _stands_for(evaluation.plan))


def write_ceiling(path: Path, ceiling: Ceiling) -> None:
    """Keep the figures of a ceiling.

    Parameters
    ----------
    path : Path
        Of a JSON file.
    ceiling : Ceiling
    """
    replace_text(path, json.dumps(asdict(ceiling), indent=2, ensure_ascii=False) + "\n")


def read_ceiling(path: Path, plan: Plan) -> Ceiling | None:
    """Read the figures that are kept, if they stand for what is tested now.

    Parameters
    ----------
    path : Path
    plan : Plan

    Returns
    -------
    Ceiling or None
        None if there are none, or only ones of other devices.

    Raises
    ------
    PvfaultError
        If the file is not one of these.
    """
    if not path.is_file():
        return None
    try:
        kept = Ceiling(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise PvfaultError(
            f"{path}: found something else ({error}), expected what `pvfault evaluate --ceiling N` writes; "
            "restore the file, or remove it"
        ) from error
    return kept if kept.stands_for == _stands_for(plan) else None


def _stands_for(plan):
    """What the figures of a ceiling depend on."""
    return {"devices": plan.devices, "training_devices": plan.training_devices, "code": hash_code()}
