"""The floor under the two stages that compute: the bare matrix product, and the network with nothing around it.

Each is measured in processes of its own, whose threads are limited before anything is imported. The floor under ingest,
Spark's bare read of the topic, is in `stages.py`.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from pvfault.errors import PvfaultError

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


def measure_transform() -> dict[str, float]:
    """The bare product and the whole transform, on one thread each.

    Returns
    -------
    dict
        `product_windows_per_second`, `transform_windows_per_second`, and `share`: the time that the product alone
        takes over the time that the transform takes.
    """
    (rates,) = _run_side_by_side("transform", 1, one_thread=True)
    rates["share"] = rates["transform_windows_per_second"] / rates["product_windows_per_second"]
    return rates


def measure_network(model: str, cores: int) -> dict[str, float]:
    """Images per second of `Classifier.predict` on images that are in memory, on all cores in two ways.

    Returns
    -------
    dict
        `processes_of_one_thread`: as many processes as cores, side by side, which is how Spark's workers run it;
        `one_process`: one with TensorFlow's own number of threads.
    """
    side_by_side = _run_side_by_side("network", cores, model, one_thread=True)
    (alone,) = _run_side_by_side("network", 1, model, one_thread=False)
    return {
        "processes_of_one_thread": sum(rates["images_per_second"] for rates in side_by_side),
        "one_process": alone["images_per_second"],
    }


def _run_side_by_side(kernel: str, processes: int, *arguments: str, one_thread: bool) -> list[dict]:
    """Run `kernels.py` in some processes, which begin to measure when all are warm."""
    environment = {name: value for name, value in os.environ.items() if name not in _ONE_THREAD}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3"} | (_ONE_THREAD if one_thread else {})
    command = [sys.executable, "-m", "pvfault_bench.kernels", kernel, *arguments]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=environment,
                    # Modules are found as they are here, wherever the user stands.
                    cwd=Path(__file__).parent.parent,
                )
            )
            for _ in range(processes)
        ]
        for process in running:
            if process.stdout.readline().strip() != "ready":
                raise PvfaultError(
                    f"the yardstick {kernel!r} ended before it was measured; run it by hand to see why: "
                    f"python -m pvfault_bench.kernels {kernel} {' '.join(arguments)} </dev/null"
                )
        for process in running:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in running]
