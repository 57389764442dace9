"""`pvfault simulate`: what a newcomer does first."""

import pytest

from tests.pvfault_cli.test_main import run

pytestmark = pytest.mark.broker


def test_a_simulated_fleet_is_described_and_not_sent_over_another_one(environment, tmp_path):
    command = ["simulate", "--devices", 3, "--days", 2, "--start", "2024-03-01"]
    result = run(*command, env=environment)
    assert result.exit_code == 0, result.output
    assert f"readings of 3 devices reached the topic {environment['PVFAULT_TOPIC']}" in result.stdout
    assert "Dates to materialise (2): 2024-03-01..2024-03-02" in result.stdout
    assert (tmp_path / "home" / "devices.csv").exists()
    assert (tmp_path / "home" / "labels.csv").exists()

    another = run(*command, "--seed", 1, env=environment)
    assert (another.exit_code, another.stdout) == (2, "")
    assert "already another registry" in another.stderr
