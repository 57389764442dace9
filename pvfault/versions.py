"""Versions of what a verdict comes from: names that tell whether two files, or two states of the code, are the same."""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

VERSION_LENGTH = 12
# What a job runs of pvfault, and so what a release packs for it.
JOB_PACKAGES = ("pvfault", "spark_jobs")


def version_of(content: bytes) -> str:
    """Version of a file: the first 12 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:VERSION_LENGTH]


@cache
def code_version() -> str:
    """Version of the code that judges: of every Python file of `pvfault` and `spark_jobs`, from a folder or an archive.

    The same wherever the same code runs, on a laptop or packed for a cluster.
    """
    sources = {path: source for package in JOB_PACKAGES for path, source in _sources(files(package), package)}
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(version_of(sources[path]).encode() + path.encode() + b"\n")
    return digest.hexdigest()[:VERSION_LENGTH]


def _sources(folder: Traversable, path: str):
    """Python files below a folder, by their paths from it."""
    for inside in folder.iterdir():
        below = f"{path}/{inside.name}"
        if inside.is_dir():
            yield from _sources(inside, below)
        elif inside.name.endswith(".py"):
            # Git may check files out with another line end.
            yield below, inside.read_bytes().replace(b"\r\n", b"\n")
