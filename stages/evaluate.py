"""Test arrays and the trained network -> reports/metrics.json, predictions.csv and calibration.csv."""

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path

from stages import network as networks
from stages import validate

import numpy as np

PROCESSED = Path("data/processed")
MODEL = Path("models/network.keras")
REPORTS = Path("reports")
Z = 1.959964  # a standard normal variable lies within +-Z with probability 0.95


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share of which `right` of `count` were seen. Source: E. B. Wilson, 1927."""
    centre = (right + Z * Z / 2) / (count + Z * Z)
    half = Z / (count + Z * Z) * math.sqrt(right * (count - right) / count + Z * Z / 4)
    return centre - half, centre + half


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int) -> list[dict]:
    """Per bin of equal width in confidence that holds an image: mean confidence, accuracy, count, and the edges."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "confidence": confidence[inside].mean(),
            "accuracy": right[inside].mean(),
            "count": int(inside.sum()),
            "low": i / bins,
            "high": (i + 1) / bins,
        }
        for i in range(bins)
        if (inside := index == i).any()
    ]


def write_csv(path: Path, header: list[str], rows: Iterable[Iterable]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{value:.6f}" if isinstance(value, float) else value for value in row] for row in rows)


def main(params: dict) -> None:
    networks.pin(params["threads"])
    network = networks.load(MODEL)
    images = np.load(PROCESSED / "test_images.npy", mmap_mode="r")
    actual = np.load(PROCESSED / "test_labels.npy", mmap_mode="r").argmax(axis=1)
    predicted, confidence, loss, end = np.empty_like(actual), np.empty(len(actual)), 0.0, 0
    for probabilities in networks.predict(networks.forward(network), images):
        start, end = end, end + len(probabilities)
        predicted[start:end], confidence[start:end] = probabilities.argmax(axis=1), probabilities.max(axis=1)
        loss += networks.cross_entropy(probabilities, actual[start:end])

    right = predicted == actual
    low, high = interval(int(right.sum()), len(right))
    bins = calibration(confidence, right, params["evaluate"]["calibration_bins"])
    error = sum(abs(row["confidence"] - row["accuracy"]) * row["count"] for row in bins) / len(right)
    classes = {i: right[actual == i] for i in range(network.output_shape[1])}
    metrics = {
        "dataset": params["download"]["dataset"],
        "recipe": params["recipe"],
        "test_accuracy": right.mean(),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": int((~right).sum()),
        "test_loss": loss / len(right),
        "expected_calibration_error": error,
        "accuracy_per_class": {i: round(float(hits.mean()), 6) if len(hits) else None for i, hits in classes.items()},
    }
    metrics = {key: round(float(value), 6) if isinstance(value, float) else value for key, value in metrics.items()}
    (REPORTS / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    write_csv(REPORTS / "predictions.csv", ["actual", "predicted", "confidence"], zip(actual, predicted, confidence))
    write_csv(REPORTS / "calibration.csv", list(bins[0]), (row.values() for row in bins))


if __name__ == "__main__":
    validate.run(main)
