"""From windows to a network with its model card: train, score, write beside, audit, publish.

The order of these steps, and what a weights file says of its own training. `pvfault train` and the asset `lenet_model`
call the same function.
"""

import time
from collections.abc import Callable
from pathlib import Path

from pvfault import lenet
from pvfault.candidates import CandidateSets, write_candidate_sets
from pvfault.errors import PvfaultError
from pvfault.scores import write_scores
from pvfault_workshop.audit import compare_networks, read_back
from pvfault_workshop.candidates import calibrate
from pvfault_workshop.evaluation import model_card
from pvfault_workshop.evaluation.network_scores import Scores, score_network
from pvfault_workshop.publishing import keep_beside, publish, replace_text, written_beside
from pvfault_workshop.recipe import Recipe
from pvfault_workshop.simulation.labelled import LabelledWindows
from pvfault_workshop.simulation.parts import name_parts
from pvfault_workshop.simulation.splits import PARTS
from pvfault_workshop.training import train_network

Tell = Callable[[str], None]


def _quietly(_line):
    """Tell nobody."""


def make_network(
    parts: dict[str, LabelledWindows], recipe: Recipe, output: Path, *, command: str, tell: Tell = _quietly
) -> Scores:
    """Train a network, score it, and put its weights and model card in the place of those that are there.

    Parameters
    ----------
    parts : dict of str to LabelledWindows
        As `prepare_parts` gives them.
    recipe : Recipe
    output : Path
        Of the weights; their card goes beside them.
    command : str
        That repeats it, for the card.
    tell : callable
        Called with a line after each epoch, and with how the network compares.

    Returns
    -------
    Scores

    Raises
    ------
    PvfaultError
        If a class has no training window, or as `put_in_place`.
    """
    begin = time.monotonic()
    training, validation, test = (parts[name] for name in PARTS)
    network = train_network(training, validation, epochs=recipe.epochs, seed=recipe.seed, report=tell)
    least = calibrate(lenet.Classifier(network, "training").predict(validation.images), validation)
    scores = score_network(network, CandidateSets("training", *least), test)

    def write_card(version):
        return model_card.write_card(
            scores,
            version=version,
            command=command,
            training=training,
            validation=validation,
            test=test,
            minutes=(time.monotonic() - begin) / 60,
        )

    summary = scores.summary() | {"training_windows": name_parts(parts)}
    put_in_place(network, summary, write_card, output, test=test, least=least, tell=tell)
    return scores


def put_in_place(
    network, summary: dict, write_card: Callable[[str], str], output: Path, *, test: LabelledWindows, least: tuple,
    tell: Tell = _quietly,
) -> None:  # fmt: skip
    """Write a network and its card beside those that are there, audit it, and publish it if it is not worse.

    Parameters
    ----------
    network : keras.Model
    summary : dict
        The scores that the weights file tells of itself.
    write_card : callable
        From a version to the text of a card that names it.
    output : Path
    test : LabelledWindows
        On which the network is compared with the one that is there.
    least : tuple of ndarray
        What its sets of candidates go by, as `calibrate` gives it.
    tell : callable

    Raises
    ------
    PvfaultError
        If the file that was written does not hold the network, or the network is worse than the one that is there,
        which then stays; the new one is kept under another name.
    """
    with written_beside(output) as new:
        lenet.save_network(network, new)
        write_scores(new, summary)
        write_candidate_sets(new, *least)
        replace_text(new.with_suffix(".md"), write_card(lenet.read_version(new)))
        differences = _compare_with_present(read_back(new, network, test.images), output, test, tell)
        worse = [str(difference) for difference in differences if difference.worse]
        if worse:
            raise PvfaultError(_describe_refusal(keep_beside(new, output), output, worse, len(test)))
        publish(new, output)


def _compare_with_present(classifier, output, test, tell):
    """How a network compares with the one in its place; nothing if there is none that can be read."""
    if not output.exists():
        return []
    try:
        present = lenet.load_classifier(output)
    except lenet.ModelError as error:
        tell(f"Compared with no other network: {error}")
        return []
    differences = compare_networks(classifier, present, test)
    tell(f"Beside {output}, on the same {len(test):,} test windows, intervals of 95 % over devices:")
    for difference in differences:
        tell(f"  {difference}")
    return differences


def _describe_refusal(kept, output, worse, n_windows):
    """Why a network does not take its place, and how it takes it all the same."""
    return (
        f"{output} stays as it is: the new network is worse than it beyond chance (95 % confidence) on the same "
        f"{n_windows:,} test windows: {'; '.join(worse)}. It is kept as {kept}, with its card. More devices or epochs "
        f"may do better; to take it all the same, point PVFAULT_MODEL at it, or move {kept.name} to {output.name} and "
        f"{kept.with_suffix('.md').name} to {output.with_suffix('.md').name}"
    )
