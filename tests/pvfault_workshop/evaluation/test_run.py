"""A whole evaluation, small, as a user runs it; and what the report says by itself."""

import re
from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner

from pvfault import lenet
from pvfault.tensorflow_start import start_deterministically
from pvfault_alarms.labels import write_labels
from pvfault_cli.main import app
from pvfault_workshop.evaluation.alarms import count_false_alarms
from pvfault_workshop.evaluation.day_rules import choose_day_rules
from pvfault_workshop.evaluation.measured import (
    JUDGEMENTS,
    LabelScore,
    MeasuredDay,
    read_judgements,
    score_labels,
    worst_days,
)
from tests.pvfault_workshop.evaluation.transfer_folder import write_folder

SMALL = ["--devices", "24", "--training-devices", "48", "--workers", "1", "--no-textbook"]


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory):
    """The command, with a state folder of its own."""
    home = {"PVFAULT_HOME": str(tmp_path_factory.mktemp("home"))}
    return lambda *options: CliRunner().invoke(app, ["evaluate", *(str(option) for option in options)], env=home)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained network, which any baseline must beat."""
    path = tmp_path_factory.mktemp("model") / "lenet5.h5"
    start_deterministically(1)
    lenet.save_network(lenet.build_network(), path)
    return path


def test_an_untrained_network_is_behind_and_the_report_says_so(evaluate, weights, tmp_path):
    """Whatever the figures are, they must be the same in the terminal, the report and the card."""
    weights.with_suffix(".md").write_text("# Card\n\nBefore.\n")
    readings = tmp_path / "plant.csv"
    hours = [f"2024-06-01T{hour:02d}:{minute:02d}:00Z" for hour in range(8, 15) for minute in range(60)]
    readings.write_text(
        "deviceID,timestamp,voltage,current,temperature,irradiance\n"
        # The light moves a little: what stands still for an hour is a broken logger.
        + "".join(
            f"INV0000001,{time},{400 + k % 3},{8 + k % 30 / 100:.2f},45,{800 + k % 30}\n"
            for k, time in enumerate(hours)
        )
    )
    weights.with_name(JUDGEMENTS).write_text("# Days\n\n## INV0000001 2024-06-01\n\nAn even day,\nmade up.\n")
    others = tmp_path / "others"
    others.mkdir()
    write_folder(others)
    given = ("--measured", readings, "--transfer", others)
    done = evaluate("-o", tmp_path / "report.html", "--model", weights, "--ceiling", 0, *given, *SMALL)
    assert done.exit_code == 0, done.output
    assert "expected-power rule fitted on" in done.output
    page, card = ((path).read_text() for path in (tmp_path / "report.html", weights.with_suffix(".md")))
    version = lenet.read_version(weights)
    assert f"Evaluation of network {version}" in page
    assert len(re.findall("<svg", page)) == 12
    assert "{{" not in page
    assert re.search(r"A baseline scores higher than the model in \d+ comparisons", page)
    assert re.search(r"A baseline scores higher than the network in \d+ comparisons", card)
    assert card.startswith("# Card\n\nBefore.\n")
    assert version in card
    for text in (page, card):
        assert "An even day, made up." in text
        assert re.search(r"7 windows|<td class=\"n\">7</td>", text)
        assert re.search(r"own test set \||<td>own test set</td>", text)
    transfer = re.search(r"Transfer, clean: 16 windows: F1, faulty against healthy (\d\.\d{3} \(.*?\))", done.output)
    assert f"| clean | 16 | {transfer[1]} |" in card
    (slow,) = re.findall(
        r"Archive, means of 15 min: (\d+) windows: F1, faulty against healthy (\S+ \(.*?\))", done.output
    )
    assert f"| means of 15 min | {slow[0]} | {slow[1]} |" in card
    assert f'<td>means of 15 min</td><td class="n">{slow[0]}</td>' in page
    behind = re.search(r"✗ F1 above both baselines' in every column: (behind in \d+ of \d+ comparisons)", done.output)
    assert behind[1] in page
    assert behind[1] in card
    assert "Estimate(" not in page + card
    assert re.search(r"\| gradient boosting \| 0\.\d{3} \(0\.\d{3} to ", card)

    # The others' answers are kept, and the card's section is replaced, not repeated.
    again = evaluate("-o", tmp_path / "report.html", "--model", weights, "--ceiling", 0, *SMALL)
    assert "fitted on" not in again.output
    assert behind[1] in again.output
    again_card = weights.with_suffix(".md").read_text()
    assert len(re.findall("<!-- pvfault evaluate -->", again_card)) == 1
    assert "Measured days" not in again_card
    assert "Plants of another simulation" not in again_card
    assert "the ceiling has" not in page + again_card
    assert "No ceiling is kept" in again.output

    done = evaluate("-o", tmp_path / "report.html", "--model", weights, "--ceiling", 2, *SMALL)
    assert done.exit_code == 0, done.output
    assert "expected-power rule fitted on" not in done.output
    for text in ((tmp_path / "report.html").read_text(), weights.with_suffix(".md").read_text()):
        assert "the ceiling has" in text
        assert re.search(r"neighbours on [\d,]+ windows of 96 faulty devices and their twins, 2× the fleets", text)
        assert re.search(
            r"Gradient boosting with the day and the neighbours by the amount of data: .*2× 0\.\d{3}", text
        )
        assert re.search(r"Where the gap to the ceiling is: .* the ceiling has macro-F1 0\.\d{3}", text)
        assert re.search(r"One healthy hour in twenty differs from what is expected of it by more than \d+", text)

    # What was found of the ceiling stands beside another network too.
    found = re.findall(r"\| to reach .*?\n\n", weights.with_suffix(".md").read_text(), re.DOTALL)
    other = weights.with_name("other.h5")
    start_deterministically(2)
    lenet.save_network(lenet.build_network(), other)
    done = evaluate("-o", tmp_path / "report.html", "--model", other, *SMALL)
    assert "No ceiling is kept" not in done.output
    ceilings = [re.findall(r"\| ([\d.]*%?) \| (?:not )?reached \|", table)
                for table in (found[0], other.with_suffix(".md").read_text())]  # fmt: skip
    assert ceilings[0] == ceilings[1]
    assert sum(ceiling != "" for ceiling in ceilings[0]) == 9
    for text in ((tmp_path / "report.html").read_text(), other.with_suffix(".md").read_text()):
        assert f"The ceiling was found beside version {version}" in text
        assert "within 0.02 of the ceiling" in text


def test_other_plants_are_judged_alone_if_no_devices_are_asked_for(evaluate, weights, tmp_path):
    write_folder(tmp_path)
    report = tmp_path / "report.html"
    asked = ("-o", report, "--model", weights, "--no-textbook", "--no-archives", "--transfer", tmp_path)
    done = evaluate(*asked, "--devices", 0)
    assert done.exit_code == 0, done.output
    assert "Transfer, clean: 16 windows" in done.output
    assert "simulated" not in done.output
    assert not report.exists()
    few = evaluate(*asked, "--devices", 7)
    assert few.exit_code == 2
    assert "expected 24 or more, or 0 for none" in few.output
    nowhere = evaluate("-o", report, "--model", weights, "--transfer", tmp_path / "none", "--devices", 0)
    assert nowhere.exit_code == 2
    assert "labels.parquet: found no file" in nowhere.output


@pytest.mark.parametrize(
    ("name", "message"), [("report.pdf", "expected an HTML file"), ("file/report.html", "cannot be written")]
)
def test_a_report_that_could_not_be_read_or_written_is_refused_before_the_work(
    evaluate, weights, tmp_path, name, message
):
    (tmp_path / "file").touch()
    done = evaluate("-o", tmp_path / name, "--model", weights, *SMALL)
    assert done.exit_code == 2
    assert message in done.output


def test_a_missing_file_of_measured_days_is_told_before_the_work(evaluate, weights, tmp_path):
    done = evaluate("-o", tmp_path / "r.html", "--model", weights, "--measured", tmp_path / "none.csv", *SMALL)
    assert done.exit_code == 2
    assert "none.csv" in done.output


def test_the_worst_days_are_those_with_the_largest_share_of_enough_windows():
    counts = [(10, 1), (2, 2), (10, 5), (8, 8), (12, 6), (10, 0)]
    days = [MeasuredDay("A", date(2024, 6, n), judged, faulty, "none") for n, (judged, faulty) in enumerate(counts, 1)]
    assert [day.day.day for day in worst_days(days)] == [4, 5, 3]


def test_judgements_are_read_by_device_and_date(tmp_path):
    path = tmp_path / "days.md"
    assert read_judgements(path) == {}
    path.write_text("# Title\n\ntext\n\n## INV0000001 2019-10-09\n\nOne\ntwo.\n\n## B 2019-11-15\n\nThree.\n")
    assert read_judgements(path) == {
        ("INV0000001", date(2019, 10, 9)): "One two.",
        ("B", date(2019, 11, 15)): "Three.",
    }


def test_days_are_judged_within_the_false_alarms_that_are_allowed():
    """Healthy hours that look faulty by accident: counting one of them is best but for the alarms."""
    rng = np.random.default_rng(4)
    truth = np.repeat([0, 1, 3, 4, 5], (1600, 100, 100, 100, 100))
    looks = np.where((rng.random((2000, 24)) < 0.1) & (truth[:, None] == 0), 5, 0)
    shows = rng.random((2000, 24)) < np.where(truth == 5, 0.1, 0.5)[:, None]
    looks = np.where((truth[:, None] > 0) & shows, truth[:, None], looks)
    days = np.full((2000, 24, 6), 0.01) + 0.94 * np.eye(6)[looks]
    days[:, :6] = days[:, 18:] = np.nan
    quiet, free = choose_day_rules(truth, days)
    assert count_false_alarms(truth, quiet(days)).a_year <= 1
    assert count_false_alarms(truth, free(days)).a_year > 1
    hits = [(np.maximum(rule(days), 0) == truth)[truth > 0].mean() for rule in (quiet, free)]
    assert 0.3 < hits[0] < hits[1]


def test_labels_that_a_crew_has_exported_tell_how_right_the_network_was(tmp_path):
    """The file is written by the alarms and read here: what one side changes, the other has to understand."""
    found = {
        ("INV0000001", date(2024, 6, 1)): "line_ground. Alarm 1 (line_line), closed as other_fault on 2024-07-01 by A.",
        ("INV0000001", date(2024, 6, 2)): "open_circuit. Alarm 2 (open_circuit), closed as confirmed_fault.",
        ("INV0000002", date(2024, 6, 1)): "none. Alarm 3 (arc_fault), closed as false_alarm on 2024-07-01 by A.",
        ("INV0000002", date(2024, 6, 2)): "arc_fault. Alarm 4 (sensor_suspect), closed as other_fault.",
    }
    file = tmp_path / "labels.md"
    write_labels({day: [sentence] for day, sentence in found.items()}, file)
    judgements = read_judgements(file) | {("INV0000003", date(2024, 6, 1)): "No fault of the array to be seen."}
    verdicts = ["line_line", "open_circuit", "arc_fault", "none", "arc_fault"]
    days = [
        MeasuredDay(*day, 8, 3, verdict, judgements[day]) for day, verdict in zip(judgements, verdicts, strict=True)
    ]
    assert score_labels(days) == LabelScore(
        days=4, right=1, right_with_one_short=2, faulty=3, found=2, healthy=1, false_alarms=1
    )
    assert score_labels(days[4:]) is None


def test_labels_without_measured_days_or_a_file_are_told_before_the_work(evaluate, weights, tmp_path):
    done = evaluate("-o", tmp_path / "r.html", "--model", weights, "--labels", tmp_path / "labels.md", *SMALL)
    assert done.exit_code == 2
    assert "--measured FILE" in done.output
    measured = ("--measured", tmp_path / "days.csv", "--labels", tmp_path / "labels.md")
    done = evaluate("-o", tmp_path / "r.html", "--model", weights, *measured, *SMALL)
    assert done.exit_code == 2
    assert "pvfault labels export" in done.output
