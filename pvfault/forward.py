"""The network's forward pass in NumPy, for a file's few windows.

TensorFlow takes seconds to start, and what it saves afterwards is a fraction of a millisecond a window. Here: the
network of `lenet.build_network` layer by layer, and the probabilities that it gives. Not here: its layers' why
(`lenet.py`), networks of another form, which are left to TensorFlow.
"""

import json

import h5py
import numpy as np

from pvfault import scalogram
from pvfault.candidates import read_candidate_sets
from pvfault.versions import version_of

# `form_of` what `lenet.build_network` builds; a test holds it to that.
FORM = "6db0100386c2"
# What of a layer's configuration changes its result. The names that Keras numbers, how weights began, and what drops
# out in training do not.
_TELLING = (
    "units", "filters", "kernel_size", "strides", "padding", "dilation_rate", "groups", "data_format", "pool_size",
    "cropping", "depth_multiplier", "activation", "use_bias", "axis", "epsilon", "center", "scale", "offset",
    "target_shape", "max_value", "negative_slope", "threshold",
)  # fmt: skip
# Images at once: their windows of six by six pixels take 9 MiB.
_BATCH = 64
_EDGE = 2  # what "same" puts around an image for six by six that move by two
_NORMALISED = 0.001  # epsilon of the convolutions' batch normalisation


class NumpyClassifier:
    """A network ready to predict without TensorFlow; within 1e-5 of what TensorFlow gives, which a test holds.

    Parameters
    ----------
    weights : mapping of str to ndarray
        By layer and name, as in ``"F7/kernel"``.
    version : str
        What its predictions are marked with.
    sets : pvfault.candidates.CandidateSets, optional
        None for a network whose predictions have no candidates.
    """

    def __init__(self, weights, version, sets=None):
        self.version = version
        self.sets = sets
        self._weights = weights

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
        parts = [self._forward(images[first : first + _BATCH]) for first in range(0, len(images), _BATCH)]
        return np.concatenate([np.empty((0, self._weights["logits/bias"].size), np.float32), *parts])

    def _forward(self, images):
        """`predict` for a batch."""
        image = images.astype(np.float32) / np.float32(255)
        shapes = self._compress(image)
        for name in ("C1", "C3", "C5"):
            shapes = np.maximum(self._convolve(shapes, name), 0)
        marks = self._dense(self._standardise(image), "marks")
        seen = [shapes.reshape(len(images), -1), marks, self._ramps(marks)]
        hidden = np.maximum(self._dense(np.concatenate(seen, axis=1), "F7"), 0)
        hidden = np.maximum(self._dense(hidden, "F8"), 0)
        return _softmax(self._dense(hidden, "logits"))

    def _compress(self, image):
        """Each pixel as its distance from the middle of healthy windows, softly bounded; means of two by two."""
        distance = self._normalise(image.reshape(len(image), -1), "normalise")
        bounded = (distance / (1 + np.abs(distance))).reshape(image.shape)
        return _means(bounded, 2, 2)

    def _standardise(self, image):
        """The first scales, where the marks are, two slots a pixel, in units of their spread."""
        _, width, channels = scalogram.SHAPE
        rows = self._weights["standardise/moving_mean"].size // (width // 2 * channels)
        return self._normalise(_means(image[:, :rows], 1, 2).reshape(len(image), -1), "standardise")

    def _normalise(self, values, name):
        """Batch normalisation without scale, shift and epsilon."""
        return (values - self._weights[f"{name}/moving_mean"]) / np.sqrt(self._weights[f"{name}/moving_variance"])

    def _convolve(self, image, name):
        """A convolution of six by six that moves by two, and batch normalisation."""
        kernel = self._weights[f"{name}/kernel"]
        height, width, channels, filters = kernel.shape
        padded = np.pad(image, ((0, 0), (_EDGE, _EDGE), (_EDGE, _EDGE), (0, 0)))
        patches = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))[:, ::2, ::2]
        rows = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, height * width * channels)
        product = rows @ kernel.reshape(-1, filters)
        gamma, beta, mean, variance = (
            self._weights[f"{name}_normalise/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        slope = gamma / np.sqrt(variance + np.float32(_NORMALISED))
        return (product * slope + (beta - mean * slope)).reshape(*patches.shape[:3], filters)

    def _ramps(self, marks):
        """Each mark as ramps from 0 to 1."""
        kernel = self._weights["ramps/kernel"][0]
        ramps = (marks[:, :, None] * kernel).reshape(len(marks), -1) + self._weights["ramps/bias"]
        return np.clip(ramps, 0, 1)

    def _dense(self, values, name):
        return values @ self._weights[f"{name}/kernel"] + self._weights[f"{name}/bias"]


def read_classifier(path):
    """Read a network from a file that `lenet` has found to be a network.

    Parameters
    ----------
    path : Path

    Returns
    -------
    NumpyClassifier or None
        None for a network of another form.
    """
    with h5py.File(path, "r") as file:
        if form_of(json.loads(file.attrs["model_config"])["config"]) != FORM:
            return None
        weights = {}

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                layer, *_, kind = name.split("/")
                weights[f"{layer}/{kind}"] = item[...]

        file["model_weights"].visititems(keep)
    return NumpyClassifier(weights, version_of(path.read_bytes()), read_candidate_sets(path))


def form_of(config):
    """Version of a network's form: its layers with what changes their results, whatever its weights are.

    Parameters
    ----------
    config : mapping
        Of Keras, as `network.get_config()` gives it and a file keeps it.

    Returns
    -------
    str
    """
    layers = [
        [layer["class_name"], *([key, layer["config"][key]] for key in _TELLING if key in layer["config"])]
        for layer in config["layers"]
        if layer["class_name"] != "Dropout"
    ]
    return version_of(json.dumps(layers).encode())


def _means(image, rows, columns):
    """Means of so many rows by columns."""
    # NumPy's own mean over two short axes takes ten times as long.
    parts = [image[:, row::rows, column::columns] for row in range(rows) for column in range(columns)]
    return sum(parts[1:], start=parts[0]) / np.float32(len(parts))


def _softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
