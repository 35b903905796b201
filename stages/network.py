"""A recipe -> a Keras network and its optimizer; images -> probabilities; a network -> a file. For train and evaluate."""

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

Forward = Callable[[tf.Tensor], tf.Tensor]
BATCH = 1000


def pin(threads: int) -> None:
    """Split each operation for `threads` threads, whatever the machine has: the last bits of sums follow the split."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def build(recipe: dict, shape: tuple[int, int, int], classes: int) -> keras.Sequential:
    """Chain the layers of `recipe["network"]`: images float32 (n, *shape) -> probabilities float32 (n, classes)."""
    layers = [keras.Input(shape, name="images")]
    for position, name in enumerate(recipe["network"], start=1):
        definition = {key: classes if value == "classes" else value for key, value in recipe["layers"][name].items()}
        layers.append(getattr(keras.layers, definition.pop("class"))(**definition, name=f"{position}_{name}"))
    try:
        network = keras.Sequential(layers, name="network")
    except ValueError as error:
        found = str(error).strip().splitlines()[0]
        raise SystemExit(f"params.yaml: network: expected layers that fit images of shape {shape}, found: {found}") from None
    if network.output_shape != (None, classes):
        expected = f"a last layer of {classes} numbers, one for each class"
        raise SystemExit(f"params.yaml: network: expected {expected}, found the shape {network.output_shape[1:]}")
    return network


def optimizer(recipe: dict) -> keras.Optimizer:
    definition = dict(recipe["optimizer"])
    return getattr(keras.optimizers, definition.pop("class"))(**definition)


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
    """Read a network; SystemExit where the file is damaged, or holds code of its own, which Keras' safe mode refuses."""
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        found = str(error).strip().splitlines()[0]
        raise SystemExit(f"{path}: expected a network saved by the train stage, found: {found}") from None


def save(network: keras.Model, path: Path) -> None:
    """Write Keras' own archive less its clock: no date of saving, and every member dated 1980, where zip begins."""
    partial = path.with_name(f"partial-{path.name}")
    network.save(partial)
    with zipfile.ZipFile(partial) as saved, zipfile.ZipFile(path, "w") as archive:
        for name in sorted(saved.namelist()):
            data = saved.read(name)
            if name == "metadata.json":
                data = json.dumps({**json.loads(data), "date_saved": "1980-01-01@00:00:00"}).encode()
            archive.writestr(zipfile.ZipInfo(name), data)
    partial.unlink()
