"""A webhook, or an SNS topic, is told of each alarm once, whatever happens."""

import pytest

from pvfault_alarms.book import Wanted
from pvfault_alarms.life import Action
from pvfault_alarms.store import Store
from pvfault_alarms.telling import tell
from pvfault_alarms.update import update
from tests.pvfault_alarms.helpers import day, row
from tests.pvfault_assets.test_webhook import SECRET, Server


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def settings(make_settings, tmp_path, server):
    return make_settings(tmp_path / "home", PVFAULT_WEBHOOK_URL=server.url)


def run(settings):
    """As a process that has just begun."""
    store = Store(settings)
    update(settings, store)
    return tell(settings, store)


def texts(server):
    return [body["text"] for _, _, body in server.taken]


def test_what_is_new_is_told_once_and_so_is_what_is_over(settings, tables, server):
    tables.draw(D1="CC", D2=".O", D3="..")
    assert run(settings) == 2
    assert run(settings) == 0
    (told,) = texts(server)
    assert told.splitlines() == [
        "pvfault alarms: 2 new", "", "New", "  1: D1 open_circuit 2024-06-01 to 2024-06-02, 4.0 kWh lost",
        "  2: D2 communication_outage since 2024-06-02",
    ]  # fmt: skip
    tables.make(day(2), row("D1", day(2), "C") + row("D2", day(2), "."))
    assert (run(settings), run(settings)) == (1, 0)
    assert texts(server)[1].splitlines() == [
        "pvfault alarms: 1 over", "", "Over", "  2: D2 communication_outage since 2024-06-02",
    ]  # fmt: skip


def test_what_was_over_when_it_was_found_is_no_news(settings, tables, server):
    tables.draw(D1="C...")
    assert run(settings) == 0
    assert server.taken == []


def test_what_is_taken_back_is_told_to_whom_it_was_told(settings, tables, server):
    tables.draw(D1="C")
    run(settings)
    tables.make(day(0), row("D1", day(0), "."))
    assert run(settings) == 1
    assert texts(server)[1].endswith("taken back")


def test_who_closes_an_alarm_is_not_told_that_it_is_over(settings, tables, server, book):
    tables.draw(D1="C")
    run(settings)
    book.act(1, Action("close", "kim", cause="maintenance"), {})
    for number in (1, 2, 3):
        tables.make(day(number), row("D1", day(number), "."))
    assert run(settings) == 0


@pytest.mark.parametrize("answer", [403, 404, 413, 302])
def test_a_message_that_is_not_taken_is_sent_again(settings, tables, server, answer):
    tables.draw(D1="C")
    server.answers = [answer]
    assert run(settings) == 0
    assert server.taken == []
    assert run(settings) == 1
    assert len(server.taken) == 1


@pytest.mark.parametrize("answer", [0, 500])
def test_a_message_that_may_have_arrived_is_not_sent_again_and_the_log_says_so(settings, tables, server, book, answer):
    tables.draw(D1="C")
    server.answers = [answer]
    run(settings)
    assert run(settings) == 0
    log = book.get(1, {})["log"]
    assert [(entry["action"], entry["comment"]) for entry in log[1:]] == [("told_new", "unknown whether it arrived")]


def test_who_sets_a_webhook_later_is_not_told_of_the_past(make_settings, tmp_path, settings, tables, server):
    tables.draw(D1="C")
    run(make_settings(tmp_path / "home"))
    tables.make(day(1), row("D1", day(1), "C") + row("D2", day(1), "A"))
    assert run(settings) == 1
    assert "D1" not in texts(server)[0]


def test_many_are_one_message(settings, tables, server):
    tables.draw(**{f"D{number}": "A" for number in range(30)})
    assert run(settings) == 30
    (told,) = texts(server)
    assert len(told.splitlines()) == 24
    assert told.endswith("and 10 more")
    assert SECRET not in told


def test_an_sns_topic_gets_the_same_message(make_settings, tmp_path, tables, server, inbox):
    tables.draw(D1="CC", D2=".O", D3="..")
    settings = make_settings(tmp_path / "home", PVFAULT_SNS_TOPIC_ARN=inbox.arn)
    assert (run(settings), run(settings)) == (2, 0)
    ((subject, text),) = inbox()
    assert subject == "pvfault alarms: 2 new"
    assert text.splitlines() == [
        "New", "  1: D1 open_circuit 2024-06-01 to 2024-06-02, 4.0 kWh lost",
        "  2: D2 communication_outage since 2024-06-02",
    ]  # fmt: skip
    tables.make(day(2), row("D1", day(2), "C") + row("D2", day(2), "."))
    assert run(settings) == 1
    assert [subject for subject, _ in inbox()] == ["pvfault alarms: 1 over"]
    assert server.taken == []


def test_what_an_sns_topic_does_not_take_is_sent_again(make_settings, tmp_path, tables, inbox, caplog):
    tables.draw(D1="C")
    assert run(make_settings(tmp_path / "home", PVFAULT_SNS_TOPIC_ARN=f"{inbox.arn}-gone")) == 0
    assert "needs sns:Publish" in caplog.text
    assert run(make_settings(tmp_path / "home", PVFAULT_SNS_TOPIC_ARN=inbox.arn)) == 1
    assert len(inbox()) == 1


def test_nobody_is_told_where_nobody_is_to_be(make_settings, tmp_path, tables, book):
    tables.draw(D1="C")
    assert run(make_settings(tmp_path / "home")) == 0
    assert len(book.find(Wanted(), {})) == 1
