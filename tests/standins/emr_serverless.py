"""A stand-in for Amazon EMR Serverless: an HTTP service that boto3's client talks to and that runs what it is given.

Here: the API's operations on job runs, their states, and faults on demand. Requests are checked against botocore's own
model of the service, so that what the service would refuse is refused. A job runs by the `spark-submit` of pyspark, in
a process group of its own; its logs go to S3 where the service puts them.

Not here: what needs an account. Roles are not checked, workers are those of this machine, `billedResourceUtilization`
is wall time of a driver and an executor of 4 vCPU and 16 GB, and a token's answer is kept for ever.
"""

import gzip
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.standins.amazon import ACCOUNT_ID, REGION

DONE = {"SUCCESS", "FAILED", "CANCELLED"}
WAITING = ("SUBMITTED", "PENDING", "SCHEDULED")
RELEASE_LABEL = "emr-spark-8.0.0"
_MODEL = botocore.session.get_session().get_service_model("emr-serverless")
_DRIVER_ENVIRONMENT = "spark.emr-serverless.driverEnv."
# Logs reach S3 every so often while a job runs. The service takes minutes; the tests have not got them.
_UPLOAD_EVERY_S = 0.5
# The grace period that the service takes, beside none at all.
_GRACE_S = range(15, 1801)


class ApiError(Exception):
    """An error of the API, by the name of its shape."""

    def __init__(self, status: int, name: str, message: str):
        super().__init__(message)
        self.status, self.name = status, name


@dataclass
class JobRun:
    """A job run as the service knows it, and its process."""

    request: dict
    job_run_id: str
    state: str = "SUBMITTED"
    details: str = "The job run was submitted."
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    history: list[str] = field(default_factory=lambda: ["SUBMITTED"])
    process: subprocess.Popen | None = None
    folder: Path | None = None
    grace_s: int = 0
    started: float = 0.0
    billed: dict | None = None

    def has_said(self, text: str) -> bool:
        """Whether its driver has written a text to standard output."""
        file = self.folder and self.folder / "stdout"
        return bool(file and file.exists() and text in file.read_text())

    def become(self, state: str, details: str) -> None:
        self.state, self.details, self.updated = state, details[:256], datetime.now(UTC)
        self.history.append(state)


class EmrServerless:
    """The service, with one application.

    Parameters
    ----------
    environment : dict
        The variables by which a driver finds S3 and Glue: what the service's own workers are given.

    Attributes
    ----------
    application : str
        Its id.
    calls : list of str
        The operations that were called, in order, those that were answered with a fault too.
    hold : str or None
        A waiting state beyond which no job run comes.
    minute_s : float
        How long a minute of an execution timeout is. [s]
    """

    def __init__(self, environment: dict[str, str]):
        self.application = "00standin00000001"
        self.calls: list[str] = []
        self.hold: str | None = None
        self.minute_s = 60.0
        self._environment = environment
        self._runs: dict[str, JobRun] = {}
        self._tokens: dict[str, tuple[dict, str]] = {}
        self._faults: dict[str, list] = defaultdict(list)
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._threads: list[threading.Thread] = []

    # What a test does.

    def fail(self, operation: str, *faults: object) -> None:
        """Answer the next calls of an operation with faults, or with None as they should be.

        A fault is an ApiError, "lost" for a connection that is closed, or "answer lost" for one that is closed when the
        work is done.
        """
        self._faults[operation] += faults

    def throttle(self, operation: str, times: int) -> None:
        self.fail(operation, *[ApiError(429, "ThrottlingException", "Rate exceeded")] * times)

    def recover(self) -> None:
        """Answer again."""
        self._faults.clear()

    @property
    def runs(self) -> list[JobRun]:
        """All job runs, the oldest first."""
        return list(self._runs.values())

    def kill(self, run: JobRun) -> None:
        """What a worker meets that is out of memory."""
        os.killpg(run.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End every job."""
        self.hold = None
        for run in self.runs:
            self._cancel(run, 0)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    # What the service does.

    def answer(self, method: str, path: str, body: bytes) -> dict:
        """Answer a request, or raise its error."""
        operation, parameters = _parse(method, path, body)
        with self._lock:
            self.calls.append(operation)
            fault = self._faults[operation].pop(0) if self._faults[operation] else None
            if isinstance(fault, ApiError):
                raise fault
            if fault == "lost":
                raise ConnectionAbortedError
            _validate(operation, parameters)
            if parameters["applicationId"] != self.application:
                raise ApiError(
                    404, "ResourceNotFoundException", f"Application {parameters['applicationId']} is unknown"
                )
            result = getattr(self, f"_on_{operation}")(parameters)
            if fault == "answer lost":
                raise ConnectionAbortedError
            return result

    def _on_StartJobRun(self, parameters: dict) -> dict:  # noqa: N802 - the operation's name
        token = parameters["clientToken"]
        known, job_run_id = self._tokens.get(token, (None, None))
        if known is None:
            job_run_id = f"00run{next(self._numbers):011d}"
            self._tokens[token] = parameters, job_run_id
            self._runs[job_run_id] = run = JobRun(parameters, job_run_id)
            thread = threading.Thread(target=self._work, args=(run,), name=job_run_id)
            self._threads.append(thread)
            thread.start()
        elif known != parameters:
            raise ApiError(409, "ConflictException", "The client token was used with other parameters")
        return {"applicationId": self.application, "jobRunId": job_run_id, "arn": self._arn(job_run_id)}

    def _on_GetJobRun(self, parameters: dict) -> dict:  # noqa: N802
        run = self._find(parameters)
        described = {
            **self._summary(run), "jobRunId": run.job_run_id, "jobDriver": run.request["jobDriver"],
            "configurationOverrides": run.request.get("configurationOverrides", {}), "attempt": 1,
            "executionTimeoutMinutes": run.request.get("executionTimeoutMinutes", 720),
        }  # fmt: skip
        return {"jobRun": described | ({"billedResourceUtilization": run.billed} if run.billed else {})}

    def _on_ListJobRuns(self, parameters: dict) -> dict:  # noqa: N802
        after = parameters.get("createdAtAfter")
        runs = [run for run in reversed(self.runs) if after is None or run.created >= after]
        runs = [run for run in runs if run.state in parameters.get("states", [run.state])]
        first, size = int(parameters.get("nextToken", 0)), parameters.get("maxResults", 10)
        page = [{**self._summary(run), "id": run.job_run_id} for run in runs[first : first + size]]
        return {"jobRuns": page} | ({"nextToken": str(first + size)} if first + size < len(runs) else {})

    def _on_CancelJobRun(self, parameters: dict) -> dict:  # noqa: N802
        grace_s = parameters.get("shutdownGracePeriodInSeconds", 0)
        if grace_s and grace_s not in _GRACE_S:
            raise ApiError(400, "ValidationException", "shutdownGracePeriodInSeconds must be 0 or 15 to 1800")
        run = self._find(parameters)
        self._cancel(run, grace_s)
        return {"applicationId": self.application, "jobRunId": run.job_run_id}

    def _find(self, parameters: dict) -> JobRun:
        if parameters["jobRunId"] not in self._runs:
            raise ApiError(404, "ResourceNotFoundException", f"Job run {parameters['jobRunId']} is unknown")
        return self._runs[parameters["jobRunId"]]

    def _summary(self, run: JobRun) -> dict:
        return {
            "applicationId": self.application, "arn": self._arn(run.job_run_id), "name": run.request.get("name", "job"),
            "createdBy": f"arn:aws:iam::{ACCOUNT_ID}:user/test", "createdAt": run.created.timestamp(),
            "updatedAt": run.updated.timestamp(), "executionRole": run.request["executionRoleArn"], "state": run.state,
            "stateDetails": run.details, "releaseLabel": RELEASE_LABEL,
        }  # fmt: skip

    def _arn(self, job_run_id: str) -> str:
        return f"arn:aws:emr-serverless:{REGION}:{ACCOUNT_ID}:/applications/{self.application}/jobruns/{job_run_id}"

    def _cancel(self, run: JobRun, grace_s: int, why: str = "The job run was cancelled by request.") -> None:
        with self._lock:
            if run.state in DONE or run.state == "CANCELLING":
                return
            run.grace_s = grace_s
            run.become("CANCELLING", why)

    def _work(self, run: JobRun) -> None:
        """Take a job run through its states, as the service's scheduler does."""
        for state in (*WAITING[1:], None):
            time.sleep(0.05)
            while self.hold == run.state:
                time.sleep(0.02)
            with self._lock:
                if run.state == "CANCELLING":
                    run.become("CANCELLED", run.details)
                    return
                if state:
                    run.become(state, f"The job run is {state.lower()}.")
        with tempfile.TemporaryDirectory(prefix="emr-") as folder:
            self._run_driver(run, Path(folder))

    def _run_driver(self, run: JobRun, folder: Path) -> None:
        run.folder = folder
        driver = run.request["jobDriver"]["sparkSubmit"]
        logs = _Logs(self._s3(), run, self.application, folder)
        try:
            command, environment = self._command(driver, folder)
        except ClientError as error:
            logs.write("stderr", f"{error}\n")
            logs.upload()
            run.become("FAILED", f"Job failed, a file of it cannot be read: {error}")
            return
        with logs.file("stdout") as stdout, logs.file("stderr") as stderr:
            run.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip
        run.started = time.monotonic()
        with self._lock:
            if run.state != "CANCELLING":
                run.become("RUNNING", "The driver is running.")
        code = self._follow(run, logs)
        logs.upload()
        seconds = max(60.0, time.monotonic() - run.started)  # a worker is billed for at least a minute
        with self._lock:
            run.billed = {"vCPUHour": 8 * seconds / 3600, "memoryGBHour": 32 * seconds / 3600, "storageGBHour": 0.0}
            if run.state == "CANCELLING":
                run.become("CANCELLED", run.details)
            elif code == 0:
                run.become("SUCCESS", "The job run has completed.")
            else:
                run.become("FAILED", f"Job failed, please check complete logs in configured logging destination. "
                           f"ExitCode: {code}. Last few exceptions: ...")  # fmt: skip

    def _follow(self, run: JobRun, logs: "_Logs") -> int:
        """Wait for a driver's end, uploading its logs; end it if the job run is cancelled or takes too long."""
        deadline = run.started + run.request.get("executionTimeoutMinutes", 720) * self.minute_s
        kill_at = None
        while run.process.poll() is None:
            time.sleep(0.05)
            logs.upload_sometimes()
            if time.monotonic() > deadline:
                self._cancel(run, 0, "The job run exceeded its execution timeout.")
            if run.state == "CANCELLING" and kill_at is None:
                kill_at = time.monotonic() + run.grace_s
                _signal(run.process, signal.SIGTERM)
            if kill_at is not None and time.monotonic() >= kill_at:
                _signal(run.process, signal.SIGKILL)
        _signal(run.process, signal.SIGKILL)  # what the driver left behind
        return run.process.returncode

    def _command(self, driver: dict, folder: Path) -> tuple[list[str], dict[str, str]]:
        """The command line of a driver, its files on this machine, and its environment."""
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "PYSPARK_PYTHON": sys.executable,
            **{name: os.environ[name] for name in ("JAVA_HOME", "LANG", "SPARK_SUBMIT_OPTS") if name in os.environ},
            **self._environment,
        }
        given = []
        for word in shlex.split(driver.get("sparkSubmitParameters", "")):
            name, _, value = word.partition("=")
            if name.startswith(_DRIVER_ENVIRONMENT):
                environment[name.removeprefix(_DRIVER_ENVIRONMENT)] = value
                given.pop()  # its --conf
            else:
                given.append(",".join(self._fetch(part, folder) for part in word.split(",")))
        spark = ["--master", "local[2]", "--driver-memory", "1g"]
        for name, value in _THIS_MACHINE.items():
            spark += ["--conf", f"{name}={value}"]
        entry_point = self._fetch(driver["entryPoint"], folder)
        submit = Path(sys.executable).with_name("spark-submit")
        return [str(submit), *spark, *given, entry_point, *driver.get("entryPointArguments", [])], environment

    def _fetch(self, word: str, folder: Path) -> str:
        """A file of S3 as one of this machine; any other word as it is. The service reads S3 by its own file system."""
        if not word.startswith("s3://"):
            return word
        bucket, _, key = word.removeprefix("s3://").partition("/")
        file = folder / "files" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        self._s3().download_file(bucket, key, str(file))
        return str(file)

    def _s3(self):
        return boto3.client(
            "s3", region_name=REGION, endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="test", aws_secret_access_key="test",  # noqa: S106
        )  # fmt: skip


# Spark as the service sets it up, in the small.
_THIS_MACHINE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
    "spark.sql.shuffle.partitions": "4",
}


class _Logs:
    """The driver's two logs, on this machine and in S3, laid out as the service does."""

    def __init__(self, s3, run: JobRun, application: str, folder: Path):
        monitoring = run.request.get("configurationOverrides", {}).get("monitoringConfiguration", {})
        uri = monitoring.get("s3MonitoringConfiguration", {}).get("logUri")
        self._s3, self._folder, self._next = s3, folder, 0.0
        self._bucket, _, prefix = (uri or "").removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.rstrip('/')}/applications/{application}/jobs/{run.job_run_id}/SPARK_DRIVER"

    def file(self, name: str):
        return (self._folder / name).open("ab")

    def write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text)

    def upload_sometimes(self) -> None:
        if time.monotonic() >= self._next:
            self.upload()
            self._next = time.monotonic() + _UPLOAD_EVERY_S

    def upload(self) -> None:
        for name in ("stdout", "stderr"):
            file = self._folder / name
            if self._bucket and file.exists() and file.stat().st_size:
                key, body = f"{self._prefix}/{name}.gz", gzip.compress(file.read_bytes())
                self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)


def _signal(process: subprocess.Popen, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _parse(method: str, path: str, body: bytes) -> tuple[str, dict]:
    """Operation and parameters of a request, as the service's model lays them out."""
    parts = urlsplit(path)
    for operation in map(_MODEL.operation_model, _MODEL.operation_names):
        template = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation.http["requestUri"])
        found = re.fullmatch(template, parts.path)
        if operation.http["method"] == method and found:
            parameters = {name: unquote(value) for name, value in found.groupdict().items()}
            parameters |= json.loads(body) if body else {}
            query = parse_qs(parts.query)
            for name, shape in operation.input_shape.members.items():
                if shape.serialization.get("location") == "querystring" and shape.serialization["name"] in query:
                    parameters[name] = _from_query(shape, query[shape.serialization["name"]])
            return operation.name, parameters
    raise ApiError(404, "ResourceNotFoundException", f"{method} {parts.path} is no operation")


def _from_query(shape, values: list[str]):
    if shape.type_name == "list":
        return values
    if shape.type_name == "integer":
        return int(values[0])
    return datetime.fromisoformat(values[0]) if shape.type_name == "timestamp" else values[0]


def _validate(operation: str, parameters: dict) -> None:
    """Refuse what the service's model does not allow: members, types, lengths, patterns, words."""
    shape = _MODEL.operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    wrong = [report.generate_report()] if report.has_errors() else [*_mismatches(parameters, shape, "")]
    if wrong:
        raise ApiError(400, "ValidationException", "; ".join(wrong))


def _mismatches(value, shape, name: str) -> Iterator[str]:
    """What botocore's own validator leaves to the service."""
    if shape.type_name == "structure":
        for member, inner in value.items():
            yield from _mismatches(inner, shape.members[member], f"{name}.{member}")
    elif shape.type_name == "list":
        for inner in value:
            yield from _mismatches(inner, shape.member, f"{name}[]")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{name} is {value!r}, which is not one of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        # Java's \uXXXX are Python's too; surrogates, which only the URI's and policy's patterns have, are not.
        if pattern and "uD800" not in pattern and not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{name} does not match {pattern}"
    most = shape.metadata.get("max")
    if most is not None and (len(value) if shape.type_name in ("string", "list", "map") else value) > most:
        yield f"{name} is longer or larger than {most}"


@contextmanager
def serving(service: EmrServerless) -> Iterator[str]:
    """Answer HTTP requests as long as the block lasts; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, kind, answer = 200, None, service.answer(self.command, self.path, body)
            except ApiError as error:
                status, kind, answer = error.status, error.name, {"message": str(error)}
            except ConnectionAbortedError:
                self.close_connection = True
                return
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            if kind:
                self.send_header("x-amzn-ErrorType", kind)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the names that the server looks for

        def log_message(self, *_arguments):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="emr-serverless")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        service.close()
        server.shutdown()
        thread.join()
        server.server_close()
