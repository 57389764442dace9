"""The frame of the command line: help, errors, exit codes, and nothing loaded that is not needed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pvfault.errors import PvfaultError
from pvfault_cli import main as frame

PROJECT = Path(__file__).parent.parent.parent


def run(*arguments, **options):
    return CliRunner().invoke(frame.app, [str(argument) for argument in arguments], **options)


@pytest.fixture
def failing():
    """The frame around commands that fail in each way there is."""
    app = typer.Typer(cls=frame._Commands, pretty_exceptions_enable=False)
    group = typer.Typer()
    app.add_typer(group, name="group")

    @app.command()
    def mistake():
        raise PvfaultError("found this, expected that; do so")

    @group.command()
    def nested():
        raise PvfaultError("found this, expected that; do so")

    @app.command()
    def interrupted():
        raise KeyboardInterrupt

    @app.command()
    def bug():
        raise ValueError("ours")

    return app


@pytest.mark.parametrize("command", [["mistake"], ["group", "nested"]])
def test_a_users_mistake_is_one_message_and_exit_code_2(failing, command):
    result = CliRunner().invoke(failing, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: found this, expected that; do so\n"


def test_ctrl_c_is_one_line_and_exit_code_130(failing):
    result = CliRunner().invoke(failing, ["interrupted"])
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Error: Interrupted.\n")


def test_a_mistake_of_ours_keeps_its_traceback(failing):
    result = CliRunner().invoke(failing, ["bug"])
    assert isinstance(result.exception, ValueError)
    assert result.exit_code == 1


def commands(command, *path):
    """Every command below one, with whether it does something by itself."""
    below = getattr(command, "commands", {})
    yield path, not below or command.invoke_without_command
    for name, inner in below.items():
        yield from commands(inner, *path, name)


COMMANDS = dict(commands(typer.main.get_command(frame.app)))


def test_all_commands_are_found():
    assert len(COMMANDS) > 15
    assert {path for path, does_something in COMMANDS.items() if not does_something} == {
        (),
        ("alarms",),
        ("broker",),
        ("catalog",),
        ("labels",),
        ("derive",),
        ("registry",),
        ("schedule",),
        ("topic",),
    }


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_and_those_that_do_something_an_example(path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    if COMMANDS[path]:
        assert f"Example: pvfault {' '.join(path)}" in " ".join(result.stdout.split())


def test_the_version_is_that_of_the_project():
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"pvfault {version}\n")


@pytest.mark.parametrize(
    "arguments", [["fly"], ["replay"], ["simulate", "--days", "none"], ["simulate", "--days", "0"]]
)
def test_a_usage_error_gives_exit_code_2(arguments):
    assert run(*arguments).exit_code == 2


def test_a_setting_of_the_wrong_form_is_a_users_mistake():
    result = run("broker", "status", env={"PVFAULT_LATENESS_HOURS": "long"})
    assert result.exit_code == 2
    assert "PVFAULT_LATENESS_HOURS is 'long'" in result.stderr


def test_help_loads_nothing_that_takes_long():
    """Each of these takes up to seconds, and `pvfault --help` should not feel like it."""
    heavy = {"tensorflow", "pvlib", "confluent_kafka", "pyarrow", "pandas", "numpy", "pyspark", "dagster"}
    code = f"import sys, pvfault_cli.main; print(*({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
