"""A recipe -> a Keras network and its optimizer; a network <-> a file.

Which layers and optimizers a recipe may name is in keras_names.py.
"""

import inspect
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digits import output
from digits.determinism import keras, tf
from digits.keras_names import KerasObject
from digits.params import Recipe

Forward = Callable[[tf.Tensor], tf.Tensor]
Shape = tuple[int, ...]  # of an image, or of what a layer makes of it
FILE = Path("models/network.keras")
BATCH = 784_000  # numbers in the images that are classified at a time: 1,000 of 28 x 28


class Unfit(ValueError):
    """What is wrong with a recipe: `KEY: expected ..., found ...`."""


def first_line(error: Exception) -> str:
    """What an error says, less where Keras says it happened, and less its colours."""
    text = re.sub(r"\x1b\[\d+m", "", str(error)) or repr(error)
    lines = [line for line in text.splitlines() if line.strip()]
    where = ("Exception encountered", "in user code")
    told = [line for line in lines if not line.startswith(where)]
    return (told or lines)[0].strip()


def arguments(definition: KerasObject) -> dict[str, Any]:
    """What a layer or an optimizer is given: only what params.yaml says."""
    return definition.model_dump(exclude_unset=True, exclude={"class_"})


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises evenly to its peak, then falls evenly to a share of it.

    `warmup` is the share of the steps in which it rises, `end` that of the peak to which it falls.
    """

    def __init__(self, peak: float, steps: int, warmup: float, end: float) -> None:
        self.peak = peak
        self.steps = steps
        self.end = end
        self.rising_steps = max(1, round(warmup * steps))

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        risen = (step + 1) / self.rising_steps
        fallen = (step - self.rising_steps) / max(1, self.steps - self.rising_steps)
        return self.peak * tf.minimum(risen, 1 - (1 - self.end) * fallen)


def optimizer(recipe: Recipe, steps: int) -> keras.Optimizer:
    """The optimizer of a recipe, its learning rate scheduled over `steps` steps; or Unfit."""
    given = arguments(recipe.optimizer)
    schedule = recipe.schedule
    rate = Schedule(given.pop("learning_rate"), steps, schedule.warmup, schedule.end)
    chosen = getattr(keras.optimizers, recipe.optimizer.class_)
    weights = keras.Variable(np.zeros((2, 2), np.float32))
    try:
        # some arguments are looked at in a step alone
        chosen(learning_rate=rate, **given).apply([tf.zeros((2, 2))], [weights])
        return chosen(learning_rate=rate, **given)
    except Exception as error:  # each class has its own
        raise Unfit(
            f"optimizer: expected arguments that {recipe.optimizer.class_} takes, "
            f"found: {first_line(error)}"
        ) from None


def layer(recipe: Recipe, name: str, label: str, shape: Shape, classes: int) -> keras.Layer:
    """The layer of that name in a recipe, for inputs of a shape; in the network it has a label."""
    # a layer of Keras that needs no arguments has no definition
    kind, given = name, {}
    if name in recipe.layers:
        kind, given = recipe.layers[name].class_, arguments(recipe.layers[name])
    if kind == "Residual":
        return residual(recipe, label, shape, classes, **given)
    if given.get("units") == "classes":
        given["units"] = classes
    if kind == "UpSampling2D" and "factor" in given:
        given["size"] = given.pop("factor")
    if kind.startswith("Adaptive") and 1 in shape[:2]:  # Keras fails there, or ends the process
        raise ValueError("a side of 1")
    made = getattr(keras.layers, kind)
    if "value_range" in inspect.signature(made.__init__).parameters:  # 0 to 255, Keras believes
        given = {"value_range": [0, 1], **given}
    return made(**given, name=label)


def residual(
    recipe: Recipe,
    label: str,
    shape: Shape,
    classes: int,
    network: list[str],
    shortcut: Sequence[str] = (),
    merge: str = "add",
) -> keras.Model:
    """A network as a layer: what it makes of its input is added to, or multiplied with, the input.

    The input goes through the layers of `shortcut` first. Source: He, Zhang, Ren and Sun, 2016.
    """

    def chain(tensor: Any, names: Sequence[str], prefix: str) -> Any:
        for position, name in enumerate(names, start=1):
            made = layer(recipe, name, f"{prefix}_{position}_{name}", tensor.shape[1:], classes)
            tensor = made(tensor)
        return tensor

    inputs = keras.Input(shape)
    both = [chain(inputs, shortcut, f"{label}_shortcut"), chain(inputs, network, label)]
    merged = {"add": keras.layers.add, "multiply": keras.layers.multiply}[merge](both)
    return keras.Model(inputs, merged, name=label)


def build(recipe: Recipe, shape: Shape, classes: int) -> keras.Sequential:
    """Chain a recipe's layers: images float32 (n, *shape) -> probabilities float32 (n, classes).

    Unfit where they do not fit each other, the images, the classes or the memory.
    """
    network = keras.Sequential([keras.Input(shape, name="images")], name="network")
    images = shape
    for position, name in enumerate(recipe.network):
        try:
            network.add(layer(recipe, name, f"{position + 1}_{name}", shape, classes))
        except Exception as error:  # each layer has its own
            raise Unfit(
                f"network: {name}: expected a layer that fits the shape {shape}, "
                f"and into memory, found: {first_line(error)}"
            ) from None
        shape = network.layers[-1].output.shape[1:]
    if shape != (classes,):
        raise Unfit(
            f"network: expected a last layer of {classes} numbers, one for each "
            f"class, found the shape {shape}"
        )
    try_out(network, images)
    return network


def try_out(network: keras.Sequential, shape: Shape) -> None:
    """Unfit where a network cannot be loaded or trained, or gives no probabilities of an image."""
    images = np.random.default_rng(0).random((3, *shape), np.float32)
    try:
        copy = keras.Sequential.from_config(network.get_config())  # training must not change it
    except Exception as error:
        raise Unfit(
            f"network: expected layers that Keras can load again, found: {first_line(error)}"
        ) from None
    try:
        together = copy(images, training=False).numpy()
        alone = copy(images[:1], training=False).numpy()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(copy(images, training=True)) + sum(copy.losses)
        tape.gradient(loss, copy.trainable_variables)
        for variable in copy.trainable_variables:
            if variable.constraint:
                variable.constraint(variable)
    except Exception as error:
        raise Unfit(
            "network: expected layers that take such images and can be trained, "
            f"found: {first_line(error)}"
        ) from None
    if not np.allclose(together.sum(axis=1), 1, atol=1e-3):
        raise Unfit("network: expected probabilities at its end, from Softmax, found other numbers")
    if not np.allclose(together[0], alone[0], atol=1e-3):
        raise Unfit(
            "network: expected the same of an image alone as among others, found a layer that "
            "mixes the images of a batch; is its axis 0?"
        )


def describe(network: keras.Model) -> str:
    """A line a layer: its name, the shape of its outputs, its number of parameters.

    It goes into models/training.log, where digits/report.py reads it.
    """
    lines = [
        f"{layer.name:<23} {layer.output.shape!s:<23} {layer.count_params():>12,}"
        for layer in network.layers
    ]
    return "\n".join([*lines, f"{'parameters':<48}{network.count_params():>12,}"])


def forward(network: keras.Model, replicas: int) -> Forward:
    """Compile images float32 (n, H, W, C) -> probabilities float32 (n, K), as after training.

    Each of `replicas` equal parts of the images is computed on a core of its own.
    """

    signature = [tf.TensorSpec(network.input_shape, tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def probabilities(images: tf.Tensor) -> tf.Tensor:
        size = tf.shape(images)[0]
        # No layer takes a part without images, so there are images of zeros at the end.
        padded = tf.pad(images, [[0, -size % replicas], [0, 0], [0, 0], [0, 0]])
        parts = [network(part, training=False) for part in tf.split(padded, replicas)]
        return tf.concat(parts, axis=0)[:size]

    return probabilities


def in_batches(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images (N, H, W, C), as many at a time as have BATCH numbers."""
    size = max(1, BATCH // math.prod(images.shape[1:]))
    for start in range(0, len(images), size):
        yield images[start : start + size]


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Sum over (n, K) probabilities of -log p(label), in nats, with p cut at Keras' own 1e-7."""
    likelihoods = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.maximum(likelihoods, 1e-7, dtype=np.float64)).sum()


def load(path: Path) -> keras.Sequential:
    """Read a network; SystemExit where there is none, or a damaged one, or one with code in it."""
    if not path.exists():
        raise SystemExit(f"{path}: not there; to get it: dvc pull, or dvc repro")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of zip, of HDF5, of JSON, or of Keras
        raise SystemExit(
            f"{path}: expected a network that train saved, found: {first_line(error)}; "
            "run dvc repro"
        ) from None


def save(network: keras.Model, path: Path) -> None:
    """Write Keras' archive without what differs from run to run.

    That is the date of saving, the dates of the archive's members, and the memory addresses that
    serve as ids of shared objects.
    """
    with output.beside(path) as partial:
        network.save(partial)
        with zipfile.ZipFile(partial) as saved:
            members = {name: saved.read(name) for name in sorted(saved.namelist())}
        with zipfile.ZipFile(partial, "w") as archive:
            for name, data in members.items():
                if name == "metadata.json":
                    dated = {**json.loads(data), "date_saved": "1980-01-01@00:00:00"}
                    data = json.dumps(dated).encode()
                elif name == "config.json":
                    data = numbered(data)
                archive.writestr(zipfile.ZipInfo(name), data)


def numbered(config: bytes) -> bytes:
    """Put 0, 1, ... in the place of the ids of shared objects, in the order of their first use."""
    numbers: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return b'"shared_object_id": %d' % numbers.setdefault(found[1], len(numbers))

    return re.sub(rb'"shared_object_id": (\d+)', number, config)
