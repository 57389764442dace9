"""What the two computing stages do at heart, in a process of its own: `python -m pvfault_bench.kernels KERNEL`.

Says `ready` once it is warm, begins at a line on standard input, and gives its rates as one line of JSON.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from pvfault import scalogram
from pvfault.windows import SLOTS

# The median of a few turns, in which the kernels alternate: another process may disturb one of them.
TURNS = 5
TURN_S = 1.0
# The product as production has it: this many windows of 4 channels at once.
WINDOWS_AT_ONCE = 48
TRANSFORMED_AT_ONCE = 600  # the lit windows of about 50 devices, which a worker transforms in one call
IMAGES_AT_ONCE = 4096


def main() -> None:
    """Run the kernel that is named."""
    kernel, *arguments = sys.argv[1:]
    # Standard output is for rates alone; a library may write there too.
    rates = {"transform": prepare_transform, "network": prepare_network}[kernel](*arguments)
    _say("ready")
    sys.stdin.readline()
    turns = [{name: measure_rate(work, items) for name, (work, items) in rates.items()} for _ in range(TURNS)]
    _say(json.dumps({name: statistics.median(turn[name] for turn in turns) for name in rates}))


def prepare_transform() -> dict[str, tuple[Callable, int]]:
    """The bare float32 product and the whole transform, on windows of order one."""
    random = np.random.default_rng(0)
    windows = random.random((TRANSFORMED_AT_ONCE, SLOTS, scalogram.CHANNELS), np.float32)
    signals = random.random((WINDOWS_AT_ONCE * scalogram.CHANNELS, SLOTS), np.float32)
    matrix = random.random((SLOTS, len(scalogram.SCALES) * scalogram.PADDED), np.float32)
    product = np.empty((len(signals), matrix.shape[1]), np.float32)
    scalogram.transform(windows)
    np.matmul(signals, matrix, out=product)
    return {
        "product_windows_per_second": (lambda: np.matmul(signals, matrix, out=product), WINDOWS_AT_ONCE),
        "transform_windows_per_second": (lambda: scalogram.transform(windows), TRANSFORMED_AT_ONCE),
    }


def prepare_network(model: str) -> dict[str, tuple[Callable, int]]:
    """The network on random images."""
    from pvfault.lenet import load_classifier

    images = np.random.default_rng(0).integers(0, 256, (IMAGES_AT_ONCE, *scalogram.SHAPE), np.uint8)
    classifier = load_classifier(model)
    classifier.predict(images)
    return {"images_per_second": (lambda: classifier.predict(images), IMAGES_AT_ONCE)}


def measure_rate(work: Callable, items: int) -> float:
    """Items per second of a piece of work that is repeated for a turn."""
    done = 0
    started = time.perf_counter()
    while (taken := time.perf_counter() - started) < TURN_S:
        work()
        done += items
    return done / taken


def _say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
