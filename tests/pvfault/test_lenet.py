"""The network as a file: what goes in and out, and which files are refused."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from scipy.stats import rankdata

from pvfault import lenet, scalogram
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.marks import MARKS
from pvfault.tensorflow_start import start_deterministically
from tests.conftest import PROJECT

RELEASED = PROJECT / "models" / "lenet5.h5"


@pytest.fixture(scope="module")
def network():
    start_deterministically(1)
    return lenet.build_network()


@pytest.fixture
def path(network, tmp_path):
    lenet.save_network(network, tmp_path / "model.h5")
    return tmp_path / "model.h5"


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (lenet.BATCH + 3, *scalogram.SHAPE), dtype=np.uint8)


def test_it_has_the_layers_of_lenet_5(network):
    """Trainable weights by hand: filters × 6 × 6 × channels, gain and shift of each, neurons × (inputs + 1).

    90 marks are read from 4 channels of 16 scales × 32 means over two columns; the first dense layer sees them, 12
    ramps of each (a slope and where it begins), and 64 shapes in 4 × 4 places.
    """
    convolutions = 16 * 36 * 4 + 16 * 36 * 16 + 64 * 36 * 16
    normalised = 2 * (16 + 16 + 64)
    marks = 90 * (16 * 32 * 4 + 1)
    ramps = 2 * 12 * 90
    dense = 512 * (4 * 4 * 64 + 13 * 90 + 1) + 256 * 513 + 6 * 257
    count = convolutions + normalised + marks + ramps + dense
    assert sum(np.prod(weights.shape) for weights in network.trainable_weights) == count


def test_each_pixel_is_compared_with_healthy_windows_and_compressed(images):
    random = np.random.default_rng(1)
    middle, spread = random.uniform(0.2, 0.8, scalogram.SHAPE), random.uniform(0.01, 0.5, scalogram.SHAPE)
    distance = (images[:3] / 255 - middle) / spread
    network = lenet.build_network(middle, spread)
    first = start_deterministically(1).keras.Model(network.input, network.get_layer("compress").output)
    found = first(images[:3]).numpy().reshape(distance.shape)
    np.testing.assert_allclose(found, distance / (1 + np.abs(distance)), atol=1e-4)


def test_the_ramps_of_a_mark_tell_its_rank():
    """Each climbs over a twelfth of the windows, so their mean is the share below, whatever the distribution."""
    random = np.random.default_rng(0)
    marks = np.exp(random.normal(size=(5000, len(MARKS))) * random.uniform(0.2, 1, len(MARKS)))
    network = lenet.add_ramps(lenet.build_network(ramps=False), marks)
    ramps = np.clip(network.get_layer("ramps")(marks[:, None]).numpy().reshape(5000, len(MARKS), 12), 0, 1)
    share_below = (rankdata(marks, axis=0) - 0.5) / 5000
    np.testing.assert_allclose(ramps.mean(axis=2), share_below, atol=1 / 12)
    bounds = np.quantile(marks, np.arange(1, 12) / 12, axis=0)
    at_bounds = np.clip(network.get_layer("ramps")(bounds[:, None]).numpy().reshape(11, len(MARKS), 12), 0, 1)
    np.testing.assert_allclose(at_bounds.mean(axis=2).T, [np.arange(1, 12) / 12] * len(MARKS), atol=1e-4)


def test_ramps_come_in_without_a_word(images):
    """What a trained network says must not change until its dense layers have learned from the ramps."""
    start_deterministically(2)
    network = lenet.build_network(ramps=False)
    whole = lenet.add_ramps(network, np.random.default_rng(0).normal(size=(200, len(MARKS))))
    assert np.ptp(whole.get_layer("ramps").get_weights()[0]) > 1
    before = network(images[:5]).numpy()
    assert before.std() > 0.01
    np.testing.assert_allclose(whole(images[:5]).numpy(), before, atol=1e-6)


def test_a_saved_network_predicts_the_same(network, path, images):
    classifier = lenet.load_classifier(path)
    found = classifier.predict(images)
    assert found.dtype == np.float32
    assert found.shape == (len(images), len(FAULTS))
    np.testing.assert_allclose(found, network(images.astype(np.uint8)).numpy(), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert classifier.version == lenet.read_version(path)
    assert len(classifier.version) == 12


def test_the_released_network_gives_what_keras_itself_gives(images):
    """The classifier computes some layers in another way, and untrained biases are zero and show no mistake."""
    found = lenet.load_classifier(RELEASED).predict(images)
    expected = lenet.load_network(RELEASED).predict(images, verbose=0)
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_images_are_judged_one_by_one_as_in_any_batch(path, images):
    classifier = lenet.load_classifier(path)
    together = classifier.predict(images)
    np.testing.assert_allclose(classifier.predict(images[5:6]), together[5:6], atol=1e-6)
    np.testing.assert_allclose(classifier.predict(images[::-1]), together[::-1], atol=1e-6)
    assert classifier.predict(images[:0]).shape == (0, len(FAULTS))


@pytest.fixture(params=[lenet.load_classifier, lenet.examine_network])
def read(request):
    """Each way to find that a file is no network of ours: with TensorFlow, and without."""
    return request.param


def test_a_missing_file_is_refused(tmp_path, read):
    with pytest.raises(lenet.ModelError, match="no such file; train one with `pvfault train`"):
        read(tmp_path / "none.h5")
    assert issubclass(lenet.ModelError, PvfaultError)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_a_file_that_is_not_hdf5_is_refused(tmp_path, content, read):
    (tmp_path / "model.h5").write_bytes(content)
    with pytest.raises(lenet.ModelError, match="no readable HDF5 file"):
        read(tmp_path / "model.h5")


def test_a_file_that_is_cut_off_is_refused(path, read):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(lenet.ModelError, match="train one"):
        read(path)


def test_a_network_of_other_classes_is_refused(path, read):
    with h5py.File(path, "r+") as file:
        file.attrs["classes"] = ["none", "broken"]
    with pytest.raises(lenet.ModelError, match="found the classes none, broken, expected none, line_line"):
        read(path)


def test_hdf5_without_a_network_is_refused(path, read):
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    with pytest.raises(lenet.ModelError, match="Keras cannot read"):
        read(path)


def test_a_network_of_another_shape_is_refused(tmp_path, read):
    keras = start_deterministically(1).keras
    image = keras.Input((32, 32, 4), dtype="uint8")
    other = keras.Model(image, keras.layers.Dense(6)(keras.layers.Flatten()(keras.layers.Rescaling(1.0)(image))))
    lenet.save_network(other, tmp_path / "other.h5")
    with pytest.raises(lenet.ModelError, match=r"found a network from \(32, 32, 4\)"):
        read(tmp_path / "other.h5")


def test_a_network_is_examined_without_tensorflow_and_has_the_same_version():
    code = (
        "import sys; from pvfault.lenet import examine_network; "
        f"print(examine_network({str(RELEASED)!r}), 'tensorflow' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    assert said.split() == [lenet.load_classifier(RELEASED).version, "False"]


def test_weights_that_are_no_numbers_are_named(path):
    with h5py.File(path, "r+") as file:
        file["model_weights/F7/F7/kernel"][3, 3] = np.nan
    with pytest.raises(lenet.ModelError, match=r"no numbers in F7/F7/kernel; train one"):
        lenet.examine_network(path)
