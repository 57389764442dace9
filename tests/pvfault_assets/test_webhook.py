"""Runs that are told of by a webhook: real runs, and a server that takes messages or does not."""

import json
import threading
from datetime import UTC, date, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from pvfault.errors import PvfaultError
from pvfault_assets.notifications import REFUSED, TAG, UNKNOWN, UNSENT, notifications
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_assets.test_notifications import make_run

DAYS = [date(2024, 6, 1) + timedelta(n) for n in range(3)]
SECRET = "T0000/B0000/secret"  # noqa: S105 - of this test
BEGINNING = (datetime.now(UTC) - timedelta(hours=1)).isoformat()


class Server:
    """Takes messages.

    Attributes
    ----------
    answers : list of int
        What the next requests are answered with; then each is taken. 0 is no answer.
    """

    def __init__(self):
        self.answers, self.taken = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = outer.answers.pop(0) if outer.answers else 200
                if answer == 200:
                    outer.taken.append((self.path, self.headers["Content-Type"], json.loads(body)))
                if answer:
                    self.send_response(answer)
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_arguments):
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/services/{SECRET}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def settings(server, make_settings, tmp_path):
    settings = make_settings(tmp_path, PVFAULT_WEBHOOK_URL=server.url, PVFAULT_FIRST_DATE="2024-06-01")
    make_table(settings, [day_of("INV0000001", 1 + n, "open_circuit", hour=7, hours=9, lost=9.5) for n in range(3)])
    return settings


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run(settings, instance):
    return partial(make_run, settings, instance)


@pytest.fixture
def tick(settings, instance):
    def tick():
        (sensor,) = notifications(settings)
        return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=BEGINNING))

    return tick


@pytest.fixture
def tag_of(instance):
    return lambda run_id: instance.get_run_by_id(run_id).tags[TAG]


def test_a_run_is_told_once_as_text_that_chat_services_take(server, run, tick):
    run(DAYS[0])
    for _ in range(2):
        tick()
    ((path, kind, message),) = server.taken
    assert (path, kind) == (f"/services/{SECRET}", "application/json")
    assert list(message) == ["text"]
    assert message["text"].startswith("pvfault: 2024-06-01 made, 1 of 1 devices faulty, 9.5 kWh lost\n\n")
    assert "INV0000001 open_circuit" in message["text"]


@pytest.mark.parametrize("answer", [404, 429, 302])
def test_what_is_not_taken_is_sent_with_the_next_tick(server, run, tick, tag_of, answer):
    """A redirection is not followed: the message would arrive there empty."""
    run_id = run(DAYS[0])
    server.answers = [answer]
    with pytest.raises(
        PvfaultError, match=rf"127.0.0.1 does not take the message .*{answer}.*PVFAULT_WEBHOOK_URL"
    ) as told:
        tick()
    assert SECRET not in str(told.value)
    assert tag_of(run_id) == UNSENT
    tick()
    assert len(server.taken) == 1


@pytest.mark.parametrize("answer", [500, 0])
def test_what_may_have_been_taken_is_not_sent_again(server, run, tick, tag_of, answer):
    run_id = run(DAYS[0])
    server.answers = [answer]
    with pytest.raises(PvfaultError, match=r"127\.0\.0\.1 gave no answer") as told:
        tick()
    assert SECRET not in str(told.value)
    assert tag_of(run_id) == UNKNOWN
    tick()
    assert server.taken == []


def test_a_message_that_is_wrong_is_given_up_once_another_is_taken(server, run, tick, tag_of):
    wrong = run(DAYS[0])
    run(DAYS[1])
    server.answers = [400]
    tick()
    assert tag_of(wrong) == REFUSED
    assert [message["text"].split()[1] for _, _, message in server.taken] == [str(DAYS[1])]


def test_nobody_there_is_no_lost_message(make_settings, tmp_path, closed_port, instance):
    settings = make_settings(
        tmp_path, PVFAULT_WEBHOOK_URL=f"http://127.0.0.1:{closed_port}/x", PVFAULT_FIRST_DATE="2024-06-01"
    )
    run_id = make_run(settings, instance, DAYS[0])
    (sensor,) = notifications(settings)
    with pytest.raises(PvfaultError, match="is sent again with the next tick"):
        sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=BEGINNING))
    assert instance.get_run_by_id(run_id).tags[TAG] == UNSENT


def test_the_page_does_not_show_the_secret(settings):
    (sensor,) = notifications(settings)
    assert "127.0.0.1" in sensor.description
    assert SECRET not in sensor.description + repr(settings)
