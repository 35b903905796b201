"""Processed training arrays and the selected recipe -> models/network.keras, its log, and its learning curves."""

import functools
import io
import math
import os
import signal
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, TextIO

from digits import arrays, augmentation
from digits import checkpoint as checkpoints
from digits import network as networks

import keras
import numpy as np
import tensorflow as tf
from dvclive import Live
from tqdm import tqdm

MODEL = Path("models/network.keras")
LOG = Path("models/training.log")
CURVES = Path("reports/training")
STEPS_A_CALL = 16
MODULES = (arrays, augmentation, checkpoints, networks)
CODE = [Path(__file__), *(Path(str(module.__file__)) for module in MODULES)]
INPUTS = [arrays.PROCESSED / "train_images.npy", arrays.PROCESSED / "train_labels.npy", *CODE]


class Unbreakable:
    """A stream that may lose its reader: what can no longer be written is dropped, and the training goes on."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream or io.StringIO()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def flush(self) -> None:
        self.write("")


def split(count: int, validation_split: float) -> int:
    """How many of `count` images train the network; by Keras' rule the others, from the end, are held out."""
    return math.floor(count * (1 - validation_split))


def batches(images: np.ndarray, labels: np.ndarray, recipe: dict, seed: int, first: int = 0) -> tf.data.Dataset:
    """The batches of a training in order from step `first` on: images (n, H, W, 1) and labels (n, K).

    An epoch's batches are as equal in size as can be. The order of the images in an epoch is drawn from (seed, epoch)
    alone, and what is done to those of a batch from (seed, epoch, batch).
    """
    steps = math.ceil(len(images) / recipe["batch_size"])
    changes = any(recipe["augment"].values())

    @functools.lru_cache(maxsize=1)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(len(images))

    def load(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        epoch, batch = divmod(int(step), steps)
        rows = order(epoch)[batch * len(images) // steps : (batch + 1) * len(images) // steps]
        x, y = images.take(rows, axis=0), labels.take(rows, axis=0)  # half the time of images[rows]
        if changes:
            x = augmentation.augment(x, np.random.default_rng([seed, epoch, batch]), **recipe["augment"])
        return x, y

    def shaped(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = tf.numpy_function(load, [step], [tf.float32, tf.float32], stateful=False)
        return tf.ensure_shape(x, [None, *images.shape[1:]]), tf.ensure_shape(y, [None, labels.shape[1]])

    options = tf.data.Options()
    options.autotune.enabled = False  # its thread would take a sixth of the time of loading, and finds nothing to tune
    return tf.data.Dataset.range(first, steps * recipe["epochs"]).map(shaped).prefetch(4).with_options(options)


class Trainer:
    """A network in training: its weights, its optimizer, and the running figures of the present epoch."""

    def __init__(self, network: keras.Model, optimizer: keras.Optimizer, replicas: int) -> None:
        self.network, self.optimizer, self.replicas = network, optimizer, replicas
        self.optimizer.build(network.trainable_variables)
        self.loss, self.accuracy = keras.metrics.Mean(), keras.metrics.CategoricalAccuracy()
        parts = (network, optimizer, self.loss, self.accuracy)
        self.variables = [variable for part in parts for variable in part.variables]

    @tf.function
    def steps(self, iterator: tf.data.Iterator, count: tf.Tensor) -> None:
        """Take `count` steps down the gradient of the categorical cross-entropy.

        Each of `replicas` parts of a batch is computed on a core of its own; the sum of their gradients has one order.
        """
        for _ in tf.range(count):
            images, labels = next(iterator)
            size = tf.shape(images)[0]
            ends = [size * i // self.replicas for i in range(self.replicas + 1)]
            parts = [self.gradients(images[i:j], labels[i:j]) for i, j in pairwise(ends)]
            gradients = [tf.add_n(part) / tf.cast(size, tf.float32) for part in zip(*parts)]
            self.optimizer.apply(gradients, self.network.trainable_variables)

    def gradients(self, images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        """Return the gradients of the summed loss, and count the loss and accuracy."""
        with tf.GradientTape() as tape:
            probabilities = self.network(images, training=True)
            losses = keras.losses.categorical_crossentropy(labels, probabilities)
            loss = tf.reduce_sum(losses)
        self.loss.update_state(losses)
        self.accuracy.update_state(labels, probabilities)
        return tape.gradient(loss, self.network.trainable_variables)

    def figures(self) -> dict[str, float]:
        """Return the mean loss and accuracy since the last call."""
        figures = {"loss": float(self.loss.result()), "accuracy": float(self.accuracy.result())}
        self.loss.reset_state()
        self.accuracy.reset_state()
        return figures


def assess(forward: networks.Forward, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the mean loss and accuracy on held-out images (n, H, W, 1) with labels (n,)."""
    loss, right, end = 0.0, 0, 0
    for probabilities in networks.predict(forward, images):
        start, end = end, end + len(probabilities)
        loss += networks.cross_entropy(probabilities, labels[start:end])
        right += int((probabilities.argmax(axis=1) == labels[start:end]).sum())
    return {"validation_loss": loss / len(labels), "validation_accuracy": right / len(labels)}


def describe(network: keras.Model) -> str:
    """A line a layer: its name, the shape that it puts out, its number of parameters."""
    lines = [f"{layer.name:<24}{layer.output.shape!s:<24}{layer.count_params():>12,}" for layer in network.layers]
    return "\n".join([*lines, f"{'parameters':<48}{network.count_params():>12,}"])


def report(live: Live, log: TextIO, epoch: int, epochs: int, figures: dict[str, float]) -> None:
    """Write the figures of an epoch to the learning curves, to the log and to the terminal."""
    live.step = epoch
    for name, value in figures.items():
        live.log_metric(name, round(value, 6))
    live.make_summary()
    line = f"epoch {epoch}/{epochs}  " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
    print(line, file=log, flush=True)
    tqdm.write(line)


def main(params: dict) -> None:
    selected, seed = params["recipes"][params["recipe"]], params["train"]["seed"]
    recipe = {key: selected[key] for key in selected if key != "views"}  # which only evaluate uses
    epochs = recipe["epochs"]
    images, labels = arrays.read("train_images"), arrays.read("train_labels")
    size = split(len(images), recipe["validation_split"])
    if size == 0:
        held_out = f"recipes.{params['recipe']}.validation_split"
        raise SystemExit(
            f"params.yaml: {held_out}: expected to leave an image to train on, found none of {len(images)}"
        )
    held_out_images, held_out_labels = images[size:], labels[size:].argmax(axis=1)

    networks.pin(params["threads"], params["instructions"])
    keras.utils.set_random_seed(seed)
    steps, replicas = math.ceil(size / recipe["batch_size"]), params["replicas"]
    if (least := size // steps) < replicas:
        raise SystemExit(f"params.yaml: replicas: expected at most {least}, the images of a batch, found {replicas}")
    network = networks.build(recipe, images.shape[1:], labels.shape[1])
    trainer = Trainer(network, networks.optimizer(recipe, steps * epochs), replicas)
    forward = networks.forward(network, replicas)

    versions = [keras.__version__, np.__version__, tf.__version__]
    values = [recipe, seed, *(params[name] for name in ("threads", "replicas", "instructions")), versions]
    checkpoint = checkpoints.Checkpoint(checkpoints.fingerprint(values, INPUTS), trainer.variables)
    step, history = checkpoint.restore()
    iterator = iter(batches(images[:size], labels[:size], recipe, seed, step))

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    MODEL.parent.mkdir(exist_ok=True)
    sys.stdout, sys.stderr = Unbreakable(sys.stdout), Unbreakable(sys.stderr)
    bar = tqdm(total=epochs * steps, initial=step, unit=" steps", disable=None)
    live = Live(str(CURVES), dvcyaml=None, save_dvc_exp=False, monitor_system=False)
    with LOG.open("w") as log, live, bar:
        print(describe(network), file=log)
        if step:
            tqdm.write(f"goes on from step {step} of {epochs * steps}, after:")
        for epoch, figures in enumerate(history, start=1):
            report(live, log, epoch, epochs, figures)
        while len(history) < epochs:
            if stop.is_set() or time.monotonic() > checkpoint.due:
                checkpoint.save(step, history)
            if stop.is_set():
                raise SystemExit(f"interrupted at step {step}; `dvc repro` goes on from step {checkpoint.saved}")
            epoch = len(history) + 1
            if step < epoch * steps:
                count = min(STEPS_A_CALL, epoch * steps - step)
                trainer.steps(iterator, tf.constant(count))
                bar.update(count)
                step += count
                continue
            figures = trainer.figures()
            if not math.isfinite(figures["loss"]):
                raise SystemExit(f"epoch {epoch}: the loss is {figures['loss']}; lower the recipe's learning_rate")
            if len(held_out_labels):
                figures |= assess(forward, held_out_images, held_out_labels)
            history.append(figures)
            report(live, log, epoch, epochs, figures)
    if not len(held_out_labels):
        for name in ("loss", "accuracy"):  # `dvc plots` wants these curves too, if without points
            (CURVES / f"plots/metrics/validation_{name}.tsv").touch()
    checkpoint.save(step, history)
    networks.save(network, MODEL)
    checkpoint.finish(MODEL)
