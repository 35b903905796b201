"""The training loop: images and a recipe -> a trained network, the same one however often it stops.

Why not Keras' `fit`? What it draws at random is not part of what it saves, so that an interrupted
`fit` ends in other weights. It stops between epochs only. And on two cores it stands idle at the
end of each epoch, while its data pipeline is taken down: a fifth to a third of all time.

Here the order of the images in a pass over them follows from (seed, pass), and what augmentation
does to a batch from (seed, pass, batch). So a training can go on from any step.
"""

import functools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from tqdm import tqdm

from digits import augmentation
from digits import network as networks
from digits.checkpoint import Checkpoint, Progress
from digits.determinism import keras, tf
from digits.params import Recipe

STEPS_A_CALL = 16  # at most: more save little time
CALL_SECONDS = 1  # for which Ctrl-C and a save may have to wait, or for a step that takes longer
MOST_EPOCHS = 20  # of a training that is counted in steps

Metrics = dict[str, float]
Report = Callable[[int, Metrics], None]  # takes the number of an epoch, from 1, and its metrics


def split(count: int, validation_split: float) -> int:
    """How many of `count` images are trained on, as Keras' `fit` rounds; the others, from the end,
    are held out.
    """
    return math.floor(count * (1 - validation_split))


def batches(
    images: np.ndarray, labels: np.ndarray, recipe: Recipe, seed: int, steps: range
) -> tf.data.Dataset:
    """The batches of the steps that are left: images (n, H, W, C) and one-hot labels (n, K).

    The batches of a pass over the images are as equal in size as can be.
    """
    cutout_end = augmentation.CUTOUT_UNTIL * steps.stop  # the training's end, wherever it goes on
    steps_a_pass = math.ceil(len(images) / recipe.batch_size)
    bounds = recipe.augment.model_dump(exclude_unset=True)
    augments = any(bounds.values())
    smoothing = np.float32(recipe.label_smoothing or 0)

    @functools.lru_cache(maxsize=1)
    def order(nth_pass: int) -> np.ndarray:
        return np.random.default_rng([seed, nth_pass]).permutation(len(images))

    def load(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nth_pass, batch = divmod(int(step), steps_a_pass)
        start, end = (len(images) * i // steps_a_pass for i in (batch, batch + 1))
        rows = order(nth_pass)[start:end]
        x = images.take(rows, axis=0)  # in half the time of images[rows]
        y = labels.take(rows, axis=0)
        rng = np.random.default_rng([seed, nth_pass, batch])
        if augments:
            x = augmentation.augment(x, rng, **bounds)
        if recipe.cutout and step < cutout_end:
            augmentation.cutout(x, rng, recipe.cutout)
        if smoothing:
            y = (1 - smoothing) * y + smoothing / labels.shape[1]
        return x, y

    @tf.autograph.experimental.do_not_convert
    def shaped(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = tf.numpy_function(load, [step], [tf.float32, tf.float32], stateful=False)
        x = tf.ensure_shape(x, [None, *images.shape[1:]])
        y = tf.ensure_shape(y, [None, labels.shape[1]])
        return x, y

    options = tf.data.Options()
    options.autotune.enabled = False  # it takes a sixth of the time of loading, and finds nothing
    dataset = tf.data.Dataset.range(steps.start, steps.stop)
    return dataset.map(shaped).prefetch(4).with_options(options)


class Trainer:
    """A network, its optimizer, and the running metrics of the present epoch."""

    def __init__(self, network: keras.Model, optimizer: keras.Optimizer, replicas: int) -> None:
        self.network = network
        self.optimizer = optimizer
        self.replicas = replicas
        self.optimizer.build(network.trainable_variables)
        self.loss = keras.metrics.Mean()
        self.accuracy = keras.metrics.CategoricalAccuracy()
        stateful = (network, optimizer, self.loss, self.accuracy)
        self.variables = [variable for part in stateful for variable in part.variables]

    @tf.function
    def steps(self, iterator: tf.data.Iterator, count: tf.Tensor) -> None:
        """Take `count` steps down the gradient of the categorical cross-entropy.

        Each of `replicas` parts of a batch is computed on a core of its own, and their gradients
        are added in a fixed order: one core and two give the same bits.
        """
        for _ in tf.range(count):
            images, labels = next(iterator)
            size = tf.shape(images)[0]
            edges = [size * i // self.replicas for i in range(self.replicas + 1)]
            parts = [self.gradients(images[i:j], labels[i:j]) for i, j in pairwise(edges)]
            sums = [tf.add_n(of_a_variable) for of_a_variable in zip(*parts)]
            means = [gradient / tf.cast(size, tf.float32) for gradient in sums]
            self.optimizer.apply(means, self.network.trainable_variables)

    @tf.autograph.experimental.do_not_convert  # it has no loop or branch for the graph
    def gradients(self, images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        """The gradients of the summed loss of a part, whose metrics are counted."""
        with tf.GradientTape() as tape:
            probabilities = self.network(images, training=True)
            losses = keras.losses.categorical_crossentropy(labels, probabilities)
            loss = tf.reduce_sum(losses)
            for penalty in self.network.losses:  # of regularizers
                loss += tf.cast(tf.shape(images)[0], tf.float32) * penalty
        self.loss.update_state(losses)
        self.accuracy.update_state(labels, probabilities)
        return tape.gradient(loss, self.network.trainable_variables)

    def metrics(self) -> Metrics:
        """The mean loss and accuracy since the last call."""
        means = {"loss": float(self.loss.result()), "accuracy": float(self.accuracy.result())}
        self.loss.reset_state()
        self.accuracy.reset_state()
        return means


def evaluate_held_out(forward: networks.Forward, images: np.ndarray, labels: np.ndarray) -> Metrics:
    """The mean loss and accuracy on held-out images (n, H, W, C) with labels (n,)."""
    loss, right, end = 0.0, 0, 0
    for batch in networks.in_batches(images):
        probabilities = forward(tf.constant(batch)).numpy()
        start, end = end, end + len(batch)
        loss += networks.cross_entropy(probabilities, labels[start:end])
        right += int((probabilities.argmax(axis=1) == labels[start:end]).sum())
    return {"val_loss": loss / len(labels), "val_accuracy": right / len(labels)}


class Training:
    """A training of a recipe on images (N, H, W, C) and one-hot labels (N, K)."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, recipe: Recipe, seed: int, replicas: int
    ) -> None:
        size = split(len(images), recipe.validation_split)
        self.recipe, self.seed = recipe, seed
        self.images, self.labels = images[:size], labels[:size]
        self.held_out_images, self.held_out_labels = images[size:], labels[size:].argmax(axis=1)
        steps_a_pass = math.ceil(size / recipe.batch_size)
        # A recipe with steps has epochs of several passes where images are few.
        passes = recipe.epochs or math.ceil(recipe.steps / steps_a_pass)
        passes_an_epoch = 1 if recipe.epochs else math.ceil(passes / MOST_EPOCHS)
        self.steps_an_epoch = passes_an_epoch * steps_a_pass
        self.epochs = math.ceil(passes / passes_an_epoch)
        self.steps = self.epochs * self.steps_an_epoch
        if (least := size // steps_a_pass) < replicas:
            raise SystemExit(
                f"params.yaml: replicas: expected at most {least}, the images of a batch, "
                f"found {replicas}"
            )
        keras.utils.set_random_seed(seed)
        self.network = networks.build(recipe, images.shape[1:], labels.shape[1])
        self.trainer = Trainer(self.network, networks.optimizer(recipe, self.steps), replicas)
        self.forward = networks.forward(self.network, replicas)

    def run(self, checkpoint: Checkpoint, progress: Progress, report: Report) -> None:
        """Train from `progress` to the end, and report each epoch.

        SystemExit at SIGINT and SIGTERM, once the state is saved, and where the loss is no number.
        """
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        step, history = progress.step, progress.history
        most = 1  # steps of the next call
        steps = range(step, self.steps)
        left = iter(batches(self.images, self.labels, self.recipe, self.seed, steps))
        with tqdm(total=self.steps, initial=step, unit=" steps", disable=None) as bar:
            while len(history) < self.epochs:
                if stop.is_set() or time.monotonic() > checkpoint.due:
                    checkpoint.save(step, history)
                if stop.is_set():
                    raise SystemExit(
                        f"interrupted at step {step}; "
                        f"`dvc repro` goes on from step {checkpoint.saved}"
                    )
                end_of_epoch = (len(history) + 1) * self.steps_an_epoch
                if step < end_of_epoch:
                    count = min(most, end_of_epoch - step)
                    most = self.take(count, left)
                    step += count
                    bar.update(count)
                else:
                    history.append(self.end_of_epoch(len(history) + 1))
                    report(len(history), history[-1])
        checkpoint.save(step, history)

    def take(self, count: int, left: Iterator) -> int:
        """Take so many steps; return how many the next call may take."""
        begun = time.monotonic()
        self.trainer.steps(left, tf.constant(count))
        in_time = int(CALL_SECONDS * count / (time.monotonic() - begun))
        return min(max(1, in_time), STEPS_A_CALL)

    def end_of_epoch(self, epoch: int) -> Metrics:
        """The metrics of an epoch that has ended; SystemExit where the loss is no number."""
        found = self.trainer.metrics()
        finite = all(np.isfinite(weights).all() for weights in self.network.get_weights())
        if not finite or not math.isfinite(found["loss"]):
            loss = found["loss"] if finite else "no number any more"
            raise SystemExit(f"epoch {epoch}: the loss is {loss}; lower the recipe's learning_rate")
        if len(self.held_out_images):
            found |= evaluate_held_out(self.forward, self.held_out_images, self.held_out_labels)
        return found
