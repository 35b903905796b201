"""data/raw (four IDX files) -> data/processed (images in [0, 1] and one-hot labels, as .npy)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digits import arrays, idx
from digits.params import Params

RAW = Path("data/raw")
MAX_PIXEL = 255
CHUNK = 65_536  # labels at a time


def normalise(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W) in [0, 255] -> float32 (n, H, W, 1) in [0, 1]."""
    return pixels[..., np.newaxis].astype(np.float32) / np.float32(MAX_PIXEL)


def one_hot(labels: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """uint8 (N,) in [0, classes) -> chunks float32 (n, classes), a single 1 in each row."""
    rows = np.eye(classes, dtype=np.float32)
    return (rows[labels[start : start + CHUNK]] for start in range(0, len(labels), CHUNK))


def read(split: str) -> tuple[tuple[int, ...], Iterator[np.ndarray], np.ndarray]:
    """Return a split's shape (N, H, W), images in chunks uint8 (n, H, W), and labels uint8 (N,)."""
    shape, images = idx.read(idx.find(RAW, idx.FILES[split, "images"]), dimensions=3)
    path = idx.find(RAW, idx.FILES[split, "labels"])
    (count,), labels = idx.read(path, dimensions=1)
    if count != shape[0]:
        raise SystemExit(f"{path}: expected {shape[0]} labels, one for each image, found {count}")
    return shape, images, np.concatenate(list(labels))


def main(params: Params) -> None:
    """Write both splits; SystemExit where they do not fit together, or are less than asked for."""
    shape, train_images, train_labels = read("train")
    test_shape, test_images, test_labels = read("test")
    count, *sides = shape
    size = params.preprocess.train_size or count
    if size > count:
        expected = f"expected at most {count}, found {size}"
        raise SystemExit(f"params.yaml: preprocess.train_size: {expected}")
    if test_shape[1:] != shape[1:]:
        expected = f"expected test images of {shape[1:]} pixels, as in training"
        raise SystemExit(f"{RAW}: {expected}, found {test_shape[1:]}")
    classes = max(2, int(train_labels.max()) + 1)
    if test_labels.max() >= classes:
        expected = f"expected test labels up to {classes - 1}, as in training"
        raise SystemExit(f"{RAW}: {expected}, found {test_labels.max()}")

    arrays.write("train_images", (size, *sides, 1), map(normalise, train_images))
    arrays.write("train_labels", (size, classes), one_hot(train_labels, classes))
    arrays.write("test_images", (*test_shape, 1), map(normalise, test_images))
    arrays.write("test_labels", (len(test_labels), classes), one_hot(test_labels, classes))
