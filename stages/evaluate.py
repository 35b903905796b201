"""Test arrays, the network -> metrics.json, evaluation.json and four tables (CSV) in reports/."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from digits import arrays, checkpoint, determinism, metrics, network, prediction, preparation
from digits.params import Params

REPORTS = Path("reports")


def assess(
    batches: Iterable[np.ndarray], actual: np.ndarray, names: list[str]
) -> tuple[np.ndarray, float]:
    """Table PREDICTIONS and mean loss of probabilities (n, K), batch by batch, for labels (N,)."""
    predictions = np.zeros(len(actual), metrics.PREDICTIONS)
    predictions["image"], predictions["actual"] = names, actual
    loss, start = 0.0, 0
    for probabilities in batches:
        rows = predictions[start : start + len(probabilities)]
        rows["predicted"] = probabilities.argmax(axis=1)
        rows["confidence"] = probabilities.max(axis=1)
        loss += network.cross_entropy(probabilities, rows["actual"])
        start += len(rows)
    return predictions, loss / len(actual)


def measure(
    predictions: np.ndarray, loss: float, bins: np.ndarray, training: dict[str, Any]
) -> dict[str, Any]:
    """What metrics.json holds."""
    errors = np.count_nonzero(predictions["actual"] != predictions["predicted"])
    measured = {
        "test_accuracy": 1 - errors / len(predictions),
        "loss": loss,
        "errors": errors,
        "ece": metrics.expected_calibration_error(bins),
    }
    if "val_accuracy" in training:  # where the recipe holds images out
        measured["val_accuracy"] = training["val_accuracy"]
    return measured


def write_tables(predictions: np.ndarray, bins: np.ndarray, classes: list[str]) -> None:
    metrics.write_table(REPORTS / "predictions.csv", predictions, classes)
    mistakes = predictions[metrics.mistakes(predictions)]
    metrics.write_table(REPORTS / "mistakes.csv", mistakes, classes)
    accuracies = metrics.class_accuracy(predictions)
    metrics.write_table(REPORTS / "class_accuracy.csv", accuracies, classes)
    metrics.write_table(REPORTS / "calibration.csv", bins)


def main(params: Params) -> None:
    # DVC runs this stage once it has recorded the network: no checkpoint is needed any more
    checkpoint.forget(network.FILE)
    training = metrics.read_values(REPORTS / "training/metrics.json", "loss", "accuracy")
    images, labels = arrays.read("test_images"), arrays.read("test_labels")
    names = arrays.read_names(arrays.NAMES, len(images))
    data = preparation.read()
    determinism.pin(params.threads, params.instructions)
    forward = network.forward(network.load(network.FILE), params.replicas)
    views = params.evaluate.test_time_augmentation[params.recipe]

    batches = prediction.predict(forward, images, params.selected.augment, views)
    count = sum(1 for _ in network.in_batches(images))
    progress = tqdm(batches, total=count, unit=" batches", disable=None)
    predictions, loss = assess(progress, labels.argmax(axis=1), names)
    bins = metrics.calibration(predictions, params.evaluate.calibration_bins)
    measured = measure(predictions, loss, bins, training)
    errors = measured["errors"]
    low, high = metrics.interval(len(images) - errors, len(images))
    run = {
        "dataset": data.name,
        "recipe": params.recipe,
        "images": len(images),
        "test_time_augmentation": views,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
    }

    metrics.write_values(REPORTS / "metrics.json", measured)
    metrics.write_values(REPORTS / "evaluation.json", run)
    write_tables(predictions, bins, data.classes)
    print(
        f"test accuracy {100 * measured['test_accuracy']:.2f} % "
        f"(95 %: {100 * low:.2f} to {100 * high:.2f} %), "
        f"{errors:,} of {len(images):,} misclassified"
    )
    largest = labels.mean(axis=0).max()
    if measured["test_accuracy"] <= largest:
        print(
            f"looks wrong: no better than to say the commonest class always, {100 * largest:.2f} % "
            "(train longer? are the labels right?)"
        )
