"""How the network is made: the numbers that `make model` stands for.

This module imports nothing, so that commands and assets can name defaults without loading the science.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How a network is made.

    Attributes
    ----------
    devices : int
        Faulty devices of the fleets for training, each with its healthy twin; arrays of the literature are added.
    epochs : int
    seed : int
        The same seed gives the same weights.
    """

    devices: int = 20_480
    epochs: int = 10
    seed: int = 1
