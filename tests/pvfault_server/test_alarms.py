"""Alarms over HTTP: what is answered, what is done, and what is refused."""

import io
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from pvfault_alarms import store as store_module
from pvfault_server import alarms as room
from pvfault_server.app import make_app
from pvfault_server.guard import MOST_BYTES
from tests.pvfault_alarms.helpers import Tables, day, row
from tests.pvfault_server.test_guard import TOKEN
from tests.pvfault_server.test_openapi import alike, shape
from tests.pvfault_server.test_problems import problem

KIM = {"by": "kim"}


@pytest.fixture
def tables(settings):
    """Alarms 1 to 3 of the first three devices; the first and the third are of a site with a name like HTML."""
    tables = Tables(settings)
    tables.draw(INV0000001="CC", INV0000002=".O", INV0000003=" A", INV0000004="..")
    sites = {1: "<b>Nord", 3: "<b>Nord"}
    rows = "".join(f"INV000000{number},500,10,{sites.get(number, '')}\n" for number in range(1, 5))
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site\n{rows}")
    return tables


def numbers(answer):
    assert answer.status_code == 200, answer.text
    return [alarm["id"] for alarm in answer.json()["rows"]]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", [3, 2, 1]),
        ("?kind=communication_outage", [2]),
        ("?kind=fault&kind=communication_outage", [3, 2, 1]),
        ("?fault=open_circuit", [1]),
        ("?device=INV0000001&device=INV0000002", [2, 1]),
        ("?site=%3Cb%3ENord", [3, 1]),
        ("?site=S%C3%BCd", []),
        ("?state=open", [3, 2, 1]),
        ("?state=closed", []),
        ("?over=true", []),
        ("?over=false&limit=1", [3]),
    ],
)
def test_alarms_are_filtered(tables, client, asked, expected):
    assert numbers(client.get(f"/alarms{asked}")) == expected


def test_pages_follow_each_other(tables, client):
    asked, found = "/alarms?limit=1&site=%3Cb%3ENord", []
    while asked:
        answer = client.get(asked)
        found += numbers(answer)
        asked = answer.json()["next"]
    assert found == [3, 1]


def test_an_alarm_says_what_it_is(tables, client):
    client.get("/alarms")
    alarm = client.get("/alarms/1").json()
    expected = {
        "id": 1, "deviceID": "INV0000001", "name": "INV0000001", "site": "<b>Nord", "kind": "fault",
        "fault": "open_circuit", "runner_up": "none", "confidence": 0.875, "onset": "2024-06-01T06:00:00Z",
        "first_seen": "2024-06-01", "last_seen": "2024-06-02", "days": 2, "lost_kwh": 4.0, "lost_kwh_a_day": 2.0,
        "money": None, "money_a_day": None, "currency": None,
        "state": "open", "muted_until": None, "cause": None, "found_fault": None, "over": False, "withdrawn": False,
    }  # fmt: skip
    assert {name: alarm[name] for name in alarm if name != "log"} == expected
    assert [(entry["by"], entry["action"]) for entry in alarm["log"]] == [("pvfault", "opened")]


def test_money_is_shown_by_a_tariff(tables, make_settings, settings):
    priced = make_settings(settings.home, PVFAULT_TARIFF="0.5", PVFAULT_CURRENCY="USD")
    with TestClient(make_app(priced), "http://localhost") as client:
        alarm = client.get("/alarms?device=INV0000001").json()["rows"][0]
        outage = client.get("/alarms?device=INV0000002").json()["rows"][0]
    assert (alarm["money"], alarm["money_a_day"], alarm["currency"]) == (2.0, 1.0, "USD")
    assert (outage["money"], outage["currency"]) == (None, "USD")


def test_rows_have_the_forms_of_other_rows(tables, client):
    csv = client.get("/alarms", headers={"Accept": "text/csv"}).text.splitlines()
    assert csv[1].startswith(
        '3,"INV0000003","INV0000003","<b>Nord","fault","arc_fault","none",0.875,2024-06-02 06:00:00.000000Z,2024-06-02'
    )
    parquet = client.get("/alarms", headers={"Accept": "application/vnd.apache.parquet"}).content
    assert pq.read_table(io.BytesIO(parquet))["id"].to_pylist() == [3, 2, 1]


def test_an_answer_is_kept_until_something_changes(tables, client):
    first = client.get("/alarms")
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get("/alarms", headers=known).status_code == 304
    client.post("/alarms/1/comment", json=KIM | {"comment": "seen"})
    changed = client.get("/alarms", headers=known)
    assert changed.status_code == 200
    tables.make(day(2), row("INV0000001", day(2), "C"))
    assert client.get("/alarms", headers={"If-None-Match": changed.headers["etag"]}).status_code == 200


def test_an_alarm_lives(tables, client):
    client.get("/alarms")
    until = datetime.now(UTC) + timedelta(days=2)
    steps = [
        ("acknowledge", {}, "acknowledged"),
        ("comment", {"comment": "string 3\nis open"}, "acknowledged"),
        ("mute", {"until": until.isoformat()}, "muted"),
        ("close", {"cause": "other_fault", "fault": "arc_fault", "comment": "burnt plug"}, "closed"),
        ("reopen", {}, "open"),
        ("close", {"cause": "confirmed_fault"}, "closed"),
    ]
    for name, more, state in steps:
        answer = client.post(f"/alarms/1/{name}", json=KIM | more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["state"] == state
    alarm = client.get("/alarms/1").json()
    assert answer.json() == alarm
    assert [entry["action"] for entry in alarm["log"]] == ["opened", *(name for name, _, _ in steps)]
    assert [entry["comment"] for entry in alarm["log"][1:]] == [more.get("comment", "") for _, more, _ in steps]
    assert (alarm["log"][4]["cause"], alarm["log"][4]["fault"]) == ("other_fault", "arc_fault")
    assert datetime.fromisoformat(alarm["log"][3]["until"]) == until


TEXTS = [
    "<script>alert(1)</script>", "'; DROP TABLE log; --", "漢字 👩\u200d🔧 \u202e", "a\tb\r\nc", "%00{{7*7}}",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_kept_as_it_is(tables, client, text):
    client.get("/alarms")
    answer = client.post("/alarms/1/comment", json={"by": text.split()[0], "comment": text})
    assert answer.headers["content-type"] == "application/json"
    entry = client.get("/alarms/1").json()["log"][-1]
    assert (entry["by"], entry["comment"]) == (text.split()[0], text.strip())


IN_A_YEAR = (datetime.now(UTC) + timedelta(days=370)).isoformat()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("1/acknowledge", {}, 422, "wrong_parameters"),
        ("1/acknowledge", {"by": " "}, 422, "wrong_parameters"),
        ("1/acknowledge", {"by": "k" * 101}, 422, "wrong_parameters"),
        ("1/acknowledge", {"by": "kim", "state": "closed"}, 422, "wrong_parameters"),
        ("1/acknowledge", {"by": ["kim"]}, 422, "wrong_parameters"),
        ("1/acknowledge", [], 422, "wrong_parameters"),
        ("1/comment", {"by": "kim"}, 422, "wrong_parameters"),
        ("1/comment", {"by": "kim", "comment": "  "}, 422, "wrong_parameters"),
        ("1/comment", {"by": "kim", "comment": "c" * 2001}, 422, "wrong_parameters"),
        ("1/comment", {"by": "kim", "comment": "\x00"}, 422, "wrong_parameters"),
        ("1/comment", {"by": "kim", "comment": "\ud800"}, 422, "wrong_parameters"),
        ("1/mute", {"by": "kim"}, 422, "wrong_parameters"),
        ("1/mute", {"by": "kim", "until": "2020-01-01T00:00:00Z"}, 422, "wrong_parameters"),
        ("1/mute", {"by": "kim", "until": IN_A_YEAR}, 422, "wrong_parameters"),
        ("1/mute", {"by": "kim", "until": "tomorrow"}, 422, "wrong_parameters"),
        ("1/close", {"by": "kim"}, 422, "wrong_parameters"),
        ("1/close", {"by": "kim", "cause": "gremlins"}, 422, "wrong_parameters"),
        ("1/close", {"by": "kim", "cause": "false_alarm", "fault": "arc_fault"}, 422, "wrong_parameters"),
        ("1/close", {"by": "kim", "cause": "other_fault", "fault": "none"}, 422, "wrong_parameters"),
        ("1/reopen", {"by": "kim"}, 409, "wrong_state"),
        ("99/acknowledge", {"by": "kim"}, 404, "unknown_alarm"),
        ("x/acknowledge", {"by": "kim"}, 422, "wrong_parameters"),
        (f"{2**40}/acknowledge", {"by": "kim"}, 422, "wrong_parameters"),
        ("1/explode", {"by": "kim"}, 404, "no_such_path"),
        ("", {"by": "kim"}, 405, "not_allowed"),
    ],
)
def test_each_mistake_has_its_own_answer_and_does_nothing(tables, client, path, body, status, code):
    client.get("/alarms")
    before = client.get("/alarms/1").json()
    # By the module of Python, which writes half a letter as an escape.
    answer = client.post(f"/alarms/{path}", content=json.dumps(body), headers={"Content-Type": "application/json"})
    document = problem(answer, status)
    assert document["code"] == code
    assert client.get("/alarms/1").json() == before


@pytest.mark.parametrize("body", ["{", "nonsense", '{"by": NaN}', "[" * 5000, '{"by": "kim"', ""])
def test_what_is_no_json_is_a_problem(tables, client, body):
    client.get("/alarms")
    answer = client.post("/alarms/1/acknowledge", content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, answer.status_code)["status"] in (400, 422)
    assert client.get("/alarms/1").json()["state"] == "open"


def test_who_comes_second_is_told(tables, client):
    client.get("/alarms")
    assert client.post("/alarms/1/acknowledge", json=KIM).status_code == 200
    document = problem(client.post("/alarms/1/acknowledge", json={"by": "sam"}), 409)
    assert "the alarm is acknowledged" in document["detail"]
    assert "sam" not in str(client.get("/alarms/1").json())


def chunks(n_bytes):
    for _ in range(0, n_bytes, 1000):
        yield b" " * 1000


@pytest.mark.parametrize("content", [b" " * (MOST_BYTES + 1), chunks(10 * MOST_BYTES)])
def test_a_body_that_is_too_large_is_refused(tables, client, content):
    answer = client.post("/alarms/1/comment", content=content, headers={"Content-Type": "application/json"})
    assert problem(answer, 413)["code"] == "too_large"


def test_the_longest_comment_is_no_body_that_is_too_large(tables, client):
    client.get("/alarms")
    answer = client.post("/alarms/1/comment", json={"by": "漢" * 100, "comment": "漢" * 2000})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=application/json"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
    ],
)
def test_without_a_token_only_own_pages_and_programs_can_do_something(tables, client, headers, status):
    """A page of another origin can send a form to this machine, though it cannot read the answer."""
    client.get("/alarms")
    headers = {"Content-Type": "application/json"} | headers
    answer = client.post("/alarms/1/acknowledge", content=b'{"by": "kim"}', headers=headers)
    assert answer.status_code == status, answer.text
    assert client.get("/alarms/1").json()["state"] == ("acknowledged" if status == 200 else "open")


def test_with_a_token_nothing_is_done_without_it(tables, make_settings, settings):
    shown = {"Authorization": f"Bearer {TOKEN}"}
    app = make_app(make_settings(settings.home, PVFAULT_TOKEN=TOKEN))
    with TestClient(app, "http://plant.example") as client:
        client.get("/alarms", headers=shown)
        assert problem(client.post("/alarms/1/acknowledge", json=KIM), 401)["code"] == "token_missing"
        assert client.post("/alarms/1/acknowledge", json=KIM, headers=shown).status_code == 200


def test_a_database_that_somebody_holds_is_told_and_verdicts_are_answered(tables, client, settings, monkeypatch):
    client.get("/alarms")
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(settings.home / "alarms.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = client.post("/alarms/1/acknowledge", json=KIM)
        assert numbers(client.get("/alarms")) == [3, 2, 1]
        assert client.get("/devices").status_code == 200
    assert problem(held, 503)["code"] == "alarms_not_available"
    assert held.headers["retry-after"] == "10"
    assert client.post("/alarms/1/acknowledge", json=KIM).status_code == 200


def test_a_database_that_is_gone_is_told_without_its_name_and_verdicts_are_answered(tables, client, settings):
    client.get("/alarms")
    client.post("/alarms/1/comment", json=KIM | {"comment": "kept"})
    file = settings.home / "alarms.db"
    file.rename(settings.home / "away.db")
    for answer in (client.get("/alarms"), client.get("/alarms/1"), client.post("/alarms/1/acknowledge", json=KIM)):
        document = problem(answer, 503)
        assert document["code"] == "alarms_not_available"
        assert str(settings.home) not in str(document)
    assert client.get("/devices").status_code == 200
    (settings.home / "away.db").rename(file)
    assert client.get("/alarms/1").json()["log"][-1]["comment"] == "kept"


def test_alarms_are_answered_while_the_tables_cannot_be_read(tables, client, settings):
    assert client.get("/alarms").headers[room.WAITING] == "0"
    settings.catalog.rename(settings.home / "away.db")
    answer = client.get("/alarms")
    assert numbers(answer) == [3, 2, 1]
    assert answer.headers[room.WAITING] == "unknown"


def test_of_many_dates_a_request_reads_some(settings, client, monkeypatch):
    Tables(settings).draw(INV0000001="C" * 5)
    monkeypatch.setattr(room, "DATES_AT_ONCE", 2)
    assert [client.get("/alarms").headers[room.WAITING] for _ in range(4)] == ["3", "1", "0", "0"]
    assert client.get("/alarms").json()["rows"][0]["days"] == 5


def test_without_tables_there_are_no_alarms(client):
    assert numbers(client.get("/alarms")) == []


def require_like_the_example(example, answer):
    """An example leaves out what is null in it; all else is of the kinds that an answer has."""
    assert example.keys() <= answer.keys()
    assert answer.keys() - example.keys() <= {"muted_until", "cause", "found_fault", "until", "fault"}
    assert all(alike(shape(example[name]), shape(answer[name])) for name in example.keys() - {"log"})


def test_each_question_and_deed_has_an_example_like_its_answer(tables, client):
    rows = client.get("/alarms").json()["rows"]
    described = client.get("/openapi.json").json()["paths"]

    def example(path, method):
        answers = described[path][method]["responses"]
        assert all("example" in answers[each]["content"]["application/problem+json"] for each in ("4XX", "422", "5XX"))
        return answers["200"]["content"]["application/json"]["example"]

    require_like_the_example(example("/alarms", "get")["rows"][0], rows[-1])
    for name in ("acknowledge", "mute", "close", "reopen", "comment"):
        conflict = described[f"/alarms/{{number}}/{name}"]["post"]["responses"]["409"]
        assert "example" in conflict["content"]["application/problem+json"]
        one = example(f"/alarms/{{number}}/{name}", "post")
        assert one == example("/alarms/{number}", "get")
    answer = client.post("/alarms/1/acknowledge", json=KIM).json()
    require_like_the_example(one, answer)
    require_like_the_example(one["log"][-1], answer["log"][-1])
