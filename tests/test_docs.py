"""What the pages and the messages tell a user to type is what the commands take, and what a page names is there."""

import ast
import re
import shlex
from itertools import takewhile

import pytest
from typer.testing import CliRunner

from pvfault.checks.assets import CHECKS, OF_RUNS
from pvfault_cli.main import app
from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SOURCES = [path for folder in ("pvfault*", "spark_jobs", "infra") for path in sorted(PROJECT.glob(f"{folder}/**/*.py"))]
# A line of its own, or between backticks; what a reader is to fill in is filled in.
TYPED = re.compile(r"^ {4,}(?:\$ )?(?:\.venv/bin/)?pvfault (.*)$|`(?:\.venv/bin/)?pvfault ([^`{}]+)`", re.MULTILINE)
FILLED = {"D|D..D": "2024-06-01", "D..D": "2024-06-01..2024-06-02", "D": "2024-06-01", "FILE": "plant.csv"}


def typed_in(path):
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line, inline in TYPED.findall(text):
        command = re.split(r"\s\|\||\s{2,}#|\s+#\s| < |   ", re.sub(r"\[[^\]]*\]", "", line or inline))[0].strip()
        words = shlex.split(re.sub(r"\$\([^)]*\)", "2024-06-01", command))
        if words and re.fullmatch("[a-z-]+", words[0]):
            yield command, [FILLED.get(word, word) for word in words]


def asking_for_help(words):
    """The same with `--help`, for which a command looks at its options and runs nothing."""
    names = list(takewhile(re.compile("[a-z][a-z-]*").fullmatch, words))
    value = ["x"] if words[-1].startswith("--") else []  # an option that a sentence names without one
    return [*names, "--help", *words[len(names) :], *value]


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_is_to_be_typed_is_what_the_commands_take(path):
    for command, words in typed_in(path):
        done = CliRunner().invoke(app, asking_for_help(words))
        assert done.exit_code == 0, f"`pvfault {command}`: {done.output}"


def test_the_pages_have_commands_at_all():
    found = [words[0] for path in PAGES for _, words in typed_in(path)]
    assert {"materialise", "backfill", "status", "check", "tables", "catalog"} <= {*found}


def test_each_check_is_listed_for_operators_and_no_other():
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| of \| errors.*?\n\n", page, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"`([a-z0-9_]+)`", table))
    checks = {check.name for kept in (CHECKS, OF_RUNS) for each in kept.values() for check in each}
    assert named - CHECKS.keys() == checks, named - CHECKS.keys() ^ checks


def strings_by_function(path):
    """The words of all texts in each function of a module, and of its name: `test_tables.py` calls `pvfault tables`."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        texts = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
        words = {word for text in texts if isinstance(text, str) for word in text.split()}
        yield words | {path.stem.removeprefix("test_")}


def test_each_command_of_the_runbook_is_run_by_a_test():
    """Who follows the runbook has a plant that stands still; it is no place for a command that nobody has tried."""
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## By symptom")[2]
    asked = {
        tuple(word for word in words if re.fullmatch(r"(--)?[a-z][a-z-]*", word))
        for words in (shlex.split(re.split(r"\s#", line)[0]) for line in re.findall(r"^    pvfault (.*)$", page, re.M))
    }
    run = [words for path in (PROJECT / "tests").rglob("test_*.py") for words in strings_by_function(path)]
    assert asked
    assert not [" ".join(words) for words in asked if not any(set(words) <= found for found in run)]
