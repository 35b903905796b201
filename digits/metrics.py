"""What is measured on the test images, in NumPy alone, and the files that keep it.

A table is a structured array: table["accuracy"] is a column of it, table[:3] are its first rows.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from digits import output

# The columns of each table, in order. To add one, declare it here and fill it where the table is
# made: `assess` in stages/evaluate.py, or a function below. (metrics.json: `measure` there.)
PREDICTIONS = np.dtype(
    [("image", object), ("actual", int), ("predicted", int), ("confidence", float)]
)
CLASS_ACCURACY = np.dtype(
    [("class", int), ("accuracy", float), ("count", int), ("low", float), ("high", float)]
)
CALIBRATION = np.dtype([("confidence", float), ("accuracy", float), ("count", int)])
CLASSES = ("actual", "predicted", "class")  # columns with classes: numbers here, names in a file
Z = 1.959964  # a standard normal variable lies within +-Z with probability 0.95


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) for a share, where `right` of `count` were seen."""
    centre = (right + Z * Z / 2) / (count + Z * Z)
    half = Z / (count + Z * Z) * math.sqrt(right * (count - right) / count + Z * Z / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def class_accuracy(predictions: np.ndarray) -> np.ndarray:
    """Accuracy, with its interval, and number of images of each class that the test images have."""
    right = predictions["actual"] == predictions["predicted"]
    rows = []
    for label in np.unique(predictions["actual"]):
        of_class = right[predictions["actual"] == label]
        count = len(of_class)
        rows.append((label, of_class.mean(), count, *interval(int(of_class.sum()), count)))
    return np.array(rows, CLASS_ACCURACY)


def mistakes(predictions: np.ndarray) -> np.ndarray:
    """The rows (n,) of the misclassified images, those with the highest confidence first.

    Confidences count as predictions.csv has them, so that figures made of it have the same order.
    """
    rows = np.flatnonzero(predictions["actual"] != predictions["predicted"])
    written = [-float(f"{value:.6f}") for value in predictions["confidence"][rows].tolist()]
    return rows[np.argsort(written, kind="stable")]


def calibration(predictions: np.ndarray, bins: int) -> np.ndarray:
    """Mean confidence and accuracy in each of `bins` equal bins that has an image: CALIBRATION."""
    right = predictions["actual"] == predictions["predicted"]
    confidence = predictions["confidence"]
    # a confidence of 1 belongs to the last bin, not to one of its own
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = []
    for i in np.unique(index):
        inside = index == i
        rows.append((confidence[inside].mean(), right[inside].mean(), inside.sum()))
    return np.array(rows, CALIBRATION)


def expected_calibration_error(table: np.ndarray) -> float:
    """Mean distance of accuracy from confidence over the images in the bins of `calibration`."""
    distance = abs(table["confidence"] - table["accuracy"])
    return (table["count"] * distance).sum() / table["count"].sum()


def write_table(path: Path, table: np.ndarray, classes: Sequence[str] = ()) -> None:
    """Write a table as CSV, its columns' names first, classes by their names."""
    names = table.dtype.names or ()
    with output.beside(path) as partial, partial.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(names)
        parts = (table[i : i + 10_000].tolist() for i in range(0, len(table), 10_000))
        for row in chain.from_iterable(parts):  # all at once fill the memory
            cells = []
            for name, value in zip(names, row, strict=True):
                if name in CLASSES:
                    cells.append(classes[value])
                else:
                    cells.append(f"{value:.6f}" if isinstance(value, float) else value)
            rows.writerow(cells)


def read_table(
    path: Path, columns: np.dtype, classes: Sequence[str] = (), delimiter: str = ","
) -> np.ndarray:
    """Read a table with these columns; SystemExit where it has others, no rows, or damage."""
    names = columns.names or ()
    known = {name: number for number, name in enumerate(classes)}
    of_kind: dict[str, Callable] = {"O": str, "i": int, "f": float}
    readers = [
        known.__getitem__ if name in CLASSES else of_kind[columns[name].kind] for name in names
    ]
    try:
        text = path.read_text()
        if text and not text.endswith("\n"):
            raise ValueError("no end of its last line")
        rows = filter(None, csv.reader(io.StringIO(text), delimiter=delimiter))
        header = next(rows, [])
        if header != list(names):
            raise ValueError(repr(delimiter.join(header)))
        table = np.fromiter((read_row(row, readers) for row in rows), columns)
        if not len(table):
            raise ValueError("no row")
        return table
    except (ValueError, KeyError, csv.Error) as error:
        wanted = f"values below the columns {delimiter.join(names)!r}"
        raise SystemExit(f"{path}: expected {wanted}, found: {error}; run dvc repro") from None


def read_row(cells: list[str], readers: list[Callable]) -> tuple:
    if len(cells) != len(readers):
        raise ValueError(f"{len(cells)} of {len(readers)} columns")
    return tuple(read(cell) for read, cell in zip(readers, cells))


def write_values(path: Path, values: dict[str, Any]) -> None:
    """Write words and numbers by name as JSON, floats with six decimals."""
    plain = {key: v.item() if isinstance(v, np.generic) else v for key, v in values.items()}
    rounded = {key: round(v, 6) if isinstance(v, float) else v for key, v in plain.items()}
    output.write_text(path, json.dumps(rounded, indent=2) + "\n")


def read_values(path: Path, *numbers: str) -> dict[str, Any]:
    """Read words and numbers by name; SystemExit where it is damaged or lacks one of `numbers`."""
    try:
        values = dict(json.loads(path.read_text()))
        for name in numbers:
            if not isinstance(values.get(name), int | float):
                raise ValueError(f"no number {name!r}")
        return values
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path}: expected JSON, found: {error}; run dvc repro") from None
