"""data/idx (four IDX files) -> data/processed: images in [0, 1] and one-hot labels, as .npy.

Beside them preparation.json, and what each test image was called.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from digits import arrays, idx, output, preparation
from digits.params import Params
from digits.preparation import Preparation

SAMPLE = 1000  # images that tell what all are like
BYTES = 2**25  # of the sample, at most
DIM = 64  # where all pixels lie closer together than this, next to nothing is seen
FEW = 10  # training images of a class, below which hardly anything is learned
FEW_TESTS = 100  # below which the test accuracy says little


@dataclass(frozen=True)
class Split:
    """Images uint8 (N, H, W) or (N, H, W, C) in a file, and their labels uint8 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def chunks(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the images of these rows, some at a time."""
        step = max(1, idx.CHUNK // self.images[0].size)
        for start in range(0, len(rows), step):
            yield self.images[rows[start : start + step]]

    def sample(self) -> np.ndarray:
        """Some of the images (n, ...), from all over: at most SAMPLE, or as many bytes as BYTES."""
        most = max(2, min(SAMPLE, BYTES // self.images[0].size))
        rows = np.linspace(0, len(self.images) - 1, min(most, len(self.images)))
        return self.images[rows.astype(int)]

    def digests(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield a sum of each image, and one of it and its label."""
        for image, label in zip(self.images, self.labels):
            content = hashlib.sha256(image.tobytes())
            of_image = content.digest()
            content.update(label.tobytes())
            yield of_image, content.digest()


def opened(path: Path, kind: str) -> np.ndarray:
    """An IDX file uint8 (N, ...) mapped into memory; SystemExit where it is not whole."""
    shape = idx.shape_of(path, kind)
    start = len(idx.header(shape))
    found = path.stat().st_size - start
    if found != math.prod(shape):
        raise SystemExit(f"{path}: expected {math.prod(shape)} bytes of data, found {found}")
    return np.memmap(path, np.uint8, "r", start, shape)


def read(split: str) -> Split:
    """Read a split; SystemExit where it has not a label for each image."""
    images = opened(idx.FOLDER / idx.FILES[split, "images"], "images")
    path = idx.FOLDER / idx.FILES[split, "labels"]
    labels = np.asarray(opened(path, "labels"))
    if len(labels) != len(images):
        raise SystemExit(
            f"{path}: expected {len(images)} labels, one for each image, found {len(labels)}"
        )
    return Split(images, labels)


def check(train: Split, test: Split, classes: int) -> None:
    """SystemExit where the splits do not fit together."""
    if test.images.shape[1:] != train.images.shape[1:]:
        raise SystemExit(
            f"{idx.FOLDER}: expected test images of {train.images.shape[1:]} pixels, as in "
            f"training, found {test.images.shape[1:]}"
        )
    for name, split in (("training", train), ("test", test)):
        highest = split.labels.max()
        if highest >= classes:
            raise SystemExit(
                f"{idx.FOLDER}: expected {name} labels from 0 to {classes - 1}, one for each "
                f"class, found {highest}"
            )
    if not np.isin(test.labels, train.labels).any():
        raise SystemExit(
            f"{idx.FOLDER}: expected test images of classes that training images have, found none: "
            "are both labelled alike?"
        )


def prepared(dataset: dict[str, Any], train: Split, invert: bool | None) -> Preparation:
    """Find out how the images are to be brought before a network."""
    height, width, channels = (*train.images.shape[1:], 1)[:3]
    count = max(2, int(train.labels.max()) + 1)
    classes = dataset["classes"] or [str(label) for label in range(count)]
    shape = (-1, height, width, channels)
    ink, dark = preparation.shows_ink(train.sample().reshape(shape))
    if invert is None:
        invert = dark and dataset["own"]
    becomes_light = dark == invert  # as the ink is that predict cuts out of a photo
    return Preparation(
        name=dataset["name"],
        classes=classes,
        height=height,
        width=width,
        channels=channels,
        inverted=invert,
        search=ink and becomes_light and not dataset["pictures"],
    )


def doubts_of_labels(
    labels: np.ndarray, test_labels: np.ndarray, classes: list[str]
) -> Iterator[str]:
    """Yield what looks wrong in the labels (N,) to train and to test on, and what to do."""
    names = np.array(classes)
    if alike := alike_but_for_case(classes):
        yield f"classes that are called alike (is it one?): {output.listed(alike)}"
    in_train = np.bincount(labels, minlength=len(names))
    in_test = np.bincount(test_labels, minlength=len(names))
    few = [f"{names[label]} ({in_train[label]})" for label in np.flatnonzero(in_train < FEW)]
    if few:
        what = f"fewer than {FEW} training images (add some, or leave the class out)"
        yield f"classes with {what}: {output.listed(few)}"
    if untested := names[in_test == 0].tolist():
        yield f"classes without test images, so not tested (add some): {output.listed(untested)}"
    tests = len(test_labels)
    if tests < FEW_TESTS:
        yield (
            f"only {tests} test images: a mistake more, and the test accuracy is "
            f"{100 / tests:.1f} % less (add some)"
        )


def doubts_of_images(sample: np.ndarray, tests: np.ndarray, data: Preparation) -> Iterator[str]:
    """Yield what looks wrong in a sample of the images to train and to test on."""
    low, high = int(sample.min()), int(sample.max())
    if high - low < DIM:
        yield (
            f"pixels are {low} to {high} of 0 to 255, so next to nothing is seen: bring them "
            "there first (16 bits of which fewer are used? numbers of classes in place of colours?)"
        )
    parts = {"training": sample, "test": tests}
    lying = [part for part, images in parts.items() if on_their_side(images, data)]
    if lying:
        which = f" of the {lying[0]} images" if len(lying) == 1 else ""
        yield (
            f"most symbols{which} are wider than tall: transposed, as EMNIST's files are? (an IDX "
            "or CSV file with emnist in its name is turned by itself)"
        )
    inks = [preparation.shows_ink(images) for images in parts.values()]
    if {*inks} == {(True, False), (True, True)}:
        yield "ink is dark in one of training and test images, light in the other: invert one"


def doubts_of_copies(leaked: int, tests: int, torn: int) -> Iterator[str]:
    """Yield what looks wrong where images stand several times, and what to do about it."""
    if leaked:
        yield (
            f"{leaked:,} of {tests:,} test images are training images too, so the test "
            "accuracy will be too high: take them out of one of the two"
        )
    if torn:
        yield f"images that stand in two classes: {torn:,} (leave one of each out, or both)"


def alike_but_for_case(names: list[str]) -> list[str]:
    """Names that differ in capitals or in spaces alone; letters may be classes, A and a."""
    plain = [name.strip().casefold() if len(name.strip()) > 1 else name for name in names]
    return [name for name, word in zip(names, plain) if plain.count(word) > 1]


def on_their_side(sample: np.ndarray, data: Preparation) -> bool:
    """Whether most of the images show a letter or digit that is wider than it is tall.

    Of MNIST's, an eighth are.
    """
    symbols = all(len(name) == 1 or name.isdecimal() for name in data.classes)
    ink, _ = preparation.shows_ink(sample)
    if not symbols or not ink or data.height != data.width:
        return False
    inked = data.normalise(sample)[..., 0] > 0.5
    height, width = (inked.any(axis=axis).sum(axis=1) for axis in (2, 1))
    return bool((width > height).mean() > 0.5)


def by_content(
    train: Split, test: Split, size: int, data: Preparation
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and to test on, shuffled by their sums; prints what looks wrong.

    The order is the same however the files were named and packed.
    """
    images, sums = zip(*train.digests())
    test_images, test_sums = zip(*test.digests())
    rows = sorted(range(len(sums)), key=sums.__getitem__)[:size]
    test_rows = sorted(range(len(test_sums)), key=test_sums.__getitem__)
    known = {images[row] for row in rows}
    leaked = sum(image in known for image in test_images)
    # an image with two labels has two sums
    torn = len({*sums, *test_sums}) - len({*images, *test_images})
    for doubt in chain(
        doubts_of_labels(train.labels[rows], test.labels, data.classes),
        doubts_of_copies(leaked, len(test_rows), torn),
        doubts_of_images(train.sample(), test.sample(), data),
    ):
        print(f"looks wrong: {doubt}")
    if data.inverted:
        print("dark ink on light paper: inverted, as predict will do (preprocess.invert)")
    return np.array(rows), np.array(test_rows)


def one_hot(labels: np.ndarray, classes: int) -> Iterator[np.ndarray]:
    """uint8 (N,) in [0, classes) -> chunks float32 (n, classes), a single 1 in each row."""
    rows = np.eye(classes, dtype=np.float32)
    return (rows[labels[start : start + 2**16]] for start in range(0, len(labels), 2**16))


def write(name: str, split: Split, rows: np.ndarray, data: Preparation) -> None:
    """Write the images and labels of these rows."""
    shape = (len(rows), data.height, data.width, data.channels)
    arrays.write(f"{name}_images", shape, map(data.normalise, split.chunks(rows)))
    labels = one_hot(split.labels[rows], len(data.classes))
    arrays.write(f"{name}_labels", (len(rows), len(data.classes)), labels)


def main(params: Params) -> None:
    """Write both splits; SystemExit where they do not fit together, or are less than asked for."""
    dataset = idx.about(idx.FOLDER)
    train, test = read("train"), read("test")
    data = prepared(dataset, train, params.preprocess.invert)
    check(train, test, len(data.classes))
    size = params.preprocess.train_size or len(train.labels)
    if size > len(train.labels):
        expected = f"expected at most {len(train.labels)}, found {size}"
        raise SystemExit(f"params.yaml: preprocess.train_size: {expected}")

    train_rows, test_rows = np.arange(size), np.arange(len(test.labels))
    if dataset["own"]:
        train_rows, test_rows = by_content(train, test, size, data)
    write("train", train, train_rows, data)
    write("test", test, test_rows, data)
    files = idx.FOLDER / idx.TEST_NAMES
    count = len(test_rows)
    names = arrays.read_names(files, count) if files.exists() else range(count)
    output.write_text(arrays.NAMES, "".join(f"{names[row]}\n" for row in test_rows))
    data.write()
