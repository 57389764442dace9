"""Numbers of the code are found again, and what is found is what a calculation by hand gives."""

import numpy as np
import pytest

from pvfault.marks import MARKS, SIZES, to_scale
from pvfault.reference import TYPICAL
from pvfault_workshop import derive_marks, derive_references
from pvfault_workshop import derive_open_strings as of_open_strings
from pvfault_workshop.derive_estimates import Seen, calibration_error, call, fit_weights
from pvfault_workshop.derive_marks import CANDIDATES, Numbers, choose_marks, find_scales, is_size
from tests.pvfault_cli.test_main import run


def test_typical_references_are_those_of_healthy_devices():
    """A reference far from the code's would say that devices without history are judged by something else."""
    found = derive_references.derive_references(24)
    by_name = {name: (written, again) for name, written, again in derive_references.found_and_written(found)}
    assert len(by_name) == len(TYPICAL) - 1
    for name, (written, again) in by_name.items():
        assert again == pytest.approx(written, abs=0.05), name
    # Silicon loses 0.3 to 0.5 % of its voltage a degree; light counts in proportion, to a few per cent.
    assert -0.125 < by_name["voltage by temperature"][1] < -0.06
    voltage, current = found.within
    assert 0 < voltage < 0.01
    assert voltage < current < 0.04
    in_code = [within for _, _, factor, within in found.ridges if factor == 1]
    assert len(in_code) == 3
    assert all(within == in_code[0] for within in in_code)
    assert in_code[0][0] == found.within
    # With three days, less is known than with half a year.
    assert in_code[0][-1][0] > in_code[0][0][0]


def test_there_are_as_many_candidates_as_marks_were_once_chosen_from():
    assert len(set(CANDIDATES)) == len(CANDIDATES) == 372
    assert set(MARKS) <= set(CANDIDATES)
    assert {mark for mark in MARKS if is_size(mark)} == set(SIZES)


def test_constants_are_those_of_a_distribution_that_is_known():
    """A normal one: its median distance is 0.6745 of its deviation, nine in ten lie within 3.29 of them."""
    rng = np.random.default_rng(0)
    n = 200_000
    size = np.exp(rng.normal(-2, 0.8, n))
    by_name = {
        "voltage_mean": rng.normal(0.3, 0.2, n),
        "strings_surplus": rng.normal(0.1, 0.2, n),
        "voltage_std": np.where(rng.random(n) < 0.3, 0, size),  # where there is none, there is nothing to scale
        "current_1_days_ago": np.where(rng.random(n) < 0.5, np.nan, rng.normal(1, 0.1, n)),
    }
    numbers = Numbers(by_name, np.zeros(n, int))
    scales = find_scales(numbers, by_name)
    assert scales.changes["voltage_mean"] == pytest.approx((0.3, 0.6745 * 0.2), abs=2e-3)
    assert scales.changes["current_1_days_ago"] == pytest.approx((1, 0.06745), abs=2e-3)
    middle, unit = scales.changes["strings_surplus"]
    assert middle == 0
    assert (np.abs(by_name["strings_surplus"]) < unit).mean() == pytest.approx(0.5, abs=0.01)
    assert scales.sizes["voltage_std"] == pytest.approx((-2, 0.8), abs=0.02)
    scaled = to_scale(by_name, scales.changes, scales.sizes)
    assert np.nanmax(np.abs(scaled)) <= 2.5


def test_what_the_labels_hang_on_is_left_and_what_they_do_not_is_left_out():
    """Of twelve numbers, three say what a window is; one of them says it together with another alone."""
    names = CANDIDATES[:12]
    informative = {names[2], names[5], names[9]}

    def draw(n, seed):
        rng = np.random.default_rng(seed)
        by_name = {name: rng.normal(size=n) for name in names}
        level, first, second = (by_name[name] for name in sorted(informative))
        label = np.where(level > 0.7, 2, (first * second > 0).astype(int))
        return Numbers({name: np.exp(v) if is_size(name) else v for name, v in by_name.items()}, label)

    training, validation = draw(6000, 1), draw(2000, 2)
    lines = []
    found = choose_marks(training, validation, find_scales(training, names), names, 3, seed=1, tell=lines.append)
    assert set(found) == informative
    assert lines[0].startswith("12 numbers: cross-entropy")
    assert len(lines) == 9


def test_marks_are_chosen_out_of_few_of_few_devices():
    """The whole way, from devices to constants beside those of the code."""
    few = ("voltage_mean", "current_q50", "strings_surplus", "irradiance_std", "power_max_range")
    found = derive_marks.derive_marks(48, candidates=few, wanted=3)
    assert len(found.chosen) == 3
    assert set(found.losses) == {"all candidates", "the marks found"}
    assert all(0 < loss < 2 for loss in found.losses.values())
    rows = {name: (written, again) for name, written, again in derive_marks.found_and_written(found)}
    assert set(rows) == set(few)
    for written, again in rows.values():
        # Within the scatter of some hundred windows of four dates.
        assert abs(again[0] - written[0]) < 1.5 * max(written[1], again[1])
        assert 0.2 < again[1] / written[1] < 5


def test_the_command_prints_both():
    done = run("derive", "references", "--devices", "24", "--workers", "1")
    assert done.exit_code == 0, done.output
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("current at 25 °C"))
    assert line.split()[-2] == f"{TYPICAL[4]:.4f}"


def test_a_device_with_many_hours_counts_as_one():
    """Two devices with an open string, one of them for nine hours, and one that is shaded."""
    label = np.array([3] * 9 + [3, 4, 0])
    device = np.array([1] * 9 + [2, 3, 4])
    shown = np.array([True] * 11 + [False])
    probabilities = np.full((12, 6), 1 / 6)
    found = of_open_strings.describe(label, device, shown, probabilities)
    assert found.counts.tolist() == [0, 0, 0, 10, 1, 0]
    np.testing.assert_allclose(found.devices, [0, 0, 0, 2, 1, 0])
    np.testing.assert_allclose(found.shares, np.array([0, 1, 1, 3, 2, 1]) / 8)
    # Without weight, what the network says: a sixth of everything.
    assert found.cross_entropy[0.0] == pytest.approx(np.log(6))
    open_, shaded = (5 / 6 * each for each in (3 / 8, 2 / 8))
    assert found.cross_entropy[1.0] == pytest.approx(-(2 * np.log(open_) + np.log(shaded)) / 3)


def test_the_command_shows_what_open_strings_are(monkeypatch):
    monkeypatch.delenv("PVFAULT_MODEL", raising=False)
    done = run("derive", "open-strings", "--devices", 24, "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "windows show open strings" in done.output
    assert "0.7 (in the code)" in done.output


def test_names_become_as_sure_as_they_are_right():
    """A network that says 0.97 of what is so in two windows of three."""
    rng = np.random.default_rng(3)
    n = 6000
    said = rng.integers(1, 6, n)
    truth = np.where(rng.random(n) < 2 / 3, said, 0)
    network = np.full((n, 6), 0.01)
    network[np.arange(n), said] = 0.95
    seen = Seen(truth, network, np.zeros((n, 2)), np.ones(n, bool), np.zeros(n, bool), np.arange(n))
    before, after = (calibration_error(call(seen, weights, 0.0)) for weights in (None, fit_weights(seen)))
    assert before > 0.25
    assert after < 0.03


def test_a_step_of_the_current_alone_makes_an_open_string_of_what_the_network_calls_a_shadow():
    n = 4000
    network = np.tile([0.05, 0.01, 0.01, 0.03, 0.9, 0.0], (n, 1))
    below = np.zeros((n, 2))
    below[::2, 1] = 0.2
    truth = np.where(below[:, 1] > 0, 3, 4)
    seen = Seen(truth, network, below, np.ones(n, bool), np.zeros(n, bool), np.arange(n))
    judged = call(seen, fit_weights(seen), 0.0)
    assert set(judged.called[::2]) == {"open_circuit"}
    assert set(judged.called[1::2]) == {"partial_shading"}
