"""The application on AWS Lambda: the handler that the service calls, with events of API Gateway."""

import gzip
import importlib
import json
import sys

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from pvfault.errors import PvfaultError
from pvfault.tables import DEVICE_DAYS
from pvfault_api.verdicts import CURRENT
from pvfault_server.lambda_handler import MOST_BYTES, UPDATE_ALARMS, _is_too_large, read_settings
from tests.pvfault_alarms.helpers import Tables
from tests.pvfault_api.helpers import day_of, make_table
from tests.pvfault_server.http_api import HOST, Answer, event_of, path_of

NAME = "pvfault_server.on_lambda"
TOKEN = "0123456789abcdef"  # noqa: S105 - the test's own
SHOWN = {"authorization": f"Bearer {TOKEN}"}
ROWS = [
    day_of("INV0000001", 2, "none"),
    day_of("INV0000002", 2, "open_circuit", lost=2.5),
    day_of("INV0000003", 2, "none"),
]


@pytest.fixture
def load(monkeypatch):
    """Load the module as Lambda does, in a process with these variables; gives the handler."""

    def load(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.delitem(sys.modules, NAME, raising=False)
        return importlib.import_module(NAME).handler

    return load


@pytest.fixture
def handler(load, settings):
    return load(PVFAULT_HOME=settings.home, PVFAULT_MODEL=settings.model, PVFAULT_TOKEN=TOKEN)


@pytest.fixture
def ask(handler):
    """Ask as a client with the token does."""
    return lambda path, **more: Answer(handler(event_of(path, **{**SHOWN, **more}), None))


@pytest.fixture
def fleet(settings):
    """Verdicts of two dates and two sites."""
    make_table(settings, [day_of("INV0000001", 1, "none")], ROWS)
    rows = "".join(
        f'INV000000{n},500,10,"{site}"\n' for n, site in ((1, "Nord"), (2, "Süd, <b>&+%"), (3, "Süd, <b>&+%"))
    )
    settings.registry.write_text(f"deviceID,rated_voltage,rated_current,site\n{rows}")


def test_a_question_is_answered_as_text(fleet, ask):
    answer = ask("/devices/INV0000002")
    assert (answer.status, answer.sent["isBase64Encoded"]) == (200, False)
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == set(CURRENT)
    assert answer.json()["fault"] == "open_circuit"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fault=open_circuit&fault=unknown", "2"),
        ("site=S%C3%BCd%2C%20%3Cb%3E%26%2B%25", "23"),
        ("site=S%C3%BCd,+%3Cb%3E%26%2B%25&site=Nord", "123"),
        ("date=2024-06-01", "1"),
        ("", "123"),
    ],
)
def test_parameters_arrive_as_they_were_written(fleet, ask, query, found):
    """Beside the raw query there is one in which repeated values are joined by commas, and what has a comma is torn."""
    answer = ask(f"/devices?{query}", cookies=["theme=dark", "a=b"])
    assert [row["deviceID"][-1] for row in answer.json()["rows"]] == list(found)


def test_pages_follow_each_other_by_the_link(fleet, ask):
    first = ask("/devices?limit=2&site=S%C3%BCd,+%3Cb%3E%26%2B%25&site=Nord")
    assert len(first.json()["rows"]) == 2
    assert path_of(first.headers["link"]).startswith("/devices?limit=2&site=")
    second = ask(first.json()["next"])
    assert [row["deviceID"] for row in second.json()["rows"]] == ["INV0000003"]


def test_what_is_known_is_not_sent_again(fleet, ask):
    tag = ask("/fleet").headers["etag"]
    again = ask("/fleet", if_none_match=tag)
    assert (again.status, again.content, again.headers["etag"]) == (304, b"", tag)


def test_what_is_no_text_is_sent_in_base64(fleet, ask):
    arrow = ask("/devices", accept="application/vnd.apache.arrow.stream")
    assert arrow.sent["isBase64Encoded"]
    assert pa.ipc.open_stream(arrow.content).read_all()["deviceID"].to_pylist() == [row["deviceID"] for row in ROWS]
    packed = ask("/openapi.json", accept_encoding="gzip, br")
    assert (packed.sent["isBase64Encoded"], packed.headers["content-encoding"]) == (True, "gzip")
    assert json.loads(gzip.decompress(packed.content)) == ask("/openapi.json").json()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 404, "no_such_path"),
        ("/devices/INV0000009", 404, "unknown_device"),
        ("/devices/%2E%2E%2Fetc%2Fpasswd", 404, "no_such_path"),
        ("/devices?date=%00", 422, "wrong_parameters"),
        ("/devices?sort=1%3BDROP%20TABLE%20x", 422, "wrong_parameters"),
    ],
)
def test_a_problem_is_a_document_as_text(fleet, ask, path, status, code):
    answer = ask(path)
    assert (answer.status, answer.json()["code"], answer.sent["isBase64Encoded"]) == (status, code, False)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("shown", ["", f"Bearer {TOKEN}x", TOKEN])
def test_without_the_token_nothing_is_said(fleet, ask, shown):
    """Also not to who says that it is this machine."""
    answer = ask("/devices", authorization=shown, host="localhost")
    assert (answer.status, answer.json()["code"]) == (401, "token_missing")
    assert TOKEN not in json.dumps(answer.sent)


SIGNED = {
    "signed_by": "arn:aws:iam::123456789012:user/report",
    "authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261130/eu-central-1/execute-api/aws4_request",
}


def test_who_is_known_by_iam_needs_no_token(settings, ask):
    """The header in which the token would be shown is taken by the signature."""
    tables = Tables(settings)
    tables.draw(INV0000001="CC")
    assert ask("/alarms", **SIGNED).status == 200
    told = {"method": "POST", "body": '{"by": "report"}', "content_type": "application/json"}
    assert ask("/alarms/1/acknowledge", **told, **SIGNED).json()["state"] == "acknowledged"


def test_a_signature_that_the_service_has_not_looked_at_opens_nothing(fleet, ask):
    unknown = ask("/devices", authorization=SIGNED["authorization"], x_amzn_iam="true")
    assert (unknown.status, unknown.json()["code"]) == (401, "token_missing")


def test_alarms_are_brought_up_and_told_of_by_the_clock(load, settings, inbox):
    tables = Tables(settings)
    tables.draw(INV0000001="CC", INV0000002="..")
    handler = load(PVFAULT_HOME=settings.home, PVFAULT_TOKEN=TOKEN, PVFAULT_SNS_TOPIC_ARN=inbox.arn)
    assert [handler(UPDATE_ALARMS, None) for _ in range(2)] == [{"waiting": "0"}] * 2
    ((subject, text),) = inbox()
    assert (subject, text.splitlines()[0]) == ("pvfault alarms: 1 new", "New")


def test_the_page_is_shown_without_the_token(ask):
    page, script = (ask(path, authorization="") for path in ("/", "/page/js/main.js"))
    assert (page.status, script.status) == (200, 200)
    assert page.content.lower().startswith(b"<!doctype html>")
    assert not script.sent["isBase64Encoded"]
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_something_is_done_with_an_alarm(settings, ask):
    tables = Tables(settings)
    tables.draw(INV0000001="CC", INV0000002="..")
    assert [alarm["id"] for alarm in ask("/alarms").json()["rows"]] == [1]
    body = json.dumps({"by": "kim", "comment": "Stecker 3 – “verbrannt” 🔌"})
    told = {"method": "POST", "body": body, "content_type": "application/json"}
    done = ask("/alarms/1/acknowledge", **told, origin=f"https://{HOST}", sec_fetch_site="same-origin")
    assert (done.status, done.json()["state"]) == (200, "acknowledged")
    assert done.json()["log"][-1]["comment"] == "Stecker 3 – “verbrannt” 🔌"
    refused = ask("/alarms/1/acknowledge", **told)
    assert (refused.status, refused.json()["code"]) == (409, "wrong_state")
    unread = ask("/alarms/1/acknowledge", **{**told, "content_type": "text/plain"})
    assert (unread.status, unread.json()["code"]) == (415, "no_json")


def test_an_answer_that_lambda_cannot_send_says_what_to_ask_instead(settings, ask):
    """Lambda would refuse it, and API Gateway say no more than Internal Server Error."""
    make_table(settings, [day_of(f"INV{n:07}", 2, "none") for n in range(120_000)])
    answer = ask("/fleet/devices")
    assert (answer.status, answer.json()["code"]) == (422, "answer_too_large")
    assert "Accept-Encoding: gzip" in answer.json()["detail"]
    packed = ask("/fleet/devices", accept_encoding="gzip")
    assert len(json.loads(gzip.decompress(packed.content))["columns"]["deviceID"]) == 120_000
    assert len(json.dumps(packed.sent)) < MOST_BYTES


@pytest.mark.parametrize("character", ['"', "é", "x"])
def test_the_size_of_an_answer_is_that_of_what_is_sent(character):
    """A quotation mark is sent as two characters, and a letter beyond ASCII as six."""
    sent_as = len(json.dumps(character)) - 2
    answer = {"statusCode": 200, "headers": {}, "body": "", "isBase64Encoded": False}
    room = (MOST_BYTES - len(json.dumps(answer))) // sent_as
    assert not _is_too_large({**answer, "body": character * room})
    assert _is_too_large({**answer, "body": character * (room + 1)})


def test_what_one_request_has_read_is_there_for_the_next(fleet, handler, settings):
    """One start serves many requests: the second reads no list of files."""
    first = Answer(handler(event_of("/devices", **SHOWN), None))
    for file in settings.warehouse.rglob("*.avro"):
        file.rename(file.with_suffix(".hidden"))
    second = Answer(handler(event_of("/devices?limit=3", **SHOWN), None))
    assert first.json()["rows"] == second.json()["rows"]


def test_it_does_not_start_without_a_token(load, settings):
    with pytest.raises(PvfaultError, match=r"there is no token, .*PVFAULT_TOKEN_SECRET"):
        load(PVFAULT_HOME=settings.home)


@pytest.fixture
def on_aws(aws):
    """An account with the secrets of a deployment; gives the variables of its function."""
    secrets = aws.client("secretsmanager")
    token = secrets.create_secret(Name=f"{aws.prefix}/token", SecretString=TOKEN)["ARN"]
    login = json.dumps({"username": "dagster", "password": "p@ss/wörd:?#"})
    database = secrets.create_secret(Name=f"{aws.prefix}/database", SecretString=login)["ARN"]
    return {
        "PVFAULT_ENV": "aws", "PVFAULT_BUCKETS": aws.prefix,
        "PVFAULT_MSK_CLUSTER_ARN": "arn:aws:kafka:eu-central-1:123456789012:cluster/pvfault-prod/6ab3",
        "PVFAULT_MODEL": f"s3://{aws.bucket('bootstrap')}/releases/0.1.0-1/lenet5.h5",
        "PVFAULT_TOKEN_SECRET": token, "PVFAULT_DATABASE_SECRET": database,
        "PVFAULT_DATABASE_HOST": "db.example", "PVFAULT_DATABASE_NAME": "dagster",
    }  # fmt: skip


def test_the_secrets_are_read_from_secrets_manager(on_aws):
    from sqlalchemy import make_url

    settings = read_settings(on_aws)
    assert settings.token == TOKEN
    address = make_url(settings.alarms_url)
    assert (address.username, address.password) == ("dagster", "p@ss/wörd:?#")
    assert (address.host, address.database, address.query["sslmode"]) == ("db.example", "dagster", "require")
    assert TOKEN not in repr(settings)
    assert "rd:?#" not in repr(settings)


def test_a_secret_that_is_not_given_is_named(on_aws):
    gone = on_aws["PVFAULT_TOKEN_SECRET"].replace("/token", "/other")
    with pytest.raises(PvfaultError, match=r"the secret .*/other.* is not given .*role.*endpoint"):
        read_settings({**on_aws, "PVFAULT_TOKEN_SECRET": gone})


def test_tables_of_glue_and_s3_are_answered_from(load, on_aws, aws):
    catalog = load_catalog("lake", type="glue")
    table = catalog.create_table(
        "pvfault.device_days", DEVICE_DAYS.schema, f"s3://{aws.bucket('gold')}/pvfault/device_days"
    )
    table.append(pa.Table.from_pylist(ROWS, DEVICE_DAYS.schema))
    try:
        handler = load(**on_aws)
        answer = Answer(handler(event_of("/devices?sort=-lost_kwh&limit=1", **SHOWN), None))
        refused = Answer(handler(event_of("/alarms", **SHOWN), None))
    finally:
        catalog.drop_table("pvfault.device_days")
    assert (answer.status, [row["deviceID"] for row in answer.json()["rows"]]) == (200, ["INV0000002"])
    # There is no such database, and its problem names neither host nor password.
    assert (refused.status, refused.json()["code"]) == (503, "alarms_not_available")
    assert "db.example" not in json.dumps(refused.sent)
