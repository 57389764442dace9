"""`pvfault broker`: what a script can trust, and what a person reads."""

import pytest

from pvfault_gateway.broker import find, free_port
from tests.pvfault_cli.test_main import run

pytestmark = pytest.mark.broker


def test_a_broker_through_its_life(environment, tmp_path, make_settings):
    port = free_port()
    environment["PVFAULT_BROKER"] = f"localhost:{port}"

    def broker(*command):
        return run("broker", *command, env=environment)

    assert (broker("status").exit_code, broker("status").stdout[:20]) == (1, "No broker is running")
    assert (broker("stop").exit_code, broker("stop").stdout) == (0, "No broker was running.\n")

    started = broker("start")  # on the port that PVFAULT_BROKER names
    assert started.exit_code == 0
    assert f"localhost:{port}" in started.stdout
    pid = find(make_settings(tmp_path / "home")).pid
    assert f"process {pid}" in started.stdout
    assert "already running" in broker("start").stdout
    assert broker("start", "--port", free_port()).exit_code == 2

    simulated = run("simulate", "--devices", 2, "--days", 1, env=environment)
    assert simulated.exit_code == 0, simulated.output
    status = broker("status")
    assert status.exit_code == 0
    assert f"{environment['PVFAULT_TOPIC']}: {simulated.stdout.split()[0]} records" in status.stdout

    stopped = broker("stop")
    assert (stopped.exit_code, f"process {pid}" in stopped.stdout) == (0, True)
    assert broker("status").exit_code == 1


def test_a_broker_of_another_machine_is_not_started_here(environment):
    result = run("broker", "start", env=environment | {"PVFAULT_BROKER": "kafka.example.org:9092"})
    assert result.exit_code == 2
    assert "no broker of this machine" in result.stderr


def test_missing_packages_are_a_users_mistake(environment, tmp_path):
    result = run("broker", "start", "--port", free_port(), env=environment | {"PVFAULT_JARS": str(tmp_path)})
    assert result.exit_code == 2
    assert "make setup" in result.stderr
