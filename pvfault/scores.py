"""How right a network is, as its file of weights tells it.

Here: the scores in the file, for whoever judges or shows them without the network. Not here: the network itself
(`lenet.py`), which takes much longer to load.
"""

import json
from pathlib import Path

import h5py


def write_scores(weights: Path, scores: dict) -> None:
    """Write into a weights file how right its network is, so that it goes wherever the weights go."""
    with h5py.File(weights, "r+") as file:
        file.attrs["scores"] = json.dumps(scores)


def read_scores(weights: Path) -> dict:
    """Read what `write_scores` wrote; empty for weights without scores."""
    with h5py.File(weights, "r") as file:
        return json.loads(file.attrs.get("scores", "{}"))
