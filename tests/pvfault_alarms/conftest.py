"""A home, its tables, and its alarms; and a PostgreSQL where one is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from pvfault_alarms.book import Book, Money
from pvfault_alarms.store import Store
from pvfault_gateway.broker import free_port
from tests.pvfault_alarms.helpers import Tables


@pytest.fixture
def settings(make_settings, tmp_path):
    return make_settings(tmp_path / "home")


@pytest.fixture
def tables(settings):
    return Tables(settings)


@pytest.fixture
def store(settings):
    settings.home.mkdir(parents=True, exist_ok=True)
    return Store(settings)


@pytest.fixture
def book(store):
    return Book(store, Money(0.25, "EUR"))


@pytest.fixture(scope="session")
def postgres():
    """The port of a PostgreSQL that runs for the session; its user is `crew`."""
    binary = shutil.which("postgres") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/postgres")), None)
    if binary is None:
        pytest.skip("no PostgreSQL is installed here; Debian's package `postgresql` brings one")
    programs, port = Path(binary).resolve().parent, free_port()
    # It does not run as root. Its folder is where another user may go.
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pvfault-postgres-") as folder:
        if user:
            shutil.chown(folder, "nobody")
        data = f"{folder}/data"
        made = [programs / "initdb", "-D", data, "-U", "crew", "--auth=trust", "-N", "--locale=C", "-E", "UTF8"]
        subprocess.run(made, check=True, cwd=folder, stdout=subprocess.DEVNULL, **user)
        options = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        with open(f"{folder}/log", "wb") as log:  # noqa: PTH123
            server = subprocess.Popen([binary, *options], cwd=folder, stdout=log, stderr=log, **user)
        try:
            _wait(port)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(port):
    for _ in range(300):
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(host="127.0.0.1", port=port, user="crew", dbname="postgres").close()
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not start")


@pytest.fixture
def postgres_url(postgres, request):
    """A database of the test's own."""
    name = f"alarms_{abs(hash(request.node.nodeid))}"
    connection = psycopg2.connect(host="127.0.0.1", port=postgres, user="crew", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"postgresql://crew@127.0.0.1:{postgres}/{name}"
