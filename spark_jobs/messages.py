"""How what a job has to say reaches Dagster: a message a date, and one for a user's mistake.

What is in a message, messages as objects of a bucket, where a job on another machine writes them, and a job's log lines
among them. They are read in `pvfault_assets/resources/job_messages.py`.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dagster_pipes import (
    PipesDefaultMessageWriter,
    PipesMessage,
    PipesMessageWriterChannel,
    PipesParams,
    open_dagster_pipes,
)
from pyarrow import fs

from pvfault.errors import PvfaultError, TransientError
from spark_jobs.job import DateReport

URI = "uri"
"""Under this name the reader says in which folder it looks."""


def to_message(said: DateReport | PvfaultError) -> dict:
    """What a job says, as values that JSON can hold."""
    if isinstance(said, DateReport):
        return {"date": said.to_values()}
    return {"mistake": str(said), "is_transient": isinstance(said, TransientError)}


def from_message(message: dict) -> DateReport | PvfaultError:
    """What `to_message` has made a message of; an error is of one of the two base classes."""
    if "date" in message:
        return DateReport.from_values(message["date"])
    return (TransientError if message["is_transient"] else PvfaultError)(message["mistake"])


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

    Each is written when it is sent, so none is lost with the process.
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
def connected_to_dagster() -> Iterator[Callable[[DateReport | PvfaultError], None] | None]:
    """A way to send to the Dagster that launched this job, for as long as the block lasts; None if nobody did.

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
        yield lambda said: pipes.report_custom_message(to_message(said))
