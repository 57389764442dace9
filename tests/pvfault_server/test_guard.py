"""Who is let in."""

import json
import socket
import threading
from contextlib import suppress

import pytest
import uvicorn
from starlette.testclient import TestClient
from typer.testing import CliRunner

from pvfault_cli.main import app
from pvfault_server.app import make_app
from pvfault_server.serve import configure
from tests.pvfault_api.helpers import day_of, make_table

TOKEN = "0123456789abcdef"  # noqa: S105 - the test's own


@pytest.fixture
def ask(make_settings, tmp_path):
    """The status of an answer to some headers, of a server with a token or without."""
    make_table(make_settings(tmp_path), [day_of("INV0000001", 2, "none")])

    def status(path="/devices", *, token=None, **headers):
        settings = make_settings(tmp_path, **({"PVFAULT_TOKEN": token} if token else {}))
        with TestClient(make_app(settings), "http://localhost") as client:
            return client.get(path, headers=headers)

    return status


@pytest.mark.parametrize("path", ["/devices", "/openapi.json", "/nothing"])
@pytest.mark.parametrize("shown", [None, "", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é"])
def test_without_the_token_nothing_is_said(ask, path, shown):
    headers = {} if shown is None else {"Authorization": shown.encode("latin-1")}
    answer = ask(path, token=TOKEN, **headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_with_the_token_any_host_is_answered(ask):
    assert ask(token=TOKEN, Authorization=f"Bearer {TOKEN}", Host="plant.example").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("plant.example", 421),
        ("localhost.example", 421),
    ],
)
def test_without_a_token_a_page_cannot_ask_by_a_name_of_its_own(ask, host, status):
    """A page that gives its host this machine's address would be of the same origin as the server."""
    assert ask(Host=host).status_code == status


def test_no_other_origin_may_read_an_answer(ask):
    headers = ask(Origin="https://plant.example").headers
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "plant.example"])  # noqa: S104 - refused
def test_others_are_not_listened_to_without_a_token(host, tmp_path):
    done = CliRunner().invoke(app, ["serve", "--host", host], env={"PVFAULT_HOME": str(tmp_path)})
    assert done.exit_code == 2
    assert "PVFAULT_TOKEN is not set" in done.stderr


@pytest.fixture
def send(make_settings, tmp_path):
    """Send bytes to a server as it runs on a laptop, and get its answer's head and document."""
    make_table(make_settings(tmp_path), [day_of("INV0000001", 2, "none")])
    server = uvicorn.Server(configure(make_settings(tmp_path), "127.0.0.1", 0))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
        thread.start()

        def send(*parts):
            with socket.create_connection(held.getsockname()) as connection:
                connection.settimeout(20)
                with suppress(ConnectionError):  # it does not wait for the end of what is too large
                    for part in parts:
                        connection.sendall(part)
                with connection.makefile("rb") as answer:
                    head = answer.readline()
                    headers = dict(line.decode().strip().split(": ", 1) for line in iter(answer.readline, b"\r\n"))
                    return head.split()[1].decode(), json.loads(answer.read(int(headers["content-length"])))

        yield send
        server.should_exit = True
        thread.join()


ASKS = b"GET /devices?limit=1 HTTP/1.1\r\nHost: localhost\r\n"


def test_headers_that_are_too_large_are_refused_and_those_without_an_end_are_not_waited_for(send):
    status, found = send(ASKS, b"X-Note: ", b"a" * 60_000, b"\r\n\r\n")
    assert (status, len(found["rows"])) == ("200", 1)
    for head in ([b"X-Note: ", b"a" * 70_000, b"\r\n\r\n"], [b"X-Note: ", b"a" * 70_000]):
        status, found = send(ASKS, *head)
        assert (status, found["code"], found["status"]) == ("431", "head_too_large", 431)


NO_REQUESTS = {
    "TLS": b"\x16\x03\x01\x02\x00\r\n\r\n",
    "SQL": b"SELECT 1;\r\n\r\n",
    "a long query": b"GET /devices?site=" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_what_is_no_request_is_told_so_by_a_problem(send, sent):
    status, found = send(sent)
    assert (status, found["code"]) == ("400", "not_readable")


@pytest.mark.parametrize("token", ["short", "with a space in it", "é" * 20])
def test_a_token_that_no_request_can_show_or_that_is_guessed_is_refused(tmp_path, token):
    done = CliRunner().invoke(app, ["serve"], env={"PVFAULT_HOME": str(tmp_path), "PVFAULT_TOKEN": token})
    assert done.exit_code == 2
    assert "PVFAULT_TOKEN is none that a request can show" in done.stderr
    assert token not in done.stderr
