"""A recipe -> a Keras network and its optimizer; images -> probabilities; a network <-> a file."""

import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

Forward = Callable[[tf.Tensor], tf.Tensor]
BATCH = 1000


def pin(threads: int) -> None:
    """Split each operation for `threads` threads, whatever the machine has: the last bits of sums follow the split."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def create(module: ModuleType, definition: dict, classes: int | None = None, **more: str) -> Any:
    """Make what `definition` says, in Keras' own words, from a module of Keras; "classes" stands for their number."""
    arguments = {key: classes if value == "classes" else value for key, value in definition.items() if key != "class"}
    if module is keras.optimizers:  # which take no integer where they mean a float
        arguments = {key: float(value) if type(value) is int else value for key, value in arguments.items()}
    return getattr(module, definition["class"])(**arguments, **more)


def build(recipe: dict, shape: tuple[int, int, int], classes: int) -> keras.Sequential:
    """Chain the layers of `recipe["network"]`: images float32 (n, *shape) -> probabilities float32 (n, classes)."""
    network = keras.Sequential([keras.Input(shape, name="images")], name="network")
    for position, name in enumerate(recipe["network"], start=1):
        try:
            layer = create(keras.layers, recipe["layers"][name], classes, name=f"{position}_{name}")
            network.add(layer)
        except ValueError as error:
            expected = f"a layer that fits the shape {shape}"
            raise SystemExit(f"params.yaml: network: {name}: expected {expected}, found: {first_line(error)}") from None
        shape = layer.output.shape[1:]
    if shape != (classes,):
        expected = f"a last layer of {classes} numbers, one for each class"
        raise SystemExit(f"params.yaml: network: expected {expected}, found the shape {shape}")
    if not np.allclose(network(np.zeros((1, *network.input_shape[1:]), np.float32)).numpy().sum(), 1, atol=1e-3):
        raise SystemExit("params.yaml: network: expected probabilities at its end, from Softmax, found other numbers")
    return network


def forward(network: keras.Model) -> Forward:
    """Compile images float32 (n, H, W, 1) -> probabilities float32 (n, K), as the trained network sees them."""
    signature = [tf.TensorSpec(network.input_shape, tf.float32)]
    return tf.function(lambda images: network(images, training=False), input_signature=signature)


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
    except (ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{path}: expected a network that train saved, found: {first_line(error)}") from None


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
