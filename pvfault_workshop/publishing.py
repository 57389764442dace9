"""A network takes the place of another: weights with their model card, the old pair or the new one.

Where new ones are written, how they get to where readers look, which card belongs to which weights. Whether they may
take the place of what is there is asked in `audit.py`.

Two files cannot be renamed at once. So a card belongs to the weights whose version it names, and the weights, which
everything hangs on, are renamed first. Until their card has followed, it lies in the folder that both were written in:
`card_of` finds it there, and the next publication completes the move.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvfault.lenet import read_version
from pvfault.versions import VERSION_LENGTH


@contextmanager
def written_beside(weights: Path) -> Iterator[Path]:
    """Give a place for new weights, and their card, that no reader looks at; it is gone afterwards.

    One process at a time has it, in each folder; another one waits.

    Parameters
    ----------
    weights : Path
        That the new ones are to take the place of; they need not be there.

    Yields
    ------
    Path
        For the new weights, on the same file system. Their card goes beside them, written by `replace_text`.
    """
    weights.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(weights.parent):
        _clear(weights)  # of a process that was killed
        _folder_of(weights).mkdir()
        try:
            yield _folder_of(weights) / weights.name
        finally:
            _clear(weights)


def publish(new: Path, weights: Path) -> None:
    """Put new weights and their card in the place of those that are there.

    Whoever reads meanwhile, or after this process was killed, finds the old weights or the new ones, whole, and by
    `card_of` the card that belongs to them.

    Parameters
    ----------
    new : Path
        As `written_beside` gave it, with a card beside it that names its version.
    weights : Path
    """
    _flush(new)
    _flush(_card(new))
    new.replace(weights)
    _clear(weights)
    _flush(weights.parent)


def keep_beside(new: Path, weights: Path) -> Path:
    """Keep new weights and their card, under their version's name, beside those that are there.

    Parameters
    ----------
    new : Path
        As `written_beside` gave it.
    weights : Path

    Returns
    -------
    Path
        Of the new weights.
    """
    kept = weights.with_name(f"{weights.stem}-{read_version(new)}{weights.suffix}")
    _card(new).replace(_card(kept))
    new.replace(kept)
    return kept


def card_of(weights: Path) -> Path:
    """Where the card is that belongs to weights.

    Parameters
    ----------
    weights : Path

    Returns
    -------
    Path
        Beside the weights; or, where a publication was broken off after the weights, where they were written. Whether
        it is there, and whether it names the version of the weights, is the caller's to look at.
    """
    beside, waiting = _card(weights), _card(_folder_of(weights) / weights.name)
    version = read_version(weights)
    return waiting if version_named(beside) != version == version_named(waiting) else beside


def version_named(card: Path) -> str | None:
    """Version of the weights that a card names in its heading; None if it names none, or is not there."""
    if not card.is_file():
        return None
    heading = card.read_text(encoding="utf-8").partition("\n")[0]
    found = re.search(rf"\bversion ([0-9a-f]{{{VERSION_LENGTH}}})$", heading)
    return found[1] if found else None


def replace_text(path: Path, text: str) -> None:
    """Write a text file, so that whoever reads finds the old text or the new one, whole."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    _flush(new)
    new.replace(path)


def _card(weights):
    """Beside weights."""
    return weights.with_suffix(".md")


def _folder_of(weights):
    """Where new weights are written."""
    return weights.with_name(f".{weights.name}.new")


def _clear(weights):
    """Remove what was not published; a card whose weights were is put beside them first."""
    folder = _folder_of(weights)
    if weights.is_file() and (card := card_of(weights)).parent == folder:
        card.replace(_card(weights))
    if folder.is_dir():
        shutil.rmtree(folder)


@contextmanager
def _alone_in(folder):
    """Let other processes that would publish in a folder wait; the lock ends with its process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _flush(path):
    """Have a file, or what a folder holds, on the disk before anything is renamed."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
