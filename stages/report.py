"""Metrics, predictions, and the log of the training -> reports/report.md, the run on a page, with its figures."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

REPORTS = Path("reports")
LOG = Path("models/training.log")
SHOWN = ["optimizer", "schedule", "batch_size", "epochs", "validation_split", "augment", "views"]  # of the recipe
PAIRS = 10  # of classes, those most often confused


def table(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def value(entry: object) -> str:
    """A parameter in words: a mapping as its keys and values."""
    return ", ".join(f"{key} {inner}" for key, inner in entry.items()) if isinstance(entry, dict) else str(entry)


def read(path: Path, parse: Callable[[str], Any]) -> Any:
    """What a file holds; SystemExit where it is damaged."""
    try:
        return parse(path.read_text())
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: expected what train and evaluate wrote, found: {error}; run dvc repro") from None


def rows(header: str) -> Callable[[str], list[list[str]]]:
    """A parser of a CSV file with that header, which it leaves out."""

    def parse(text: str) -> list[list[str]]:
        first, *lines = text.splitlines() or [""]
        if first != header or not lines:
            raise ValueError(f"{first!r} in the place of the header {header!r}, or nothing below it")
        return list(csv.reader(lines, strict=True))

    return parse


def layers(log: str) -> list[list[str]]:
    """The layers that the log of the training lists: name, shape, number of parameters."""
    lines = takewhile(lambda line: not line.startswith("epoch "), log.splitlines())
    return [[line[:24].strip(), line[24:48].strip().replace("(None, ", "("), line[48:].strip()] for line in lines]


def page(params: dict, metrics: dict, training: dict) -> Iterable[str]:
    """Yield the paragraphs of the report."""
    predictions = read(REPORTS / "predictions.csv", rows("actual,predicted,confidence"))
    classes = read(REPORTS / "class_accuracy.csv", rows("class,accuracy,count"))
    recipe = params["recipes"][params["recipe"]]
    pairs = Counter((actual, predicted) for actual, predicted, _ in predictions if actual != predicted)
    accuracy, low, high = (f"{100 * metrics[f'test_accuracy{end}']:.2f} %" for end in ("", "_low", "_high"))

    yield f"# {metrics['dataset']}, read by the recipe `{metrics['recipe']}`"
    yield (
        f"**{accuracy}** of {len(predictions):,} test images are read right (95 % interval: {low} to {high}); "
        f"{metrics['test_errors']:,} are misread. Written by `dvc repro`; the same run gives the same bytes."
    )
    loss, error = metrics["test_loss"], metrics["expected_calibration_error"]
    lines = [["test", accuracy, loss, error]]
    for part, prefix in (("validation", "validation_"), ("training, last epoch", "")):
        if f"{prefix}loss" in training:
            lines.append([part, f"{100 * training[f'{prefix}accuracy']:.2f} %", training[f"{prefix}loss"], ""])
    yield table(["images", "accuracy", "loss", "expected calibration error"], lines)
    yield "## What it was trained with"
    settings = {name: params[name] for name in ("threads", "replicas", "instructions")}
    used = {**{key: recipe[key] for key in SHOWN}, "seed": params["train"]["seed"], **settings}
    used["versions"] = params["environment"]
    yield table(["parameter", "value"], ([key, value(entry)] for key, entry in used.items()))
    yield table(["layer", "shape", "parameters"], read(LOG, layers))
    yield "![Learning curves](figures/learning_curves.png)"
    yield "## What it misreads"
    yield "![The mistakes that the network is surest of](figures/mistakes.png)"
    yield table(["actual", "predicted", "images"], ([*pair, count] for pair, count in pairs.most_common(PAIRS)))
    yield "![Confusion matrix](figures/confusion_matrix.png)"
    yield "## Classes, the hardest first"
    hardest = sorted(classes, key=lambda row: float(row[1]))
    yield table(["class", "accuracy", "images"], ([name, f"{100 * float(r):.2f} %", n] for name, r, n in hardest))
    yield "![Accuracy of each class](figures/class_accuracy.png)"
    yield "## How sure it is"
    yield "![Calibration](figures/calibration.png)"
    yield "## What it learned from"
    yield "![Training images](figures/samples.png)"


def main(params: dict) -> None:
    metrics, training = (
        read(REPORTS / name, lambda text: dict(json.loads(text))) for name in ("metrics.json", "training/metrics.json")
    )
    (REPORTS / "report.md").write_text("\n\n".join(page(params, metrics, training)) + "\n")
