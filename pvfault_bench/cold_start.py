"""How long the function on AWS Lambda takes from its start to its first answer, in a process of its own each time.

As a program it prints one line of JSON: `python -m pvfault_bench.cold_start PACKAGES`. PACKAGES is a folder with what
the image installs and nothing else (docs/performance.md). The process is that of the image, Lambda's runtime interface
client included; the service that it asks for requests is a small server here. What the service does before the process
starts, fetching the image above all, is not in these times.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from pvfault.settings import Settings
from pvfault_bench.answers import FIRST, Plant

# As large as the tables of `make demo`.
DEVICES, DATES, TIMES = 50, 2, 5
TOKEN = "0" * 32
QUESTIONS = ("/fleet", "/fleet", "/devices?limit=100")
_CONTEXT = {"Lambda-Runtime-Aws-Request-Id": "1", "Content-Type": "application/json"}


class _Runtime(BaseHTTPRequestHandler):
    """Lambda's runtime API, as far as one instance uses it: the moments of what happens are noted at the server."""

    def do_GET(self) -> None:
        """Hand out the next request; who asks for one after the last is ended."""
        self.server.moments.append(time.perf_counter())
        if len(self.server.statuses) == len(QUESTIONS):
            self.server.instance.kill()
            return
        path, _, query = QUESTIONS[len(self.server.statuses)].partition("?")
        http = {"method": "GET", "path": path, "sourceIp": "203.0.113.7"}
        headers = {"host": "example", "authorization": f"Bearer {TOKEN}"}
        event = {"version": "2.0", "rawQueryString": query, "headers": headers, "requestContext": {"http": http}}
        self._send(200, json.dumps(event).encode())

    def do_POST(self) -> None:
        """Take an answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.statuses.append(body.get("statusCode", body))
        self._send(202, b"")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**_CONTEXT, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args) -> None:
        """Say nothing of single requests."""


def start_once(home: Path, packages: Path) -> list[float]:
    """Seconds until an instance is ready, and that each of its answers then took."""
    with HTTPServer(("127.0.0.1", 0), _Runtime) as server:
        server.moments, server.statuses, server.timeout = [time.perf_counter()], [], 10
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}", "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{packages}:{Path.cwd()}", "PVFAULT_HOME": str(home), "PVFAULT_TOKEN": TOKEN,
        }  # fmt: skip
        # -S: nothing of this environment's own packages.
        command = [sys.executable, "-S", "-m", "awslambdaric", "pvfault_server.on_lambda.handler"]
        with subprocess.Popen(command, env=environment) as server.instance:
            while len(server.moments) < 2 + len(QUESTIONS) and server.instance.poll() is None:
                server.handle_request()
        if server.statuses != [200] * len(QUESTIONS):
            raise RuntimeError(f"the answers were {server.statuses}")
        return [after - before for before, after in zip(server.moments, server.moments[1:], strict=False)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pvfault-") as folder:
        home, packages = Path(folder), Path(sys.argv[1]).absolute()
        settings = Settings.from_environment({"PVFAULT_HOME": folder}, home)
        Plant(settings, DEVICES).make([FIRST + timedelta(days=number) for number in range(DATES)])
        start_once(home, packages)  # files are read from the disk once
        runs = [start_once(home, packages) for _ in range(TIMES)]
    medians = [round(statistics.median(each), 3) for each in zip(*runs, strict=True)]
    sys.stdout.write(json.dumps(dict(zip(("ready_s", "first_s", "again_s", "other_s"), medians, strict=True))) + "\n")
