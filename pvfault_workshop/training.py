"""Training the network on simulated plants.

The training loop and calibration. The layers are in another room (`pvfault/lenet.py`).
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from pvfault import lenet, scalogram
from pvfault.faults import FAULTS, NONE
from pvfault.marks import MARKS
from pvfault.tensorflow_start import start_deterministically, start_tensorflow
from pvfault_workshop.simulation.labelled import LabelledWindows, check_classes
from pvfault_workshop.simulation.literature_array import is_reference_size
from pvfault_workshop.teacher import rank_statistics, teach

BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
# Of the squared errors of the statistics and of the marks, beside the cross-entropy.
STATISTICS_WEIGHT = 0.5
MARKS_WEIGHT = 4.0
# The dense layers alone: a pass takes seconds. With more weight, the few configurations of arrays of the literature are
# told apart at little cost to the others.
LITERATURE_WEIGHT = 1.3
DENSE_EPOCHS = 6
DENSE_BATCH = 1024
DENSE_LEARNING_RATE = 1e-3
# Windows from which marks are read by least squares, before training goes on.
READ_WINDOWS = 20_000
READ_RIDGE = 30.0


def train_network(
    training: LabelledWindows, validation: LabelledWindows, *, epochs: int, seed: int,
    report: Callable[[str], None] = lambda _line: None,
):  # fmt: skip
    """Train LeNet-5, keep its best epoch, and calibrate it.

    It learns what boosted trees take the windows for as well as their labels, to read the marks, and, by a layer beside
    the last one that is not kept, to tell the statistics that the trees decide by (`teacher.py`). Adam with decoupled
    weight decay and a learning rate that falls along a cosine; rarer faults weigh more. The epoch with the least
    cross-entropy on the validation windows is kept. From there the dense layers go on alone, with the marks' ramps and
    more of the windows, and learn nothing but the labels: what helps the convolutions to look in the right places keeps
    an answer from being as good as it could be. There, arrays of the literature weigh more.

    Parameters
    ----------
    training, validation : LabelledWindows
    epochs : int
    seed : int
        The same seed gives the same weights on the same kind of machine.
    report : callable
        Called with a line after each epoch.

    Returns
    -------
    keras.Model

    Raises
    ------
    PvfaultError
        If a class has no training window.
    """
    check_classes(training)
    start_deterministically(seed)
    rng = np.random.default_rng(seed)
    # The ramps come in with the dense layers: over tens of thousands of steps, decay would flatten them.
    network = lenet.build_network(*_pixels_of_healthy_windows(training, rng), ramps=False)
    _read_marks(network, training, rng)
    _train_convolutions(network, training, validation, epochs, seed, rng, report)
    network = _train_dense_layers(network, training, rng)
    logits = predict_logits(network, validation.images)
    loss, accuracy = _score(logits, validation.label)
    report(f"dense layers: validation {loss:.3f}, right {accuracy:.1%}")
    _calibrate(network, logits, validation.label)
    return network


def _train_convolutions(network, training, validation, epochs, seed, rng, report):
    """Let all layers learn labels, statistics and marks, and keep the epoch with the least cross-entropy."""
    tf = start_tensorflow()
    rows = _for_convolutions(training)
    learned = training.without_images().select(rows)
    target, weights = teach(learned, seed=seed), _class_weights(training.label)[learned.label]
    statistics, marks = rank_statistics(learned), np.nan_to_num(learned.marks)
    steps = -(-len(rows) // BATCH)
    schedule = tf.keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps)
    optimizer = tf.keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY)
    step = _training_step(tf, network, optimizer, statistics.shape[1])
    best, best_loss = network.get_weights(), np.inf
    for epoch in range(epochs):
        losses = []
        for chosen in np.array_split(rng.permutation(len(rows)), steps):
            taught = (part[chosen] for part in (target, weights, statistics, marks))
            losses.append(step(training.images[rows[chosen]], *taught))
        loss, accuracy = _score(predict_logits(network, validation.images), validation.label)
        report(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, validation {loss:.3f}, right {accuracy:.1%}")
        if loss < best_loss:
            best, best_loss = network.get_weights(), loss
    network.set_weights(best)


def _for_convolutions(training):
    """Rows of the windows that the convolutions learn from.

    Of arrays of the literature every other one: their shapes are few, and it is the dense layers that gain from more.
    """
    return np.flatnonzero(~is_reference_size(training.modules, training.strings) | (training.device % 2 == 0))


def _class_weights(label):
    """Weight of a window of each class: half-way to faults that are alike in sum, healthy ones as they are."""
    counts = np.bincount(label, minlength=len(FAULTS))
    weights = np.ones(len(FAULTS))
    weights[1:] = np.sqrt(counts[1:].mean() / counts[1:])
    return weights.astype(np.float32)


def _training_step(tf, network, optimizer, n_statistics):
    """One step of the optimizer, compiled."""
    estimated = tf.keras.layers.Dense(n_statistics)(network.get_layer("F8").output)
    pupil = tf.keras.Model(network.input, [network.output, estimated, network.get_layer("marks").output])
    entropy = tf.keras.losses.CategoricalCrossentropy()
    signature = [
        tf.TensorSpec((None, *scalogram.SHAPE), tf.uint8),
        tf.TensorSpec((None, len(FAULTS)), tf.float32),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((None, n_statistics), tf.float32),
        tf.TensorSpec((None, len(MARKS)), tf.float32),
    ]

    @tf.function(input_signature=signature)
    def step(images, target, weight, statistics, marks):
        """Learn from one batch, and return the cross-entropy of its labels."""
        with tf.GradientTape() as tape:
            probabilities, estimated, read = pupil(images, training=True)
            loss = entropy(target, probabilities, sample_weight=weight)
            whole = loss + STATISTICS_WEIGHT * tf.reduce_mean(tf.square(statistics - estimated))
            whole += MARKS_WEIGHT * tf.reduce_mean(tf.square(marks - read))
        gradients = tape.gradient(whole, pupil.trainable_variables)
        optimizer.apply_gradients(zip(gradients, pupil.trainable_variables, strict=True))
        return loss

    return step


def _train_dense_layers(network, training, rng):
    """Build in the ramps, and let the layers behind shapes and marks learn the labels.

    What the layers before them find is computed once.
    """
    tf = start_tensorflow()
    places = ("shapes", "marks")
    # Half precision, for there are as many numbers as windows times 1,114.
    seen = _look(network, [network.get_layer(name).output for name in places], training.images, np.float16)
    network = lenet.add_ramps(network, seen[1].astype(np.float32))
    dense = tf.keras.Model([network.get_layer(name).output for name in places], network.output)
    literature = is_reference_size(training.modules, training.strings)
    weights = np.where(literature, LITERATURE_WEIGHT, 1.0).astype(np.float32)
    steps = -(-len(training) // DENSE_BATCH)
    schedule = tf.keras.optimizers.schedules.CosineDecay(DENSE_LEARNING_RATE, DENSE_EPOCHS * steps)
    step = _dense_step(tf, dense, tf.keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY))
    for _ in range(DENSE_EPOCHS):
        for chosen in np.array_split(rng.permutation(len(training)), steps):
            step(*(part[chosen].astype(np.float32) for part in seen), training.label[chosen], weights[chosen])
    return network


def _dense_step(tf, dense, optimizer):
    """One step of the optimizer for the dense layers, compiled."""
    entropy = tf.keras.losses.SparseCategoricalCrossentropy()
    signature = [tf.TensorSpec((None, *given.shape[1:]), tf.float32) for given in dense.inputs]
    signature += [tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,), tf.float32)]

    @tf.function(input_signature=signature)
    def step(shapes, marks, label, weight):
        """Learn from one batch."""
        with tf.GradientTape() as tape:
            loss = entropy(label, dense([shapes, marks], training=True), sample_weight=weight)
        gradients = tape.gradient(loss, dense.trainable_variables)
        optimizer.apply_gradients(zip(gradients, dense.trainable_variables, strict=True))

    return step


def _pixels_of_healthy_windows(training, rng):
    """Median of each pixel over some thousand healthy windows, and what one standard deviation would be."""
    healthy = np.flatnonzero(training.label == FAULTS.index(NONE))
    some = training.images[np.sort(rng.choice(healthy, min(len(healthy), 4000), replace=False))]
    low, middle, high = np.quantile(some, (0.16, 0.5, 0.84), axis=0) / 255
    # Where healthy windows hardly differ, two steps of a byte are no deviation yet.
    return middle, np.maximum((high - low) / 2, 2 / 255)


def _read_marks(network, training, rng):
    """Let the layer that reads marks begin with what least squares find, held to small weights by a ridge."""
    some = np.sort(rng.choice(len(training), min(len(training), READ_WINDOWS), replace=False))
    standardise, marks = network.get_layer("standardise"), network.get_layer("marks")
    (seen,) = _look(network, [standardise.input], training.images[some], np.float64)
    middle, spread = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1 / 255)
    standardise.set_weights([middle, np.square(spread)])
    known = np.column_stack([(seen - middle) / spread, np.ones(len(some))])
    normal = known.T @ known + READ_RIDGE * np.eye(known.shape[1])
    found = np.linalg.solve(normal, known.T @ np.nan_to_num(training.marks[some]))
    marks.set_weights([found[:-1], found[-1]])


def _look(network, places, images, dtype):
    """What a network finds in images at some places between its layers: one array for each of them."""
    tf = start_tensorflow()
    model = tf.keras.Model(network.input, places)
    see = tf.function(lambda batch: tf.nest.flatten(model(batch, training=False)))
    firsts = range(0, len(images), lenet.BATCH)
    batches = [[part.numpy().astype(dtype) for part in see(images[k : k + lenet.BATCH])] for k in firsts]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def predict_logits(network, images):
    """Logarithms of a network's probabilities; enough for scores and calibration.

    Parameters
    ----------
    network : keras.Model
    images : ndarray of uint8, shape (n, 64, 64, 4)

    Returns
    -------
    ndarray, shape (n, 6)
    """
    return np.log(np.maximum(lenet.Classifier(network, "training").predict(images), 1e-12))


def _score(logits, label):
    """Mean cross-entropy and share of right answers."""
    scaled = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -scaled[np.arange(len(label)), label].mean(), (scaled.argmax(axis=1) == label).mean()


def _calibrate(network, logits, label):
    """Scale and shift a network's logits so that the labels of the windows they are of are most probable.

    One temperature, and one shift a class: classes were weighted and healthy windows thinned out in training.
    A. Alexandari et al., "Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift
    adaptation", ICML 2020.
    """

    def loss(parameters):
        return _score(logits * np.exp(parameters[0]) + parameters[1:], label)[0]

    found = minimize(loss, np.zeros(1 + len(FAULTS)), method="L-BFGS-B").x
    layer = network.get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * np.exp(found[0]), bias * np.exp(found[0]) + found[1:]])
