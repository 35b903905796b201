"""Test arrays and the trained network -> reports/metrics.json, and predictions, class_accuracy, calibration .csv."""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from digits import arrays, augmentation, checkpoint
from digits import network as networks

import numpy as np
import tensorflow as tf
from tqdm import tqdm

MODEL = Path("models/network.keras")
REPORTS = Path("reports")
STRENGTH = 0.5  # of the changes that make a view, as a share of those in training
Z = 1.959964  # a standard normal variable lies within +-Z with probability 0.95


def predict(forward: networks.Forward, images: np.ndarray, recipe: dict) -> Iterator[np.ndarray]:
    """Yield probabilities float32 (n, K) for some of the images (N, H, W, 1) at a time, in order.

    They are the mean over an image and `views` changed ones: each view turns, stretches and bends all images alike, so
    that what is read in one does not follow from the others.
    """
    bounds = {name: STRENGTH * bound for name, bound in recipe["augment"].items()}
    for start in range(0, len(images), networks.BATCH):
        batch = images[start : start + networks.BATCH]
        generators = map(np.random.default_rng, range(recipe["views"]))
        views = [batch, *(augmentation.augment(batch, rng, **bounds, alike=True) for rng in generators)]
        yield np.mean([forward(tf.constant(view)).numpy() for view in views], axis=0)


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share of which `right` of `count` were seen. Source: E. B. Wilson, 1927."""
    centre = (right + Z * Z / 2) / (count + Z * Z)
    half = Z / (count + Z * Z) * math.sqrt(right * (count - right) / count + Z * Z / 4)
    return centre - half, centre + half


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int) -> list[tuple[float, float, int, float, float]]:
    """Mean confidence, accuracy, count and edges of each of `bins` equal bins in confidence that holds an image."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    inside = [(i, index == i) for i in np.unique(index)]
    return [(confidence[b].mean(), right[b].mean(), int(b.sum()), i / bins, (i + 1) / bins) for i, b in inside]


def write_csv(path: Path, header: list[str], rows: Iterable[Iterable]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{value:.6f}" if isinstance(value, float) else value for value in row] for row in rows)


def main(params: dict) -> None:
    checkpoint.forget(MODEL)
    networks.pin(params["threads"], params["instructions"])
    forward = networks.forward(networks.load(MODEL), params["replicas"])
    images, actual = arrays.read("test_images"), arrays.read("test_labels").argmax(axis=1)
    predicted, confidence, loss, end = np.empty_like(actual), np.empty(len(actual)), 0.0, 0
    with tqdm(total=len(images), unit=" images", disable=None) as bar:
        for probabilities in predict(forward, images, params["recipes"][params["recipe"]]):
            start, end = end, end + len(probabilities)
            predicted[start:end], confidence[start:end] = probabilities.argmax(axis=1), probabilities.max(axis=1)
            loss += networks.cross_entropy(probabilities, actual[start:end])
            bar.update(len(probabilities))

    right = predicted == actual
    low, high = interval(int(right.sum()), len(right))
    bins = calibration(confidence, right, params["evaluate"]["calibration_bins"])
    error = sum(count * abs(sure - accurate) for sure, accurate, count, *_ in bins) / len(right)
    classes = [(i, right[actual == i].mean(), int((actual == i).sum())) for i in np.unique(actual)]
    metrics = {
        "dataset": params["download"]["dataset"],
        "recipe": params["recipe"],
        "test_accuracy": right.mean(),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": int((~right).sum()),
        "test_loss": loss / len(right),
        "expected_calibration_error": error,
    }
    metrics = {key: round(float(value), 6) if isinstance(value, float) else value for key, value in metrics.items()}
    (REPORTS / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    write_csv(REPORTS / "class_accuracy.csv", ["class", "accuracy", "count"], classes)
    write_csv(REPORTS / "predictions.csv", ["actual", "predicted", "confidence"], zip(actual, predicted, confidence))
    write_csv(REPORTS / "calibration.csv", ["confidence", "accuracy", "count", "low", "high"], bins)
