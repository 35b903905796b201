"""data/raw (four IDX files) -> data/processed (images in [0, 1] and one-hot labels, as .npy)."""

from collections.abc import Iterator
from pathlib import Path

from digits import arrays, idx

import numpy as np

RAW = Path("data/raw")
MAX_PIXEL = 255


def normalise(pixels: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W) in [0, 255] -> float32 (n, H, W, 1) in [0, 1]."""
    return pixels[..., np.newaxis].astype(np.float32) / np.float32(MAX_PIXEL)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """uint8 (n,) in [0, classes) -> float32 (n, classes), a single 1 in each row."""
    return np.eye(classes, dtype=np.float32)[labels]


def one_hot_chunks(labels: np.ndarray, classes: int, chunk: int = 65536) -> Iterator[np.ndarray]:
    return (one_hot(labels[start : start + chunk], classes) for start in range(0, len(labels), chunk))


def read(split: str) -> tuple[tuple[int, ...], Iterator[np.ndarray], np.ndarray]:
    """Return a split's shape (N, H, W), its images in uint8 chunks (n, H, W), and its labels uint8 (N,)."""
    shape, images = idx.read(idx.find(RAW, idx.FILES[split, "images"]), dimensions=3)
    path = idx.find(RAW, idx.FILES[split, "labels"])
    (count,), labels = idx.read(path, dimensions=1)
    if count != shape[0]:
        raise SystemExit(f"{path}: expected {shape[0]} labels, one for each image, found {count}")
    return shape, images, np.concatenate(list(labels))


def main(params: dict) -> None:
    shape, train_images, train_labels = read("train")
    test_shape, test_images, test_labels = read("test")
    size = params["preprocess"]["train_size"] or shape[0]
    if size > shape[0]:
        raise SystemExit(f"params.yaml: preprocess.train_size: expected at most {shape[0]}, found {size}")
    if test_shape[1:] != shape[1:]:
        raise SystemExit(f"{RAW}: expected test images of {shape[1:]} pixels, as in training, found {test_shape[1:]}")
    classes = max(2, int(train_labels.max()) + 1)
    if test_labels.max() >= classes:
        found = test_labels.max()
        raise SystemExit(f"{RAW}: expected test labels up to {classes - 1}, as in training, found {found}")

    arrays.write("train_images", (size, *shape[1:], 1), map(normalise, train_images))
    arrays.write("train_labels", (size, classes), one_hot_chunks(train_labels, classes))
    arrays.write("test_images", (*test_shape, 1), map(normalise, test_images))
    arrays.write("test_labels", (len(test_labels), classes), one_hot_chunks(test_labels, classes))
