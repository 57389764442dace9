"""What a job on another machine says: its messages to Dagster, and its driver's log, both from S3.

Reading what is new since the last look, and finding the cause in a log. A reader is of one run. The job's side of the
messages is `spark_jobs.messages`.
"""

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import dagster as dg

from pvfault_assets.resources.amazon import RetryingClients
from spark_jobs.messages import URI

EXCERPT_LINES = 40

# Log4j's lines of no weight, with Spark's and EMR's two date formats; what is left is for the reader.
_CHATTER = re.compile(r"^\S{0,10}\s?\S{0,12} (INFO|WARN|DEBUG) ")
_CAUSE = re.compile(r"^(Caused by: .+|: [\w.$]+(Error|Exception)\b.*|[\w.]*(Error|Exception|Exit)\b.*|error: .+)$")
TRACEBACK = "Traceback (most recent call last)"


class BucketMessageReader(dg.PipesMessageReader):
    """Reads the numbered messages of one job, when it is asked to.

    Dagster's own reader asks every ten seconds in a thread, and takes whatever error for "not there yet".

    Parameters
    ----------
    amazon : RetryingClients
    bucket, folder : str

    Attributes
    ----------
    has_opened : bool
        Whether the job's program has come so far.
    has_raised : bool
        Whether it has ended by an error of Python's.
    """

    # The one driver. Dagster's own default says the same, with a warning that it may go.
    expected_writer_count = 1

    def __init__(self, amazon: RetryingClients, bucket: str, folder: str):
        self._amazon = amazon
        self._bucket = bucket
        self._folder = folder
        self._read = 0
        self._handler = None
        self.has_opened = False
        self.has_raised = False

    @contextmanager
    def read_messages(self, handler) -> Iterator[dict]:
        """Take messages for a handler as long as the block lasts; yields what the job must know."""
        self._handler = handler
        yield {URI: f"s3://{self._bucket}/{self._folder}"}

    def read_new(self) -> None:
        """Hand on what has been written since the last time."""
        while (text := self._amazon.read(self._bucket, f"{self._folder}/{self._read + 1}.json")) is not None:
            message = json.loads(text)
            self.has_opened |= message["method"] == "opened"
            self.has_raised |= message["method"] == "closed" and "exception" in (message["params"] or {})
            self._handler.handle_message(message)
            self._read += 1

    def no_messages_debug_text(self) -> str:
        """Where messages were looked for."""
        return f"Looked for messages in s3://{self._bucket}/{self._folder}."


class DriverLog:
    """One of the two logs of a job's driver, which EMR Serverless uploads anew, longer each time.

    Parameters
    ----------
    amazon : RetryingClients
    bucket, key : str
    to : IO
        Where new text goes: Dagster shows its own output beside the run.
    """

    def __init__(self, amazon: RetryingClients, bucket: str, key: str, to: IO[str]):
        self._amazon = amazon
        self._bucket = bucket
        self._key = key
        self._to = to
        self.text = ""

    def copy_new(self) -> None:
        """Show what has come since the last time."""
        packed = self._amazon.read(self._bucket, self._key)
        if packed is None:
            return
        text = _unpack(packed)
        self._to.write(text[len(self.text) :])
        self._to.flush()
        self.text = text


def driver_logs(amazon: RetryingClients, bucket: str, folder: str) -> tuple[DriverLog, DriverLog]:
    """Standard output and error of a driver, shown as this process's own."""
    return (
        DriverLog(amazon, bucket, f"{folder}/stdout.gz", sys.stdout),
        DriverLog(amazon, bucket, f"{folder}/stderr.gz", sys.stderr),
    )


def failure_text(stdout: str, stderr: str) -> str:
    """The log that says why a driver failed: `spark-submit` shows what Python says, errors too, on standard output."""
    return stdout if TRACEBACK in stdout or not stderr else stderr


def excerpt(log: str) -> str:
    """The part of a driver's log that says why it failed: the last traceback, or the last lines."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip() and not _CHATTER.match(line)]
    starts = [number for number, line in enumerate(lines) if line.startswith(TRACEBACK)]
    found = lines[starts[-1] :] if starts else lines
    if len(found) > EXCERPT_LINES:
        # The ends: where in our code it was, and what it was.
        found = [*found[: EXCERPT_LINES // 4], "...", *found[-3 * EXCERPT_LINES // 4 :]]
    return "\n".join(found)


def cause(log: str) -> str | None:
    """The one line of a driver's log that says what went wrong: the innermost cause of the last traceback."""
    lines = [line.strip() for line in log.splitlines()]
    causes = [line for line in lines if _CAUSE.match(line)]
    # What Java says of itself: Python only says that there was an error in Java.
    inner = [line for line in causes if line.startswith(("Caused by: ", ": "))]
    return (inner or causes or [""])[-1].removeprefix(": ") or None


def _unpack(packed: bytes) -> str:
    try:
        return gzip.decompress(packed).decode(errors="replace")
    except EOFError:  # an upload of a stream that is still open: take what is there
        return zlib.decompressobj(wbits=31).decompress(packed).decode(errors="replace")
