"""Several processes find and judge what one does."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pvfault.candidates import CandidateSets
from pvfault.classify import judge_readings
from pvfault.credibility import examine_readings, why_in_doubt
from pvfault.crew import Crew, code_devices
from pvfault.faults import FAULTS
from pvfault.registry import EMPTY_REGISTRY, read_registry, write_registry
from pvfault_workshop.simulation import simulate_fleet

DAYS = [date(2024, 6, 1) + timedelta(days=number) for number in range(3)]
FLEET = simulate_fleet(5, DAYS, 3)


class Brightness:
    """Six numbers of an image that any image has, whatever lies beside it."""

    version = "brightness"
    sets = CandidateSets(version, np.full(len(FAULTS), 0.15), np.full(len(FAULTS), 0.2))

    def predict(self, images):
        means = images.reshape(len(images), 64 * 64, 4).mean(axis=1) / 255
        odds = np.concatenate([means, 1 - means[:, :2]], axis=1).astype(np.float32)
        return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("registered", ["all", "some", "none"])
def test_verdicts_and_findings_of_groups_are_those_of_all_at_once(registered, tmp_path):
    """A device of which some dates have nothing is among them, and a registry whose currents are of one string."""
    table = pa.concat_tables([FLEET.readings(day) for day in DAYS])
    first = table["deviceID"][0].as_py()
    gone = np.asarray(table["deviceID"].to_numpy(zero_copy_only=False) == first)
    gone &= (
        table["timestamp"].cast(pa.int64()).to_numpy()
        >= table["timestamp"].cast(pa.int64())[-1].as_py() - 86_400_000_000
    )
    table = table.filter(pa.array(~gone))
    registry = EMPTY_REGISTRY
    if registered != "none":
        rows = FLEET.registry.slice(0, None if registered == "all" else 2)
        current = pa.array(rows["rated_current"].to_numpy() / np.array([7.0] + [1.0] * (len(rows) - 1)))
        place = rows.schema.get_field_index("rated_current")
        write_registry(rows.set_column(place, "rated_current", current), tmp_path / "registry.csv")
        registry = read_registry(tmp_path / "registry.csv")
    findings = examine_readings(table, registry)
    doubts = why_in_doubt(findings)
    alone = judge_readings(table, registry, Brightness(), doubts=doubts)
    with Crew(code_devices(table), registry, 2, least=1) as crew:
        assert crew.examine() == findings
        together = crew.judge(Brightness(), doubts)
    assert together.hours.equals(alone.hours)
    assert together.device_days.equals(alone.device_days)
    assert (registered == "none") == (not doubts)
    with Crew(code_devices(table), registry, 2) as few:
        assert few.examine() == findings
