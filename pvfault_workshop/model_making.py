"""From windows to a network with its model card: train, score, write.

Here: what is written where, and what a weights file says of its own training. `pvfault train` and the asset
`lenet_model` call the same function. Not here: the windows (`simulation/parts.py`), the training loop (`training.py`),
the card's text (`evaluation/model_card.py`).
"""

import time
from collections.abc import Callable
from pathlib import Path

from pvfault import lenet
from pvfault_workshop.evaluation import model_card
from pvfault_workshop.evaluation.network_scores import Scores, score_network
from pvfault_workshop.recipe import Recipe
from pvfault_workshop.simulation.labelled import LabelledWindows
from pvfault_workshop.simulation.parts import name_parts
from pvfault_workshop.simulation.splits import PARTS
from pvfault_workshop.training import train_network


def make_network(
    parts: dict[str, LabelledWindows], recipe: Recipe, output: Path, *, command: str,
    tell: Callable[[str], None] = lambda _line: None,
) -> Scores:  # fmt: skip
    """Train a network, score it, and write its weights and, beside them, its model card.

    Parameters
    ----------
    parts : dict of str to LabelledWindows
        As `prepare_parts` gives them.
    recipe : Recipe
    output : Path
        Of the weights.
    command : str
        That repeats it, for the card.
    tell : callable
        Called with a line after each epoch.

    Returns
    -------
    Scores

    Raises
    ------
    PvfaultError
        If a class has no training window.
    """
    begin = time.monotonic()
    training, validation, test = (parts[name] for name in PARTS)
    network = train_network(training, validation, epochs=recipe.epochs, seed=recipe.seed, report=tell)
    scores = score_network(network, test)
    lenet.save_network(network, output)
    lenet.write_scores(output, scores.summary() | {"training_windows": name_parts(parts)})
    card = model_card.write_card(
        scores,
        version=lenet.read_version(output),
        command=command,
        training=training,
        validation=validation,
        test=test,
        minutes=(time.monotonic() - begin) / 60,
    )
    output.with_suffix(".md").write_text(card, encoding="utf-8")
    return scores
