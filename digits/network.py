"""A recipe -> a Keras network and its optimizer; images -> probabilities; a network <-> a file."""

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# On import TensorFlow looks at these. Left to itself it uses oneDNN's kernels on some processors and Eigen's on others.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops import math_ops

Forward = Callable[[tf.Tensor], tf.Tensor]
BATCH = 1000


def softmax(x: tf.Tensor, axis: int = -1) -> tf.Tensor:
    powers = tf.exp(x - tf.stop_gradient(tf.reduce_max(x, axis, keepdims=True)))
    return powers / tf.reduce_sum(powers, axis, keepdims=True)


def pin(threads: int, instructions: str) -> None:
    """Fix what the last bits of sums follow: for how many threads an operation is split, and by which of a processor's
    instructions oneDNN computes it. What ~/.keras/keras.json says does not count.

    Processors also have quick, inexact instructions for 1 / x and 1 / sqrt(x), which give what their maker chose, while
    all round products, quotients and square roots alike. TensorFlow uses the former in the functions replaced here.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    os.environ["ONEDNN_MAX_CPU_ISA"] = "ALL" if instructions == "native" else instructions
    os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "STRICT"
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    math_ops.reciprocal = lambda x, name=None: x / (x * x)  # in the gradient of the logarithm
    math_ops.rsqrt = tf.math.rsqrt = lambda x, name=None: x / (x * tf.sqrt(x))  # in normalization
    tf.nn.softmax = softmax


def first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def create(module: ModuleType, definition: dict, classes: int | None = None, **more: str) -> Any:
    """Make what `definition` says, in Keras' own words, from a module of Keras; "classes" stands for their number."""
    arguments = {key: classes if value == "classes" else value for key, value in definition.items() if key != "class"}
    if module is keras.optimizers:  # which take no integer where they mean a float
        arguments = {key: float(value) if type(value) is int else value for key, value in arguments.items()}
    return getattr(module, definition["class"])(**arguments, **more)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises evenly over a share of the steps, then falls evenly to a share of its peak."""

    def __init__(self, peak: float, steps: int, warmup: float, end: float) -> None:
        self.peak, self.steps, self.end, self.warmup = peak, steps, end, max(1, round(warmup * steps))

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        fallen = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.peak * tf.minimum((step + 1) / self.warmup, 1 - (1 - self.end) * fallen)


def optimizer(recipe: dict, steps: int) -> keras.Optimizer:
    """The optimizer of a recipe, with its learning rate scheduled over `steps` steps."""
    definition = recipe["optimizer"]
    rate = Schedule(definition["learning_rate"], steps, **recipe["schedule"])
    return create(keras.optimizers, {**definition, "learning_rate": rate})


def build(recipe: dict, shape: tuple[int, int, int], classes: int) -> keras.Sequential:
    """Chain the layers of `recipe["network"]`: images float32 (n, *shape) -> probabilities float32 (n, classes)."""
    network = keras.Sequential([keras.Input(shape, name="images")], name="network")
    for position, name in enumerate(recipe["network"], start=1):
        try:
            layer = create(keras.layers, recipe["layers"][name], classes, name=f"{position}_{name}")
            network.add(layer)
        except (ValueError, MemoryError, tf.errors.ResourceExhaustedError) as error:
            expected = f"a layer that fits the shape {shape}, and into memory"
            raise SystemExit(f"params.yaml: network: {name}: expected {expected}, found: {first_line(error)}") from None
        shape = layer.output.shape[1:]
    if shape != (classes,):
        expected = f"a last layer of {classes} numbers, one for each class"
        raise SystemExit(f"params.yaml: network: expected {expected}, found the shape {shape}")
    if not np.allclose(network(np.zeros((1, *network.input_shape[1:]), np.float32)).numpy().sum(), 1, atol=1e-3):
        raise SystemExit("params.yaml: network: expected probabilities at its end, from Softmax, found other numbers")
    return network


def forward(network: keras.Model, replicas: int) -> Forward:
    """Compile images float32 (n, H, W, 1) -> probabilities float32 (n, K), as the trained network sees them.

    Each of `replicas` equal parts of the images is computed on a core of its own.
    """
    signature = [tf.TensorSpec(network.input_shape, tf.float32)]

    @tf.function(input_signature=signature)
    def probabilities(images: tf.Tensor) -> tf.Tensor:
        size = tf.shape(images)[0]
        whole = tf.pad(images, [[0, -size % replicas], [0, 0], [0, 0], [0, 0]])  # no layer takes a part of no images
        return tf.concat([network(part, training=False) for part in tf.split(whole, replicas)], axis=0)[:size]

    return probabilities


def predict(forward: Forward, images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield float32 probabilities (n, K), n <= BATCH; memory does not grow with the number of images (N, H, W, 1)."""
    for start in range(0, len(images), BATCH):
        yield forward(tf.constant(images[start : start + BATCH])).numpy()


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Sum over (n, K) probabilities of -log p(label), in nats, with p cut at Keras' own 1e-7."""
    likelihoods = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(likelihoods, 1e-7, dtype=np.float64)).sum()


def load(path: Path) -> keras.Sequential:
    """Read a network; SystemExit where the file is damaged or holds code, which Keras' safe mode refuses."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # of zip, of HDF5, of JSON, or of Keras
        raise SystemExit(
            f"{path}: expected a network that train saved, found: {first_line(error)}; run dvc repro"
        ) from None


def save(network: keras.Model, path: Path) -> None:
    """Write Keras' own archive without what differs from run to run: the date of saving, the dates of the archive's
    members, and the memory addresses that serve as ids of shared objects."""
    partial = path.with_name(f"partial-{path.name}")
    network.save(partial)
    with zipfile.ZipFile(partial) as saved, zipfile.ZipFile(path, "w") as archive:
        for name in sorted(saved.namelist()):
            data = saved.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "date_saved": "1980-01-01@00:00:00"}).encode()
            elif name == "config.json":
                for i, address in enumerate(dict.fromkeys(re.findall(rb'"shared_object_id": \d+', data))):
                    data = re.sub(address + rb"\b", b'"shared_object_id": %d' % i, data)
            archive.writestr(zipfile.ZipInfo(name), data)
    partial.unlink()
