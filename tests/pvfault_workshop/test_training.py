"""Labelled windows, a tiny training, scores."""

import re

import numpy as np
import pytest
from sklearn import metrics

from pvfault import lenet, scalogram
from pvfault.candidates import CandidateSets
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.hourly_statistics import STATISTICS
from pvfault.marks import MARKS
from pvfault.scalogram import BANDS
from pvfault.tensorflow_start import start_tensorflow
from pvfault.verdicts import name_windows
from pvfault.windows import DARK_BELOW
from pvfault_workshop.candidates import calibrate
from pvfault_workshop.evaluation import model_card
from pvfault_workshop.evaluation.network_scores import score_network
from pvfault_workshop.evaluation.scores import GROUP_NAMES, calibration_error, group_shorts, score
from pvfault_workshop.simulation.labelled import by_device_day
from pvfault_workshop.simulation.labelling import HEALTHY_SHARE, measure_effect, simulate_windows, thin
from pvfault_workshop.simulation.splits import TEST, TRAINING, VALIDATION
from pvfault_workshop.simulation.surroundings import DAY_STATISTICS, DEVIATIONS, NEIGHBOUR_STATISTICS
from pvfault_workshop.training import train_network
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def windows():
    return simulate_windows(TRAINING, 40)


def test_labelled_windows_do_not_depend_on_how_many_are_simulated_beside_them(windows):
    fewer = simulate_windows(TRAINING, 24)
    first = windows.select(slice(len(fewer)))
    np.testing.assert_array_equal(first.images, fewer.images)
    np.testing.assert_array_equal(first.label, fewer.label)


def test_every_class_is_there_and_twins_are_healthy(windows):
    assert (np.bincount(windows.label, minlength=len(FAULTS)) > 0).all()
    days = by_device_day(windows.label, windows)
    faulty = (np.nan_to_num(days) > 0).any(axis=1)
    assert 0.3 < faulty.mean() < 0.55
    assert (windows.severity[windows.label == 0] == 0).all()
    assert (windows.severity[windows.label > 0] > 0).all()


def test_windows_carry_what_they_are_told_apart_by(windows):
    """Onset before the first faulty window, statistics of the very same readings, errors as large as sensors have."""
    days = by_device_day(windows.label, windows)
    first = np.where((days > 0).any(axis=1), (days > 0).argmax(axis=1), -1)
    onset = np.nanmin(by_device_day(np.nan_to_num(windows.onset, nan=99), windows), axis=1)
    assert ((first >= 0) == (onset < 99)).all()
    assert (onset[first >= 0] < first[first >= 0] + 1).all()
    np.testing.assert_allclose(
        windows.statistics[:, STATISTICS.index("irradiance_mean")] * 1000, windows.irradiance, rtol=0.1, atol=10
    )
    assert (windows.irradiance >= DARK_BELOW).all()
    assert np.nanquantile(windows.noise, 0.9) < 0.1
    assert (windows.noise > 0).all()
    assert set(windows.cadence) == {20}


def test_an_hour_knows_the_other_hours_of_its_own_day(windows):
    """Of one statistic: the hour before, the median so far, the median and the range of the day."""
    power = DAY_STATISTICS.index("power_ratio_mean")
    day = by_device_day(windows.statistics[:, STATISTICS.index("power_ratio_mean")], windows)
    known = by_device_day(windows.day_statistics[:, power :: len(DAY_STATISTICS)], windows)
    for hours, of_hours in zip(day[::9], known[::9], strict=True):
        for hour in np.flatnonzero(np.isfinite(hours)):
            before = hours[:hour][np.isfinite(hours[:hour])]
            so_far = np.median(before) if len(before) else np.nan
            whole = [np.nanmedian(hours), np.nanmax(hours) - np.nanmin(hours)]
            np.testing.assert_allclose(of_hours[hour], [hours[hour - 1], so_far, *whole], rtol=1e-5)


def test_neighbours_are_other_devices_of_the_same_site_and_hour(windows):
    """A healthy twin among the neighbours would give its device's own healthy day away."""
    power = STATISTICS.index("power_ratio_mean")
    column = NEIGHBOUR_STATISTICS.index("power_ratio_mean")
    twin = windows.device_day != np.array([windows.device_day[windows.device == d].min() for d in windows.device])
    same = (windows.day[:, None] == windows.day) & (windows.site[:, None] == windows.site)
    same &= (windows.hour[:, None] == windows.hour) & (windows.device[:, None] != windows.device) & ~twin
    for n in range(0, len(windows), 37):
        beside = windows.statistics[same[n], power]
        assert windows.neighbours[n, column] == pytest.approx(np.median(beside) if len(beside) else np.nan, nan_ok=True)
    assert np.isfinite(windows.neighbours[:, column]).mean() > 0.5


def test_a_slower_cadence_leaves_out_readings_and_nothing_else():
    every_minute = simulate_windows(TRAINING, 24, cadences=(60,), images=False)
    every_20_s = simulate_windows(TRAINING, 24, images=False)
    assert set(every_minute.cadence) == {60}
    key = [list(zip(w.device_day, w.hour, strict=True)) for w in (every_minute, every_20_s)]
    common = set(key[0]) & set(key[1])
    assert len(common) > 0.95 * len(key[1])
    irradiance = [dict(zip(k, w.irradiance, strict=True)) for k, w in zip(key, (every_minute, every_20_s), strict=True)]
    change = np.array([irradiance[0][k] / irradiance[1][k] - 1 for k in common])
    assert 0 < np.abs(change).mean() < 0.05
    assert every_minute.images.shape == (len(every_minute), 0)


def test_fleets_have_the_kinds_of_arrays_in_turn():
    windows = simulate_windows(TRAINING, 49, arrays=("any", "reference"), images=False)
    of_literature = (windows.modules == 5) & (windows.strings == 3)
    second = (windows.device >= 24) & (windows.device < 48)
    assert of_literature[second].all()
    assert not of_literature[~second].all()


def test_a_fleet_without_errors_of_sensors_is_the_same_fleet(windows):
    """Its hours are those of the same devices with the same faults, and what is measured is what is there."""
    fleets = [simulate_windows(TRAINING, 24, arrays=(arrays,), images=False) for arrays in ("any", "any, clean")]
    hours = [
        dict(zip(zip(w.device_day, w.hour, strict=True), zip(w.label, w.effect, strict=True), strict=True))
        for w in fleets
    ]
    common = set(hours[0]) & set(hours[1])
    assert len(common) > 0.9 * len(hours[0])
    assert all(hours[0][key] == hours[1][key] for key in common)
    assert np.nanmedian(fleets[1].noise) < 0.1 * np.nanmedian(fleets[0].noise)


def test_what_is_known_of_the_days_before_changes_the_images_and_nothing_else(windows):
    """Without them the marks of dates are silent: seven, of four columns each, among the slower waves."""
    unknown = simulate_windows(TRAINING, 24, histories=(0,))
    known = windows.select(slice(len(unknown)))
    np.testing.assert_array_equal(known.label, unknown.label)
    np.testing.assert_array_equal(known.statistics, unknown.statistics)
    of_dates = [position for position, mark in enumerate(MARKS) if mark.endswith("days_ago")]
    fast, (_, slots, _) = BANDS[0][0], BANDS[1]
    first, last = (2 + (position - fast) * slots // 3 for position in (of_dates[0] + 1, of_dates[-1]))
    dates = unknown.images[:, 6, first:last, 2], known.images[:, 6, first:last, 2]
    assert np.median(dates[0]) < 100  # what is left there are the edges of the waves beside them
    assert np.median(dates[1]) > 160


def test_a_healthy_twin_is_the_device_that_never_had_a_fault(windows):
    """Its hours and all that is known of the days before, of which the faulty one had its fault on some."""
    twins = windows.select(np.flatnonzero((windows.device_day % 2 == 1) & (windows.device < 24)))
    never = simulate_windows(TRAINING, 24, faulty=0.0)
    np.testing.assert_array_equal(twins.images, never.images)
    np.testing.assert_array_equal(twins.deviations, never.deviations)
    np.testing.assert_array_equal(twins.device, never.device)


def test_effect_is_the_relative_change_of_voltage_and_current():
    healthy = np.ones((4320, 4))
    faulty = healthy.copy()
    faulty[180:360, 0] = 0.9
    faulty[180:270, 1] = 0.5
    effect = measure_effect(faulty, healthy)
    assert effect[1] == pytest.approx(0.1 + 0.25)
    assert (np.delete(effect, 1) == 0).all()
    assert (measure_effect(healthy * 0, healthy * 0) == 0).all()


def test_thinning_keeps_all_faulty_windows():
    label = np.array([0] * 1000 + [1, 2, 3] * 10)
    kept = thin(label, np.random.default_rng(0))
    assert (label[kept] > 0).sum() == 30
    assert (label[kept] == 0).mean() == pytest.approx(HEALTHY_SHARE, abs=0.01)


def test_the_parts_share_no_date_and_no_seed():
    assert len({split.first.year for split in (TRAINING, VALIDATION, TEST)}) == 3
    assert len({split.seed for split in (TRAINING, VALIDATION, TEST)}) == 3


def test_a_tiny_training_learns_and_repeats_and_fills_a_card(windows, tmp_path):
    """On its own windows it must beat the answer "always healthy", which is all that can be asked of a minute."""
    networks = [train_network(windows, windows, epochs=3, seed=3) for _ in range(2)]
    classifier = lenet.Classifier(networks[0], "tiny")
    probabilities = classifier.predict(windows.images)
    right = (probabilities.argmax(axis=1) == windows.label).mean()
    assert right > (windows.label == 0).mean() + 0.02
    np.testing.assert_array_equal(probabilities, lenet.Classifier(networks[1], "again").predict(windows.images))
    sets = CandidateSets("tiny", *calibrate(probabilities, windows))
    scores = score_network(networks[0], sets, windows)
    card = model_card.write_card(
        scores, version="0123456789ab", command="pvfault train", training=windows, validation=windows, test=windows,
        minutes=1.0,
    )  # fmt: skip
    assert "version 0123456789ab" in card
    assert f"{scores.windows['macro_f1']:.3f}" in card
    assert "{" not in card
    row = next(line for line in card.partition("sets of windows")[2].splitlines() if line.startswith("| faulty |"))
    faulty = windows.label > 0
    held = sets.of_windows(probabilities, name_windows(probabilities)[0])[np.arange(len(windows)), windows.label]
    assert row.split("|")[3].split()[0] == f"{held[faulty].mean():.3f}"


def test_the_dense_layers_learn_the_labels_from_what_the_others_go_on_finding(windows):
    """Of the windows that they learn, which are the validation's too, they must know more than after any epoch."""
    lines = []
    train_network(windows, windows, epochs=3, seed=2, report=lines.append)
    *epochs, dense = (float(re.search(r"validation ([\d.]+)", line)[1]) for line in lines)
    assert len(epochs) == 3
    assert dense < min(epochs)


def test_pixels_are_compared_with_those_of_healthy_windows(windows):
    """Whatever the faulty ones are like: a strong fault must not set the scale on which a slight one is seen."""
    network = train_network(windows, windows, epochs=1, seed=1)
    middle, variance = network.get_layer("normalise").get_weights()
    healthy = windows.images[windows.label == 0].reshape(-1, scalogram.BYTES) / 255
    np.testing.assert_allclose(middle, np.median(healthy, axis=0), atol=1e-6)
    inside = np.abs(healthy - middle) <= np.sqrt(variance) + 1e-6
    # In two thirds of the windows, as for a normal distribution; in more, where a pixel hardly changes.
    assert inside.mean() > 0.66
    changing = variance > np.square(2.5 / 255)
    assert 0.55 < inside[:, changing].mean() < 0.85


def test_the_released_network_reads_the_marks_of_images_that_it_has_not_seen():
    """Beside the marks themselves, which it never sees; unknown ones have no wave to be read."""
    windows = simulate_windows(TEST, 48)
    network = lenet.load_network(PROJECT / "models" / "lenet5.h5")
    reader = start_tensorflow().keras.Model(network.input, network.get_layer("marks").output)
    error = reader.predict(windows.images, verbose=0) - windows.marks
    assert windows.marks.shape == (len(windows), len(MARKS))
    explained = 1 - np.nanmean(error**2, axis=0) / np.nanvar(windows.marks, axis=0)
    assert np.median(explained) > 0.97
    assert explained.min() > 0.85


def test_a_training_set_without_a_class_is_refused(windows):
    without = windows.select(windows.label != FAULTS.index("arc_fault"))
    with pytest.raises(PvfaultError, match="none of them arc_fault; simulate more devices"):
        train_network(without, windows, epochs=1, seed=1)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 6, (2, 500))
    scores = score(truth, found)
    np.testing.assert_array_equal(scores["confusion"], metrics.confusion_matrix(truth, found))
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(truth, found, average="macro"))
    assert scores["faulty_f1"] == pytest.approx(metrics.f1_score(truth > 0, found > 0))
    grouped = metrics.f1_score(group_shorts(truth), group_shorts(found), average="macro")
    assert scores["grouped_macro_f1"] == pytest.approx(grouped)
    assert scores["false_alarms"] == pytest.approx((found[truth == 0] > 0).mean())
    assert scores["missed"] == pytest.approx((found[truth > 0] == 0).mean())


def test_the_two_shorts_are_one_group():
    assert group_shorts(np.arange(6)).tolist() == [0, 1, 1, 2, 3, 4]
    assert GROUP_NAMES == ("none", "short", "open_circuit", "partial_shading", "arc_fault")


def test_probabilities_that_come_true_have_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200_000)
    truth = (rng.random(200_000) > confidence).astype(int)
    probabilities = np.column_stack([confidence, 1 - confidence, *np.zeros((4, 200_000))])
    assert calibration_error(probabilities, truth) < 0.01
    assert calibration_error(np.eye(6)[np.zeros(1000, int)], np.ones(1000, int)) == 1


def test_a_healthy_hour_is_near_to_the_days_before_and_a_faulty_one_is_not(windows):
    """Without the days before, the ceiling would know less than the network."""
    columns = [DEVIATIONS.index("voltage_q50"), DEVIATIONS.index("current_q50")]
    deviation = np.abs(windows.deviations[:, columns]).sum(axis=1)
    bright = windows.irradiance > 250
    assert np.median(deviation[bright & (windows.label == 0)]) < 0.05
    assert np.median(deviation[bright & (windows.label > 0)]) > 0.05
    assert np.isfinite(windows.deviations[:, : DEVIATIONS.index("voltage_course_0")]).all()


def test_a_window_is_faulty_if_the_fault_changes_it_by_2_per_cent(windows):
    np.testing.assert_array_equal(windows.label > 0, windows.effect >= 0.02)
    assert ((windows.effect > 0) & (windows.effect < 0.02)).any()


def test_open_strings_are_missing_by_number_where_the_layout_is_known():
    """One of three is -1, as one of ten is, whatever the sensors of the device are like."""
    windows = simulate_windows(TEST, 72, images=False)
    surplus = windows.deviations[:, DEVIATIONS.index("strings_surplus")]
    opened = (windows.label == FAULTS.index("open_circuit")) & (windows.irradiance > 400)
    assert opened.sum() > 5
    missing = windows.severity * windows.strings
    assert np.median(np.abs(surplus + missing)[opened]) < 0.3
    unknown = simulate_windows(TEST, 24, unknown_layouts=1.0, images=False)
    for name in ("modules_surplus", "strings_surplus"):
        assert np.isnan(unknown.deviations[:, DEVIATIONS.index(name)]).all()
