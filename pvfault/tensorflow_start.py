"""How TensorFlow starts: quietly, on the processor, with as many threads as it may use.

TensorFlow is imported by the first function that needs it, so that importing this module costs nothing.
"""

import contextlib
import logging
import os
import warnings
from functools import cache


@contextlib.contextmanager
def _silence():
    """Send what is written to standard error, also by C++, nowhere; exceptions are raised as ever.

    For lines that tell users nothing and that no setting turns off: TensorFlow's start-up lines come before its own log
    levels count.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@cache
def _import_tensorflow():
    """TensorFlow, before it has started its threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with _silence(), warnings.catch_warnings():
        # Deprecations inside TensorFlow are not for our users to mend.
        warnings.simplefilter("ignore")
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    return tf


@cache
def start_tensorflow():
    """Start TensorFlow, once in a process.

    Returns
    -------
    module
        TensorFlow.
    """
    tf = _import_tensorflow()
    with _silence():
        tf.constant(0)
    return tf


def limit_threads(threads):
    """Let TensorFlow use only so many threads; without effect once it has computed something.

    Parameters
    ----------
    threads : int
    """
    tf = _import_tensorflow()
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def start_deterministically(seed):
    """Seed everything random in TensorFlow, and let it use only operations that repeat exactly.

    Parameters
    ----------
    seed : int

    Returns
    -------
    module
        TensorFlow.
    """
    tf = start_tensorflow()
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    return tf
