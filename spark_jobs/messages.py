"""How a job's messages reach Dagster.

Here: messages as objects of a bucket, where a job on another machine writes them, and a job's own progress among them.
Not here: what a report is (`job.py`), who reads the messages (`pvfault_assets/resources/job_messages.py`).
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dagster_pipes import (
    PipesContext,
    PipesDefaultMessageWriter,
    PipesMessage,
    PipesMessageWriterChannel,
    PipesParams,
    open_dagster_pipes,
)
from pyarrow import fs

URI = "uri"
"""Under this name the reader says in which folder it looks."""


class MessageWriter(PipesDefaultMessageWriter):
    """Writes messages where the reader looks: into a bucket, or the file or stream of a job on the same machine."""

    @contextmanager
    def open(self, params: PipesParams) -> Iterator[PipesMessageWriterChannel]:
        """Open the way that the parameters name."""
        if URI in params:
            yield _Folder(*fs.FileSystem.from_uri(params[URI]))
            return
        with super().open(params) as channel:
            yield channel


class _Folder(PipesMessageWriterChannel):
    """An object for each message, by its number.

    A job has a line for each date and one report: each is written when it is told, so none is lost with the process.
    """

    def __init__(self, system: fs.FileSystem, folder: str):
        self._system = system
        self._folder = folder
        self._written = 0

    def write_message(self, message: PipesMessage) -> None:
        self._written += 1
        with self._system.open_output_stream(f"{self._folder}/{self._written}.json") as stream:
            stream.write(json.dumps(message).encode())


@contextmanager
def told_to_dagster() -> Iterator[PipesContext | None]:
    """A job's connection with the Dagster that launched it, for as long as the block lasts; None if nobody did.

    What the job logs goes there too.
    """
    if "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield None
        return
    with open_dagster_pipes(message_writer=MessageWriter()) as pipes:
        log = logging.getLogger("spark_jobs")
        log.setLevel(logging.INFO)
        for handler in pipes.log.handlers:
            log.addHandler(handler)
        yield pipes
