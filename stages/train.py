"""Processed training arrays and the selected recipe -> models/network.keras, its log, and its learning curves."""

import functools
import io
import math
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from stages import network as networks
from stages import validate

import keras
import numpy as np
import tensorflow as tf
from dvclive import Live
from tqdm import tqdm

PROCESSED = Path("data/processed")
MODEL = Path("models/network.keras")
LOG = Path("models/training.log")
CURVES = Path("reports/training")
STEPS_A_CALL = 16


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


def batches(images: np.ndarray, labels: np.ndarray, batch_size: int, epochs: int, seed: int) -> tf.data.Dataset:
    """All batches of a training in order: images (n, H, W, 1) and labels (n, K), n <= batch_size.

    The order of the images in an epoch is drawn from (seed, epoch) alone.
    """
    steps = math.ceil(len(images) / batch_size)

    @functools.lru_cache(maxsize=2)  # batches load in parallel: those of the next epoch begin before this one ends
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(len(images))

    def load(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        epoch, batch = divmod(int(step), steps)
        rows = order(epoch)[batch * batch_size : (batch + 1) * batch_size]
        return images[rows], labels[rows]

    def shaped(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = tf.numpy_function(load, [step], [tf.float32, tf.float32], stateful=False)
        return tf.ensure_shape(x, [None, *images.shape[1:]]), tf.ensure_shape(y, [None, labels.shape[1]])

    return tf.data.Dataset.range(steps * epochs).map(shaped).prefetch(4)


class Trainer:
    """A network in training: its weights, its optimizer, and the running figures of the present epoch."""

    def __init__(self, network: keras.Model, optimizer: keras.Optimizer) -> None:
        self.network, self.optimizer = network, optimizer
        self.optimizer.build(network.trainable_variables)
        self.loss, self.accuracy = keras.metrics.Mean(), keras.metrics.CategoricalAccuracy()

    @tf.function
    def steps(self, iterator: tf.data.Iterator, count: tf.Tensor) -> None:
        """Take `count` steps down the gradient of the categorical cross-entropy."""
        for _ in tf.range(count):
            images, labels = next(iterator)
            with tf.GradientTape() as tape:
                probabilities = self.network(images, training=True)
                losses = keras.losses.categorical_crossentropy(labels, probabilities)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, self.network.trainable_variables)
            self.optimizer.apply(gradients, self.network.trainable_variables)
            self.loss.update_state(losses)
            self.accuracy.update_state(labels, probabilities)

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


def main(params: dict) -> None:
    recipe, seed = params["recipes"][params["recipe"]], params["train"]["seed"]
    batch_size, epochs = recipe["batch_size"], recipe["epochs"]
    images = np.load(PROCESSED / "train_images.npy", mmap_mode="r")
    labels = np.load(PROCESSED / "train_labels.npy", mmap_mode="r")
    size = split(len(images), recipe["validation_split"])
    if size == 0:
        raise SystemExit(f"params.yaml: recipes.{params['recipe']}.validation_split: leaves no training image")
    held_out_images, held_out_labels = images[size:], labels[size:].argmax(axis=1)

    networks.pin(params["threads"])
    keras.utils.set_random_seed(seed)
    network = networks.build(recipe, images.shape[1:], labels.shape[1])
    trainer = Trainer(network, networks.create(keras.optimizers, recipe["optimizer"]))
    forward = networks.forward(network)
    iterator = iter(batches(images[:size], labels[:size], batch_size, epochs, seed))
    steps = math.ceil(size / batch_size)

    MODEL.parent.mkdir(exist_ok=True)
    sys.stdout, sys.stderr = Unbreakable(sys.stdout), Unbreakable(sys.stderr)
    bar = tqdm(total=epochs * steps, unit=" steps", disable=None)
    live = Live(str(CURVES), dvcyaml=None, save_dvc_exp=False, monitor_system=False)
    with LOG.open("w") as log, live, bar:
        print(describe(network), file=log)
        for epoch in range(1, epochs + 1):
            for start in range(0, steps, STEPS_A_CALL):
                count = min(STEPS_A_CALL, steps - start)
                trainer.steps(iterator, tf.constant(count))
                bar.update(count)
            figures = trainer.figures()
            if not math.isfinite(figures["loss"]):
                raise SystemExit(f"epoch {epoch}: the loss is {figures['loss']}; lower the recipe's learning_rate")
            if len(held_out_labels):
                figures |= assess(forward, held_out_images, held_out_labels)
            live.step = epoch
            for name, value in figures.items():
                live.log_metric(name, round(value, 6))
            live.make_summary()
            line = f"epoch {epoch}/{epochs}  " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
            print(line, file=log, flush=True)
            tqdm.write(line)
    networks.save(network, MODEL)


if __name__ == "__main__":
    validate.run(main)
