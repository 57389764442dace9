"""Weights and card take the place of others whole, whenever the process that does it is killed."""

import hashlib
import signal
import subprocess
import sys

import pytest

from pvfault_workshop.publishing import card_of, keep_beside, publish, replace_text, version_named, written_beside
from tests.conftest import PROJECT

OLD, NEW, THIRD = b"old weights", b"new weights" * 100_000, b"third weights"

# Publishes in a process of its own, which kills itself before the n-th thing that it does to a file or a folder.
PUBLISH = """
import os, signal, sys
from pathlib import Path
from pvfault_workshop.publishing import publish, replace_text, written_beside
weights, fatal = Path(sys.argv[1]), int(sys.argv[2])
content, card = sys.stdin.buffer.read().split(b"|")
steps = 0
def watch(event, arguments):
    global steps
    if event == "open" and str(weights.parent) not in str(arguments[0]):
        return
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "fcntl.flock"):
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
with written_beside(weights) as new:
    new.write_bytes(content)
    replace_text(new.with_suffix(".md"), card.decode())
    publish(new, weights)
"""


def version_of(content):
    return hashlib.sha256(content).hexdigest()[:12]


def card_for(content):
    return f"# Model card: a network, version {version_of(content)}\n\n" + "It is right.\n" * 1000


def publish_in_a_process(weights, content, fatal=0):
    """The exit code of a process that publishes, and is killed before its `fatal`-th step unless that is 0."""
    done = subprocess.run(
        [sys.executable, "-c", PUBLISH, str(weights), str(fatal)],
        cwd=PROJECT, input=content + b"|" + card_for(content).encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.fixture
def weights(tmp_path):
    """Of a network that is there, with its card."""
    path = tmp_path / "models" / "lenet5.h5"
    path.parent.mkdir()
    path.write_bytes(OLD)
    path.with_suffix(".md").write_text(card_for(OLD))
    return path


def test_a_kill_before_any_step_leaves_the_old_pair_or_the_new_one(weights):
    """Days are classified with whatever lies there, and their rows name the version that the card has to explain."""
    left, fatal = [], 0
    while True:
        fatal += 1
        weights.write_bytes(OLD)
        weights.with_suffix(".md").write_text(card_for(OLD))
        if publish_in_a_process(weights, NEW, fatal) == 0:
            break
        content = weights.read_bytes()
        assert content in (OLD, NEW)
        assert card_of(weights).read_text() == card_for(content)
        beside = weights.with_suffix(".md").read_text()
        assert beside in (card_for(OLD), card_for(NEW))
        left.append((content == NEW, beside == card_for(NEW)))
        # Whatever was left, the next network takes its place.
        with written_beside(weights) as new:
            new.write_bytes(THIRD)
            replace_text(new.with_suffix(".md"), card_for(THIRD))
            publish(new, weights)
        assert (weights.read_bytes(), weights.with_suffix(".md").read_text()) == (THIRD, card_for(THIRD))
        assert sorted(path.name for path in weights.parent.iterdir()) == ["lenet5.h5", "lenet5.md"]
    # Before both, between them, and after both.
    assert set(left) == {(False, False), (True, False), (True, True)}
    assert left == sorted(left)


def test_a_card_that_was_on_its_way_is_put_beside_its_weights_by_the_next_training(weights):
    """Also if that one publishes nothing, because its network is worse."""
    fatal = 1
    while publish_in_a_process(weights, NEW, fatal) != 0 and weights.read_bytes() == OLD:
        fatal += 1
    assert weights.with_suffix(".md").read_text() == card_for(OLD)
    with written_beside(weights):
        assert weights.with_suffix(".md").read_text() == card_for(NEW)


def test_a_network_that_is_the_same_keeps_its_card(weights):
    """An evaluation of hours stands in it, and holds for the same weights."""
    weights.with_suffix(".md").write_text(card_for(OLD) + "Evaluated.\n")
    assert publish_in_a_process(weights, OLD) == 0
    assert weights.with_suffix(".md").read_text().endswith("Evaluated.\n")


def test_the_first_network_of_a_folder_is_published_as_any(tmp_path):
    weights = tmp_path / "none yet" / "lenet5.h5"
    assert publish_in_a_process(weights, NEW) == 0
    assert (weights.read_bytes(), card_of(weights).read_text()) == (NEW, card_for(NEW))


def test_what_is_not_published_is_gone_or_kept_under_another_name(weights):
    with written_beside(weights) as new:
        new.write_bytes(NEW)
        replace_text(new.with_suffix(".md"), card_for(NEW))
        kept = keep_beside(new, weights)
    with written_beside(weights) as new:
        new.write_bytes(THIRD)
    assert kept.name == f"lenet5-{version_of(NEW)}.h5"
    assert (kept.read_bytes(), card_of(kept).read_text()) == (NEW, card_for(NEW))
    assert (weights.read_bytes(), card_of(weights).read_text()) == (OLD, card_for(OLD))
    names = {"lenet5.h5", "lenet5.md", kept.name, kept.with_suffix(".md").name}
    assert {path.name for path in weights.parent.iterdir()} == names


def test_an_error_in_the_middle_leaves_what_was_there(weights):
    with written_beside(weights) as new:
        new.write_bytes(NEW)
        with pytest.raises(FileNotFoundError, match=r"lenet5\.md"):
            publish(new, weights)  # without a card
    assert (weights.read_bytes(), card_of(weights).read_text()) == (OLD, card_for(OLD))


def test_two_processes_do_not_publish_at_once(weights, tmp_path):
    """Each would clear away what the other one writes."""
    first = (
        "import sys\nfrom pathlib import Path\nfrom pvfault_workshop.publishing import written_beside\n"
        "with written_beside(Path(sys.argv[1])):\n    print('inside', flush=True)\n    sys.stdin.read()\n"
        "    Path(sys.argv[2]).touch()\n"
    )
    second = (
        "import sys\nfrom pathlib import Path\nfrom pvfault_workshop.publishing import written_beside\n"
        "print('begins', flush=True)\n"
        "with written_beside(Path(sys.argv[1])):\n    sys.exit(0 if Path(sys.argv[2]).exists() else 3)\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": PROJECT, "text": True}
    arguments = [str(weights), str(tmp_path / "left")]
    with subprocess.Popen([sys.executable, "-c", first, *arguments], **pipes) as holds:
        assert holds.stdout.readline() == "inside\n"
        with subprocess.Popen([sys.executable, "-c", second, *arguments], **pipes) as waits:
            assert waits.stdout.readline() == "begins\n"
            holds.stdin.close()
            assert holds.wait() == 0
            assert waits.wait() == 0


def test_a_card_names_its_version_in_its_heading(weights, tmp_path):
    card = weights.with_suffix(".md")
    assert version_named(card) == version_of(OLD)
    card.write_text(f"# Card\n\nCompared with version {version_of(OLD)}\n")
    assert version_named(card) is None
    assert version_named(tmp_path / "none.md") is None
    assert version_named(PROJECT / "models" / "lenet5.md") == version_of((PROJECT / "models/lenet5.h5").read_bytes())
