"""Test arrays, the network -> metrics.json, evaluation.json and three tables (CSV) in reports/."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from digits import arrays, augmentation, checkpoint, determinism, metrics, network
from digits.determinism import tf
from digits.params import Params

MODEL = Path("models/network.keras")
REPORTS = Path("reports")
# The share of training's augmentation that a view of a test image gets. In training the class is
# known, whatever becomes of the image; here it must not come to look like another class.
STRENGTH = 0.5


def weaker(bounds: dict[str, float], share: float) -> dict[str, float]:
    """The bounds of augmentation, each at that share of what it is."""
    # All are distances from the unchanged image. One that is not (how likely a flip is, how often
    # something is done) needs a line of its own here.
    return {name: share * bound for name, bound in bounds.items()}


def predict(
    forward: network.Forward, images: np.ndarray, bounds: dict[str, float], views: int
) -> Iterator[np.ndarray]:
    """Yield probabilities float32 (n, K) for images (N, H, W, 1), n <= network.BATCH at a time.

    Test-time augmentation: they are the mean over an image and `views` augmented ones of it.
    """
    for start in range(0, len(images), network.BATCH):
        batch = images[start : start + network.BATCH]
        seen = [batch]
        for view in range(views):
            # the same change for all, so that no image's class depends on those beside it
            rng = np.random.default_rng(view)
            seen.append(augmentation.augment(batch, rng, **bounds, alike=True))
        yield np.mean([forward(tf.constant(view)).numpy() for view in seen], axis=0)


def assess(batches: Iterable[np.ndarray], actual: np.ndarray) -> tuple[np.ndarray, float]:
    """Table PREDICTIONS and mean loss of probabilities (n, K), batch by batch, for labels (N,)."""
    predictions = np.zeros(len(actual), metrics.PREDICTIONS)
    predictions["actual"] = actual
    loss, start = 0.0, 0
    for probabilities in batches:
        rows = predictions[start : start + len(probabilities)]
        rows["predicted"] = probabilities.argmax(axis=1)
        rows["confidence"] = probabilities.max(axis=1)
        loss += network.cross_entropy(probabilities, rows["actual"])
        start += len(rows)
    return predictions, loss / len(actual)


def main(params: Params) -> None:
    # DVC runs this stage once it has recorded the network: the training needs no checkpoint more
    checkpoint.forget(MODEL)
    training = metrics.read_values(REPORTS / "training/metrics.json")
    images, labels = arrays.read("test_images"), arrays.read("test_labels")
    determinism.pin(params.threads, params.instructions)
    forward = network.forward(network.load(MODEL), params.replicas)
    bounds = weaker(params.selected.augment.model_dump(exclude_unset=True), STRENGTH)
    views = params.evaluate.test_time_augmentation[params.recipe]

    batches = predict(forward, images, bounds, views)
    count = math.ceil(len(images) / network.BATCH)
    progress = tqdm(batches, total=count, unit=" batches", disable=None)
    predictions, loss = assess(progress, labels.argmax(axis=1))
    bins = metrics.calibration(predictions, params.evaluate.calibration_bins)

    errors = int((predictions["actual"] != predictions["predicted"]).sum())
    accuracy = 1 - errors / len(images)
    low, high = metrics.interval(len(images) - errors, len(images))
    measured = {
        "test_accuracy": accuracy,
        "loss": loss,
        "errors": errors,
        "ece": metrics.expected_calibration_error(bins),
    }
    if "val_accuracy" in training:  # where the recipe holds images out
        measured["val_accuracy"] = training["val_accuracy"]
    run = {
        "dataset": params.download.dataset,
        "recipe": params.recipe,
        "images": len(images),
        "test_time_augmentation": views,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
    }

    metrics.write_values(REPORTS / "metrics.json", measured)
    metrics.write_values(REPORTS / "evaluation.json", run)
    metrics.write_table(REPORTS / "predictions.csv", predictions)
    metrics.write_table(REPORTS / "class_accuracy.csv", metrics.class_accuracy(predictions))
    metrics.write_table(REPORTS / "calibration.csv", bins)
    print(
        f"test accuracy {100 * accuracy:.2f} % "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %), "
        f"{errors:,} of {len(images):,} test images misclassified"
    )
