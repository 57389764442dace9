"""What is said of dates: when and how whole they were made, and what the checks say, beside `pvfault check`."""

import threading
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault.tables import MADE_OF
from pvfault_api.checking import check_dates
from pvfault_server import inspection
from tests.pvfault_api.lake import Plant, days
from tests.pvfault_api.plant import DAY, DEVICES, good_date, readings_of
from tests.pvfault_server.shown_plant import write_tables


@pytest.fixture
def plant(settings):
    """A date of four devices on which two checks fail: no verdict on a device, and readings of a stranger."""
    rows = good_date(settings)
    settings.model.write_bytes(b"the weights")
    verdicts = rows["device_days"].to_pylist()
    for row in verdicts:
        if row["deviceID"] == DEVICES[0] and row["date"] == DAY:
            row.update(fault=None, confidence=None)
    rows["device_days"] = pa.Table.from_pylist(verdicts, rows["device_days"].schema)
    rows["readings"] = pa.concat_tables([rows["readings"], readings_of("INV0000009", 9)])
    write_tables(settings, rows)
    return settings


def asked(client, path):
    """The answer, as a client gets it who asks again as long as he is told to."""
    for _ in range(60):
        answer = client.get(path)
        if answer.status_code != 202:
            return answer
        assert answer.headers["retry-after"] == "2"
        time.sleep(0.1)
    raise AssertionError("it is never there")


def test_checks_of_a_date_are_those_of_the_command(plant, client):
    rows = asked(client, f"/dates/{DAY}/checks").json()["rows"]
    found = check_dates(plant, [DAY], list(MADE_OF))
    assert [(row["table"], row["check"], row["passed"], row["found"]) for row in rows] == [
        (one.asset, one.result.name, one.result.passed, one.result.summary) for one in found
    ]
    failed = {row["check"]: row["severity"] for row in rows if not row["passed"]}
    assert failed["every_device_has_a_verdict"] == failed["every_device_is_registered"] == "warning"
    assert "error" in failed.values()
    assert all(row["means"].endswith(".") for row in rows)


def test_the_list_of_dates_says_what_is_known_of_their_checks(plant, client):
    asks = f"/dates?first={DAY}&last={DAY}"
    before = client.get(asks)
    assert {(row["errors"], row["warnings"]) for row in before.json()["rows"]} == {(None, None)}
    checks = asked(client, f"/dates/{DAY}/checks").json()["rows"]
    # Who has the list of before is sent the new one.
    after = client.get(asks, headers={"If-None-Match": before.headers["etag"]}).json()["rows"]
    for row in after:
        failed = [each["severity"] for each in checks if each["table"] == row["table"] and not each["passed"]]
        assert (row["errors"], row["warnings"]) == (failed.count("error"), failed.count("warning"))
    assert sum(row["errors"] for row in after) > 0


def test_checks_are_asked_again_once_the_tables_are_other_ones(plant, client):
    first = asked(client, f"/dates/{DAY}/checks")
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(f"/dates/{DAY}/checks", headers=known).status_code == 304
    with SqlCatalog("lake", uri=f"sqlite:///{plant.catalog}", warehouse=plant.warehouse.as_uri()) as catalog:
        catalog.load_table("pvfault.predictions").delete()
    assert client.get("/dates").json()["rows"][0]["errors"] is None
    again = asked(client, f"/dates/{DAY}/checks").json()["rows"]
    made = {row["table"]: row["passed"] for row in again if row["check"] == "date_is_made"}
    assert made == {"readings": True, "scalograms": True, "predictions": False, "device_days": True}


def test_a_date_that_is_not_made_has_no_checks(plant, client):
    answer = client.get("/dates/2024-07-01/checks")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_made")
    assert client.get("/dates/yesterday/checks").json()["code"] == "wrong_parameters"


def test_a_file_that_cannot_be_read_is_a_problem_until_it_can_be(plant, client):
    (file,) = plant.warehouse.glob("scalograms/*.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:100])
    broken = asked(client, f"/dates/{DAY}/checks")
    assert (broken.status_code, broken.json()["code"]) == (503, "tables_not_readable")
    file.write_bytes(content)
    assert asked(client, f"/dates/{DAY}/checks").status_code == 200


def test_a_long_look_holds_up_no_request_and_is_begun_once(plant, client, monkeypatch):
    """Rows of a large fleet take seconds: whoever asks is told so, and other questions are answered meanwhile."""
    goes_on, begun = threading.Event(), []

    def slow(*of):
        begun.append(of)
        assert goes_on.wait(30)
        return check_dates(*of)

    monkeypatch.setattr(inspection, "check_dates", slow)
    monkeypatch.setattr(inspection, "_PATIENCE_S", 0.05)
    answers = [client.get(f"/dates/{DAY}/checks") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    assert client.get("/devices").status_code == 200
    goes_on.set()
    assert len(asked(client, f"/dates/{DAY}/checks").json()["rows"]) > 20
    assert len(begun) == 1


def test_who_asks_for_a_year_does_not_fill_the_queue(settings, client, monkeypatch):
    Plant(settings).make(*days(1, 12))
    goes_on = threading.Event()
    monkeypatch.setattr(inspection, "check_dates", lambda *_: goes_on.wait(30) and [])
    monkeypatch.setattr(inspection, "_PATIENCE_S", 0.01)
    assert {client.get(f"/dates/{day}/checks").status_code for day in days(1, 12)} == {202}
    waiting = client.app.state.inspection._worker._work_queue.qsize()
    goes_on.set()
    assert waiting < 4


def test_a_date_says_when_it_was_made(settings, client):
    plant = Plant(settings)
    began = datetime.now(UTC).replace(microsecond=0)
    plant.make(*days(1, 2))
    rows = client.get("/dates").json()["rows"]
    assert len(rows) == 8
    assert all(began <= datetime.fromisoformat(row["made_at"]) <= datetime.now(UTC) for row in rows)
    plant.make(*days(3, 1), tables=("readings",))
    newest = client.get("/dates?first=2024-06-03").json()["rows"]
    assert [row["made_at"] is not None for row in newest] == [True, False, False, False]
