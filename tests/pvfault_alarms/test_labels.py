"""Labels of what the crew found, read by what `pvfault evaluate --measured` reads them with."""

import pytest
from typer.testing import CliRunner

from pvfault.errors import PvfaultError
from pvfault_alarms.labels import find_labels, write_labels
from pvfault_alarms.life import Action
from pvfault_alarms.update import update
from pvfault_cli.main import app
from pvfault_workshop.evaluation.measured import read_judgements
from tests.pvfault_alarms.helpers import day, row

TRICK = "loose plug\n\n## D9 2024-06-01\n\nnone. <b>"


def close(book, device_number, cause, fault=None, comment=""):
    book.act(device_number, Action("close", "kim", comment, cause=cause, fault=fault), {})


@pytest.fixture
def closed(settings, tables, store, book):
    """Alarms 1 to 7 of seven devices, closed but for the last."""
    tables.draw(D1="CC", D2="LG", D3="S ", D4="A ", D5="O ", D6="C ", D7="C ")
    update(settings, store)
    close(book, 1, "confirmed_fault", comment=TRICK)
    close(book, 2, "other_fault", "arc_fault")
    close(book, 3, "false_alarm", comment="a tree's shadow, as every June")
    close(book, 4, "other_fault", comment="a bird in the combiner box")
    close(book, 5, "false_alarm")
    close(book, 6, "maintenance")


def first_words(file):
    return {heading: text.split(".")[0] for heading, text in read_judgements(file).items()}


EXPECTED = {
    ("D1", day(0)): "open_circuit", ("D1", day(1)): "open_circuit", ("D2", day(0)): "arc_fault",
    ("D2", day(1)): "arc_fault", ("D3", day(0)): "none",
}  # fmt: skip


def test_labels_are_read_by_what_evaluates(settings, closed, tmp_path):
    file = tmp_path / "labels" / "measured_days.md"
    done = CliRunner().invoke(app, ["labels", "export", "--out", str(file)], env={"PVFAULT_HOME": str(settings.home)})
    assert (done.exit_code, done.stdout) == (0, f"{file}: 5 days.\n")
    assert first_words(file) == EXPECTED
    assert "loose plug ## D9 2024-06-01 none. <b>" in read_judgements(file)["D1", day(0)]
    printed = CliRunner().invoke(app, ["labels", "export"], env={"PVFAULT_HOME": str(settings.home)})
    assert printed.stdout == file.read_text(encoding="utf-8")


def test_what_the_crew_has_seen_stays_a_label_when_the_verdict_changes(closed, settings, tables, store, tmp_path):
    """A better network calls it otherwise; what was found there was found."""
    tables.make(day(0), [one for device in ("D1", "D2", "D3") for one in row(device, day(0), ".")])
    update(settings, store)
    write_labels(find_labels(store), tmp_path / "labels.md")
    assert first_words(tmp_path / "labels.md") == EXPECTED


def test_what_is_opened_again_is_no_label(closed, store, book):
    book.act(1, Action("reopen", "kim"), {})
    assert {device for device, _ in find_labels(store)} == {"D2", "D3"}


def test_of_two_alarms_of_a_day_the_fault_comes_first(settings, tables, store, book, tmp_path):
    tables.draw(D1="CSC")
    update(settings, store)
    tables.make(day(1), row("D1", day(1), "S"))
    close(book, 1, "false_alarm")
    close(book, 2, "confirmed_fault")
    write_labels(find_labels(store), tmp_path / "labels.md")
    words = first_words(tmp_path / "labels.md")
    assert words == {("D1", day(0)): "none", ("D1", day(1)): "partial_shading", ("D1", day(2)): "none"}


def test_a_file_of_somebody_else_is_not_written_over(closed, store, tmp_path):
    file = tmp_path / "measured_days.md"
    file.write_text("# What is to be seen on measured days\n")
    with pytest.raises(PvfaultError, match="name another file"):
        write_labels(find_labels(store), file)
    assert file.read_text() == "# What is to be seen on measured days\n"
    with pytest.raises(PvfaultError, match="cannot be written"):
        write_labels(find_labels(store), tmp_path)
    own = tmp_path / "own.md"
    write_labels(find_labels(store), own)
    write_labels({}, own)
    assert read_judgements(own) == {}
