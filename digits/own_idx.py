"""IDX files in any spelling that is in use -> images and labels."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digits import idx
from digits.own_arrays import Arrays, bomb, from_arrays, spool, turned
from digits.own_common import Data, Job, wrong


def from_idx(root: Path, job: Job) -> Data | None:
    """train-images-idx3-ubyte, ... in any spelling."""
    if not root.is_dir() or not idx.candidates(root, "train", "images"):
        return None
    try:
        return from_arrays("IDX", root, read_all(root, job), job)
    except SystemExit as error:
        page = "; see docs/own-data.md"
        raise SystemExit(f"{str(error).removesuffix(page)}{page}") from None


def read_all(root: Path, job: Job) -> list[Arrays]:
    found = []
    for split in ("train", "test"):
        if split == "train" or idx.candidates(root, split, "images"):
            file = idx.find(root, split, "images")
            (_, *sides), rows = read_idx(file, "images")
            images = spool(rows, job.scratch / split, np.uint8, tuple(sides))
            _, labels = read_idx(idx.find(root, split, "labels"), "labels")
            found.append(Arrays(split, turned(file, images, job), np.concatenate([*labels])))
    return found


def read_idx(file: Path, kind: str) -> tuple[tuple[int, ...], Iterator[np.ndarray]]:
    """Shape and chunks of an IDX file; SystemExit where its header promises a bomb."""
    shape, rows = idx.read(file, kind)
    promised, there = math.prod(shape), file.stat().st_size
    if bomb(promised, there):
        expected = f"{promised:,} bytes of data, as its header says"
        raise wrong(file, expected, f"a file of {there:,}")
    return shape, rows
