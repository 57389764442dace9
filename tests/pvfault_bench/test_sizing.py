"""Workers and dollars, against a calculation by hand."""

import pytest

from pvfault_bench.sizing import size


def test_a_large_fleet_is_computed_within_ten_minutes():
    found = size(1_000_000, 0.048)  # 48,000 core-seconds: 20 workers of 4 vCPU for 600 s
    assert found.workers == 20
    assert found.compute_seconds == pytest.approx(600)
    # Four starts of a minute, and 21 workers with the driver: 840 s * 21 * 4 vCPU.
    assert found.vcpu_hours == pytest.approx(840 * 84 / 3600)
    assert found.dollars == pytest.approx(19.6 * 0.052624 + 78.4 * 0.0057785)


def test_a_small_fleet_pays_for_one_worker_and_the_starts():
    found = size(10, 0.05)
    assert found.workers == 1
    assert found.wall_seconds == pytest.approx(240, abs=1)
