"""The forward pass in NumPy is TensorFlow's, and other networks are left to TensorFlow."""

import json

import h5py
import numpy as np
import pytest

from pvfault import forward, lenet, scalogram
from pvfault.errors import PvfaultError
from pvfault.rows.images import as_images
from pvfault_workshop.simulation import simulate_fleet
from tests.conftest import PROJECT

RELEASED = PROJECT / "models" / "lenet5.h5"


@pytest.fixture(scope="module")
def images():
    """Scalograms of two simulated days, and bytes that no window ever had."""
    from datetime import date

    from pvfault.classify import distinct_readings
    from pvfault.registry import EMPTY_REGISTRY
    from pvfault.rows.scalograms import scalogram_rows

    day = date(2024, 6, 1)
    rows = scalogram_rows(distinct_readings(simulate_fleet(4, [day], 7).readings(day)), day, EMPTY_REGISTRY)
    windows = as_images(rows["scalogram"])
    noise = np.random.default_rng(0).integers(0, 256, (forward._BATCH, *scalogram.SHAPE), dtype=np.uint8)
    return np.concatenate([windows, noise])


def test_numpy_gives_the_probabilities_that_tensorflow_gives(images):
    numpy, tensorflow = forward.read_classifier(RELEASED), lenet.load_classifier(RELEASED)
    found, expected = numpy.predict(images), tensorflow.predict(images)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert numpy.version == tensorflow.version


def test_no_image_gives_no_row():
    assert forward.read_classifier(RELEASED).predict(np.empty((0, *scalogram.SHAPE), np.uint8)).shape == (0, 6)


def test_the_form_that_is_known_is_that_of_the_network():
    """Else every file waits for TensorFlow again, and nobody is told."""
    assert forward.form_of(json.loads(lenet.build_network().to_json())["config"]) == forward.FORM


def test_a_network_of_another_form_is_left_to_tensorflow(tmp_path):
    lenet.save_network(lenet.build_network(ramps=False), tmp_path / "other.h5")
    assert forward.read_classifier(tmp_path / "other.h5") is None
    assert isinstance(lenet.load_classifier_for(tmp_path / "other.h5", 1), lenet.Classifier)


def test_few_windows_are_for_numpy_and_many_for_tensorflow():
    assert isinstance(lenet.load_classifier_for(RELEASED, lenet.FEW_WINDOWS), forward.NumpyClassifier)
    assert isinstance(lenet.load_classifier_for(RELEASED, lenet.FEW_WINDOWS + 1), lenet.Classifier)


def test_weights_that_are_no_numbers_are_refused_before_they_judge(tmp_path):
    path = tmp_path / "broken.h5"
    path.write_bytes(RELEASED.read_bytes())
    with h5py.File(path, "a") as file:
        file["model_weights/F8/F8/bias"][3] = np.nan
    with pytest.raises(PvfaultError, match="weights that are no numbers in F8"):
        lenet.load_classifier_for(path, 1)
