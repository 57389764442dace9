"""What goes wrong is told as a problem document, with nothing of the server's inside and nothing of the request's."""

import sqlite3
from contextlib import closing

import pytest
from pyiceberg.catalog.sql import SqlCatalog

from pvfault import catalog_file
from tests.pvfault_api.helpers import day_of, make_table

TRICKS = ["' OR 1=1 --", "../../../etc/passwd", "<script>alert(1)</script>", "%00", "{{7*7}}", "9" * 300, "☃"]
DEVICE = "INV0000001"


@pytest.fixture
def fleet(settings):
    make_table(settings, [day_of(DEVICE, 2, "none")])
    return settings


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["status"] == status
    assert {"type", "title", "detail", "code"} <= document.keys()
    assert "Traceback" not in answer.text
    return document


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("/nothing", 404, "no_such_path"),
        ("/devices?falut=none", 422, "wrong_parameters"),
        ("/about?date=2024-06-02", 422, "wrong_parameters"),  # which takes none
        (f"/devices/{DEVICE}/days/2024-06-02?utc=1", 422, "wrong_parameters"),
        ("/devices?fault=broken", 422, "wrong_parameters"),
        ("/devices?limit=0", 422, "wrong_parameters"),
        ("/devices?limit=1001", 422, "wrong_parameters"),
        ("/devices?min_confidence=nan", 422, "wrong_parameters"),
        ("/devices?min_lost_kwh=inf", 422, "wrong_parameters"),
        ("/devices?since=2024-06-02T09:00:00", 422, "wrong_parameters"),  # without a zone
        ("/devices?since=9999-12-31T23:59:59Z", 422, "wrong_parameters"),
        ("/devices?sort=probabilities", 422, "wrong_parameters"),
        ("/devices?cursor=AAAA", 422, "no_cursor"),
        ("/devices?cursor=bnVsbA==", 422, "no_cursor"),  # null
        ("/devices?cursor=WzEsIngiLC0xXQ==", 422, "no_cursor"),  # [1,"x",-1]
        ("/devices?cursor=WzEsIngiLDFd", 410, "cursor_gone"),  # [1,"x",1]
        ("/query-results", 422, "wrong_parameters"),
        (f"/devices/{DEVICE}/days?first=yesterday", 422, "wrong_parameters"),
        (f"/devices/{DEVICE}/days?last=0001-01-01", 422, "wrong_parameters"),
        (f"/devices/{DEVICE}/days?first=2024-06-02&last=2024-06-01", 422, "range_reversed"),
        (f"/devices/{DEVICE}/days?first=2023-06-02&last=2024-06-02", 422, "range_too_wide"),
        (f"/devices/{DEVICE}/readings?start=2024-06-02T00:00:00Z&end=2024-06-02T00:00:00Z", 422, "range_reversed"),
        (f"/devices/{DEVICE}/readings?start=2024-06-02T00:00:00Z&end=2024-07-04T00:00:00Z", 422, "range_too_wide"),
        (f"/devices/{DEVICE}/readings?start=2024-06-02T00:00:00Z&end=2024-06-03T00:00:00Z", 404, "not_made"),
        ("/fleet?first=2024-01-01&last=2024-06-02", 422, "range_too_wide"),
    ],
)
def test_each_mistake_has_its_own_answer(fleet, client, asked, status, code):
    assert problem(client.get(asked), status)["code"] == code


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_are_text_that_nothing_is_called(fleet, client, trick):
    answers = [
        client.get("/devices", params={"site": trick}),
        client.get("/devices", params={"date": trick}),
        client.get("/devices", params={"cursor": trick}),
        client.get("/query-results", params={"deviceID": trick}),
        client.get(f"/devices/{trick}/days"),
    ]
    for answer in answers:
        assert answer.status_code in (200, 404, 422)
        if answer.status_code != 200:
            assert trick not in problem(answer, answer.status_code)["detail"]


def test_other_methods_are_refused(fleet, client):
    assert problem(client.post("/devices", json={}), 405)["code"] == "not_allowed"


def test_an_empty_table_has_no_date(settings, client):
    make_table(settings)
    assert problem(client.get("/devices"), 404)["code"] == "not_made"
    assert problem(client.get("/fleet"), 404)["code"] == "not_made"


@pytest.mark.parametrize("gone", ["*.parquet", "*.metadata.json", "snap-*.avro"])
def test_files_that_are_gone_are_told_without_their_names(fleet, client, gone):
    for path in fleet.warehouse.rglob(gone):
        path.unlink()
    document = problem(client.get(f"/devices/{DEVICE}"), 503)
    assert document["code"] == "tables_not_readable"
    assert str(fleet.home) not in str(document)


def test_tables_that_are_not_there_are_told_without_their_folder(settings, client):
    assert str(settings.home) not in str(problem(client.get("/devices"), 503))


def test_a_registry_that_is_none_is_a_problem(fleet, client):
    fleet.registry.write_text("secret words")
    assert "secret" not in str(problem(client.get("/devices"), 503))


def test_a_fault_of_ours_says_nothing_of_itself(fleet, client, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("division of a secret by zero")

    monkeypatch.setattr("pvfault_server.devices.in_order", fail)
    assert "secret" not in str(problem(client.get("/devices"), 500))


def test_devices_with_html_in_their_site_come_as_json(fleet, client):
    fleet.registry.write_text(f'deviceID,rated_voltage,rated_current,site\n{DEVICE},500,10,"<b>""Nord"""\n')
    answer = client.get(f"/devices/{DEVICE}")
    assert answer.json()["site"] == '<b>"Nord"'
    assert answer.headers["content-type"] == "application/json"


def test_a_table_that_the_catalog_has_lost_is_not_taken_for_an_empty_one(fleet, client):
    with SqlCatalog("lake", uri=f"sqlite:///{fleet.catalog}", warehouse=fleet.warehouse.as_uri()) as catalog:
        catalog.drop_table("pvfault.device_days")
    assert problem(client.get("/devices"), 503)["code"] == "tables_not_readable"


def test_a_catalog_that_somebody_holds_is_told_after_it_was_waited_for(fleet, client, monkeypatch):
    monkeypatch.setattr(catalog_file, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(fleet.catalog, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        held = client.get("/devices")
    assert problem(held, 503)["code"] == "tables_not_readable"
    assert held.headers["retry-after"] == "10"
    assert client.get("/devices").status_code == 200
