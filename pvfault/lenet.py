"""The network: LeNet-5 on scalograms.

Its layers, its weights read and checked, and predictions. It is trained in another room:
`pvfault_workshop/training.py`.
"""

import json
import math
import warnings
from pathlib import Path

import h5py
import numpy as np

from pvfault import scalogram
from pvfault.candidates import read_candidate_sets
from pvfault.errors import PvfaultError
from pvfault.faults import FAULTS
from pvfault.forward import read_classifier
from pvfault.marks import MARKS
from pvfault.tensorflow_start import limit_threads, start_tensorflow
from pvfault.versions import version_of

# Images for one call of the compiled network. Larger batches are hardly faster, smaller ones lose up to a tenth.
BATCH = 256
# Up to here NumPy judges the windows of a file, and TensorFlow, which takes seconds to start, is left out: on two busy
# cores NumPy took 2.6 ms a window, TensorFlow 0.4 ms.
FEW_WINDOWS = 2_000
# For each mark, and how narrow one may be.
RAMPS = 12
LEAST_RAMP = 0.01

_REMEDY = "train one with `pvfault train`, or point PVFAULT_MODEL at another"


class ModelError(PvfaultError):
    """The weights cannot be used."""


def build_network(middle=None, spread=None, *, ramps=True):
    """LeNet-5 for scalograms, with untrained weights.

    Rescaling comes first, inside the network: bytes to 0-1, each pixel as its distance from what it is in healthy
    windows, in units of their spread, and that through x / (1 + |x|), so that a slight fault is not drowned by what a
    strong one does to a pixel; then the means of two by two pixels. In 1998, each convolution of five by five was
    followed by the means of two by two; both are linear, so they are one convolution here, of six by six that moves by
    two, in a third of the products. The convolutions see the border of the image, where a level that stays leaves its
    trace; behind each of them the batch is normalised. A convolution finds a shape wherever it is, but what a mark says
    hangs on its place; so the marks are read from the first 16 scales, where they are, by a layer of their own, and the
    dense layers see them beside the shapes. They see each mark once more as ramps that climb from 0 to 1 over one
    twelfth of the windows and stay [3]_: a fault of one module or one string lies within a narrow part of a mark's
    values, which trees find and neurons on the bare number do not. There are more neurons than in 1998, for 2,194
    inputs instead of 120; in training, half of the shapes and 15 % of the neurons are dropped at random [4]_.

    Parameters
    ----------
    middle, spread : ndarray, shape (64, 64, 4), optional
        Of healthy windows, of bytes over 255. Zero and one if not given.
    ramps : bool
        Whether there are ramps; `add_ramps` builds them into a network without.

    Returns
    -------
    keras.Model
        uint8 images (n, 64, 64, 4) to probabilities (n, 6) in the order of `FAULTS`.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
       Proceedings of the IEEE 86, 1998, 2278-2324 (LeNet-5; here with ReLU instead of tanh).
    .. [2] S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal
       covariate shift", ICML 2015.
    .. [3] Y. Gorishniy, I. Rubachev and A. Babenko, "On embeddings for numerical features in tabular deep learning",
       NeurIPS 2022 (piecewise linear encoding).
    .. [4] N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", Journal of Machine
       Learning Research 15, 2014, 1929-1958.
    """
    keras = start_tensorflow().keras
    layers = keras.layers
    image = keras.Input(scalogram.SHAPE, dtype="uint8", name="scalogram")
    compressed = _in_a_row(
        image,
        layers.Rescaling(1 / 255),
        layers.Reshape((scalogram.BYTES,)),
        # In its frozen state, batch normalisation is the one layer that keeps middle and spread among the weights.
        layers.BatchNormalization(center=False, scale=False, epsilon=0.0, trainable=False, name="normalise"),
        layers.Activation("softsign", name="compress"),
        layers.Reshape(scalogram.SHAPE),
        layers.AveragePooling2D(2, name="S0"),
    )
    shapes = _in_a_row(
        compressed,
        *_convolution(16, "C1"),
        *_convolution(16, "C3"),
        *_convolution(64, "C5"),
        layers.Flatten(name="shapes"),
        layers.Dropout(0.5),
    )
    # As bytes, these pixels are nearly linear in the marks; compressed, they are not.
    marks = _in_a_row(
        image,
        layers.Cropping2D(((0, len(scalogram.SCALES) - 16), (0, 0))),
        layers.Rescaling(1 / 255),
        layers.AveragePooling2D((1, 2)),
        layers.Flatten(),
        layers.BatchNormalization(center=False, scale=False, epsilon=0.0, trainable=False, name="standardise"),
        layers.Dense(len(MARKS), name="marks"),
    )
    probabilities = _in_a_row(
        layers.Concatenate()([shapes, marks, *([_ramps_of(marks)] if ramps else [])]),
        layers.Dense(512, activation="relu", name="F7"),
        layers.Dropout(0.15),
        layers.Dense(256, activation="relu", name="F8"),
        layers.Dropout(0.15),
        layers.Dense(len(FAULTS), name="logits"),
        layers.Softmax(name="probabilities"),
    )
    network = keras.Model(image, probabilities, name="lenet5")
    if middle is not None:
        network.get_layer("normalise").set_weights([middle.ravel(), np.square(spread).ravel()])
    return network


def add_ramps(network, marks):
    """Build ramps into a network that has none, over each of its marks one after the other, each over as many windows.

    They begin without weight, so that the network goes on saying what it said.

    Parameters
    ----------
    network : keras.Model
        Of `build_network`, without ramps.
    marks : ndarray, shape (n, len(MARKS))
        Of some windows, as the network reads them.

    Returns
    -------
    keras.Model
    """
    whole = build_network()
    for layer in network.layers:
        if layer.weights and layer.name != "F7":
            whole.get_layer(layer.name).set_weights(layer.get_weights())
    kernel, bias = network.get_layer("F7").get_weights()
    whole.get_layer("F7").set_weights([np.pad(kernel, ((0, RAMPS * len(MARKS)), (0, 0))), bias])
    bounds = np.quantile(marks, np.linspace(0, 1, RAMPS + 1), axis=0).T
    slopes = 1 / np.maximum(np.diff(bounds, axis=1), LEAST_RAMP)
    whole.get_layer("ramps").set_weights([slopes[None], -(slopes * bounds[:, :-1]).ravel()])
    return whole


def _ramps_of(marks):
    """Each mark as so many ramps beside each other."""
    layers = start_tensorflow().keras.layers
    return _in_a_row(
        marks,
        layers.Reshape((1, len(MARKS))),
        layers.DepthwiseConv1D(1, depth_multiplier=RAMPS, depthwise_initializer="zeros", name="ramps"),
        layers.ReLU(max_value=1.0),
        layers.Flatten(),
    )


def _convolution(filters, name):
    """A convolution that halves the image, normalised."""
    layers = start_tensorflow().keras.layers
    return [
        layers.Conv2D(filters, 6, strides=2, padding="same", use_bias=False, name=name),
        layers.BatchNormalization(momentum=0.95, name=f"{name}_normalise"),
        layers.ReLU(name=f"{name}_relu"),
    ]


def _in_a_row(value, *layers):
    """What some layers, one behind the other, make of a value."""
    for layer in layers:
        value = layer(value)
    return value


def save_network(network, path):
    """Write a network to an HDF5 file, with its classes, without the state of an optimizer.

    Step by step: where others read, weights are put whole (`pvfault_workshop.publishing`).

    Parameters
    ----------
    network : keras.Model
    path : Path
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Keras 3 calls HDF5 a legacy format; it is the one this project exchanges weights in.
        warnings.simplefilter("ignore")
        network.save(path, include_optimizer=False)
    with h5py.File(path, "r+") as file:
        file.attrs["classes"] = list(FAULTS)


def load_network(path):
    """Read a network and check that it is one of ours.

    Parameters
    ----------
    path : Path

    Returns
    -------
    keras.Model

    Raises
    ------
    ModelError
        If the file is missing or no HDF5 file of Keras, or the network has other inputs, outputs or classes.
    """
    path = Path(path)
    _check_classes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = start_tensorflow().keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_keras(path, error) from error
    _check_shapes(path, network.input_shape[1:], network.output_shape[1:])
    return network


def examine_network(path):
    """Read a file of weights to its end and check that it is a network of ours, without TensorFlow.

    That takes a tenth of a second instead of the seconds and the memory of TensorFlow. What Keras makes of the layers
    is found when they are loaded.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        Version of the weights.

    Raises
    ------
    ModelError
        As `load_network`, and if a weight is no number.
    """
    path = Path(path)
    _check_classes(path)
    try:
        with h5py.File(path, "r") as file:
            ends = _ends_of(json.loads(file.attrs["model_config"])["config"])
            broken = _weights_that_are_no_numbers(file["model_weights"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise _not_keras(path, error) from error
    _check_shapes(path, *ends)
    if broken:
        raise ModelError(f"model {path}: found weights that are no numbers in {', '.join(broken)}; {_REMEDY}")
    return read_version(path)


def _ends_of(config):
    """Shapes of what goes into a network and of what comes out, as its file describes it."""
    layers = {layer["config"]["name"]: layer["config"] for layer in config["layers"]}
    image = layers[config["input_layers"][0]]
    classes = [layer["units"] for layer in layers.values() if "units" in layer][-1]
    return image["batch_shape"][1:], [classes]


def _weights_that_are_no_numbers(weights):
    """Names of a network's weights of which some are infinite or NaN."""
    broken = []

    def look(name, item):
        if isinstance(item, h5py.Dataset) and not math.isfinite(np.sum(item[...], dtype=np.float64)):
            broken.append(name)

    weights.visititems(look)
    return broken


def _check_shapes(path, image, probabilities):
    """Refuse a network from something else than a scalogram, or to something else than the classes."""
    found, expected = (tuple(image), tuple(probabilities)), (scalogram.SHAPE, (len(FAULTS),))
    if found != expected:
        raise ModelError(
            f"model {path}: found a network from {found[0]} to {found[1]}, "
            f"expected from {expected[0]} to {expected[1]}; {_REMEDY}"
        )


def _not_keras(path, error):
    return ModelError(
        f"model {path}: found an HDF5 file that Keras cannot read ({_first_line(error)}), "
        f"expected a saved network; {_REMEDY}"
    )


def _check_classes(path):
    """Refuse a file that is not there or not HDF5, or whose network names other classes."""
    if not path.is_file():
        raise ModelError(f"model {path}: no such file; {_REMEDY}")
    try:
        with h5py.File(path, "r") as file:
            classes = file.attrs.get("classes")
    except OSError as error:
        raise ModelError(
            f"model {path}: found no readable HDF5 file ({_first_line(error)}), expected saved weights; {_REMEDY}"
        ) from error
    if classes is None or tuple(classes) != FAULTS:
        found = "no list of classes" if classes is None else f"the classes {', '.join(map(str, classes))}"
        raise ModelError(f"model {path}: found {found}, expected {', '.join(FAULTS)}; {_REMEDY}")


def _first_line(error):
    """What an error says, short enough for a message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def read_version(path):
    """Version of a weights file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    return version_of(Path(path).read_bytes())


class Classifier:
    """A network ready to predict.

    Parameters
    ----------
    network : keras.Model
    version : str
        What its predictions are marked with.
    sets : pvfault.candidates.CandidateSets, optional
        None for a network whose predictions have no candidates.
    """

    def __init__(self, network, version, sets=None):
        tf = start_tensorflow()
        self.version = version
        self.sets = sets
        # Of any number of images, so that TensorFlow traces it once and a small batch costs no more than it has.
        signature = [tf.TensorSpec((None, *scalogram.SHAPE), tf.uint8)]
        self._call = tf.function(lambda images: network(images, training=False), input_signature=signature)

    def predict(self, images):
        """Probability of every class for every image.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, 64, 64, 4)

        Returns
        -------
        ndarray of float32, shape (n, 6)
            In the order of `FAULTS`.
        """
        probabilities = np.empty((len(images), len(FAULTS)), np.float32)
        for first in range(0, len(images), BATCH):
            probabilities[first : first + BATCH] = self._call(images[first : first + BATCH]).numpy()
        return probabilities


def load_classifier(path, *, threads=None):
    """Read a network and make it ready to predict.

    Parameters
    ----------
    path : Path
    threads : int, optional
        Threads that TensorFlow may use, if it has not computed anything yet in this process; by default all cores.

    Returns
    -------
    Classifier

    Raises
    ------
    ModelError
        As `load_network`.
    """
    if threads is not None:
        limit_threads(threads)
    return Classifier(load_network(path), read_version(path), read_candidate_sets(Path(path)))


def load_classifier_for(path, windows):
    """Read a network and make it ready to predict, in the way that has judged so many windows first.

    Parameters
    ----------
    path : Path
    windows : int
        How many there will be at most.

    Returns
    -------
    Classifier or pvfault.forward.NumpyClassifier

    Raises
    ------
    ModelError
        As `load_network`.
    """
    if windows <= FEW_WINDOWS:
        examine_network(path)
        if (classifier := read_classifier(path)) is not None:
            return classifier
    return load_classifier(path)
