"""Figures of a ceiling that are kept: what they stand for, and which files are refused."""

import pytest

from pvfault.errors import PvfaultError
from pvfault_workshop.evaluation import ceiling
from pvfault_workshop.evaluation.ceiling import Ceiling, read_ceiling, write_ceiling
from pvfault_workshop.evaluation.plan import Plan
from pvfault_workshop.simulation.parts import hash_code

PLAN = Plan(devices=24, training_devices=48, ceiling=0)


@pytest.fixture
def path(tmp_path):
    stands_for = {"devices": 24, "training_devices": 48, "code": hash_code()}
    kept = Ceiling({"macro-F1": 0.9}, ["Fitted on much."], "0123456789ab", "pvfault evaluate --ceiling 10", stands_for)
    write_ceiling(tmp_path / "ceiling.json", kept)
    return tmp_path / "ceiling.json"


def test_figures_come_back_for_the_same_devices(path):
    kept = read_ceiling(path, PLAN)
    assert kept.figures == {"macro-F1": 0.9}
    assert kept.describe("0123456789ab") == ["Fitted on much."]
    assert "beside version 0123456789ab, with `pvfault evaluate --ceiling 10`" in kept.describe("ba9876543210")[0]


@pytest.mark.parametrize("plan", [Plan(48, 48, 0), Plan(24, 96, 0)])
def test_figures_of_other_devices_do_not_stand(path, plan):
    assert read_ceiling(path, plan) is None


def test_figures_of_another_simulation_do_not_stand(path, monkeypatch):
    monkeypatch.setattr(ceiling, "hash_code", lambda: "another")
    assert read_ceiling(path, PLAN) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"figures": {}}'])
def test_another_file_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(PvfaultError, match=r"ceiling\.json: found .* expected what `pvfault evaluate --ceiling N`"):
        read_ceiling(path, PLAN)


def test_without_a_file_there_is_no_ceiling(tmp_path):
    assert read_ceiling(tmp_path / "ceiling.json", PLAN) is None
