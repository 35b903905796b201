"""TensorFlow and Keras, so held that a training ends in the same bits on every processor.

All other modules take `keras` and `tf` from here: the switches below count only before TensorFlow
is imported. What was measured, and what was not tried, is in docs/bytes.md.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from digits import output

os.environ |= {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # else some processors get oneDNN's kernels, others Eigen's
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


@contextmanager
def errors_held_back() -> Iterator[None]:
    """Keep what is written to file descriptor 2, and show it only where something fails.

    TensorFlow writes its remarks on the processor before any of its switches works.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def only_what_is_needed() -> Iterator[None]:
    """Import in little more than half the CPU time that TensorFlow and Keras would take else."""
    # Keras imports these where it finds them, for functions that nothing here calls. Matplotlib is
    # always there, the others are where somebody installed them.
    hidden = {"matplotlib", "pandas", "sklearn"} - sys.modules.keys()
    sys.modules |= dict.fromkeys(hidden)  # type: ignore[arg-type]
    # An import leaves hardly any garbage, but makes a million objects to look for it in.
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor are these looked at later, or when the process ends
        gc.enable()
        for name in hidden:
            del sys.modules[name]


with output.waiting("TensorFlow starts ..."), errors_held_back(), only_what_is_needed():
    import keras
    import tensorflow as tf
    from tensorflow.python.ops import math_ops


# Processors have quick, inexact instructions for 1 / x and 1 / sqrt(x), and each maker chose what
# they give. Products, quotients and square roots all round alike. So three of TensorFlow's
# functions are replaced; a test looks for their operations in the graph of a training step. Without
# the replacements QEMU's Haswell and EPYC-Rome end in other weights than a processor with AVX-512.


def reciprocal(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """1 / x, in the gradient of the logarithm."""
    return x / (x * x)


def rsqrt(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """1 / sqrt(x), in normalization."""
    return x / (x * tf.sqrt(x))


def softmax(x: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Softmax, whose own kernel multiplies by the reciprocal of the sum."""
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True)))
    return powers / tf.reduce_sum(powers, axis, keepdims=True)


math_ops.reciprocal = reciprocal
math_ops.rsqrt = tf.math.rsqrt = rsqrt
tf.nn.softmax = softmax


def pin(threads: int, instructions: str) -> None:
    """Fix what the last bits of a sum follow from, whatever the user's own Keras is set to.

    An operation is split among `threads`. `instructions` (AVX2, or native: all that the processor
    has) are those by which oneDNN computes it.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    os.environ["ONEDNN_MAX_CPU_ISA"] = "ALL" if instructions == "native" else instructions
    os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "STRICT"
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
