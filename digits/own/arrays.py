"""Arrays of images and labels, of any shape, type and scale -> both as the pipeline has them.

Files of them are not trusted: what unpacks to far more than its size is refused.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from digits import idx, pictures
from digits.output import printable
from digits.own.common import Data, Job, Stream, choose_test_split, in_share, wrong
from digits.own.labels import LONGEST_LABEL, from_one_hot, numbered

BOMB_RATIO = 500  # times its packed size: images do not pack that well
FEWEST_PIXELS = 16  # of an image: fewer numbers are of something else
SMOOTHER = 1.2  # times less neighbours differ, at least, where colours are in their order
DARK = 64  # the largest value of a whole data set is higher where 255 is white


class Arrays(NamedTuple):
    """Images (N, ...) of any type and labels (N, ...), numbers or names, as they were found."""

    split: str
    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray | None = None  # their numbers in a table that has several splits


def from_arrays(form: str, place: Path, found: list[Arrays], job: Job) -> Data:
    """Look at all values for what they have in common; they are written a chunk at a time."""
    flat = form == "CSV" or sum(side > 1 for side in found[0].images.shape[1:]) == 1
    found = [as_images(place, one) for one in found]
    given = found[0].images.shape[1:]
    for one in found:
        if one.images.shape[1:] != given:
            raise wrong(place, f"images of {given} in all", one.images.shape[1:])
    if len(given) == 3 and flat:
        order = "each pixel's red, green and blue are taken to stand side by side"
        if smoother_apart(found[0].images):
            order = "all red is taken to come first, then green, then blue: so images are smoother"
            found = [one._replace(images=colours_apart(one.images)) for one in found]
        job.said.append(order)
    codes, classes = numbered(place, [one.labels for one in found], job)
    scales = [pixel_scale(place, one, job) for one in found]
    split, share = choose_test_split({one.split for one in found}, job)
    colour = len(given) == 3 if job.colour is None else job.colour
    full = (*(job.sides or given[:2]), 3 if colour else 1)
    shape = full if colour else full[:2]

    def stream() -> Stream:
        bar = tqdm(total=sum(map(len, codes)), desc="writing", unit=" images", disable=None)
        for one, labels, scale in zip(found, codes, scales):
            if one.rows is not None and one.split == split:
                job.tests.extend(one.rows)
            for start, rows in chunks(one.images):
                if rows.dtype != np.uint8 or scale != 1:
                    rows = np.rint(np.multiply(rows, scale, dtype=np.float32)).astype(np.uint8)
                held = np.full(len(rows), one.split == split)
                if share:
                    digests = [hashlib.sha256(row.tobytes()).digest() for row in rows]
                    held = np.array([in_share(digest, share) for digest in digests])
                    job.tests.extend(start + np.flatnonzero(held))
                if rows.shape[1:] != shape:
                    fitted = (pictures.to_array(Image.fromarray(row), *full) for row in rows)
                    rows = np.stack([*fitted])
                yield rows, labels[start : start + len(rows)], held
                bar.update(len(rows))
        bar.close()

    return Data(form, shape, classes, share, stream())


def colours_apart(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W, 3), read anew as if all red of each came first, then green, then blue."""
    count, *sides, colours = images.shape
    return np.moveaxis(images.reshape(count, colours, *sides), 1, 3)


def smoother_apart(images: np.ndarray) -> bool:
    _, sample = next(chunks(images))
    return SMOOTHER * roughness(colours_apart(sample)) < roughness(sample)


def roughness(images: np.ndarray) -> float:
    """How much neighbours differ, down and across, in images (n, H, W, C)."""
    values = images.astype(np.float32)
    return sum(float(np.abs(np.diff(values, axis=axis)).mean()) for axis in (1, 2))


def as_images(place: Path, one: Arrays) -> Arrays:
    """Images (N, H, W) or (N, H, W, 3), however they were given, and labels (N,)."""
    images = one.images
    if images.ndim == 3 and 3 in images.shape[1:] and (folded := square(max(images.shape[1:]))):
        count, first, _ = images.shape
        images = images.reshape(count, *((3, *folded) if first == 3 else (*folded, 3)))
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)  # as PyTorch has them
    count, *sides = images.shape or (0,)
    if len(sides) == 1 or (len(sides) == 2 and 1 in sides):
        sides = [*(square(math.prod(sides)) or sides)]
        if math.prod(sides) < FEWEST_PIXELS:
            found = f"an array {one.images.shape}"
            raise wrong(place, f"images of at least {FEWEST_PIXELS} pixels", found)
    if sides[2:] == [1]:
        sides.pop()
    if len(sides) not in (2, 3) or sides[2:] not in ([], [3]) or not count * math.prod(sides):
        raise wrong(place, "images (N, H, W) or (N, H, W, 3)", f"an array {one.images.shape}")
    if images.dtype.kind not in "biuf":
        raise wrong(place, "numbers as pixels", images.dtype)
    labels = from_one_hot(one.labels)
    if labels.dtype.kind == "S":
        labels = decoded(place, labels)
    usable = labels.dtype.kind in "biufU" and labels.itemsize <= 4 * LONGEST_LABEL
    if labels.size != count or max(labels.shape, default=0) != count or not usable:
        expected = f"{count:,} labels, one for each {one.split} image"
        raise wrong(place, expected, f"an array {labels.shape} of {labels.dtype}")
    if labels.dtype.kind == "f" and (labels == labels.astype(np.int64)).all():
        labels = labels.astype(np.int64)
    return one._replace(images=images.reshape(count, *sides), labels=labels.reshape(count))


def decoded(place: Path, labels: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError as error:
        raise wrong(place, "labels in UTF-8", error.object) from None


def square(count: int) -> tuple[int, ...] | None:
    """The shape of an image of so many values: (H, H), or (H, H, 3); None if it is no square."""
    for colours in ((), (3,)):
        side = math.isqrt(max(0, count) // math.prod(colours))
        if side > 1 and count == side * side * math.prod(colours):
            return side, side, *colours
    return None


def chunks(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some rows at a time, each with the number of its first."""
    step = max(1, idx.CHUNK // images[:1].nbytes)
    return ((start, images[start : start + step]) for start in range(0, len(images), step))


def pixel_scale(place: Path, one: Arrays, job: Job) -> int:
    """What brings the pixels to 0 to 255, 1 or 255; SystemExit where that is not plain to see."""
    low, high, whole = np.inf, -np.inf, True
    for _, chunk in chunks(one.images):
        kind = chunk.dtype.kind
        low, high = np.minimum(low, chunk.min()), np.maximum(high, chunk.max())
        whole = whole and kind != "b" and (kind != "f" or bool((chunk == np.rint(chunk)).all()))
    values = f"{low:g} to {high:g} in {one.split}"
    if not (low > -0.5 and high < 255.5):  # else rounding brings them there
        raise wrong(place, "pixels from 0 to 255", f"{values}; bring them there first")
    if high > 0 and 255 * high < 255.5 and not whole:
        job.said.append(f"pixels are {values}, so they are multiplied by 255")
        return 255
    if high < DARK:
        what = f"multiply them by {255 / high:g} first" if high else "nothing is on them"
        raise wrong(place, "pixels from 0 to 255", f"{values}; {what}")
    if not whole:
        job.said.append(f"pixels in {one.split} are rounded to whole numbers")
    return 1


def spool(rows: Iterable[np.ndarray], file: Path, dtype: type, shape: tuple[int, ...]) -> Any:
    """Put rows on disk, and map them into memory: (N, *shape)."""
    with file.open("wb") as spooled:
        for some in rows:
            spooled.write(some.tobytes())
    mapped = np.memmap(file, dtype, "r") if file.stat().st_size else np.empty(0, dtype)
    return mapped.reshape(-1, *shape)


def turned(file: Path, images: np.ndarray, job: Job) -> np.ndarray:
    """Images (N, H, W) as they are, or transposed where the file is EMNIST's."""
    if not re.search("(?<![a-z])emnist", file.name.casefold()):  # TissueMNIST's stand upright
        return images
    job.said.append(f"{printable(file.name)} turned upright, as EMNIST's files are")
    return images.swapaxes(1, 2)


def bomb(size: int, packed: int) -> bool:
    return size > max(2**26, BOMB_RATIO * packed)
